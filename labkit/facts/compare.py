"""Is an answer as it was seen? Says where it differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

ABSENT = object()
ANY = "…"  # in an expected text: anything, or nothing

_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "above": lambda saw, limit: isinstance(saw, int | float) and saw > limit,
    "below": lambda saw, limit: isinstance(saw, int | float) and saw < limit,
    "has": lambda saw, part: part in saw if isinstance(saw, str | list | dict) else False,
    "lacks": lambda saw, part: part not in saw if isinstance(saw, str | list | dict) else False,
    "not": lambda saw, other: saw is not ABSENT and not _same(saw, other),
    "is": lambda saw, kind: _KINDS[kind](saw),
    "matches": lambda saw, pattern: isinstance(saw, str) and re.search(pattern, saw) is not None,
}
_KINDS: dict[str, Callable[[Any], bool]] = {
    "absent": lambda saw: saw is ABSENT,
    "present": lambda saw: saw is not ABSENT,
    "number": lambda saw: isinstance(saw, int | float) and not isinstance(saw, bool),
    "text": lambda saw: isinstance(saw, str),
    "list": lambda saw: isinstance(saw, list),
    "boolean": lambda saw: isinstance(saw, bool),
}


def differences(expected: dict[str, Any], replies: dict[str, Any]) -> list[str]:
    """Each place where the replies are not as expected; none where all is.

    A place is a path into the last reply, or into one that its step named. A text may have … for
    anything; `{is: absent}`, `{above: 0}` and the like are tests.

    >>> replies = {"": {"status": 200, "last": {"done": True, "error": "no file x"}}}
    >>> differences({"last.error": "no …", "last.context": {"is": "absent"}}, replies)
    []
    >>> differences({"status": 404, "last.done": {"is": "number"}}, replies)
    ['status is 200, not 404', 'last.done is true, not {is: number}']
    """
    found = []
    for path, wanted in expected.items():
        saw = look(path, replies)
        if not _fits(saw, wanted):
            found.append(f"{path} is {shown(saw)}, not {shown(wanted)}")
    return found


def look(path: str, replies: dict[str, Any]) -> Any:
    """What stands at a path; ABSENT where nothing does."""
    first, _, rest = path.partition(".")
    found = replies[first] if first in replies else replies.get("", {})
    for name in (rest if first in replies else path).split("."):
        if isinstance(found, list) and re.fullmatch(r"-?\d+", name):
            found = found[int(name)] if -len(found) <= int(name) < len(found) else ABSENT
        else:
            found = found.get(name, ABSENT) if isinstance(found, dict) else ABSENT
    return found


def _fits(saw: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and wanted and set(wanted) <= set(_TESTS):
        return all(_TESTS[name](saw, limit) for name, limit in wanted.items())
    return _same(saw, wanted)


def _same(saw: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and ANY in wanted:
        parts = [re.escape(part) for part in wanted.split(ANY)]
        return isinstance(saw, str) and re.fullmatch(".*".join(parts), saw, re.DOTALL) is not None
    return type(saw) is type(wanted) and bool(saw == wanted)


def shown(value: Any, most: int = 160) -> str:
    """A value as it is written in the list of facts, in one line.

    >>> shown(ABSENT), shown({"is": "list"}), shown(["a", True])
    ('absent', '{is: list}', '[a, true]')
    """
    if value is ABSENT:
        return "absent"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{name}: {shown(one)}" for name, one in value.items()) + "}"
    elif isinstance(value, list):
        text = "[" + ", ".join(map(shown, value)) + "]"
    else:
        text = " ".join(str(value).split()) or "empty"
    return text if len(text) <= most else f"{text[: most - 1]}…"
