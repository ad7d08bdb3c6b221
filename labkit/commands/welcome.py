"""`./lab` without an argument: the next thing to do, by what this machine has already."""

from __future__ import annotations

from labkit.setup.cluster import labs
from labkit.setup.host import lock

_ROWS = {
    "./lab up": "bring the lab up; it ends with the address of the notebooks",
    "./lab notebook": "print the address of the notebooks",
    "./lab status": "show each part of the lab, and what is missing",
    "./lab check": "show which steps of the notebooks are done",
    "./lab down": "remove the cluster, and keep what makes the next ./lab up quick",
    "./lab -h": "list all commands",
}
_NEW = ("./lab up", "./lab -h")
_AT_WORK = ("./lab status", "./lab -h")
_MADE = ("./lab notebook", "./lab check", "./lab status", "./lab down", "./lab -h")


def text() -> str:
    """Return what to type first, and what after it.

    It contacts nothing: whether the cluster answers is for `./lab status` to find out.
    """
    if lock.is_held():
        said, words = "Another ./lab command is at work on this machine.", _AT_WORK
    elif labs.Lab("").kubeconfig.exists():
        said, words = "The lab has been brought up on this machine.", _MADE
    else:
        said, words = "The lab is not on this machine yet.", _NEW
    rows = [f"  {word:16}{_ROWS[word]}" for word in words]
    title = "Ollama on Kubernetes, on your own machine."
    return "\n".join([title, said, "", "Type next:", *rows])
