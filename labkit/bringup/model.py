"""The lab's model: made in the lab's own Ollama, pushed to the mirror, asked for an answer."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from labkit.bringup import bom, kube, mirror, paths, shell
from labkit.bringup.progress import Task
from labkit.errors import CommandFailed, ModelUnavailable

DEFAULT = "lab-llama"
PROMPT = "What is a Pod?"
PULL_S = 3600
MAKE_S = 600
PUSHES = 5
NAME = re.compile(r"(?P<path>[\w.-]+(/[\w.-]+)?)(:(?P<tag>[\w.-]+))?")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|[\r\x08]")
FOLDER = paths.k8s("model")


@dataclass(frozen=True)
class Answer:
    text: str
    tokens_per_s: float | None  # as Ollama measured it, None when it did not say


def parts(name: str) -> tuple[str, str]:
    """("library/qwen2", "1.5b") of "qwen2:1.5b". Raises ModelUnavailable on a bad name."""
    match = NAME.fullmatch(name)
    if not match:
        raise ModelUnavailable(
            f"{name!r} is no model name",
            "a name has the form NAME, NAME:TAG or NAMESPACE/NAME:TAG",
            f"./lab up --model {DEFAULT}, or a name from https://ollama.com/search",
        )
    path = match["path"]
    return (path if "/" in path else f"library/{path}"), match["tag"] or "latest"


def full_name(name: str) -> str:
    """What `ollama pull` wants in the cluster: host, namespace and name, three parts."""
    path, tag = parts(name)
    return f"{mirror.HOST}/{path}" + ("" if tag == "latest" else f":{tag}")


def chosen(lab: kube.Lab) -> str:
    """The full name of the model that the last `up` brought to this lab."""
    return paths.read_json(_record(lab)).get("name") or full_name(DEFAULT)


def ensure(lab: kube.Lab, name: str, task: Task) -> str:
    """The mirror holds the model, refilled when it is empty; returns the full name."""
    path, tag = parts(name)
    full = full_name(name)
    mark = f"made-{inputs()}" if name == DEFAULT else tag
    if mark in mirror.tags(lab, path, patience_s=20):
        task.note(f"{name}, here already")
    elif name == DEFAULT:
        task.note("making it from k8s/model")
        _make(lab, full, mark)
        task.note(f"{name}, made from k8s/model")
    else:
        task.note(f"pulling {name}")
        _fetch(lab, name, full)
        task.note(f"{name}, pulled")
    paths.write_json(_record(lab), {"name": full})
    return full


def forget(lab: kube.Lab) -> None:
    """The lab is gone: the next one begins with the default model."""
    _record(lab).unlink(missing_ok=True)


def _record(lab: kube.Lab) -> Path:
    return lab.kubeconfig.with_name(f"{lab.kubeconfig.name}.model.json")


def inputs() -> str:
    return bom.digest_of(FOLDER / "lab-llama.gguf", FOLDER / "Modelfile")


def ask(lab: kube.Lab, full: str, prompt: str = PROMPT) -> Answer:
    """One answer of the lab's Ollama Pod, after a pull from the mirror.

    A pull of what is there already looks for updates, so each call also proves DNS, the
    Service and the way between nodes.
    """
    _ollama(lab, "pull", "--insecure", full, timeout_s=600)
    text, said = _ollama(
        lab, "run", "--insecure", "--verbose", "--nowordwrap", full, prompt, timeout_s=600
    )
    rate = re.search(r"eval rate:\s+([\d.]+) tokens/s\s*$", said.strip())
    if not text:
        raise ModelUnavailable(
            f"{full} gave an empty answer to {prompt!r}", shell.last_line(said), "./lab up again"
        )
    return Answer(text, float(rate[1]) if rate else None)


def plain(text: str) -> str:
    """Text without what Ollama writes for a terminal: spinners, cursor moves, colours."""
    return ESCAPES.sub("", text)


def _make(lab: kube.Lab, full: str, mark: str) -> None:
    # the mark last: it says that the push is whole
    make(lab, FOLDER / "lab-llama.gguf", (full, f"{full}:{mark}"))


def make(lab: kube.Lab, weights: Path, names: tuple[str, ...]) -> None:
    """A model of these weights and k8s/model's Modelfile, in the mirror under these names."""
    for file, source in (("lab-llama.gguf", weights), ("Modelfile", FOLDER / "Modelfile")):
        command = (
            "sh",
            "-ec",
            f'cat > "$HOME/{file}.part" && mv "$HOME/{file}.part" "$HOME/{file}"',
        )
        words = ("exec", "-i", "deployment/ollama", *kube.IN_SYSTEM, "--", *command)
        lab.kubectl(*words, stdin=source.read_bytes(), timeout_s=MAKE_S)
    command = f'cd "$HOME" && ollama create {DEFAULT} -f Modelfile && rm lab-llama.gguf'
    words = ("exec", "deployment/ollama", *kube.IN_SYSTEM, "--", "sh", "-ec", command)
    lab.kubectl(*words, timeout_s=MAKE_S)
    for target in names:
        _push(lab, DEFAULT, target)
    _ollama(lab, "rm", DEFAULT)


def _push(lab: kube.Lab, local: str, target: str) -> None:
    _ollama(lab, "cp", local, target)
    for attempt in range(PUSHES):
        try:
            _ollama(lab, "push", "--insecure", target, timeout_s=PULL_S)
            break
        except CommandFailed as error:
            # a Service may refuse connections for a second after its Pods are ready
            if "connection refused" not in error.saw or attempt == PUSHES - 1:
                raise
            time.sleep(1)
    _ollama(lab, "rm", target)


def _fetch(lab: kube.Lab, name: str, full: str) -> None:
    try:
        _ollama(lab, "pull", name, timeout_s=PULL_S)
    except CommandFailed as error:
        raise ModelUnavailable(
            f"model {name} could not be pulled from Ollama's library",
            plain(error.saw),
            f"check the name and the network, or take the lab's own: ./lab up --model {DEFAULT}",
        ) from None
    _push(lab, name, full)
    _ollama(lab, "rm", name)


def _ollama(lab: kube.Lab, *words: str, timeout_s: float = 120) -> tuple[str, str]:
    """What `ollama WORDS` in the lab's own Ollama Pod wrote to stdout and stderr."""
    command = ("exec", "deployment/ollama", *kube.IN_SYSTEM, "--", "ollama", *words)
    done = shell.run(
        *(lab.program(), *command), env=lab.environment(), timeout_s=timeout_s, check=False
    )
    if done.returncode:
        raise CommandFailed(
            f"ollama {' '.join(words[:3])} failed in the lab's Ollama Pod",
            _ollama_error(plain(done.stderr) or plain(done.stdout)),
            f"kubectl logs deployment/ollama --namespace {kube.SYSTEM}",
        )
    return plain(done.stdout).strip(), plain(done.stderr)


def _ollama_error(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("Error")]
    return shell.last_line("\n".join(lines) or text.replace("command terminated", ""))
