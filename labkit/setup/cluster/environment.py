"""`./lab env`: the variables by which bare kubectl, helm and ollama act on the lab."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from labkit.errors import NotUp
from labkit.setup.cluster import labs, local_ollama, model
from labkit.setup.host import paths


def variables(context: str = "") -> dict[str, str]:
    """What a terminal needs for bare kubectl, helm, hey and kind to act on the lab."""
    lab = labs.Lab(context)
    if not lab.kubeconfig.exists():
        wanted = f" --context {context}" if context else ""
        raise NotUp("there is no lab to point to", f"no {lab.kubeconfig}", f"./lab up{wanted}")
    return exported(lab)


def exported(lab: labs.Lab) -> dict[str, str]:
    """The same variables, whether the lab is up or will be."""
    found = {
        "KUBECONFIG": str(kubeconfig(lab)),
        "MODEL": model.chosen(lab),
        "PATH": str(paths.tools()),
    }
    # beside a cluster of the user's there is no Ollama of the lab's
    if not lab.context or os.environ.get("LAB_OLLAMA"):
        found["OLLAMA_HOST"] = local_ollama.host()
    charts = paths.read_json(paths.state("charts.json")).get("url")
    if charts and not lab.context:  # at a node's address, which is this machine's to reach
        found["CHARTS"] = charts
    # else `helm repo add` would write into the user's own list
    for kind in ("CONFIG", "CACHE", "DATA"):
        found[f"HELM_{kind}_HOME"] = str(paths.state("helm", kind.lower()))
    return found


def kubeconfig(lab: labs.Lab) -> Path:
    """What bare kubectl acts by: in $LAB_NAMESPACE, as `lab.start()` does. Raises LabError."""
    namespace = os.environ.get("LAB_NAMESPACE")
    if namespace and lab.kubeconfig.exists():
        return lab.kubeconfig_in(namespace)
    return lab.kubeconfig


def exports(context: str = "") -> str:
    """`variables()` as a shell's export lines."""
    return export_lines(variables(context))


def export_lines(values: dict[str, str]) -> str:
    """The variables as a shell's export lines; the folder at PATH comes before the shell's own.

    >>> export_lines({"MODEL": "a b", "PATH": "/tools"}).splitlines()[0]
    "export MODEL='a b'"
    """
    folder = shlex.quote(values["PATH"])
    others = {name: value for name, value in values.items() if name != "PATH"}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in others.items()]
    # once only, however often it is evaluated
    lines.append(f'case ":$PATH:" in *:{folder}:*) ;; *) export PATH={folder}:"$PATH" ;; esac')
    return "\n".join(lines)
