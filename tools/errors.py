"""Writes docs/errors.md from the tree of errors and the remedies below.

Run by hand when an error or a remedy has changed: `python tools/errors.py`.
"""

from __future__ import annotations

from pathlib import Path

from labkit import errors
from labkit.errors import LabError

FILE = Path(__file__).resolve().parents[1] / "docs" / "errors.md"
_INTRO = """\
# Errors

Generated from `labkit/errors.py` by `python tools/errors.py`; edit those files.

Every error is three lines: what happened, what was seen, what to try.

```text
TimedOut: deployment/models and deployment/ollama in lab-system not ready after 180 s
saw: ollama-67d5f8c4b9-x2x7k: ImagePullBackOff
try: ./lab logs cluster, then ./lab up again
```

A notebook shows these lines in place of a traceback. In Python all of them are `lab.LabError`, with
the three lines in `happened`, `saw` and `hint`. *Exit code* is what `./lab` ends with: 1 is a clear
no, 2 means that the lab could not tell. Mistakes of Kubernetes and Ollama, with symptom, cause and
fix, are in [troubleshooting.md](troubleshooting.md).

| error | means | do | exit code |
|---|---|---|---|
"""
REMEDIES = {
    "Unsupported": "Another machine, or other options: Python older than 3.11, a processor without"
    " AVX2, and options that exclude each other are all reported as this",
    "NotEnoughDisk": "Free the space that the second line names; it is checked before the work",
    "NotEnoughMemory": "End other programs; the second line has the figures",
    "PortTaken": "Choose another port: the third line has the option or the variable. The lab"
    " remembers that of `LAB_REGISTRY_PORT=5055 ./lab up`",
    "EngineMissing": "Install or start Docker; the lab may not install it here",
    "EngineDenied": "Join the group `docker`, and log in again",
    "RouteUnavailable": "Choose the other route with `--route`",
    "DownloadFailed": "Check network and proxy, then run `./lab up` again",
    "ChecksumWrong": "Try another network: a proxy or an attacker changed the file",
    "BundleUnreadable": "Bring the file, the stick or the server back, then the same command again",
    "BundleDamaged": "`./lab bundle verify WHERE --repair FROM`, or copy the bundle again",
    "ToolMissing": "Install the program that the third line names",
    "BuildFailed": "Read the last lines of the log that the error names",
    "CommandFailed": "Read the program's own message in the second line",
    "NotOurs": "Remove the container or volume `lab-registry` if you do not need it; the lab leaves"
    " it alone",
    "ClusterNotOurs": "Remove the kind cluster `lab` if you do not need it; the lab leaves it"
    " alone",
    "ContextUnknown": "Choose a context that `kubectl config get-contexts` lists",
    "ContextSilent": "Start that cluster, or check the network to it",
    "NamespaceNotOurs": "Use another cluster; the lab leaves that namespace alone",
    "ModelUnavailable": "Choose another model; without network only `lab-llama` is available",
    "NotUp": "`./lab up` first",
    "LogMissing": "`./lab logs` lists the logs",
    "JupyterFailed": "Read the log that the error names",
    "NotStarted": "Run the notebook's first cell",
    "UnknownResource": '`lab.get("pods")`: use a kind that the cluster has',
    "NotFound": '`lab.get("pods")` lists the objects that exist',
    "AlreadyExists": "Delete it, or choose another name",
    "Refused": "Read the API server's reason in the second line",
    "Conflict": "Try again",
    "Expired": "Start the watch again; `lab.wait` does so automatically",
    "ApiSilent": "`./lab status`, then `./lab up`; labkit has already tried several times",
    "KubeconfigWrong": "`./lab up` writes a new kubeconfig",
    "PodFailed": "Read the reason in the second line, and change the Pod",
    "Gone": "Create it again, if you need it",
    "Unreachable": "Check that it runs, and that the port is right",
    "OllamaSaid": "Read Ollama's own message in the second line",
    "ModelMissing": "Pull the model there",
    "StreamCut": "Ask again; the server or the connection ended before the answer did",
    "UnknownStep": "Choose a step that the third line names",
    "CheckFailed": "The second line has what is missing, the third a question to think about",
    "TimedOut": "`./lab logs cluster` shows events, Pods and logs",
}


def kinds(parent: type[LabError] = LabError) -> list[type[LabError]]:
    """Return the errors of the tree below `parent`, in the order of the file.

    >>> [kind.__name__ for kind in kinds(errors.OllamaSaid)]
    ['ModelMissing', 'StreamCut']
    """
    members = vars(errors).values()
    return [k for k in members if isinstance(k, type) and issubclass(k, parent) and k is not parent]


def wanted(remedies: dict[str, str]) -> str:
    """Return what docs/errors.md must hold."""
    page = _INTRO
    for kind in kinds():
        means = (kind.__doc__ or "").splitlines()[0].rstrip(".").partition("; `")[0]
        row = (f"`{kind.__name__}`", means, remedies[kind.__name__], str(kind.exit_code))
        page += f"| {' | '.join(row)} |\n"
    return page


if __name__ == "__main__":
    FILE.write_text(wanted(REMEDIES))
