"""kubectl on one lab: its kubeconfig, its namespaces, and the guard around them."""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import (
    CommandFailed,
    ContextSilent,
    ContextUnknown,
    LabError,
    NamespaceNotOurs,
)
from labkit.setup.build import tools
from labkit.setup.host import paths, shell

LEARNER, SYSTEM = "lab", "lab-system"
IN_SYSTEM = ("--namespace", SYSTEM)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL = ("app.kubernetes.io/managed-by", "labkit")


@dataclass(frozen=True)
class Lab:
    """A lab and how to reach it: its own kind cluster, or a context of the user's."""

    context: str = ""  # empty: the kind cluster that the lab makes

    @property
    def kubeconfig(self) -> Path:
        if not self.context:
            return paths.state("kubeconfig")
        return paths.state("contexts", urllib.parse.quote(self.context, safe=""))

    def kubeconfig_in(self, namespace: str) -> Path:
        """The kubeconfig, or a copy of it for a namespace that is not its own.

        Raises LabError for what is not a namespace's name.
        """
        import yaml  # few commands need it, and all load this file

        if not _NAME.fullmatch(namespace):
            saw = "a namespace's name has small letters, digits, and - between them"
            hint = f"export LAB_NAMESPACE={LEARNER}"
            raise LabError(f"{namespace!r} is not a valid name", saw, hint)
        config = yaml.safe_load(self.kubeconfig.read_text())
        current = config["current-context"]
        context = next(c["context"] for c in config["contexts"] if c["name"] == current)
        if context.get("namespace") == namespace:
            return self.kubeconfig
        context["namespace"] = namespace
        copy = paths.state("namespaces", namespace, self.kubeconfig.name)
        paths.write_text(copy, yaml.safe_dump(config), private=True)
        return copy

    def kubectl(self, *words: str | Path, **options) -> str:
        """What `kubectl WORDS` printed. The learner's namespace unless the words say another."""
        return shell.output(self.program(), *words, env=self.environment(), **options)

    def get(self, *words: str) -> dict:
        """The object or list that `kubectl get WORDS` answers; {} where there is none."""
        text = self.kubectl("get", *words, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text else {}

    def require_ready(self) -> None:
        """Raise CommandFailed or TimedOut while the API server does not report that it is ready."""
        self.kubectl("get", "--raw", "/readyz", "--request-timeout", "3s", timeout_s=10)

    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig)}

    def program(self) -> str:
        own = tools.path("kubectl")
        return str(own) if own.exists() else "kubectl"


def take_over(context: str) -> Lab:
    """A lab in a cluster of the user's kubeconfig, whose file is read and never written.

    Raises ContextUnknown, ContextSilent.
    """
    lab = Lab(context)
    words = ("config", "view", "--minify", "--flatten", "--context", context)
    try:
        text = shell.output(lab.program(), *words)
    except CommandFailed as error:
        names = shell.output(lab.program(), "config", "get-contexts", "-o", "name", check=False)
        raise ContextUnknown(
            f"the kubeconfig has no context {context}",
            f"{error.saw}; contexts: {', '.join(names.split()) or 'none'}"
            f" in {_kubeconfig_of_user()}",
            "kubectl config get-contexts, then ./lab up --context NAME",
        ) from None
    known = lab.kubeconfig.exists()
    paths.write_text(lab.kubeconfig, text + "\n", private=True)
    lab.kubectl("config", "set-context", "--current", "--namespace", LEARNER)
    try:
        lab.kubectl("version", "--request-timeout", "5s", timeout_s=20)
    except CommandFailed as error:
        if not known:  # else `./lab reset --all` would count it among the labs
            lab.kubeconfig.unlink()
        raise ContextSilent(
            f"the cluster of context {context} does not answer within 5 s",
            error.saw,
            f"kubectl --context {context} version",
        ) from None
    return lab


def guard(lab: Lab) -> None:
    """Raise NamespaceNotOurs when a namespace of the lab's name lacks the lab's label."""
    found = lab.get("namespace", LEARNER, SYSTEM)
    for item in found.get("items", []):
        if not ours(item):
            raise NamespaceNotOurs(
                f"namespace {item['metadata']['name']} is there and does not belong to the lab",
                f"it lacks the label {LABEL[0]}={LABEL[1]}",
                "use another cluster, or rename or remove that namespace yourself",
            )


def remove_namespaces(lab: Lab) -> list[str]:
    """Delete the lab's namespaces, and only those that carry its label; returns their names."""
    found = lab.get("namespace", LEARNER, SYSTEM).get("items", [])
    names = [item["metadata"]["name"] for item in found if ours(item)]
    if names:
        lab.kubectl("delete", "namespace", *names, "--timeout", "120s", timeout_s=150)
    return names


def ours(item: dict) -> bool:
    """Does an object carry the lab's label?"""
    return item["metadata"].get("labels", {}).get(LABEL[0]) == LABEL[1]


def _kubeconfig_of_user() -> str:
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
