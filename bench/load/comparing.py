"""Compares clients: in turn within each repetition, medians, goals, one table for each figure."""

import statistics
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import clients

from labkit.errors import LabError

OURS = "labkit"
ALL = (OURS, "C", "hey", "vllm-style", "locust", "k6", "inference-perf", "aiperf", "guidellm")


class Options(NamedTuple):
    repetitions: int = 5
    quick: bool = False  # the least that runs everything; its figures mean nothing
    names: tuple[str, ...] = ()  # only these clients
    streams: tuple[int, ...] = ()  # only these numbers of streams
    minutes: float = 0  # of the long run of memory.py


class Goal(NamedTuple):
    """One sentence of the goals, and what was measured; None when it was not."""

    text: str
    value: float | None
    limit: float
    at_most: bool = True

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def __str__(self) -> str:
        """
        >>> print(Goal("CPU at 256 streams, × C", 1.04, 1.1))
        meets   CPU at 256 streams, × C: 1.04 (goal ≤ 1.1)
        >>> print(Goal("hey's CPU, × ours", 1.2, 1.5, at_most=False))
        MISSES  hey's CPU, × ours: 1.2 (goal ≥ 1.5)
        >>> print(Goal("k6's CPU, × ours", None, 2, at_most=False))
        unknown k6's CPU, × ours: not measured (goal ≥ 2)
        """
        word = {True: "meets  ", False: "MISSES ", None: "unknown"}[self.met]
        value = "not measured" if self.value is None else f"{self.value:.3g}"
        return f"{word} {self.text}: {value} (goal {'≤' if self.at_most else '≥'} {self.limit:g})"


class Figure(NamedTuple):
    """A table, what it was held against, and what could not be measured."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    goals: list[Goal]
    notes: list[str]

    def __str__(self) -> str:
        lines = [f"## {self.title}", "", *table(self.head, self.rows), ""]
        lines += [f"- {goal}" for goal in self.goals]
        return "\n".join(lines + [f"- {note}" for note in self.notes]) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[str]:
    """The lines of a Markdown table; numbers with three digits, None as a dash.

    >>> print(*table(("client", "ms"), [("C", 0.07123), ("wrk", None)]), sep="\\n")
    | client | ms |
    |---|---|
    | C | 0.0712 |
    | wrk | – |
    """
    head = list(head)
    lines = [head, None, *rows]
    return ["|" + "---|" * len(head) if row is None else _row(row) for row in lines]


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else _whole(value)


def _whole(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, float) else str(value)


def interleaved(
    names: Iterable[str], options: Options, once: Callable[[clients.Client], dict[str, Any]]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Client → the median of each value that `once` gives, and a note for each that failed.

    Each repetition runs all of them: a slow minute of the machine meets all alike. The order
    turns round every time, so that nobody always follows the same one.
    """
    found, notes = clients.available(n for n in names if not options.names or n in options.names)
    values: dict[str, list[dict[str, Any]]] = {client.name: [] for client in found}
    for repetition in range(1 if options.quick else options.repetitions):
        for client in found if repetition % 2 == 0 else found[::-1]:
            try:
                values[client.name].append(once(client))
            except LabError as error:
                notes.append(f"{client.name}, repetition {repetition + 1}: {error.happened}")
    return {name: medians(some) for name, some in values.items() if some}, notes


def medians(found: list[dict[str, Any]]) -> dict[str, float | None]:
    """Name → the median of that value; None when a client does not know it.

    >>> medians([{"ms": 3.0, "gap": None}, {"ms": 1.0, "gap": None}, {"ms": 2.0, "gap": None}])
    {'ms': 2.0, 'gap': None}
    """
    known = {name: [one[name] for one in found if one[name] is not None] for name in found[0]}
    return {name: statistics.median(some) if some else None for name, some in known.items()}


def ratio(values: dict[str, dict[str, Any]], name: str, to: str, what: str) -> float | None:
    """One client's value over another's; None when either was not measured."""
    above, below = values.get(name, {}).get(what), values.get(to, {}).get(what)
    return above / below if above is not None and below else None


def peer_goals(
    values: dict[str, dict[str, Any]], what: str, text: str, limits: dict[str, float]
) -> list[Goal]:
    """One goal for each peer: its value over ours is at least so much."""
    return [
        Goal(f"{name}'s {text}, × ours", ratio(values, name, OURS, what), limit, at_most=False)
        for name, limit in limits.items()
    ]


def complete(client: clients.Client, seen: clients.Seen, wanted: int) -> None:
    """Raises LabError when a client answered for fewer requests than it was asked for."""
    if seen.requests < wanted * clients.NOT_EXACT:
        raise LabError(
            f"{client.name} had {seen.requests} answers of {wanted}", "the others failed", "run it"
        )
