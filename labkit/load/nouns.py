"""A number with its noun: "1 chunk", "2 chunks". The engine imports nothing of labkit's."""

from __future__ import annotations


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, singular or plural.

    >>> count(1, "chunk"), count(0, "chunk"), count(2, "address", "addresses")
    ('1 chunk', '0 chunks', '2 addresses')
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
