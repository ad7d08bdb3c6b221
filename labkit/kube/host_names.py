"""Which name a client could not resolve, in the words of the usual clients."""

from __future__ import annotations

import re

_NO_SUCH_HOST = re.compile(
    r"no such host|resolve (the given hostname|host)|Failed to resolve|bad address"
    r"|Name (or service not known|does not resolve)"
)
_HOST = re.compile(
    r"lookup ([\w.-]+)|host='([\w.-]+)'|resolve host:? ([\w.-]+)|bad address '([\w.-]+)"
    r"|https?://([\w.-]+)"
)


def unresolved(said: str, words: str) -> str:
    """The host that a client could not resolve last: of that line, else of its command.

    >>> unresolved("GET http://a.example/ 200\\nlookup olama on 10.96.0.10:53: no such host", "")
    'olama'
    """
    lines = [line for line in said.splitlines() if _NO_SUCH_HOST.search(line)]
    if not lines:
        return ""
    found = _HOST.search(lines[-1]) or _HOST.search(words)
    return next(filter(None, found.groups())) if found else ""
