"""What pytest says of its tests, read from the JUnit files that it writes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

ENV = "LAB_JUNIT"  # the path that labkit.jupyter.run writes -1.xml, -2.xml, … of
_COLOUR = re.compile(r"(\x1b|#x1B)\[[0-9;]*m")  # an escape is no character of XML
PAST_LIMIT = ("past-limit", "true")  # the property of a cell that failed because its time was over


class Case(NamedTuple):
    """One test or notebook cell: `outcome` is "passed", "failed" or "skipped"."""

    file: str
    name: str
    outcome: str
    message: str = ""
    text: str = ""
    past_limit: bool = False  # did it fail because its time was over?

    @property
    def id(self) -> str:
        """What pytest calls it, but for the name of a class."""
        return f"{self.file}::{self.name}"


def options(path: Path | str) -> list[str]:
    """The options with which pytest writes PATH.xml."""
    # the family that names a test's file; the other one names its module
    return [f"--junit-xml={path}.xml", "--override-ini=junit_family=xunit1"]


def files(path: Path) -> list[Path]:
    """PATH.xml, PATH-1.xml, …: those that are there."""
    return sorted([*path.parent.glob(f"{path.name}.xml"), *path.parent.glob(f"{path.name}-*.xml")])


def read(path: Path) -> list[Case] | None:
    """The cases in all files of a path; None when there is no file, or one is broken."""
    try:
        trees = [ElementTree.parse(file) for file in files(path)]
    except (OSError, ElementTree.ParseError):
        return None
    return [_case(item) for tree in trees for item in tree.iter("testcase")] if trees else None


def _case(item: ElementTree.Element) -> Case:
    where = item.get("file") or item.get("classname") or ""
    named = (where, item.get("name") or where)
    # a test can fail, and then its teardown too
    for kind in ("failure", "error"):
        found = item.find(kind)
        if found is not None:
            kept = [(one.get("name"), one.get("value")) for one in item.iter("property")]
            said = _plain(found.get("message")), _plain(found.text)
            return Case(*named, "failed", *said, past_limit=PAST_LIMIT in kept)
    found = item.find("skipped")
    if found is None:
        return Case(*named, "passed")
    if found.get("type") == "pytest.xfail":  # none of ours may count on failing
        text = f"xfailed: {_plain(found.get('message'))}"
        return Case(*named, "failed", text, text)
    return Case(*named, "skipped", _plain(found.get("message")))


def _plain(text: str | None) -> str:
    return _COLOUR.sub("", text or "")


def excerpt(text: str, around: int = 10) -> list[str]:
    """Ten lines before and after the error in a failure's text: pytest's first line with an E.

    Without one it is the last line that says something.

    >>> excerpt("a\\nb\\nassert 1 == 2\\nE   assert 1 == 2\\nc\\nd", around=1)
    ['assert 1 == 2', 'E   assert 1 == 2', 'c']
    """
    lines = text.rstrip().splitlines()
    errors = [number for number, line in enumerate(lines) if re.match(r"E( |$)", line)]
    error = errors[0] if errors else len(lines) - 1
    return lines[max(0, error - around) : error + around + 1]


def worst(codes: list[int]) -> int:
    """The exit code of all together: 1 when one failed, else 2 when one could not tell, else 0.

    A pytest that a signal ended, or that ran nothing, could not tell.

    >>> worst([0, 0]), worst([-9, 0]), worst([1, 5]), worst([0, 2]), worst([])
    (0, 2, 1, 2, 0)
    """
    known = (code if code in (0, 1) else 2 for code in codes)
    return max(known, key=(0, 2, 1).index, default=0)
