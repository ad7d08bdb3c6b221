"""Which steps a learner has passed, and when: a file in the learner's folder, which is not sent.

One JSON object a line, and only ever appended to. Each line is one write, so two kernels do not cut
each other's lines, and a killed one leaves the others whole.
"""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

from labkit.learner import places

RECORD = ".passed.jsonl"


def keep(step: str, context: str, namespace: str) -> bool:
    """Keep that the step has been passed now, unless an earlier pass is kept.

    Return False when it could not be written. Without a learner's folder there is nothing to do.
    """
    folder = places.work()
    if not folder.is_dir() or step in kept(context, namespace):
        return True
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    line = {"step": step, "at": now, "context": context, "namespace": namespace}
    # it begins with a new line too: the one before may have been cut off by a full disk
    data = f"\n{json.dumps(line)}\n".encode()
    try:
        file = os.open(folder / RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            return os.write(file, data) == len(data)
        finally:
            os.close(file)
    except OSError:
        return False


def kept(context: str, namespace: str) -> dict[str, datetime.datetime]:
    """Step → when it was first passed in that namespace. A line that is not whole is left out."""
    found: dict[str, datetime.datetime] = {}
    try:
        text = (places.work() / RECORD).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return found
    for line in text.splitlines():
        try:
            one: dict[str, Any] = json.loads(line)
            at = datetime.datetime.fromisoformat(one["at"])
            if at.tzinfo and (one["context"], one["namespace"]) == (context, namespace):
                found.setdefault(str(one["step"]), at)
        except (ValueError, KeyError, TypeError):
            continue
    return found


def clock(at: datetime.datetime, now: datetime.datetime | None = None) -> str:
    """A moment as a learner reads it: the time, and before today the day.

    >>> now = datetime.datetime(2026, 12, 1, 12, 0).astimezone()
    >>> clock(now.replace(hour=9, minute=5), now), clock(now.replace(month=11), now)
    ('09:05', '1 Nov 12:00')
    """
    here = at.astimezone()
    time = f"{here:%H:%M}"
    today = (now or datetime.datetime.now(datetime.UTC)).astimezone().date()
    return time if here.date() == today else f"{here.day} {here:%b} {time}"
