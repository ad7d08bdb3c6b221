"""Sizes and times in the words of Ollama's own tables, and times as Go writes them."""

from __future__ import annotations

import datetime
import re


def size(count: float) -> str:
    """Bytes in units of 1000.

    >>> size(512), size(1_468_000), size(2_000_000), size(986_000_000)
    ('512 B', '1.5 MB', '2 MB', '986 MB')
    """
    value, unit = float(count), "B"
    for bigger in ("KB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, bigger
    if value >= 10 or value == int(value):
        return f"{int(value)} {unit}"
    return f"{value:.1f} {unit}"


def count(number: float, noun: str, plural: str = "") -> str:
    """A number with its noun, singular or plural.

    >>> count(1, "Pod"), count(2, "Pod"), count(0, "address", "addresses")
    ('1 Pod', '2 Pods', '0 addresses')
    >>> count(2.5, "ready Pod"), count(1234567, "byte")
    ('2.5 ready Pods', '1234567 bytes')
    """
    shown = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{shown} {noun if number == 1 else plural or f'{noun}s'}"


_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d*)?)(h|ms|m|s|µs|us|ns)")


def duration_s(text: str) -> float:
    """Seconds of a duration as Go writes it. Raises ValueError.

    >>> duration_s("1m30s"), duration_s("250.5ms"), duration_s("1h0m2.5s"), duration_s("0s")
    (90.0, 0.2505, 3602.5, 0.0)
    >>> duration_s("90")
    Traceback (most recent call last):
    ValueError: '90' is not a duration in Go's format
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration in Go's format")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def moment_of(text: str) -> datetime.datetime:
    """A moment as Go writes it: RFC 3339, down to nanoseconds.

    >>> moment_of("2026-01-01T11:58:00.123456789Z").microsecond
    123456
    """
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def since(moment: str, now: datetime.datetime | None = None) -> str:
    """How long ago, or how far ahead, a moment of RFC 3339 is.

    >>> noon = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
    >>> since("2026-01-01T11:58:00Z", noon), since("2026-01-01T13:00:00.123456789+01:00", noon)
    ('2 minutes ago', 'Less than a second from now')
    >>> since("2026-01-01T12:04:59.9Z", noon), since("2318-01-01T00:00:00Z", noon)
    ('4 minutes from now', 'Forever')
    """
    now = now or datetime.datetime.now(datetime.UTC)
    ahead_s = (moment_of(moment) - now).total_seconds()
    if ahead_s > 20 * 365 * 86400:
        return "Forever"
    return f"{_span(abs(ahead_s))} {'ago' if ahead_s < 0 else 'from now'}"


def _span(seconds: float) -> str:
    """
    >>> _span(61), _span(3700), _span(3 * 86400)
    ('About a minute', 'About an hour', '3 days')
    """
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return count(int(seconds), "second")
    minutes, hours = int(seconds / 60), round(seconds / 3600)
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    days = hours // 24
    for name, length in (("days", 1), ("weeks", 7), ("months", 30)):
        if days < {"days": 14, "weeks": 60, "months": 730}[name]:
            return f"{days // length} {name}"
    return f"{days // 365} years"


def processor(size_bytes: int, vram_bytes: int) -> str:
    """Where a loaded model is: in the machine's memory, in the graphics card's, or in both.

    >>> processor(100, 0), processor(100, 100), processor(100, 75)
    ('100% CPU', '100% GPU', '25%/75% CPU/GPU')
    """
    if not vram_bytes:
        return "100% CPU"
    if vram_bytes >= size_bytes:
        return "100% GPU"
    on_cpu = round((size_bytes - vram_bytes) / size_bytes * 100)
    return f"{on_cpu}%/{100 - on_cpu}% CPU/GPU"
