"""A chart's values as Helm's words: `--set` for the simple ones, else a values file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from typing import Any, NamedTuple

import yaml

from labkit.errors import LabError

_NAME = re.compile(r"(?:\\.|[^\\.\[\]])+(?:\[\d+\])*(?:\.(?:\\.|[^\\.\[\]])+(?:\[\d+\])*)*")
_STEP = re.compile(r"\[(\d+)\]|((?:\\.|[^\\.\[\]])+)")
_PLAIN_NAME = re.compile(r"[\w./\\\[\]-]+", re.ASCII)
_PLAIN = re.compile(r"[\w./:@=+-]+", re.ASCII)  # neither Helm nor a shell finds more in it
_WORD = re.compile(r"[A-Za-z/][\w./@+-]*(:[\w./@+-]+)*", re.ASCII)  # YAML neither
_NO_TEXT = {"true", "false", "null", "yes", "no", "y", "n", "on", "off", "nan", "inf"}
# from here on, Helm before 3.18 writes a number of a file as 1e+06, and one of --set whole
_LARGE = 10**6


class Given(NamedTuple):
    """What to write on the command line, and what to give on standard input."""

    words: list[str]
    file: str


def given(values: dict[str, object]) -> Given:
    """The words that give a chart its values; Helm reads them as it does the same values file.

    A dot in the name of a value leads inside, as in `--set`. Raises LabError on what no values
    file can hold.

    >>> given({"replicaCount": 3, "image.tag": "0.24", "models": ["a", "b"]}).words[:4]
    ['--set', 'replicaCount=3', '--set-string', 'image.tag=0.24']
    >>> print(given({"resources.limits": {"memory": "2Gi"}}).file, end="")
    resources:
      limits:
        memory: "2Gi"
    """
    whole = nested(values)  # also where it is not written: it refuses what no file can hold
    flags = [_flag(name, value) for name, value in values.items()]
    if not all(flags) or _overlap(values):
        return Given(["--values", "-"], written(whole))
    return Given([word for flag in flags for word in flag], "")


def nested(values: dict[str, object]) -> dict[str, Any]:
    """The same values as a file holds them.

    >>> nested({"ollama.insecure": True, "ollama.models.pull": ["a"], "replicaCount": 3})
    {'ollama': {'insecure': True, 'models': {'pull': ['a']}}, 'replicaCount': 3}
    """
    whole: dict[str, Any] = {}
    for name, value in values.items():
        place: Any = whole
        steps = _steps(name)
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if isinstance(step, int):
                place += [None] * (step + 1 - len(place))
            if following is None:
                place[step] = _copied(name, value)
                break
            inside = place[step] if isinstance(step, int) else place.get(step)
            kind = list if isinstance(following, int) else dict
            place[step] = inside if isinstance(inside, kind) else kind()
            place = place[step]
    return whole


def written(whole: dict[str, Any]) -> str:
    """A values file: YAML whose text every reader of YAML takes for text."""
    text: str = yaml.dump(
        whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return text


def as_json(value: object) -> str:
    """On one line. Raises TypeError or ValueError on what JSON does not know."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _flag(name: str, value: object) -> list[str]:
    """One value on the command line; empty where a file says it better."""
    if not _PLAIN_NAME.fullmatch(name):
        return []
    if value is None or isinstance(value, bool):
        return ["--set", f"{name}={as_json(value)}"]
    if isinstance(value, int) and abs(value) < _LARGE:
        return ["--set", f"{name}={value}"]
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return ["--set" if _is_text(value) else "--set-string", f"{name}={value}"]
    if isinstance(value, list | tuple) and all(_is_line(one) for one in value):
        return ["--set-json", f"{name}={as_json(value)}"]
    return []


def _is_text(value: str) -> bool:
    """Does each reader of YAML take it for text, and none for a number or a truth?

    >>> [_is_text(one) for one in ("ollama", "0.24", "no", "localhost:11434")]
    [True, False, False, True]
    """
    return bool(_WORD.fullmatch(value)) and value.casefold() not in _NO_TEXT


def _is_line(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _overlap(names: Collection[str]) -> bool:
    """Does one of them lie in another? Helm's flags have an order of their own.

    >>> _overlap(["a", "ab.c"]), _overlap(["a.b", "a"])
    (False, True)
    """
    return any(one.startswith((f"{other}.", f"{other}[")) for one in names for other in names)


def _steps(name: str) -> list[str | int]:
    r"""
    >>> _steps(r"nodeSelector.kubernetes\.io/os"), _steps("tolerations[0].key")
    (['nodeSelector', 'kubernetes.io/os'], ['tolerations', 0, 'key'])
    """
    if not _NAME.fullmatch(name):
        saw = "keys with dots between them, [0] for a place in a list"
        raise LabError(f"{name!r} is not a name of a value", saw, '"ollama.models.pull"')
    found = _STEP.findall(name)
    return [int(index) if index else re.sub(r"\\(.)", r"\1", key) for index, key in found]


def _copied(name: str, value: object) -> Any:
    try:
        return json.loads(as_json(value))
    except (TypeError, ValueError) as error:
        hint = "text, numbers, True, False, None, lists and dicts of these"
        raise LabError(f"the value {name} fits into no values file", str(error), hint) from None


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    lines = text.split("\n")
    is_block = text.endswith("\n") and lines[0] and all(line.isprintable() for line in lines)
    style = "|" if is_block else None if _is_text(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
