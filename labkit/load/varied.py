"""The requests of a plan, one after the other: all the same, or none with the prompt of another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, repeat

from labkit.load.errors import LoadError
from labkit.load.plan import Plan
from labkit.load.request import encode

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

DIGITS = 8
# Odd and large: four billion numbers before one comes again, and neighbours differ in the first
# digit already. The start is by chance: workers, and runs after each other, share a server's cache.
STEP = 0x9E3779B1


def requests(plan: Plan) -> Iterator[bytes]:
    """Each request as bytes; raises LoadError at once.

    With `vary_prompt` each prompt begins with eight digits of its own, so that a prompt cache has
    at most what comes before them: the model's template and its own system prompt.
    """
    plain = encode(plan)
    return _varied(plan, plain) if plan.vary_prompt else repeat(plain)


def _varied(plan: Plan, plain: bytes) -> Iterator[bytes]:
    mark = next(text for n in count() if (text := f"{n:0{DIGITS}x}").encode() not in plain)
    if plan.api:
        template = encode(plan.replace(prompt=f"{mark} {plan.prompt}"))
    else:
        template = encode(plan.replace(body=_marked(plan.body or "", mark)))
    import os

    start = int.from_bytes(os.urandom(4), "big")
    return (
        template.replace(mark.encode(), b"%08x" % ((start + n * STEP) & 0xFFFFFFFF))
        for n in count()
    )


def _marked(body: str, mark: str) -> str:
    """The body with the mark before its prompts: before a system prompt, where there is one.

    >>> _marked('{"model": "m", "prompt": "Why?"}', "00000000")
    '{"model": "m", "prompt": "00000000 Why?"}'
    >>> _marked('{"messages": [{"role": "system", "content": "Be brief."}]}', "00000000")
    '{"messages": [{"role": "system", "content": "00000000 Be brief."}]}'
    """
    import json

    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not (isinstance(value, dict) and _mark(value, mark)):
        hint = 'a body with a "prompt" or "messages", or --model and --prompt'
        raise LoadError("--vary-prompt finds no prompt in what is sent", body[:80], hint)
    return json.dumps(value)


def _mark(value: dict[str, Any], mark: str) -> bool:
    """Put the mark where the model begins to read; False: there is no text."""
    messages = value.get("messages")
    if isinstance(messages, list):
        return any(isinstance(one, dict) and _mark_in(one, "content", mark) for one in messages)
    return any(_mark_in(value, name, mark) for name in ("system", "prompt"))


def _mark_in(holder: dict[str, Any], name: str, mark: str) -> bool:
    text = holder.get(name)
    if isinstance(text, str) and text:
        holder[name] = f"{mark} {text}"
        return True
    if not isinstance(text, list):
        return False
    if name == "content":  # parts of OpenAI's: texts and images
        return any(isinstance(part, dict) and _mark_in(part, "text", mark) for part in text)
    holder[name] = [f"{mark} {one}" if isinstance(one, str) else one for one in text]
    return any(isinstance(one, str) for one in text)
