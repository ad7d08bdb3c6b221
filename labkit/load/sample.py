"""Some requests of a run, each with its times: for a picture, and never for a figure.

Every k-th request that ended is kept. When 256 are, every second one is dropped, and k doubles.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

    from labkit.load.connection import Connection

MOST = 256
# seconds after the run's start, `read`: how long the server loaded and read the prompt; then the
# kind of failure. `first` is null where no content was seen
FIELDS = ("due", "sent", "first", "end", "read", "chunks", "failure")


class Sample:
    """Rows of `FIELDS`, in the order in which the requests ended."""

    __slots__ = ("every", "origin_ns", "rows", "seen")

    def __init__(self) -> None:
        self.every = 1
        self.seen = 0
        self.origin_ns = 0  # when the run began, on the engine's clock
        self.rows: list[list[Any]] = []

    def add(self, connection: Connection, end: int, read_ns: int, failure: str) -> None:
        """A request that ended; most calls of a long run only count it."""
        self.seen += 1
        if self.seen % self.every:
            return

        def at(moment: int) -> float | None:
            return round((moment - self.origin_ns) / 1e9, 6) if moment else None

        times = [at(connection.start or connection.begun), at(connection.sent)]
        times += [at(connection.first), at(end)]
        self.rows.append([*times, round(read_ns / 1e9, 6), connection.chunks, failure])
        self._thin()

    def _thin(self) -> None:
        while len(self.rows) >= MOST:
            self.rows = self.rows[1::2]
            self.every *= 2

    def merge(self, other: Sample, later_s: float) -> None:
        """Add the rows of another worker, which began so much later."""
        for due, sent, first, end, *rest in other.rows:
            times = [at if at is None else round(at + later_s, 6) for at in (due, sent, first, end)]
            self.rows.append([*times, *rest])
        self.rows.sort(key=lambda row: row[3])
        self.seen += other.seen
        self.every = max(self.every, other.every)
        self._thin()

    def plain(self) -> dict[str, Any]:
        """As the schema has it."""
        return {"every": self.every, "fields": list(FIELDS), "rows": self.rows}

    @classmethod
    def of(cls, raw: dict[str, Any] | None) -> Sample:
        """What `plain` described; none of an older result."""
        sample = cls()
        if raw:
            sample.every, sample.rows = raw["every"], list(raw["rows"])
        return sample
