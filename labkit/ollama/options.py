"""The options of a request, compared with those that the server knows: Ollama ignores others."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

from labkit.errors import LabError

VERSION = "0.34"  # whose options these are: api/types.go of 0.34.2, Options and Runner
_INTEGER, _NUMBER, _BOOLEAN, _TEXTS = "an integer", "a number", "True or False", "a list of texts"
OPTIONS = {
    **dict.fromkeys(("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread"), _INTEGER),
    **dict.fromkeys(("num_keep", "seed", "num_predict", "top_k", "repeat_last_n"), _INTEGER),
    "draft_num_predict": _INTEGER,
    **dict.fromkeys(("temperature", "top_p", "min_p", "typical_p", "repeat_penalty"), _NUMBER),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), _NUMBER),
    "use_mmap": _BOOLEAN,
    "stop": _TEXTS,
}
_ELSEWHERE = {  # what other programs call them
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "max_new_tokens"), "num_predict"),
    **dict.fromkeys(("n_predict", "max_length"), "num_predict"),
    **dict.fromkeys(("context_length", "ctx_size", "n_ctx", "max_context"), "num_ctx"),
    **dict.fromkeys(("threads", "n_threads"), "num_thread"),
    "mmap": "use_mmap",
}
_SERIES = re.compile(r"^\d+\.\d+")


def check(options: dict[str, Any] | None, version: Callable[[], str]) -> str:
    """Return what to say of options that this server may know; "" when all are known.

    `version` asks the server, only for a name that is not in the table. Raises LabError for a name
    that it ignores, and for a value of a type that it answers with HTTP 500.

    >>> check({"temperature": 0, "stop": ["."]}, lambda: "")
    ''
    >>> check({"temprature": 0}, lambda: "0.34.2")
    Traceback (most recent call last):
        ...
    labkit.errors.LabError: LabError: Ollama does not know the option temprature
    saw: Ollama 0.34.2 ignores an option that it does not know, and does not report it
    try: options={"temperature": …}
    >>> check({"mirostat": 1}, lambda: "0.9.1")
    'mirostat is not an option of Ollama 0.34; this is 0.9.1'
    """
    unknown = []
    for name, value in (options or {}).items():
        if name not in OPTIONS:
            unknown.append(name)
        elif value is not None and not _fits(value, OPTIONS[name]):
            raise LabError(
                f"the option {name} cannot be {value!r}",
                "Ollama answers an option of the wrong type with HTTP 500",
                f"{OPTIONS[name]}, such as options={{{_example(name)}}}",
            )
    if not unknown:
        return ""
    told = version()
    series = _SERIES.match(told)
    if series and series[0] != VERSION:  # of an earlier or a later one, which may know it
        verb = "is not an option" if len(unknown) == 1 else "are not options"
        return f"{', '.join(unknown)} {verb} of Ollama {VERSION}; this is {told}"
    raise LabError(
        f"Ollama does not know the option {unknown[0]}",
        f"Ollama {told or VERSION} ignores an option that it does not know, and does not report it",
        _near(unknown[0]),
    )


def _fits(value: object, kind: str) -> bool:
    """
    >>> [_fits(value, _INTEGER) for value in (3, 3.0, 3.5, True, "3")]
    [True, True, False, False, False]
    """
    if kind == _TEXTS:
        return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    if isinstance(value, bool) or kind == _BOOLEAN:
        return kind == _BOOLEAN and isinstance(value, bool)
    if not isinstance(value, int | float):
        return False
    return kind == _NUMBER or value == int(value)  # Ollama cuts 3.5 to 3


def _example(name: str) -> str:
    example = {_INTEGER: "40", _NUMBER: "0.5", _BOOLEAN: "True", _TEXTS: '["."]'}[OPTIONS[name]]
    return f'"{name}": {example}'


def _near(name: str) -> str:
    if name in ("keep_alive", "think", "system"):
        return f"{name}=… beside options: it is an argument of its own"
    folded = name.lower().replace("-", "_")
    near = _ELSEWHERE.get(folded) or next(
        iter(difflib.get_close_matches(folded, OPTIONS, 1)), folded if folded in OPTIONS else ""
    )
    return f'options={{"{near}": …}}' if near else f"one of: {', '.join(sorted(OPTIONS))}"
