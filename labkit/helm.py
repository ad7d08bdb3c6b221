"""`lab.helm_upgrade` and `lab.helm_uninstall`: the real helm, in the learner's namespace."""

from __future__ import annotations

import os
import shlex
import subprocess

from labkit.display import Live, echo
from labkit.errors import CommandFailed, NotFound, TimedOut, ToolMissing
from labkit.session import current
from labkit.verbs import Output

SLACK_S = 30  # helm gives up by itself; this is for one that does not


def helm_upgrade(
    release: str,
    chart: str,
    *,
    repo: str | None = None,
    values: dict[str, object] | None = None,
    wait: bool = True,
    timeout_s: float = 180.0,
) -> Output:
    """Installs a chart as a release, or changes the release to be so; what helm printed.

        import os
        lab.helm_upgrade("second", "ollama", repo=os.environ["CHARTS"])

    Equals `helm upgrade --install RELEASE CHART --repo URL --set KEY=VALUE … --wait`; a list
    among the values is written as helm wants it, {a,b}. Raises CommandFailed with helm's own
    words, TimedOut, ToolMissing.
    """
    current()
    words = ["upgrade", "--install", release, chart]
    words += ["--repo", repo] if repo else []
    words += settings(values or {})
    words += ["--wait", f"--timeout={timeout_s:g}s"] if wait else []
    return Output(ran(words, f"helm upgrade {release}", timeout_s + SLACK_S))


def helm_uninstall(release: str, *, ignore_not_found: bool = False) -> Output:
    """Removes a release with all that its chart made, and waits until it is gone.

        lab.helm_uninstall("second", ignore_not_found=True)

    Equals `helm uninstall RELEASE --wait`. Raises NotFound, CommandFailed.
    """
    current()
    words = ["uninstall", release, "--wait", "--cascade=foreground"]
    words += ["--ignore-not-found"] if ignore_not_found else []
    return Output(ran(words, f"helm uninstall {release}", 120))


def settings(values: dict[str, object]) -> list[str]:
    """The words that give a chart its values.

    >>> settings({"replicaCount": 3, "ollama.models.pull": ["a", "b"]})
    ['--set', 'replicaCount=3', '--set', 'ollama.models.pull={a,b}']
    """
    return [word for name, value in values.items() for word in ("--set", f"{name}={_value(value)}")]


def _value(value: object) -> str:
    """As `--set` reads it.

    >>> _value(["a", "b"]), _value(True), _value(3)
    ('{a,b}', 'true', '3')
    """
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(str, value)) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def ran(words: list[str], title: str, timeout_s: float) -> str:
    """What helm printed; the line and how it ended are shown."""
    echo(shlex.join(["helm", *words]))
    with Live(title) as live:
        live.show(f"{title} …")
        printed = said(words, title, timeout_s)
        live.append(printed)
        live.done(f"{title} is done")
    return printed


def said(words: list[str], title: str, timeout_s: float) -> str:
    """The same, without a word about it. Raises CommandFailed, NotFound, TimedOut, ToolMissing."""
    try:
        done = subprocess.run(
            ["helm", *words],
            env=os.environ,  # which lab.start() has pointed at the lab
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise ToolMissing("there is no helm", "not on PATH", "./lab up") from None
    except subprocess.TimeoutExpired:
        raise TimedOut(
            f"{title} had not ended after {timeout_s:g} s",
            "helm said nothing",
            'lab.get("pods"), lab.events()',
        ) from None
    if done.returncode:
        raise _said_no(title, done.stderr.strip())
    return done.stdout


def _said_no(title: str, said: str) -> CommandFailed | NotFound:
    """
    >>> print(_said_no("helm upgrade x", "Error: can't evaluate field pull in type interface {}"))
    CommandFailed: helm upgrade x failed
    saw: Error: can't evaluate field pull in type interface {}
    try: the models are a list inside of ollama.models.pull: values={"ollama.models.pull": [...]}
    """
    lines = [line for line in said.splitlines() if line.startswith("Error")] or [said]
    if "in type interface {}" in said:
        hint = "the models are a list inside of ollama.models.pull:"
        hint += ' values={"ollama.models.pull": [...]}'
    elif "not found" in said and title.startswith("helm uninstall"):
        return NotFound(f"{title} failed", lines[-1], "helm list")
    elif "timed out" in said or "deadline exceeded" in said:
        hint = 'lab.get("pods"), lab.events(): what do its Pods lack?'
    else:
        hint = "mend what the second line names; helm list shows what is there"
    return CommandFailed(f"{title} failed", lines[-1], hint)
