"""Hints for a terminal: each call of `lab` becomes a command line to paste."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import labkit
from labkit.kube import helm_values, manifests, wait
from labkit.kube.conditions import usual
from labkit.ollama import client
from labkit.setup.cluster import services
from labkit.setup.host import speed
from labkit.ui import kubectl_line

_CALL = re.compile(r"\blab\.\w+\(")
_COMMANDS = ("kubectl ", "ollama ", "helm ", "./lab ")


class _Call(NamedTuple):
    begin: int
    end: int
    line: str


def in_shell(hint: str, context: str = "") -> str:
    """Return the hint with a command line in place of each call of `lab`.

    >>> in_shell('lab.get("pods") shows what is')
    'kubectl get pods # shows what is'
    >>> in_shell('lab.check("03-service")', "my-cluster")
    './lab check 03-service --context my-cluster'
    >>> in_shell("lab.dashboard()")
    'in a notebook: lab.dashboard()'

    `context` is the value of `--context`. The words of the hint follow the line as a comment.
    """
    if not re.search(r"\blab\.\w", hint):
        return hint
    try:
        calls = list(_calls(hint, context))
    except _NotebookOnly:
        return f"in a notebook: {hint}"
    if not calls:
        return _replaced(hint, 0, [])
    before = hint[: calls[0].begin].strip()
    if before and (before.startswith(_COMMANDS) or before[-1] not in "?:;"):
        return _replaced(hint, 0, calls)
    first = 1
    while first < len(calls) and _between(hint, calls[first - 1], calls[first]) in (",", ";"):
        first += 1
    line = "; ".join(call.line for call in calls[:first])
    rest = _replaced(hint, calls[first - 1].end, calls[first:])
    words = [part for part in (before.rstrip(" :;"), rest.strip(" ,;:")) if part]
    return f"{line} # {'; '.join(words)}" if words else line


class _NotebookOnly(Exception):
    """A call has no equal command line."""


def _between(hint: str, one: _Call, other: _Call) -> str:
    return hint[one.end : other.begin].strip()


def _replaced(hint: str, begin: int, calls: list[_Call]) -> str:
    said = ""
    for call in calls:
        said += _words(hint[begin : call.begin]) + call.line
        begin = call.end
    return said + _words(hint[begin:])


def _words(text: str) -> str:
    return text.replace("lab.model", "$MODEL")


def _calls(hint: str, context: str) -> Iterator[_Call]:
    end = 0
    for match in _CALL.finditer(hint):
        if match.start() < end:  # an argument of the one before
            continue
        node, end = _parsed(hint, match.start())
        yield _Call(match.start(), end, _line(node, context))
    if re.search(r"\blab\.(?!model\b)\w", hint[end:]):
        raise _NotebookOnly


def _parsed(hint: str, begin: int) -> tuple[ast.Call, int]:
    """Return the call that begins there, and its end."""
    for bracket in re.finditer(r"\)", hint[begin:]):
        end = begin + bracket.end()
        with suppress(SyntaxError):
            node = ast.parse(hint[begin:end], mode="eval").body
            if isinstance(node, ast.Call):
                return node, end
    raise _NotebookOnly


class _Values(ast.NodeTransformer):
    """Insert the values that a hint may name: the model, and variables of `./lab env`."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        is_model = ast.unparse(node) == "lab.model"
        return ast.Constant(labkit.model) if is_model else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        name = ast.literal_eval(node.slice) if ast.unparse(node.value) == "os.environ" else ""
        return ast.Constant(os.environ[name]) if name in os.environ else node


def _line(node: ast.Call, context: str) -> str:
    assert isinstance(node.func, ast.Attribute)
    name = node.func.attr
    try:
        args = [ast.literal_eval(_Values().visit(value)) for value in node.args]
        options = {k.arg: ast.literal_eval(_Values().visit(k.value)) for k in node.keywords}
        if name in _OWN:
            return _OWN[name](context, *args, **options)
        return _LINES[name](*args, **options)
    except (KeyError, TypeError, ValueError):
        raise _NotebookOnly from None


def _lab(*words: str, context: str) -> str:
    return shlex.join(["./lab", *words, *(["--context", context] if context else [])])


def _start(context: str, namespace: str = "") -> str:
    chosen = f"export LAB_NAMESPACE={shlex.quote(namespace)}; " if namespace else ""
    return f'{chosen}eval "$({_lab("env", context=context)})"'


def _load_test(context: str, target: str) -> str:
    words = ("load", target, "-n", "10", "-c", "1", "--model", labkit.model)
    return _lab(*words, context=context)


def _get(what: str, *, selector: str = "") -> str:
    return kubectl_line.line("get", what, selector=selector)


def _events(target: str = "") -> str:
    return kubectl_line.line("events", **{"for": target})


def _logs(target: str, *, previous: bool = False) -> str:
    return kubectl_line.line("logs", target, previous=previous)


def _exec(target: str, *command: str) -> str:
    return kubectl_line.line("exec", target, command=command)


def _run(name: str, *, image: str) -> str:
    return kubectl_line.line("run", name, image=image)


def _create_deployment(name: str, *, image: str) -> str:
    return kubectl_line.line("create", "deployment", name, image=image)


def _create_service(name: str, *, tcp: int) -> str:
    return kubectl_line.line("create", "service", "clusterip", name, tcp=tcp)


def _scale(target: str, *, replicas: int) -> str:
    return kubectl_line.line("scale", target, replicas=replicas)


def _delete(target: str) -> str:
    return kubectl_line.line("delete", target)


def _apply(what: str) -> str:
    return kubectl_line.line("apply", server_side=True, filename=manifests.place(what))


def _manifest(folder: str) -> str:
    return f"cat {shlex.quote(str(manifests.place(folder)))}/*.yaml"


def _wait(target: str, *, until: str = "", timeout_s: float | None = None) -> str:
    kind = target.partition("/")[0].capitalize()
    goal = until or str(usual(kind, {}))
    return kubectl_line.line(
        "wait", target, **{"for": goal}, timeout=_limit(wait.READY_S, timeout_s)
    )


def _rollout(target: str, *, timeout_s: float | None = None) -> str:
    limit = _limit(wait.ROLLOUT_S, timeout_s)
    return kubectl_line.line("rollout", "status", target, timeout=limit)


def _limit(usual_s: float, timeout_s: float | None) -> str:
    return f"{speed.deadline(usual_s, timeout_s):g}s"


def _helm_upgrade(
    release: str,
    chart: str,
    *,
    repo: str,
    values: dict[str, object],
    force_conflicts: bool = False,
) -> str:
    words = ["helm", "upgrade", "--install", release, chart, "--repo", repo]
    chosen = helm_values.given(values)
    if chosen.file:
        raise ValueError("a values file is more than one line")
    taken = ["--force-conflicts"] if force_conflicts else []
    return shlex.join([*words, *chosen.words, *taken, "--wait"])


def _ollama(at: str | None, words: list[str], path: str, **body: object) -> str:
    return client.equal_line(at, words, path, body).replace(" \\\n ", "")


def _pull(model: str = "", *, at: str | None = None) -> str:
    model = model or labkit.model
    plain = {"insecure": True} if model.startswith(f"{services.HOST}/") else {}
    words = ["pull", *(["--insecure"] if plain else []), model]
    return _ollama(at, words, "/api/pull", model=model, **plain)


def _generate(prompt: str, *, at: str | None = None, keep_alive: str = "") -> str:
    kept = {"keep_alive": keep_alive} if keep_alive else {}
    alive = (f"--keepalive={time}" for time in kept.values())
    words = ["run", *alive, "--nowordwrap", labkit.model, prompt]
    return _ollama(at, words, "/api/generate", model=labkit.model, **kept, prompt=prompt)


def _ps(*, watch: bool = False) -> str:
    return _ollama(None, ["ps"], "/api/ps")


def _stop() -> str:
    return _ollama(None, ["stop", labkit.model], "/api/generate")


# what is a command of `./lab` itself
_OWN: dict[str, Callable[..., str]] = {
    "check": lambda context, step: _lab("check", step, context=context),
    "check_all": lambda context: _lab("check", context=context),
    "goto": lambda context, step: _lab("goto", step, context=context),
    "hint": lambda context, step: _lab("hint", step, context=context),
    "load_test": _load_test,
    "reset": lambda context, *step: _lab("reset", *step, context=context),
    "start": _start,
    "status": lambda context: _lab("status", context=context),
}
# what kubectl, helm and ollama do: the lines that the calls print
_LINES: dict[str, Callable[..., str]] = {
    "apply": _apply,
    "create_deployment": _create_deployment,
    "create_service": _create_service,
    "delete": _delete,
    "events": _events,
    "exec": _exec,
    "generate": _generate,
    "get": _get,
    "helm_upgrade": _helm_upgrade,
    "logs": _logs,
    "manifest": _manifest,
    "ps": _ps,
    "pull": _pull,
    "rollout": _rollout,
    "run": _run,
    "scale": _scale,
    "stop": _stop,
    "wait": _wait,
}
