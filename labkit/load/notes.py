"""What a reader of the figures must know beside them, in words."""

from __future__ import annotations

from labkit.load import nouns
from labkit.load.request import speaks_openai

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Protocol

    from labkit.load.plan import Plan

    class Counts(Protocol):
        """Those of a result that are needed here; result.py imports this file."""

        plan: Plan
        succeeded: int
        prompt_tokens: int
        cached_tokens: int | None
        not_streamed: int
        buffered: int
        lumped: int
        unstamped_reads: int
        addresses: dict[str, int]
        address_failures: dict[str, int]
        started: int

        @property
        def timestamps(self) -> str:
            """Whose clock the times are of."""


LONG_PROMPT = 64  # tokens: a first token waits for the reading of so many
CACHED_SHARE = 0.5  # of the prompts' tokens: more than a template that all prompts share
NOT_TO_BE_HAD = "first-token times, gaps and queue wait are not to be had"
LOOK = {  # what to look at, by kind of failure
    "no_tokens": (
        "Ollama without a prompt only loads the model, and ignores a key that it does not know:"
        ' look at the spelling of "prompt" or "messages" in the body, at stop and num_predict'
    ),
    "stream_cut": "look at the server's log and its Pod's restarts: did it end while it answered?",
}


def notes(result: Counts) -> list[str]:
    """What the verdict says beside its reasons for doubt."""
    of_cache = cached(result) if _is_long(result) else ""
    said = [
        _not_streamed(result),
        _unstamped(result),
        of_cache,
        _untold(result),
        _addresses(result),
        _ignored(result.plan),
    ]
    return [one for one in said if one]


def cached(result: Counts) -> str:
    """How much of the prompts was not read again, or an empty text.

    A warning when it was most, and long enough for a first token to wait for it.
    """
    if not result.cached_tokens:
        return ""
    prompt = result.prompt_tokens
    share = min(result.cached_tokens / prompt, 1.0) if prompt else 1.0
    text = f"{share:.0%} of the prompts' tokens were in Ollama's cache and not read again"
    if share < CACHED_SHARE or not _is_long(result):
        return text
    return f"{text}: prompts that differ wait longer for the first token (--vary-prompt)"


def _ignored(plan: Plan) -> str:
    """A limit that Ollama (0.34.2) ignores under /v1."""
    body = plan.body or ""
    if not speaks_openai(plan) or '"max_completion_tokens"' not in body or '"max_tokens"' in body:
        return ""
    return "the body has max_completion_tokens, which Ollama ignores: max_tokens limits an answer"


def _is_long(result: Counts) -> bool:
    return result.prompt_tokens >= LONG_PROMPT * result.succeeded


def buffered(result: Counts) -> str:
    """How many streams came in one go; an empty text where they can be chance."""
    together = result.buffered + result.lumped
    if together * 20 <= result.succeeded:
        return ""
    answers = nouns.count(result.succeeded, "answer")
    told = (
        f"the chunks of {together} of {answers} came in one go, from a"
        " proxy that buffers or to a client that was late"
    )
    if result.buffered:
        return f"{told}: {_of_them(result.buffered, result)}"
    return f"{told}: their first-token times lie anywhere between their bounds"


def _not_streamed(result: Counts) -> str:
    count = result.not_streamed
    if not count:
        return ""
    text = (
        f"{count} of {nouns.count(result.succeeded, 'answer')} came in one piece, not as a stream"
    )
    return f"{text}: {_of_them(count, result)}"


def _unstamped(result: Counts) -> str:
    if result.timestamps == "kernel":
        return ""
    reads = nouns.count(result.unstamped_reads, "read")
    return (
        f"{reads} had no kernel timestamp: what they held came between the look before and the read"
    )


def _of_them(count: int, result: Counts) -> str:
    return NOT_TO_BE_HAD if count == result.succeeded else f"of these {NOT_TO_BE_HAD}"


def _untold(result: Counts) -> str:
    """Ollama 0.24 has the cache and does not tell of it."""
    told = result.cached_tokens is not None or result.plan.vary_prompt
    if told or result.succeeded < 2 or not _is_long(result):
        return ""
    tokens = nouns.count(result.prompt_tokens // result.succeeded, "token")
    return (
        f"the same prompt of {tokens} was sent each time, and the server does not say how"
        " much of it was in its cache: --vary-prompt sends no prompt twice"
    )


def answered(result: Counts) -> tuple[int, int]:
    """Of several addresses: how many gave an answer, and how many there are.

    Where a name has one address, as a Service has, both are 0: its Pods cannot be told apart.
    """
    if len(result.addresses) < 2:
        return 0, 0
    return sum(1 for answers in result.addresses.values() if answers), len(result.addresses)


def _addresses(result: Counts) -> str:
    """Which addresses gave no answer: those that failed, and those that got no request."""
    used, known = answered(result)
    if used == known:
        return ""
    silent = [name for name, answers in result.addresses.items() if not answers]
    failed = [name for name in silent if result.address_failures.get(name)]
    said = [f"every request to {name} failed" for name in failed]
    if unasked := len(silent) - len(failed):
        said.append(f"{unasked} got no request{_why_unasked(result, known)}")
    addresses = nouns.count(known, "address", "addresses")
    return f"{used} of {addresses} answered: {', '.join(said)}"


def _why_unasked(result: Counts, known: int) -> str:
    plan = result.plan
    if result.started < known:
        return f", which takes -n {known} or more"
    if plan.keep_alive and plan.clients < known:
        return f", because a client keeps to one: -c {known} or more"
    return ""  # the name had it later than the rest
