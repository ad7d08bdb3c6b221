"""The command line of the load engine: hey's flags and a few more; argparse would take 10 ms."""

from __future__ import annotations

from collections.abc import Callable

from labkit.load.errors import LoadError
from labkit.load.plan import Plan

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

USAGE = """\
Usage: ./lab load [options] TARGET | python -m labkit.load [options] URL
TARGET is http://HOST:PORT, or in the lab's cluster service/NAME, deployment/NAME or pod/NAME.

hey's flags, with hey's meaning:
  -n N        requests, exactly N: hey rounds down to a multiple of -c (200)
  -c N        clients, each with one request at a time (50)
  -q N        most requests per second and client
  -z TIME     run so long in place of -n: 10s, 3m, 1m30s
  -t S        seconds until a request has failed, 0: never (20)
  -m METHOD   GET (the default), POST, PUT, DELETE, HEAD, OPTIONS
  -d BODY     body;  -D FILE  body from a file
  -H 'N: V'   header, any number of times
  -T TYPE     Content-Type (text/html; application/json for Ollama's API)
  -o FORMAT   text (the default), csv as hey's, json (schema labkit.load/2);
               html is one page with charts (./lab load only)
  --disable-keepalive  a connection for each request

Ollama:
  --model NAME --prompt TEXT --api generate|chat --num-predict N --no-stream
  --vary-prompt        digits before each prompt, so that the server's prompt cache has none of them

Experiment:
  --rate R             R requests per second whatever comes back (open loop, -c the most at once);
                       latency counts from when a request was due
  --arrivals KIND      constant (the default) or poisson
  --sweep 1,2,4        one run for each number of clients
  --warmup N           N requests first that are not counted
  --goodput LIMITS     ttft=500,gap=100,latency=9000: how many requests kept within these ms
  --seed N             seed of poisson arrivals (0)
  --address IP:PORT    a Pod's address in place of the URL's host, any number of times
  --processes N        N processes share the work; the results are merged
  --realtime           be woken before all else: sends when due on a busy CPU (needs root)
  --i-own-this-target  needed for a target that is not this machine

In the lab's cluster (./lab load only), where Pods ask:
  --pods N             N Pods share the work and begin at one moment; the results are merged (1)
  --path PATH          of the request, such as /api/tags
  --context CTX        an existing cluster of your kubeconfig instead of the lab's own

Runs that are compared (./lab load only):
  --repeat N           N runs of the same plan, all kept (1)
  --against TARGET     a second target, measured in turns with the first, and compared with it
  --fail-if 'ttft.p95 > +5%'  exit code 1 when the second target is surely that much slower,
                       2 when these runs cannot tell
  ./lab load compare A.json B.json …   compares results of -o json

In a Pod:
  --plan FILE|-  --worker I/N  --start-at EPOCH_S|/FILE  --progress

Exit codes: 0 every request succeeded, 1 some failed, 2 could not run, 130 interrupted.

Example: ./lab load -c 4 -n 20 --model $MODEL service/ollama
"""


UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration_s(text: str) -> float:
    """Go's durations, as hey takes them; raises ValueError.

    >>> duration_s("1m30s"), duration_s("250ms")
    (90.0, 0.25)
    """
    total, number, unit = 0.0, "", ""
    for char in text + "\0":
        if char in "0123456789.\0":
            if unit:
                total += float(number) * UNITS_S[unit] if unit in UNITS_S else float("nan")
                number = unit = ""
            number += char
        else:
            unit += char
    if total != total or number != "\0" or not total:
        raise ValueError("a duration is 10s, 3m or 1m30s")
    return total


def pair(text: str) -> tuple[str, str]:
    """A header, `Name: value`."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError("a header is 'Name: value'")
    return name.strip(), value.strip()


def limits(text: str) -> tuple[tuple[str, float], ...]:
    """The limits of --goodput, in ms.

    >>> limits("ttft=500,gap=0.1s")
    (('ttft', 500.0), ('gap', 100.0))
    """
    found = []
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in ("ttft", "gap", "latency"):
            raise ValueError("limits are ttft=…,gap=…,latency=… in ms")
        plain = value.replace(".", "", 1).isdecimal()
        found.append((name, float(value) if plain else duration_s(value) * 1e3))
    return tuple(found)


def levels(text: str) -> list[int]:
    """The numbers of clients of --sweep."""
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise ValueError("a level is a number of clients, 1 or more")
    return found


def worker(text: str) -> tuple[int, int]:
    """--worker: index and number of workers."""
    index, _, of = text.partition("/")
    return int(index), int(of)


def moment(text: str) -> float | str:
    """Seconds since 1970, or the file that will hold them, by its whole path."""
    return text if text.startswith("/") else float(text)


def contents(name: str) -> str:
    """A file's text, or standard input's for `-`."""
    import sys

    if name == "-":
        return sys.stdin.read()
    try:
        with open(name, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 4 ms
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(getattr(error, "strerror", None) or "it is not UTF-8") from None


def one_of(*choices: str) -> Callable[[str], str]:
    """A converter that takes only these words."""

    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return convert


# option: what it sets, in the plan or beside it, and how its text is read
VALUES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "-n": ("requests", int),
    "-c": ("clients", int),
    "-q": ("client_rate", float),
    "-z": ("seconds", duration_s),
    "-t": ("timeout_s", float),
    "-m": ("method", str.upper),
    "-d": ("body", str),
    "-D": ("body", contents),
    "-H": ("headers", pair),
    "-T": ("content_type", str),
    "-o": ("output", one_of("text", "csv", "json", "html")),
    "--model": ("model", str),
    "--prompt": ("prompt", str),
    "--api": ("api", one_of("generate", "chat")),
    "--num-predict": ("num_predict", int),
    "--rate": ("rate", float),
    "--arrivals": ("arrivals", one_of("constant", "poisson")),
    "--sweep": ("sweep", levels),
    "--warmup": ("warmup", int),
    "--goodput": ("goodput", limits),
    "--seed": ("seed", int),
    "--address": ("addresses", str),
    "--processes": ("processes", int),
    "--plan": ("plan", contents),
    "--worker": ("worker", worker),
    "--start-at": ("start_at", moment),
}
SWITCHES = {
    "--no-stream": ("stream", False),
    "--vary-prompt": ("vary_prompt", True),
    "--disable-keepalive": ("keep_alive", False),
    "--progress": ("progress", True),
    "--realtime": ("realtime", True),
    "--i-own-this-target": ("owned", True),
    "--help": ("help", True),
    "-h": ("help", True),
}
REPEATED = ("headers", "addresses")
# of `./lab load`: what labkit.measure takes out
OWN = ("--pods", "--path", "--context", "--repeat", "--against", "--fail-if")
OPEN_LOOP_CLIENTS = 1000


class Options:
    """A plan, and what to do with it and its result."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.output: str = given.pop("output", "text")
        self.sweep: list[int] = given.pop("sweep", [])
        self.processes: int = given.pop("processes", 1)
        self.worker: tuple[int, int] | None = given.pop("worker", None)
        self.start_at: float | str | None = given.pop("start_at", None)
        self.progress: bool = given.pop("progress", False)
        self.owned: bool = given.pop("owned", False)
        self.realtime: bool = given.pop("realtime", False)
        self.help: bool = given.pop("help", False)
        plan = given.pop("plan", None)
        self.plan = Plan(**given) if plan is None else Plan.from_json(plan).replace(**given)
        if self.worker:
            self.plan = self.plan.share(*self.worker)


def parse(words: list[str]) -> Options:
    """The options of a command line; raises LoadError.

    >>> parse("-n 10 -c=2 http://127.0.0.1/".split()).plan
    Plan(url='http://127.0.0.1/', headers=(('Content-Type', 'text/html'),), requests=10, clients=2)
    """
    given: dict[str, Any] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=") if word.startswith("-") else (word, "", "")
        if name in SWITCHES:
            key, given_value = SWITCHES[name]
            given[key] = given_value
        elif name in VALUES:
            if not equals and not left:
                raise _wrong(f"{name} needs a value", word)
            value = value if equals else left.pop(0)
            key, convert = VALUES[name]
            try:
                converted = convert(value)
            except (ValueError, OverflowError) as error:
                raise _wrong(f"{name} does not take this value", f"{value}: {error}") from None
            given[key] = (*given.get(key, ()), converted) if key in REPEATED else converted
        elif word.startswith("-") or "url" in given:
            raise _wrong("this is not an option, and there is one target", word)
        else:
            given["url"] = word
    if not ({"url", "plan", "help"} & set(given)):
        raise _wrong("a target is missing", " ".join(words) or "no words")
    return Options(_as_hey(given))


def _as_hey(given: dict[str, Any]) -> dict[str, Any]:
    """The defaults that depend on what else was given."""
    content_type = given.pop("content_type", None)
    if "plan" in given:
        return given
    if {"model", "prompt"} & set(given):
        given.setdefault("api", "generate")
    if "api" in given:
        if "model" not in given:
            raise _wrong("Ollama's API needs a model", "no --model")
        given.setdefault("method", "POST")
    if "seconds" in given:
        given["requests"] = None
    if "rate" in given:
        given.setdefault("clients", OPEN_LOOP_CLIENTS)
    headers = given.get("headers", ())
    if not any(name.lower() == "content-type" for name, _ in headers) and "api" not in given:
        headers = (("Content-Type", content_type or "text/html"), *headers)
    given["headers"] = headers
    return given


def _wrong(happened: str, saw: str) -> LoadError:
    return LoadError(happened, saw, "./lab load --help")


def split(words: list[str]) -> tuple[str, dict[str, str], list[str]]:
    """The target, the options of `./lab load` itself, and the engine's.

    >>> split(["-n", "8", "service/ollama", "--pods=2", "--model", "library/x"])
    ('service/ollama', {'--pods': '2'}, ['-n', '8', '--model', 'library/x'])
    """
    target, own, rest, left = "", {}, [], list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        takes_next = not equals and left
        if name in OWN:
            own[name] = value if equals else left.pop(0) if left else ""
        elif name in VALUES and takes_next:
            rest += [word, left.pop(0)]
        elif word.startswith("-") or target:
            rest.append(word)
        else:
            target = word
    return target, own, rest


def is_url(target: str) -> bool:
    """Is it an address, and no object of the cluster?

    >>> is_url("http://127.0.0.1:11434"), is_url("127.0.0.1:11434"), is_url("service/ollama")
    (True, True, False)
    """
    return ":" in target
