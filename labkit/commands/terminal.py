"""Lines to try that act on the lab in this terminal."""

from __future__ import annotations

import os

from labkit.errors import LabError

KUBECONFIG = os.environ.get("KUBECONFIG", "")  # before a session puts the lab's own in its place
_OTHERS = ("kubectl ", "helm ", "ollama ")


def line(hint: str) -> str:
    """Return a hint for this terminal.

    Where kubectl would act on another cluster, the line first sets the lab's variables.

    >>> line("./lab up")
    './lab up'
    """
    if "lab." not in hint and not hint.startswith(_OTHERS):
        return hint
    from labkit.commands import shell_hint  # loads kubectl's verbs, which only a failure needs

    context = os.environ.get("LAB_CONTEXT", "")
    said = shell_hint.in_shell(hint, context)
    if not said.startswith(_OTHERS) or _acts_on_lab(context):
        return said
    return f"{shell_hint.in_shell('lab.start()', context)}; {said}"


def error(failed: LabError) -> str:
    """Return the three lines of an error, with the hint for this terminal."""
    happened, saw, _ = str(failed).splitlines()
    return f"{happened}\n{saw}\ntry: {line(failed.hint)}"


def _acts_on_lab(context: str) -> bool:
    from labkit.setup.cluster import environment, labs

    try:
        return str(environment.kubeconfig(labs.Lab(context))) == KUBECONFIG
    except LabError:  # $LAB_NAMESPACE cannot be one
        return False
