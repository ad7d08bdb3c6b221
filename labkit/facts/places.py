"""What there is to ask: an Ollama, a model on it, programs, a cluster; and why one is not there."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.facts import own_model
from labkit.facts.entries import Fact
from labkit.facts.probe import CannotAsk, Probe
from labkit.setup.cluster import local_ollama
from labkit.setup.host import paths

SHORT_S = 10.0
OLLAMA, KUBECTL, KUBERNETES, HELM, HAPROXY = "Ollama", "kubectl", "Kubernetes", "Helm", "HAProxy"
OF_OLLAMA, OF_CLUSTER = (OLLAMA,), (KUBECTL, KUBERNETES)

# with the probe's folder under its own name, and the machine's own 127.0.0.1
_IN_CONTAINER = (
    *("run", "--rm", "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}"),
    *("--volume", "$FOLDER:$FOLDER", "--workdir", "$FOLDER", "--entrypoint", "haproxy"),
)


@dataclass(frozen=True)
class Places:
    """Where the probes of this run ask.

    `ollama` is a URL, `path` where programs are looked for, `registry` the host of a model mirror
    that an Ollama here reaches, `haproxy_image` what runs where no haproxy is on that path. What is
    empty is not there.
    """

    ollama: str = ""
    model: str = ""
    context: str = ""
    namespace: str = ""
    kubeconfig: str = ""
    registry: str = ""
    haproxy_image: str = ""
    path: str = field(default_factory=lambda: os.environ.get("PATH", ""))
    may_change: bool = False
    limit_s: float = SHORT_S
    _why: dict[str, str] = field(default_factory=dict, compare=False)
    _used: list[str] = field(default_factory=list, compare=False)  # models that clean_up deletes

    @cached_property
    def env(self) -> dict[str, str]:
        """Variables of every program that a probe runs."""
        found = {"PATH": self.path}
        found |= {"KUBECONFIG": self.kubeconfig} if self.kubeconfig else {}
        return found | ({"OLLAMA_HOST": self.ollama} if self.ollama else {})

    @cached_property
    def programs(self) -> dict[str, list[str]]:
        """The words that a program's name stands for in a step."""
        kubectl = ["kubectl"]
        kubectl += ["--context", self.context] if self.context else []
        kubectl += ["--namespace", self.namespace] if self.namespace else []
        found = {"kubectl": kubectl}
        for name in ("kubectl", "ollama", "helm", "haproxy"):
            words = found.setdefault(name, [name])
            words[0] = shutil.which(name, path=self.path) or name
        docker = shutil.which("docker", path=self.path)
        if found["haproxy"] == ["haproxy"] and self.haproxy_image and docker:
            found["haproxy"] = [docker, *_IN_CONTAINER, self.haproxy_image]
        return found

    @property
    def values(self) -> dict[str, str]:
        """What `$NAME` stands for in a step."""
        return {
            "URL": self.ollama.rstrip("/"),
            "MODEL": self.chosen_model,
            "NAMESPACE": self.namespace or "default",
            "REGISTRY": self.registry,
            "NAME": self._name,
            **own_model.values(),
        }

    @property
    def _name(self) -> str:
        """Of what a probe creates in a cluster: no object of another has it, nor one that ends."""
        return f"labkit-facts-{secrets.token_hex(3)}"

    def why_not(self, fact: Fact) -> str:
        """Why this fact cannot be asked here; empty where it can."""
        if fact.cannot or (fact.changes and not self.may_change):
            return fact.cannot or "it changes something: --may-change"
        return next((why for need in fact.needs if (why := self._missing(need))), "")

    def version(self, of: str) -> str:
        """Which version of a part is asked; empty where that is not known."""
        try:
            return {
                OLLAMA: lambda: str(self._ollama["version"]),
                KUBECTL: lambda: self._kube("clientVersion"),
                KUBERNETES: lambda: self._kube("serverVersion"),
                HELM: lambda: self._said("helm version --template {{.Version}}"),
                HAPROXY: lambda: self._said("haproxy -v").split(" ", 3)[2].split("-")[0],
            }.get(of, str)()
        except (CannotAsk, LookupError):
            return ""

    def _missing(self, need: str) -> str:
        if need not in self._why:
            try:
                _NEEDS[need](self)
                self._why[need] = ""
            except CannotAsk as error:
                self._why[need] = str(error)
            except LabError as error:
                self._why[need] = f"{error.happened}: {error.saw}"
        return self._why[need]

    @cached_property
    def _ollama(self) -> dict[str, Any]:
        """Its answer at /api/version. Raises CannotAsk."""
        if not self.ollama:
            raise CannotAsk("there is no Ollama to ask: ./lab up, or --ollama URL")
        reply = self._one({"GET": "/api/version"})
        if reply["status"] in (401, 403, 407):
            raise CannotAsk(f"it needs a key or rejects this client (HTTP {reply['status']})")
        if not isinstance(reply.get("json"), dict) or "version" not in reply["json"]:
            raise CannotAsk(f"no Ollama answers there (HTTP {reply['status']} at /api/version)")
        return dict(reply["json"])

    @cached_property
    def chosen_model(self) -> str:
        """The model that is asked: --model, else the lab's small one, else the first there is."""
        if self.model:
            return self.model
        if self.may_change:
            return own_model.NAME
        try:
            models = self._one({"GET": "/api/tags"})["json"]["models"]
            return str(models[0]["name"]) if models else ""
        except (CannotAsk, LookupError, TypeError):
            return ""

    def _require_model(self) -> None:
        _ = self._ollama
        is_own = self.may_change and not self.model
        if is_own:
            self._used.append(own_model.NAME)
        if not self.chosen_model:
            raise CannotAsk("this Ollama has no model: ollama pull one, or --may-change")
        reply = self._one({"POST": "/api/show", "json": {"model": self.chosen_model}})
        if reply["status"] != 200 and is_own:
            with Probe({"URL": self.ollama.rstrip("/")}, {}, {}, own_model.MAKE_S) as probe:
                own_model.make(probe)
        elif reply["status"] != 200:
            raise CannotAsk(f"this Ollama does not have the model {self.chosen_model}")

    def _require_own(self) -> None:
        if self.model:
            raise CannotAsk("it is about the lab's small model, and --model names another")
        self._require_model()

    def _require_program(self, name: str) -> None:
        if not Path(self.programs[name][0]).is_absolute():
            raise CannotAsk(f"there is no {name} on PATH")

    def _require_client(self) -> None:
        """The command, of the same version as the server: what it prints depends on both."""
        server = str(self._ollama["version"])
        self._require_program("ollama")
        said = self._one({"run": "ollama --version"})
        found = re.findall(r"(?:client|ollama) version is (\S+)", said["stdout"] + said["stderr"])
        if found[-1:] != [server]:
            here = f"version {found[-1]}" if found else "of no version"
            raise CannotAsk(f"the `ollama` here is {here}, and the server {server}")

    def _require_server(self) -> None:
        """A program that can be started here, not the lab's command that enters its container."""
        self._require_client()
        lab = local_ollama.COMMAND.encode()
        with Path(self.programs["ollama"][0]).open("rb") as file:
            if file.read(len(lab)) == lab:
                raise CannotAsk("`ollama` here runs in a container: a server cannot be started")

    def _require_cluster(self) -> None:
        self._require_program("kubectl")
        if not self._kube("serverVersion"):
            raise CannotAsk("no cluster answers: ./lab up, or --context CTX")

    def _require_registry(self) -> None:
        if not self.registry:
            raise CannotAsk("there is no model mirror of the lab's beside this Ollama")

    @cached_property
    def _kube_versions(self) -> dict[str, Any]:
        words = "kubectl version --output json --request-timeout 5s"
        reply = self._one({"run": words}, limit_s=2 * self.limit_s)
        return dict(reply.get("json", {}))

    def _kube(self, which: str) -> str:
        self._require_program("kubectl")
        return str(self._kube_versions.get(which, {}).get("gitVersion", "")).removeprefix("v")

    def _said(self, words: str) -> str:
        self._require_program(words.split()[0])
        return str(self._one({"run": words})["stdout"]).removeprefix("v")

    def _one(self, step: dict[str, Any], limit_s: float = 0) -> dict[str, Any]:
        url = {"URL": self.ollama.rstrip("/")}
        with Probe(url, self.programs, self.env, limit_s or self.limit_s) as probe:
            return probe.ask(step)

    def clean_up(self) -> None:
        """Deletes the lab's small model, where a fact has asked it."""
        if self._used:
            with Probe({"URL": self.ollama.rstrip("/")}, {}, {}, SHORT_S) as probe:
                probe.clean_up(own_model.CLEAN_UP)


_NEEDS: dict[str, Callable[[Places], object]] = {
    "ollama": lambda places: places._ollama,
    "model": Places._require_model,
    "own": Places._require_own,
    "client": Places._require_client,
    "server": Places._require_server,
    "kubectl": lambda places: places._require_program("kubectl"),
    "cluster": Places._require_cluster,
    "helm": lambda places: places._require_program("helm"),
    "haproxy": lambda places: places._require_program("haproxy"),
    "registry": Places._require_registry,
}


def without_the_labs_tools(path: str) -> str:
    """PATH without the folder of `./lab env`, whose `ollama` is that of the lab's container."""
    own = str(paths.tools())
    return os.pathsep.join(part for part in path.split(os.pathsep) if part != own)
