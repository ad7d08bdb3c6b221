"""Ollama's words: `lab.pull`, `generate`, `chat`, `models`, `ps`, `show`, `stop`.

Each acts on the Ollama that `at` names: a Pod, a Deployment, a Service, a `lab.connect()`;
without it on the local one ($OLLAMA_HOST, which `lab.start()` sets).
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import labkit
from labkit import humane, kubectl, reach
from labkit.bringup import mirror
from labkit.display import Live, Shown, echo
from labkit.errors import NotUp, StreamCut, TimedOut
from labkit.reach import Connection
from labkit.session import current
from labkit.table import Table

NS = 1e-9  # Ollama gives durations in nanoseconds
POLL_S = 0.2
PULL_S = 600.0  # of silence; a large model's last layer is verified without a word

At = str | Connection | None


@dataclass(frozen=True)
class Answer(Shown):
    """What a model said, and what it cost: tokens, and seconds as Ollama measured them."""

    text: str
    model: str
    tokens: int
    prompt_tokens: int
    total_s: float
    load_s: float
    prompt_s: float
    eval_s: float
    done_reason: str
    messages: list[dict] = field(default_factory=list, compare=False)

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.eval_s if self.eval_s else 0.0

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{self.text}\n({_cost(self)})"


@dataclass(frozen=True)
class Pulled(Shown):
    """A pull that ended well: how much it fetched, and in how many seconds."""

    model: str
    fetched_bytes: int
    seconds: float

    def __repr__(self) -> str:
        if not self.fetched_bytes:
            return f"{self.model} is up to date: nothing was downloaded"
        size = humane.size(self.fetched_bytes)
        return f"pulled {self.model}: {size} in {self.seconds:.1f} s"


def pull(model: str | None = None, *, at: At = None, insecure: bool | None = None) -> Pulled:
    """Brings a model to an Ollama, or looks for updates of one that is there.

        lab.pull(at="pod/ollama")

    Equals `ollama pull MODEL`. `insecure` (plain HTTP) is on for the lab's own mirror.
    Raises OllamaSaid (no such model), StreamCut (it ended without success), Unreachable.
    """
    model = model or labkit.model
    if insecure is None:
        insecure = model.startswith(f"{mirror.HOST}/")
    words = ["pull", *(["--insecure"] if insecure else []), model]
    body = {"model": model, **({"insecure": True} if insecure else {})}
    with _server(at, words, "/api/pull", body) as server, Live(f"pull {model}") as live:
        begun = time.monotonic()
        layers: dict[str, _Layer] = {}
        status = ""
        with closing(server.lines("/api/pull", body, timeout_s=PULL_S)) as events:
            for event in events:
                status = event.get("status", "")
                if "digest" not in event:
                    live.show(f"pull {model}: {status}")
                    continue
                layer = layers.setdefault(event["digest"], _Layer(event))
                layer.saw(event)
                done = sum(layer.now for layer in layers.values())
                total = sum(layer.total for layer in layers.values())
                text = f"pull {model}: {humane.size(done)} of {humane.size(total)}"
                live.progress(done, total, text)
        if status != "success":
            raise StreamCut(
                f"the pull of {model} ended without success",
                f"its last word: {status or 'none'}",
                "pull once more: what is there already is kept",
                status=200,
            )
        fetched = sum(layer.fetched for layer in layers.values())
        pulled = Pulled(model, fetched, time.monotonic() - begun)
        live.done(repr(pulled))
    return pulled


def generate(
    prompt: str,
    *,
    model: str | None = None,
    at: At = None,
    system: str | None = None,
    options: dict | None = None,
    keep_alive: str | int | None = None,
) -> Answer:
    """Asks a model; shows its words as they come. `str(answer)` is the whole text.

        lab.generate("What is a Pod?", at="pod/ollama")

    Equals `ollama run MODEL PROMPT`. `options` are Ollama's (temperature, num_predict …);
    `keep_alive` is how long the model stays loaded: "10s", "1h", 0, or -1 for ever.
    Raises ModelMissing (pull it there first), OllamaSaid, StreamCut, Unreachable.
    """
    body = _body(model, system=system, options=options, keep_alive=keep_alive) | {"prompt": prompt}
    words = _run_words(body)
    typed = _settings(body)
    if typed:  # which `ollama run` takes at its own prompt only
        typed.append(prompt)
    else:
        words.append(prompt)
    with _server(at, words, "/api/generate", body, typed) as server:
        return _asked(server, "/api/generate", body, [])


def chat(
    prompt: str | Sequence[dict],
    *,
    after: Answer | None = None,
    model: str | None = None,
    at: At = None,
    options: dict | None = None,
    keep_alive: str | int | None = None,
) -> Answer:
    """One turn of a conversation; `after` is the answer that it goes on from.

        first = lab.chat("What is a Service?")
        lab.chat("What is a Deployment?", after=first)

    Equals a line that you type into `ollama run MODEL`: it sends all that was said before.
    `prompt` may be a list of messages too; `.messages` of the answer is the whole talk.
    Raises ModelMissing, OllamaSaid, StreamCut, Unreachable.
    """
    said = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    messages = [*(after.messages if after else []), *said]
    body = _body(model, options=options, keep_alive=keep_alive) | {"messages": messages}
    typed = [*_settings(body), said[-1]["content"]]
    with _server(at, _run_words(body), "/api/chat", body, typed) as server:
        return _asked(server, "/api/chat", body, messages)


def models(at: At = None) -> Table:
    """The models on disk: NAME, ID, SIZE (in units of 1000), MODIFIED.

        lab.models(at="pod/ollama").column("NAME")

    Equals `ollama list`; `.items` is what the API says of each. Raises Unreachable.
    """
    with _server(at, ["list"], "/api/tags") as server:
        found = server.get("/api/tags")["models"] or []
    rows = [
        [m["name"], m["digest"][:12], humane.size(m["size"]), humane.since(m["modified_at"])]
        for m in found
    ]
    return Table(["NAME", "ID", "SIZE", "MODIFIED"], rows, items=found, empty="no models")


def ps(at: At = None, *, watch: bool = False, timeout_s: float = 60.0) -> Table:
    """The models in memory: how much, on which processor, until when.

        lab.ps(at="pod/ollama")

    Equals `ollama ps`. With `watch` it looks again until none is loaded any more, and raises
    TimedOut when one is still there after `timeout_s` seconds.
    """
    with _server(at, ["ps"], "/api/ps") as server:
        if watch:
            _until_gone(server, None, timeout_s)
        return _loaded(server)


def show(model: str | None = None, *, at: At = None) -> Table:
    """What a model is: architecture, size, parameters, license, one fact a row.

        lab.show(at="pod/ollama")

    Equals `ollama show MODEL`; `.items[0]` is the API's whole answer. Raises ModelMissing.
    """
    model = model or labkit.model
    body = {"model": model}
    with _server(at, ["show", model], "/api/show", body) as server:
        found = server.post("/api/show", body)
    details, info = found.get("details", {}), found.get("model_info", {})
    kind = info.get("general.architecture", details.get("family", ""))
    rows = [
        ["Model", "architecture", kind],
        ["Model", "parameters", details.get("parameter_size", "")],
        ["Model", "context length", info.get(f"{kind}.context_length", "")],
        ["Model", "embedding length", info.get(f"{kind}.embedding_length", "")],
        ["Model", "quantization", details.get("quantization_level", "")],
    ]
    rows += [["Capabilities", "", name] for name in found.get("capabilities", [])]
    for line in found.get("parameters", "").splitlines():
        name, _, value = line.partition(" ")
        rows.append(["Parameters", name, value.strip()])
    for name in ("system", "license"):
        if found.get(name):
            rows.append([name.title(), "", found[name].strip().splitlines()[0]])
    return Table(["SECTION", "NAME", "VALUE"], rows, items=[found])


def stop(model: str | None = None, *, at: At = None, timeout_s: float = 30.0) -> Table:
    """Takes a model out of memory, and waits until it is; returns what is still loaded.

        lab.stop(at="pod/ollama")

    Equals `ollama stop MODEL`. Raises ModelMissing, TimedOut.
    """
    model = model or labkit.model
    body = {"model": model, "keep_alive": 0}
    with _server(at, ["stop", model], "/api/generate", body) as server:
        for _ in server.lines("/api/generate", body):
            pass
        _until_gone(server, model, timeout_s)
        return _loaded(server)


class _Layer:
    """One file of a model, as the events of a pull tell of it."""

    def __init__(self, event: dict) -> None:
        self.total = event.get("total", 0)
        self.first = self.now = event.get("completed", 0)
        self.events = 0

    def saw(self, event: dict) -> None:
        self.now = event.get("completed", 0)
        self.events += 1

    @property
    def fetched(self) -> int:
        # what is there already is told once; what is fetched, sixteen times a second, and a
        # small file is whole before the first of these
        if self.events == 1:
            return 0
        return self.now - self.first or self.now


@contextmanager
def _server(
    at: At, words: list[str], path: str, body: dict | None = None, typed: Sequence[str] = ()
) -> Iterator[Connection]:
    """The Ollama that `at` names, after the lines that equal the call."""
    echo(_line(at.name if isinstance(at, Connection) else at, words, path, body))
    for line in typed:
        print(f">>> {line}")
    opened = server(at)
    try:
        yield opened
    finally:
        if opened is not at:
            opened.close()


def server(at: At = None) -> Connection:
    """The Ollama that `at` names, without a word about it; for checks."""
    return at if isinstance(at, Connection) else _open(at)


def _open(at: str | None) -> Connection:
    if at is not None:
        return reach.opened(current(), at)
    current()  # it has set OLLAMA_HOST
    url = os.environ.get("OLLAMA_HOST")
    if not url:
        raise NotUp(
            "there is no local Ollama beside this lab",
            "OLLAMA_HOST is not set",
            'at="pod/ollama", or export LAB_OLLAMA=http://127.0.0.1:11434 for one of your own',
        )
    return reach.local(url)


def _line(at: str | None, words: list[str], path: str, body: dict | None) -> str:
    r"""The line that equals a call: ollama's own, in the Pod; to a Service, a client's.

    >>> print(_line("pod/ollama", ["list"], "/api/tags", None))
    kubectl exec pod/ollama -- ollama list
    >>> print(_line("service/ollama", ["show", "x"], "/api/show", {"model": "x"}))
    kubectl run httpclient --rm -it --image alpine/httpie -- \
      --ignore-stdin http://ollama:11434/api/show model=x
    """
    kind, _, name = (at or "").partition("/")
    if kind in ("service", "svc", "services"):
        fields = [
            f"{key}={value}" if isinstance(value, str) else f"{key}:={json.dumps(value)}"
            for key, value in (body or {}).items()
        ]
        url = f"http://{name}:{reach.OLLAMA_PORT}{path}"
        client = "kubectl run httpclient --rm -it --image alpine/httpie -- \\\n  --ignore-stdin"
        return f"{client} {shlex.join([url, *fields])}"
    command = ["ollama", *words]
    return shlex.join(command) if at is None else kubectl.line("exec", at, command=command)


def _run_words(body: dict) -> list[str]:
    alive = [f"--keepalive={body['keep_alive']}"] if "keep_alive" in body else []
    return ["run", *alive, body["model"]]


def _settings(body: dict) -> list[str]:
    """What a learner types into `ollama run` for what it has no flag.

    >>> _settings({"system": "Be brief.", "options": {"temperature": 0}})
    ['/set system "Be brief."', '/set parameter temperature 0']
    """
    system = [f'/set system "{body["system"]}"'] if "system" in body else []
    options = body.get("options", {})
    return [*system, *(f"/set parameter {name} {value}" for name, value in options.items())]


def _body(model: str | None, **choices: object) -> dict:
    chosen = {name: value for name, value in choices.items() if value is not None}
    return {"model": model or labkit.model, **chosen}


def _asked(server: Connection, path: str, body: dict, messages: list[dict]) -> Answer:
    text, last = "", {}
    with Live(f"ask {body['model']}") as live:
        with closing(server.lines(path, body)) as events:
            for last in events:
                more = last.get("response") or last.get("message", {}).get("content") or ""
                text += more
                live.append(more)
        # Ollama ends a stream of too many equal tokens without a word, under a 200
        if not last.get("done"):
            raise StreamCut(
                "the answer ended before it was whole",
                f"{len(text)} characters, and no done:true",
                "ask once more, or in other words",
                status=200,
            )
        reply = {"role": "assistant", "content": text}
        answer = Answer(
            text,
            model=last["model"],
            tokens=last.get("eval_count", 0),
            prompt_tokens=last.get("prompt_eval_count", 0),
            total_s=last.get("total_duration", 0) * NS,
            load_s=last.get("load_duration", 0) * NS,
            prompt_s=last.get("prompt_eval_duration", 0) * NS,
            eval_s=last.get("eval_duration", 0) * NS,
            done_reason=last.get("done_reason", ""),
            messages=[*messages, reply] if messages else [],
        )
        live.done(_cost(answer))
    return answer


def _cost(answer: Answer) -> str:
    rate = f", {answer.tokens_per_s:.0f} tokens/s" if answer.eval_s else ""
    return f"{answer.tokens} tokens in {answer.total_s:.2f} s{rate}"


def _loaded(server: Connection) -> Table:
    found = server.get("/api/ps")["models"] or []
    rows = [
        [
            m["name"],
            m["digest"][:12],
            humane.size(m["size"]),
            humane.processor(m["size"], m.get("size_vram", 0)),
            m.get("context_length", ""),
            humane.since(m["expires_at"]),
        ]
        for m in found
    ]
    columns = ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]
    return Table(columns, rows, items=found, empty="no model is loaded")


def _until_gone(server: Connection, model: str | None, timeout_s: float) -> None:
    """Until this model is out of memory, or every model is."""
    begun = time.monotonic()
    with Live("loaded models") as live:
        while True:
            table = _loaded(server)
            names = [name for name in table.column("NAME") if same(name, model or name)]
            waited_s = time.monotonic() - begun
            if not names:
                live.done(f"{model or 'every model'} is unloaded, after {waited_s:.1f} s")
                return
            if waited_s > timeout_s:
                raise TimedOut(
                    f"{', '.join(names)} still loaded after {timeout_s:g} s",
                    f"until: {', '.join(table.column('UNTIL'))}",
                    "lab.stop() of each, or a larger timeout_s",
                )
            until = dict(zip(table.column("NAME"), table.column("UNTIL"), strict=True))
            live.show(", ".join(f"{name}: {until[name]}" for name in names))
            time.sleep(POLL_S)


def same(name: str, other: str) -> bool:
    """Two names of one model: `:latest` may be left out.

    >>> same("lab-llama:latest", "lab-llama"), same("a:1b", "a")
    (True, False)
    """
    return name.removesuffix(":latest") == other.removesuffix(":latest")
