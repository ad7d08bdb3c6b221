"""Asks each fact, and says whether the part still does what was seen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from labkit.facts.compare import differences
from labkit.facts.entries import Fact, number
from labkit.facts.places import KUBECTL, KUBERNETES, OLLAMA, Places
from labkit.facts.probe import CannotAsk, Probe, require
from labkit.setup.host import speed

AS_EXPECTED, DIFFERS, NOT_ASKED = "as expected", "differs", "could not be asked"
READ_ONLY_S = 60.0  # for all that changes nothing
AT_A_TIME = 4
AGAIN_S = 0.5
NOT_LOADED = ("llama-server", "llama runner", "system memory")
REFUSED = re.compile(
    r"(?i)[^\n]*(?:\(Forbidden\)|is forbidden:|denied the request|Unauthorized|must be logged in"
    r"|Unable to connect to the server|was refused - did you specify|i/o timeout)[^\n]*"
)
CANNOT = "does not support"
NOT_THERE = "404 page not found"  # Ollama's word for a path that it does not have


@dataclass(frozen=True)
class Row:
    """One fact, and what was seen of it now."""

    fact: Fact
    verdict: str
    saw: str = ""  # the differences, or why it could not be asked
    version: str = ""
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """For programs."""
        return {
            "id": self.fact.id,
            "of": self.fact.of,
            "says": self.fact.says,
            "verdict": self.verdict,
            "saw": self.saw,
            "version": self.version,
            "seen_with": list(self.fact.seen),
            "seconds": round(self.seconds, 2),
        }


def rows(
    facts: Sequence[Fact],
    places: Places,
    *,
    limit_s: float = READ_ONLY_S,
    on_fact: Callable[[Fact], None] = lambda _: None,
) -> Iterable[Row]:
    """Each fact asked: a few at a time, then those that change something, one after the other.

    Facts that change nothing share `limit_s` seconds: what is left of them when these are over
    could not be asked.
    """
    deadline = time.monotonic() + limit_s

    def read(fact: Fact) -> Row:
        on_fact(fact)
        return row(fact, places, deadline - time.monotonic())

    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        for fact in facts:  # what there is to ask is found out once
            places.why_not(fact)
        yield from pool.map(read, [fact for fact in facts if not fact.changes])
        for fact in (fact for fact in facts if fact.changes):
            on_fact(fact)
            yield row(fact, places, speed.deadline(fact.deadline_s))
    finally:
        pool.shutdown(cancel_futures=True)
        places.clean_up()


def row(fact: Fact, places: Places, left_s: float) -> Row:
    """One fact, asked within its deadline and `left_s` seconds."""
    began = time.monotonic()
    if left_s <= 0:
        return Row(fact, NOT_ASKED, "the time for all facts was over")
    why = places.why_not(fact)
    version = "" if why else places.version(fact.of)
    expected = None if why else fact.expected(version)
    if not why and expected is None:
        why = f"seen from {next(iter(fact.seen))} on"
    if why or expected is None:
        return Row(fact, NOT_ASKED, why, version, time.monotonic() - began)
    try:
        limit_s = left_s if fact.changes else min(fact.deadline_s, left_s)
        found, replies = _asked(fact, places, expected, limit_s)
        verdict = DIFFERS if found else AS_EXPECTED
        if found and (cannot := _cannot(fact, replies, version, str(expected))):
            verdict, found = NOT_ASKED, [cannot]
    except CannotAsk as error:
        verdict, found = NOT_ASKED, [str(error)]
    return Row(fact, verdict, "; ".join(found), version, time.monotonic() - began)


def _asked(
    fact: Fact, places: Places, expected: dict[str, Any], limit_s: float
) -> tuple[list[str], dict[str, Any]]:
    replies: dict[str, Any] = {}
    with Probe(places.values, places.programs, places.env, limit_s) as probe:
        try:
            probe.write(fact.files)
            expected = probe.filled(expected)
            *before, last = fact.steps
            for step in before:
                reply = probe.ask(step)
                if "as" in step:
                    replies[step["as"]] = reply
                else:
                    require(step, reply)
            replies[""] = probe.ask(last)
            while (found := differences(expected, replies)) and last.get("again"):
                if probe.left_s <= AGAIN_S:
                    break
                time.sleep(AGAIN_S)
                replies[""] = probe.ask(last)
        finally:
            probe.clean_up(fact.after)
    return found, replies


def _cannot(fact: Fact, replies: dict[str, Any], version: str, expected: str) -> str:
    """Why an answer that differs is none to this question; empty where it is one."""
    if fact.of in (KUBECTL, KUBERNETES):
        for reply in replies.values():
            found = REFUSED.search(str(reply.get("stderr", "")))
            if found and reply.get("exit"):
                return f"the cluster does not let you ask: {found[0][:200]}"
    if fact.of != OLLAMA:
        return ""
    for reply in replies.values():
        status, text = reply.get("status"), str(reply.get("text", reply.get("stderr", "")))
        if status in (401, 407):
            return f"it needs a key (HTTP {status})"
        if status in (502, 503, 504) and text.lstrip()[:1] == "<":
            return f"a proxy answered, and not Ollama (HTTP {status})"
        if text.strip() == NOT_THERE and number(version) < number(fact.newest):
            return f"Ollama {version} has no such path"
        if status in (500, None) and any(word in text for word in NOT_LOADED):
            return f"the model could not be loaded: {text.strip()[:200]}"
        if CANNOT in text and CANNOT not in expected:
            return f"the model cannot do that: {reply.get('json', {}).get('error', text)[:200]}"
    return ""
