"""`./lab versions`: every pin beside what the registries serve and the end of its support."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from labkit.errors import CommandFailed, LabError
from labkit.setup.build import catalog, numbers, pins, served
from labkit.setup.host.jobs import Job, run
from labkit.ui import units
from labkit.ui.table import Table

CURRENT, PATCH, NEWER = "current", "newer patch", "newer"
SUPPORTED, PAST = "supported", "past its support"
NOT_TOLD, NOT_ASKED = "not told", "not asked"
AT_A_TIME = 6
GIVE_UP = 2


@dataclass(frozen=True)
class Row:
    """What `./lab versions` says of one pin."""

    pin: pins.Pin
    answers: tuple[served.Answer, ...]
    today: date

    @property
    def past(self) -> bool:
        """Is it later than the last day of its support?"""
        return self.pin.ends is not None and self.today > self.pin.ends

    @property
    def newest(self) -> str:
        """The newest release that was told of; empty when nothing was."""
        return numbers.write(numbers.newest(self._served()))

    @property
    def newest_of_line(self) -> str:
        """The newest of the same minor line; empty when none was told of."""
        own = numbers.line(numbers.read(self.pin.version))
        return numbers.write(numbers.newest(self._served(), of=own))

    @property
    def verdict(self) -> str:
        """One of the words above; those of a pin that could not be asked say why."""
        if self.past:
            return PAST
        pinned = numbers.read(self.pin.version)
        newest = numbers.read(self.newest)
        if newest > pinned:
            in_line = numbers.line(newest) == numbers.line(pinned)
            return PATCH if in_line else NEWER
        if newest == pinned and newest:
            return f"{CURRENT}{self._where()}"
        if newest:  # a proxy may list less than it serves
            return f"{NOT_TOLD}: the list ends at {self.newest}"
        if not self.answers and self.pin.ends:
            return SUPPORTED
        return f"{NOT_ASKED}: {self._why()}"

    def plain(self) -> dict[str, object]:
        """For programs."""
        return {
            "what": self.pin.what,
            "pinned": self.pin.version,
            "newest_of_line": self.newest_of_line,
            "newest": self.newest,
            "supported_until": self.pin.ends.isoformat() if self.pin.ends else "",
            "source": self.pin.source,
            "verdict": self.verdict,
            "places": list(self.pin.places),
            "asked": [{"of": a.asked, "why_not": a.why} for a in self.answers],
        }

    def _served(self) -> list[tuple[int, ...]]:
        """Releases, with as many numbers as the pin has: 3.11.2 is 3.11 to a pin of 3.11."""
        count = len(numbers.read(self.pin.version))
        told = (numbers.read(version) for one in self.answers for version in one.versions)
        return [numbers_[:count] for numbers_ in told if numbers_]

    def _where(self) -> str:
        """What only Debian was asked for is the newest of one Debian release, and no more."""
        told = [answer for answer in self.answers if answer.versions]
        return "" if any(not one.local for one in told) else f", for Debian {self.pin.suite}"

    def _why(self) -> str:
        reasons = [answer.why for answer in self.answers if answer.why]
        told = [why for why in reasons if why != served.OFFLINE]
        return (*told, *reasons, "no registry lists its versions")[0]


def rows(today: date) -> list[Row]:
    """Every pin of the lab, asked now."""
    found = pins.every()
    return [Row(pin, tuple(told), today) for pin, told in zip(found, asked(found), strict=True)]


def asked(wanted: list[pins.Pin]) -> list[list[served.Answer]]:
    """What the registries say of each pin, a few asked at a time.

    A client that has not got through twice is not started again: a network that swallows
    packets would cost its deadline for each pin.
    """
    failed: Counter[str] = Counter()
    images = {image.reference: image for image in _images()}
    images_answer = served.images_answer()
    found: list[list[served.Answer]] = [[] for _ in wanted]
    jobs = []

    def later(place: int, kind: str, what: str, question: Callable[[], served.Answer]) -> None:
        slot = len(found[place])
        found[place].append(served.Answer(what, why=served.OFFLINE))

        def answer() -> None:
            if failed[kind] >= GIVE_UP:
                return
            told = question()
            found[place][slot] = told
            failed[kind] += told.why == served.OFFLINE

        jobs.append(Job(f"{what} {place} {slot}", answer))

    for place, pin in enumerate(wanted):
        for module in pin.go:
            later(place, "go", f"Go module {module}", partial(served.of_module, module))
        if pin.pypi:
            later(place, "pypi", f"PyPI {pin.pypi}", partial(served.of_python, pin.pypi))
        if pin.package:
            what = f"Debian {pin.suite} {pin.package}"
            later(place, what, what, partial(served.of_debian, pin.suite, pin.package))
        if pin.image:
            image = images[pin.image]
            host = f"image {image.name}"
            if images_answer:
                later(place, host, host, partial(served.of_image, image))
            else:
                found[place].append(served.Answer(host, why=served.OFFLINE))
    run(jobs, at_a_time=AT_A_TIME)
    return found


def _images() -> list[catalog.Image]:
    materials = catalog.load()
    return [*materials.images, materials.node, *materials.node_images]


def table(found: list[Row]) -> Table:
    """The rows for people."""
    return Table(
        ["WHAT", "PINNED", "SAME LINE", "NEWEST", "SUPPORTED UNTIL", "VERDICT"],
        [
            [
                f"{row.pin.what} (Python)" if row.pin.pypi else row.pin.what,
                row.pin.version,
                row.newest_of_line,
                row.newest,
                row.pin.ends or "",
                row.verdict,
            ]
            for row in found
        ],
    )


def summary(found: list[Row]) -> str:
    """How many of each verdict, the worst first; then where the end of a past one is announced.

    >>> summary([])
    '0 pins'
    """
    order = [PAST, NEWER, PATCH, CURRENT, SUPPORTED, NOT_TOLD, NOT_ASKED]
    count = Counter(re.split("[:,]", row.verdict)[0] for row in found)
    told = [f"{count[verdict]} {verdict}" for verdict in order if count[verdict]]
    lines = [f"{units.count(len(found), 'pin')}{': ' if told else ''}{', '.join(told)}"]
    lines += [
        f"{row.pin.what} {row.pin.version}: support ended on {row.pin.ends} ({row.pin.source})"
        for row in found
        if row.past
    ]
    return "\n".join(lines)


def trouble(found: list[Row]) -> LabError | None:
    """When no registry told anything; apt's own lists are not a registry."""
    answers = [answer for row in found for answer in row.answers if not answer.local]
    if any(not answer.why for answer in answers):
        return None
    reasons = Counter(answer.why for answer in answers)
    return CommandFailed(
        f"none of {units.count(len(found), 'pin')} could be compared",
        "; ".join(f"{why} ({count})" for why, count in reasons.most_common(3)) or "no pins",
        "./lab versions again with a network that reaches PyPI or a Go module proxy",
    )


def command(output: str, today: date | None = None) -> int:
    """Print all of it; return 0, 1 (a pin is past its support) or 2 (no registry answered)."""
    found = rows(today or date.today())
    error = trouble(found)
    if output == "json":
        print(json.dumps([row.plain() for row in found], indent=1))
    else:
        print(table(found))
        print(summary(found))
    if error:
        print(error, file=sys.stderr)
    if any(row.past for row in found):
        return 1
    return error.exit_code if error else 0
