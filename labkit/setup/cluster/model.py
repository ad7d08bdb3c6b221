"""The lab's model: made in the lab's own Ollama, pushed to the mirror, asked for an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import CommandFailed, ModelUnavailable
from labkit.setup.build import catalog
from labkit.setup.cluster import labs, services
from labkit.setup.host import paths, shell, speed
from labkit.setup.host.poll import pause
from labkit.setup.host.progress import Task
from labkit.ui import escapes

DEFAULT = "lab-llama"
PROMPT = "What is a Pod?"
PULL_S = 3600
ANSWER_S = 600
MAKE_S = 600
PUSHES = 5
TRIES = 3
NAME = re.compile(r"(?P<path>[\w.-]+(/[\w.-]+)?)(:(?P<tag>[\w.-]+))?")
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
            f"{name!r} is not a valid model name",
            "a name has the form NAME, NAME:TAG or NAMESPACE/NAME:TAG",
            f"./lab up --model {DEFAULT}, or a name from https://ollama.com/search",
        )
    path = match["path"]
    return (path if "/" in path else f"library/{path}"), match["tag"] or "latest"


def full_name(name: str) -> str:
    """What `ollama pull` wants in the cluster: host, namespace and name, three parts."""
    path, tag = parts(name)
    return f"{services.HOST}/{path}" + ("" if tag == "latest" else f":{tag}")


def chosen(lab: labs.Lab) -> str:
    """The full name of the model that the last `up` brought to this lab."""
    return paths.read_json(_record(lab)).get("name") or full_name(DEFAULT)


def ensure(lab: labs.Lab, name: str, task: Task) -> str:
    """The mirror holds the model, refilled when it is empty; returns the full name."""
    path, tag = parts(name)
    full = full_name(name)
    mark = f"made-{inputs()}" if name == DEFAULT else tag
    if mark in services.tags(lab, path, patience_s=20):
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


def forget(lab: labs.Lab) -> None:
    """The lab is gone: the next one begins with the default model."""
    _record(lab).unlink(missing_ok=True)


def _record(lab: labs.Lab) -> Path:
    return lab.kubeconfig.with_name(f"{lab.kubeconfig.name}.model.json")


def inputs() -> str:
    return catalog.digest_of(FOLDER / "lab-llama.gguf", FOLDER / "Modelfile")


def ask(lab: labs.Lab, full: str, prompt: str = PROMPT) -> Answer:
    """One answer of the lab's Ollama Pod, after a pull from the mirror.

    A pull of what is there already looks for updates, so each call also proves DNS, the
    Service and the way between nodes.
    """
    _ollama(lab, "pull", "--insecure", full, timeout_s=speed.deadline(ANSWER_S))
    words = ("run", "--insecure", "--verbose", "--nowordwrap", full, prompt)
    text, said = _ollama(lab, *words, timeout_s=speed.deadline(ANSWER_S))
    rate = re.search(r"eval rate:\s+([\d.]+) tokens/s\s*$", said.strip())
    if not text:
        raise ModelUnavailable(
            f"{full} gave an empty answer to {prompt!r}", shell.last_line(said), "./lab up again"
        )
    return Answer(text, float(rate[1]) if rate else None)


def plain(text: str) -> str:
    """Text without what Ollama writes for a terminal: spinners, cursor moves, colours."""
    return escapes.plain(text).replace("\r", "").replace("\b", "")


def _make(lab: labs.Lab, full: str, mark: str) -> None:
    # the mark last: it says that the push is whole
    make(lab, FOLDER / "lab-llama.gguf", (full, f"{full}:{mark}"))


def make(lab: labs.Lab, weights: Path, names: tuple[str, ...]) -> None:
    """A model of these weights and k8s/model's Modelfile, in the mirror under these names."""
    create(lab, weights, DEFAULT)
    publish(lab, DEFAULT, names)


def create(lab: labs.Lab, weights: Path, local: str) -> None:
    """The same in the lab's own Ollama only, under this name: `publish` brings it to the mirror."""
    folder = f"$HOME/{local}"  # of its own: two models may be made at the same time
    for file, source in (("lab-llama.gguf", weights), ("Modelfile", FOLDER / "Modelfile")):
        write = f'cat > "{folder}/{file}.part" && mv "{folder}/{file}.part" "{folder}/{file}"'
        command = ("sh", "-ec", f'mkdir -p "{folder}" && {write}')
        words = ("exec", "-i", "deployment/ollama", *labs.IN_SYSTEM, "--", *command)
        lab.kubectl(*words, stdin=source.read_bytes(), timeout_s=speed.deadline(MAKE_S))
    command = f'cd "{folder}" && ollama create {local} -f Modelfile && rm -r "{folder}"'
    words = ("exec", "deployment/ollama", *labs.IN_SYSTEM, "--", "sh", "-ec", command)
    lab.kubectl(*words, timeout_s=speed.deadline(MAKE_S))


def publish(lab: labs.Lab, local: str, names: tuple[str, ...]) -> None:
    """Push what `create` made under these names, in order, and free its place."""
    for target in names:
        _push(lab, local, target)
    _ollama(lab, "rm", local)


def answer_cpu_s(lab: labs.Lab, local: str) -> float:
    """Seconds that one answer of what `create` made takes of a processor, once it is loaded.

    On the processor's clock, not on the wall's: that one also counts what else is running.
    Raises ModelUnavailable where that cannot be measured.
    """
    words = ("run", "--nowordwrap", local, PROMPT)
    for _ in range(TRIES):
        _ollama(lab, *words, timeout_s=speed.deadline(ANSWER_S))
        before = _cpu_s(lab)
        _ollama(lab, *words, timeout_s=speed.deadline(ANSWER_S))
        used = _cpu_s(lab) - before
        if used > 0:  # else its process went between the two looks, for another model
            return used
    raise ModelUnavailable(
        f"how long {local} takes for an answer could not be measured",
        "its process in the lab's Ollama Pod was replaced each time",
        "once more, when nothing else asks the lab's Ollama",
    )


def _cpu_s(lab: labs.Lab) -> float:
    """What all processes in the lab's Ollama container have used until now."""
    words = ("exec", "deployment/ollama", *labs.IN_SYSTEM, "--", "sh", "-c")
    text = lab.kubectl(*words, "getconf CLK_TCK; cat /proc/[0-9]*/stat 2>/dev/null || true")
    ticks, *processes = text.splitlines()
    # proc(5): utime and stime are fields 14 and 15; the name before them may hold blanks
    used = [row.rpartition(")")[2].split() for row in processes]
    return sum(int(fields[11]) + int(fields[12]) for fields in used) / int(ticks)


def _push(lab: labs.Lab, local: str, target: str) -> None:
    _ollama(lab, "cp", local, target)
    for attempt in range(PUSHES):
        try:
            _ollama(lab, "push", "--insecure", target, timeout_s=speed.deadline(PULL_S))
            break
        except CommandFailed as error:
            # a Service may refuse connections for a second after its Pods are ready
            if "connection refused" not in error.saw or attempt == PUSHES - 1:
                raise
            pause(1)
    _ollama(lab, "rm", target)


def _fetch(lab: labs.Lab, name: str, full: str) -> None:
    try:
        _ollama(lab, "pull", name, timeout_s=speed.deadline(PULL_S))
    except CommandFailed as error:
        raise ModelUnavailable(
            f"model {name} could not be pulled from Ollama's library",
            plain(error.saw),
            f"check the name and the network, or take the lab's own: ./lab up --model {DEFAULT}",
        ) from None
    _push(lab, name, full)
    _ollama(lab, "rm", name)


def _ollama(lab: labs.Lab, *words: str, timeout_s: float = 120) -> tuple[str, str]:
    """What `ollama WORDS` in the lab's own Ollama Pod wrote to stdout and stderr."""
    command = ("exec", "deployment/ollama", *labs.IN_SYSTEM, "--", "ollama", *words)
    done = shell.run(
        *(lab.program(), *command), env=lab.environment(), timeout_s=timeout_s, check=False
    )
    if done.returncode:
        raise CommandFailed(
            f"ollama {' '.join(words[:3])} failed in the lab's Ollama Pod",
            _ollama_error(plain(done.stderr) or plain(done.stdout)),
            f"kubectl logs deployment/ollama --namespace {labs.SYSTEM}",
        )
    return plain(done.stdout).strip(), plain(done.stderr)


def _ollama_error(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("Error")]
    return shell.last_line("\n".join(lines) or text.replace("command terminated", ""))
