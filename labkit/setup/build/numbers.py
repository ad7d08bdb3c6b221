"""Version numbers: read, compared, and which is the newest of a list."""

from __future__ import annotations

import re
from collections.abc import Iterable

# what Go puts behind a version of before modules; it is the same version
_NUMBER = re.compile(r"v?(\d+(?:\.\d+)*)(?:\+incompatible)?")
_TAG = re.compile(r"(v?)(\d+(?:\.\d+)*)(.*)")


def read(text: str) -> tuple[int, ...]:
    """The numbers of a release; empty for a pre-release, and for what is not a version.

    >>> read("v1.34.0"), read("2.8.3+incompatible"), read("1.38.0-beta.0"), read("3.0rc1")
    ((1, 34, 0), (2, 8, 3), (), ())
    """
    found = _NUMBER.fullmatch(text)
    return tuple(map(int, found[1].split("."))) if found else ()


def write(numbers: tuple[int, ...]) -> str:
    """
    >>> write((1, 34, 0))
    '1.34.0'
    """
    return ".".join(map(str, numbers))


def line(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """The minor line that a version belongs to.

    >>> line((1, 34, 0))
    (1, 34)
    """
    return numbers[:2]


def newest(versions: Iterable[tuple[int, ...]], of: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The newest of them, or of those that begin with `of`; empty when there is none.

    >>> newest([(1, 9), (1, 34, 2), (1, 34, 10)]), newest([(1, 9), (1, 34)], of=(1, 9))
    ((1, 34, 10), (1, 9))
    """
    return max((v for v in versions if v[: len(of)] == of), default=())


def of_tag(tag: str) -> str:
    """The version in an image's tag; empty when there is none.

    >>> of_tag("v2.53.3"), of_tag("3.11-slim"), of_tag("3.6.4-0"), of_tag("latest")
    ('2.53.3', '3.11', '3.6.4', '')
    """
    found = _TAG.fullmatch(tag)
    return found[2] if found else ""


def of_tags(tags: Iterable[str], like: str) -> list[str]:
    """The versions of those tags that are written as `like` is.

    >>> of_tags(["3.14-slim", "3.14", "3.15-rc-slim", "3", "v3.9-slim"], like="3.11-slim")
    ['3.14']
    """
    wanted = _TAG.fullmatch(like)
    if not wanted:
        return []
    found = [_TAG.fullmatch(tag) for tag in tags]
    return [
        one[2]
        for one in found
        if one and (one[1], one[3]) == (wanted[1], wanted[3])
        if one[2].count(".") == wanted[2].count(".")
    ]


def of_debian(version: str) -> str:
    """The version of what a Debian package holds: without epoch, revision and Debian's fixes.

    >>> of_debian("2.8.2+ds1-1"), of_debian("1:3.6.2~rc1-4"), of_debian("2.6.12-1+deb12u4")
    ('2.8.2', '3.6.2~rc1', '2.6.12')
    """
    return re.split(r"[+-]", version.partition(":")[2] or version)[0]


def of_module(module: str, version: str) -> str:
    """The version of what a Go module holds, as its publisher writes it.

    Prometheus 2 and 3 are one module, at v0: 2.53.3 is its v0.53.3, 3.5.1 its v0.305.1.

    >>> of_module("sigs.k8s.io/kind", "v0.30.0")
    '0.30.0'
    >>> [of_module("github.com/prometheus/prometheus", v) for v in ("v0.53.3", "v0.305.1")]
    ['2.53.3', '3.5.1']
    """
    numbers = read(version)
    if module == "github.com/prometheus/prometheus" and len(numbers) == 3:
        major, minor = divmod(numbers[1], 100)
        return write((major or 2, minor, numbers[2]))
    return version.removeprefix("v").removesuffix("+incompatible")
