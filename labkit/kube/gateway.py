"""What a proxy on the way says in the place of the server behind it: HTML, mostly."""

from __future__ import annotations

import html
import re

CODES = {502, 503, 504}  # of a gateway that has no answer of the server behind it
_PAGE = re.compile(
    r"\ufeff?\s*(<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(!doctype\s+html|html|head|title)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLES = [
    re.compile(rf"<{tag}\b[^>]*>(.*?)</{tag}\s*>", re.IGNORECASE | re.DOTALL)
    for tag in ("title", "h1")
]
_HINTS = {
    401: "it wants to know who you are: its user and password, or its token",
    403: "it lets you not through: its rules, or an address past it",
    404: "it has no such path: its rules, or an address past it",
    413: "it takes no request of this size: its limit for a body",
    502: "check that a ready Ollama is behind it, at the port that it connects to",
    503: "check that a ready Ollama is behind it, at the port that it connects to",
    504: "it waited no longer for Ollama: its timeout, against the time of the first word",
}


def is_page(text: str) -> bool:
    r"""Is that HTML? Ollama sends none.

    >>> is_page("\n<!DOCTYPE html>\n<html>"), is_page('{"error": "<html>"}')
    (True, False)
    """
    return _PAGE.match(text) is not None


def title(page: str) -> str:
    """The first line of its title, or of its heading where it has no title; empty without both.

    >>> title("<html><head><title>502 Bad Gateway</title>"), title("<h1>503 <i>no</i> server</h1>")
    ('502 Bad Gateway', '503 no server')
    """
    for pattern in _TITLES:
        for found in pattern.findall(page):
            text = html.unescape(re.sub(r"<[^>]*>", "", found)).strip()
            if text:
                return " ".join(text.splitlines()[0].split())[:200]
    return ""


def said(text: str, code: int) -> str:
    """Its message in one line.

    >>> said("no healthy upstream", 503), said("", 502)
    ('no healthy upstream', 'HTTP 502')
    """
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")[:200]
    page = f"a page of HTML without a title (HTTP {code})"
    return (title(text) or page) if is_page(text) else first or f"HTTP {code}"


def happened(name: str, code: int) -> str:
    """The first of the three lines."""
    return f"the proxy, not Ollama, answered for {name} (HTTP {code})"


def hint(code: int) -> str:
    """What to look at."""
    return _HINTS.get(code, "what stands before Ollama? its address, its rules, its log")
