"""YAML as kubectl reads it: dates are text, 1e3 is a number; a key may be there once."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from typing import Any

import yaml

from labkit.errors import Refused

_WORDS = "y yes true on n no false off".split()
_BOOLS = {
    form: word in _WORDS[:4] for word in _WORDS for form in (word, word.title(), word.upper())
}
_NUMBER = re.compile(r"[-+.\w]*\Z", re.ASCII)  # or text that begins like one
_NO_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_OCTAL = re.compile(r"0[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", re.ASCII)


class _Twice(yaml.YAMLError):
    def __init__(self, key: object, lines: list[int]) -> None:
        self.key, self.lines = key, lines


def documents(text: str, name: str) -> list[Any]:
    """What each document of a text holds; `name` is where it came from.

    >>> documents("day: 2026-01-01\\nsize: 1e3\\n---\\n", "-")
    [{'day': '2026-01-01', 'size': 1000}, None]

    Raises Refused for what is not YAML, and for a key that is there twice.
    """
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except _Twice as error:
        where = " and ".join(map(str, error.lines))
        raise Refused(
            f'the key "{error.key}" is there twice',
            f"lines {where} of {name}",
            "keep one of them: the other would be lost; nothing was applied",
        ) from None
    except yaml.YAMLError as error:
        if text.lstrip().startswith("{"):  # JSON may be indented by tabs, and YAML may not
            with suppress(ValueError):
                return [json.loads(text)]
        raise Refused(f"{name} is not valid YAML", str(error), "fix that line") from None


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in getattr(node, "value", []):
            if isinstance(key, yaml.ScalarNode) and key.tag != f"{_YAML}merge":
                line = key.start_mark.line + 1
                if key.value in seen:
                    raise _Twice(key.value, [seen[key.value], line])
                seen[key.value] = line
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    text = str(loader.construct_scalar(node))
    if text not in _BOOLS:
        raise yaml.constructor.ConstructorError(
            None, None, f"{text} is not a bool", node.start_mark
        )
    return _BOOLS[text]


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | float | str:
    text = str(loader.construct_scalar(node))
    if _NO_JSON.fullmatch(text):  # kubectl refuses the whole file
        said = f"JSON has no number {text}; as text it is put in quotes"
        raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)
    return number(text)


def number(text: str) -> int | float | str:
    """The number that Go's YAML reads, or the text as it is.

    >>> [number(one) for one in ("012", "08", "1.0", "1_0.5", "-0x1F", "1.10", "0.34.2", "1e")]
    [10, 8, 1, 10.5, -31, 1.1, '0.34.2', '1e']
    """
    plain = text.replace("_", "")
    sign, digits = (-1, plain[1:]) if plain.startswith("-") else (1, plain.removeprefix("+"))
    if digits[:1].isdigit():
        try:
            return sign * (int(digits, 8) if _OCTAL.fullmatch(digits) else int(digits, 0))
        except ValueError:
            pass
    value = float(plain) if _FLOAT.fullmatch(plain) else math.inf
    if math.isinf(value):
        return text
    return int(value) if value.is_integer() else value


_YAML = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    f"{_YAML}bool", re.compile(rf"(?:{'|'.join(_BOOLS)})\Z"), list("yYtTnNfFoO")
)
_Loader.add_implicit_resolver(f"{_YAML}float", _NUMBER, list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_YAML}merge", re.compile(r"<<\Z"), ["<"])
_Loader.add_implicit_resolver(
    f"{_YAML}null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]
)
_Loader.add_constructor(f"{_YAML}bool", _bool)
_Loader.add_constructor(f"{_YAML}float", _number)
for _word in ("merge", "timestamp"):  # where they are values, they are text
    _Loader.add_constructor(f"{_YAML}{_word}", yaml.SafeLoader.construct_yaml_str)
