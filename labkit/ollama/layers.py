"""How much a pull fetched: the files of a model, as the events of the pull tell of them."""

from __future__ import annotations

from typing import Any


class Layers:
    """The layers that a pull told of; sizes are bytes.

    What is there already is told once, whole. What is fetched is told sixteen times a second, until
    it is there: Ollama 0.24 takes a second for the smallest file, 0.34 fetches it between two of
    those moments, and does not tell of it at all.

    >>> layers = Layers()
    >>> layers.saw({"digest": "sha256:a", "total": 100, "completed": 100})
    >>> layers.fetched(100), layers.fetched(130)
    (0, 130)
    """

    def __init__(self) -> None:
        self._totals: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self._events: dict[str, int] = {}

    def saw(self, event: dict[str, Any]) -> None:
        """One event that has a digest."""
        digest = event["digest"]
        self._totals[digest] = event.get("total", 0)
        self._now[digest] = event.get("completed", 0)
        self._events[digest] = self._events.get(digest, 0) + 1

    @property
    def now(self) -> int:
        """What is there of all that was told of."""
        return sum(self._now.values())

    @property
    def total(self) -> int:
        """How large all that was told of is."""
        return sum(self._totals.values())

    def fetched(self, size: int | None) -> int:
        """What a pull that ended well has fetched of a model of this size, None for unknown.

        A layer counts whole, also when an earlier pull had brought a part of it.
        """
        untold = max(0, (size or 0) - self.total)
        there = [
            digest
            for digest, events in self._events.items()
            if events == 1 and self._now[digest] == self._totals[digest]
        ]
        # The first of a new model may be told of for the first time when it is whole. All that is
        # there would be told of, so that what is not told of is new too.
        if untold and len(self._events) == 1:
            there = []
        return untold + self.total - sum(self._totals[digest] for digest in there)
