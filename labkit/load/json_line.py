"""One line of an answer as JSON, in Ollama's dialect or OpenAI's."""

from __future__ import annotations

import json
from collections.abc import Callable

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

# What json.loads calls in the end; it guesses each line's encoding and looks for spaces before.
# type: typeshed does not name it
scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def parsed(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line, or None.

    >>> parsed(b'{"done":true}'), parsed(b"[]"), parsed(b'{"done"')
    ({'done': True}, None, None)
    """
    try:
        text = line.decode().strip()
        value, end = scan(text, 0)
    except (ValueError, StopIteration, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return value if isinstance(value, dict) and end == len(text) else None


def is_error(line: bytes) -> bool:
    """Does this line of a 200 say that there was an error?

    >>> is_error(b'{"error":"out of memory"}'), is_error(b'data: {"error":{"message":"x"}}')
    (True, True)
    >>> is_error(b'{"message":{"tool_calls":[{"error":1}]}}'), is_error(b'{"error":null}')
    (False, False)
    """
    return bool((parsed(line.removeprefix(b"data:")) or {}).get("error"))


def number(value: object) -> int:
    """A count or nanoseconds of the server's, 0 for what is none.

    >>> number(7), number(None), number("7"), number(-1)
    (7, 0, 0, 0)
    """
    return value if type(value) is int and 0 <= value < 2**63 else 0
