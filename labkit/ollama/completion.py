"""`lab.generate` and `lab.chat`: what a model says to a prompt, and what that cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import labkit
from labkit.errors import LabError, OllamaSaid, StreamCut, Unreachable
from labkit.kube.proxy import Connection, tokens
from labkit.ollama.client import At, echoed, server
from labkit.ollama.options import check
from labkit.ollama.reply import Reply, called
from labkit.ui import units
from labkit.ui.live import Live, describe
from labkit.ui.notebook import Shown
from labkit.ui.silence import silence

VERSION_S = 10.0
NS = 1e-9  # Ollama gives durations in nanoseconds
_SECONDS = re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+", re.ASCII)


@dataclass(frozen=True)
class Answer(Shown):
    """What a model said, and what it cost: tokens, and seconds as Ollama measured them.

    What it thought first is in `thinking`, what it wants to be called in `tool_calls`.
    """

    text: str
    model: str
    tokens: int
    prompt_tokens: int
    total_s: float
    load_s: float
    prompt_s: float
    eval_s: float
    done_reason: str
    messages: list[dict[str, Any]] = field(default_factory=list, compare=False)
    thinking: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list, compare=False)

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.eval_s if self.eval_s else 0.0

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        said = [self.text] if self.text or not self.tool_calls else []
        return "\n".join([*said, *called(self.tool_calls), f"({_cost(self)})"])


def generate(
    prompt: str,
    *,
    model: str | None = None,
    at: At = None,
    system: str | None = None,
    options: dict[str, Any] | None = None,
    keep_alive: str | float | None = None,
    think: bool | str | None = None,
) -> Answer:
    """Send a prompt to a model, and show its words as they come; `str(answer)` is the text.

        lab.generate("What is a Pod?", at="pod/ollama")

    Equals `ollama run MODEL PROMPT`. `options` are Ollama's (temperature, num_predict …);
    `keep_alive` is how long the model stays loaded: "10s", "1h", seconds, or -1 for ever; `think`
    is whether a model that can think does: True, False, "low", "medium", "high".
    Raises LabError (an option that this Ollama would ignore, or of the wrong type), ModelMissing
    (pull it there first), OllamaSaid, StreamCut, Unreachable.
    """
    _known(options, at)
    alive = _kept(keep_alive)
    body = _body(model, system=system, options=options, keep_alive=alive, think=think)
    body |= {"prompt": prompt}
    words = _run_words(body)
    typed = _settings(body)
    if typed:  # which `ollama run` takes at its own prompt only
        typed.append(_prompt(prompt))
    else:
        words[-1:] = ["--nowordwrap", body["model"], prompt]  # a pipe gets cut words too
    with echoed(at, words, "/api/generate", body, typed) as opened:
        return _asked(opened, "/api/generate", body, [])


def chat(
    prompt: str | Sequence[dict[str, Any]],
    *,
    after: Answer | None = None,
    model: str | None = None,
    at: At = None,
    options: dict[str, Any] | None = None,
    keep_alive: str | float | None = None,
    think: bool | str | None = None,
    tools: Sequence[dict[str, Any]] | None = None,
) -> Answer:
    """Return one answer of a conversation; `after` is the answer that it continues from.

        first = lab.chat("What is a Service?")
        lab.chat("What is a Deployment?", after=first)

    Equals a line that you type into `ollama run MODEL`: it sends all messages before it too.
    `prompt` may be a list of messages; `.messages` of the answer is the whole conversation. `tools`
    are functions that the model may want to be called, as Ollama's API names them: `ollama run`
    has no word for them. `.tool_calls` of the answer are the calls.
    Raises LabError (an option that this Ollama would ignore, or of the wrong type), ModelMissing,
    OllamaSaid, StreamCut, Unreachable.
    """
    _known(options, at)
    said = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    messages = [*(after.messages if after else []), *said]
    alive = _kept(keep_alive)
    body = _body(model, options=options, keep_alive=alive, think=think, tools=tools)
    body |= {"messages": messages}
    typed = None if tools else _turns(after.messages if after else [], said)
    typed = typed and [*_settings(body), *typed]
    with echoed(at, _run_words(body), "/api/chat", body, typed) as opened:
        return _asked(opened, "/api/chat", body, messages)


def _known(options: dict[str, Any] | None, at: At) -> None:
    """Raises LabError for an option that this Ollama would ignore, or of the wrong type."""

    def version() -> str:
        with suppress(LabError):  # the request itself tells what is wrong with the server
            opened = server(at)
            try:
                return str(opened.get("/api/version", timeout_s=VERSION_S)["version"])
            finally:
                if opened is not at:
                    opened.close()
        return ""

    if said := check(options, version):
        describe(said)


def _run_words(body: dict[str, Any]) -> list[str]:
    """
    >>> _run_words({"model": "m", "keep_alive": -1, "think": True})
    ['run', '--keepalive=-1s', '--think', 'm']
    """
    words = []
    alive, think = body.get("keep_alive"), body.get("think")
    if alive is not None:  # the API takes bare seconds, the command line wants a unit
        words.append(f"--keepalive={alive if isinstance(alive, str) else f'{_number(alive)}s'}")
    if think is not None:
        words.append("--think" if think is True else f"--think={str(think).lower()}")
    return ["run", *words, body["model"]]


def _kept(keep_alive: str | float | None) -> str | float | None:
    """As Ollama's API takes it: of text, only with a unit.

    >>> _kept("-1"), _kept("300"), _kept("5m"), _kept(1.5)
    (-1, 300, '5m', 1.5)
    """
    if isinstance(keep_alive, str) and _SECONDS.fullmatch(keep_alive):
        return float(keep_alive) if "." in keep_alive else int(keep_alive)
    return keep_alive


def _number(value: float) -> str:
    """Without an exponent, which a duration of Go has not.

    >>> _number(1e9), _number(0.5), _number(-1)
    ('1000000000', '0.5', '-1')
    """
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _settings(body: dict[str, Any]) -> list[str]:
    """What a learner types into `ollama run` for what it has no flag.

    >>> _settings({"system": "Be brief.", "options": {"temperature": 0}})
    ['/set system "Be brief."', '/set parameter temperature 0']
    """
    system = [_system(body["system"])] if "system" in body else []
    options = body.get("options", {})
    return [*system, *(f"/set parameter {name} {_word(value)}" for name, value in options.items())]


def _system(text: str) -> str:
    quote = '"""' if '"' in text or "\n" in text else '"'
    return f"/set system {quote}{text}{quote}"


def _word(value: object) -> str:
    """
    >>> _word(0.5), _word(True), _word(["a", "b"])
    ('0.5', 'true', 'a b')
    """
    if isinstance(value, list | tuple):
        return " ".join(map(_word, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _turns(before: list[dict[str, Any]], said: list[dict[str, Any]]) -> list[str] | None:
    """What a learner types for a conversation; None where that is not all of it.

    >>> first = [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}]
    >>> _turns(first, [{"role": "user", "content": "C?"}])
    ['A?', 'C?']
    >>> _turns([], first)
    """
    typed = []
    for message in [*before, *said]:
        role, content = message.get("role"), message.get("content")
        if role == "assistant" and message in before and not message.get("tool_calls"):
            continue  # the model answers it again
        if role not in ("user", "system") or not isinstance(content, str) or "images" in message:
            return None
        typed.append(_system(content) if role == "system" else _prompt(content))
    return typed


def _prompt(text: str) -> str:
    return f'"""{text}"""' if "\n" in text else text


def _body(model: str | None, **choices: object) -> dict[str, Any]:
    chosen = {name: value for name, value in choices.items() if value is not None}
    return {"model": model or labkit.model, **chosen}


def _asked(
    opened: Connection, path: str, body: dict[str, Any], messages: list[dict[str, Any]]
) -> Answer:
    reply, last = Reply(), {}
    with Live(f"ask {body['model']}") as live:
        try:
            events = opened.lines(path, body)
            with closing(events), silence(live, _waits(opened)) as heard:
                for last in events:
                    heard()
                    live.append(reply.saw(last))
        except (OllamaSaid, Unreachable) as error:
            if reply.pieces:
                error.saw += f"; the answer was cut after {_came(reply)}{_thought(reply)}"
            raise
        # Ollama 0.24 ends a stream of too many equal tokens without a word, under a 200
        if not last.get("done"):
            raise StreamCut(
                "the answer ended before it was whole",
                f"{_came(reply)}, and no done:true{_thought(reply)}",
                "ask once more, or in other words",
                status=200,
            )
        answer = Answer(
            reply.text,
            model=last.get("model") or body["model"],
            tokens=last.get("eval_count") or 0,
            prompt_tokens=last.get("prompt_eval_count") or 0,
            total_s=(last.get("total_duration") or 0) * NS,
            load_s=(last.get("load_duration") or 0) * NS,
            prompt_s=(last.get("prompt_eval_duration") or 0) * NS,
            eval_s=(last.get("eval_duration") or 0) * NS,
            done_reason=last.get("done_reason") or "",
            messages=[*messages, reply.message()] if messages else [],
            thinking=reply.thinking,
            tool_calls=reply.tool_calls,
        )
        live.done(_cost(answer))
    return answer


def _came(reply: Reply) -> str:
    """How much of an answer came before it was cut."""
    return f"{tokens(reply.pieces)}, {units.count(len(reply.text), 'character')}"


def _thought(reply: Reply) -> str:
    return f", after {len(reply.thinking)} of thinking" if reply.thinking else ""


def _waits(opened: Connection) -> str:
    return (
        f"no word from {opened.name} yet: it loads the model, answers others first, or is blocked;"
        f" look beside this: {opened.look()}"
    )


def _cost(answer: Answer) -> str:
    rate = f", {answer.tokens_per_s:.0f} tokens/s" if answer.eval_s else ""
    return f"{units.count(answer.tokens, 'token')} in {answer.total_s:.2f} s{rate}"
