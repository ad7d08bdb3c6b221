"""The command line of the load engine: hey's flags and a few more; argparse would take 10 ms."""

from __future__ import annotations

from labkit.load.errors import LoadError
from labkit.load.plan import Plan

USAGE = """\
Usage: ./lab load [options] URL | python -m labkit.load [options] URL

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
  -o FORMAT   text (the default), csv as hey's, json (schema labkit.load/1)
  --disable-keepalive  a connection for each request

Ollama:
  --model NAME --prompt TEXT --api generate|chat --num-predict N --no-stream

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
  --i-own-this-target  needed for a target that is not this machine

In a Pod:
  --plan FILE|-  --worker I/N  --start-at EPOCH_S  --progress

Exit codes: 0 every request succeeded, 1 some failed, 2 could not run, 130 interrupted.
"""


class Options:
    """A plan and what to do with its result."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.output = "text"
        self.sweep: list[int] = []
        self.processes = 1
        self.worker: tuple[int, int] | None = None
        self.start_at: float | None = None
        self.progress = self.owned = self.help = False


def parse(words: list[str]) -> Options:
    """The options of a command line; raises LoadError.

    >>> parse("-n 10 -c=2 http://127.0.0.1".split()).plan
    Plan(url='http://127.0.0.1', headers=(('Content-Type', 'text/html'),), requests=10, clients=2)
    """
    options, fields, headers, addresses = Options(), {}, [], []
    urls, content_type, left = [], "", list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=") if word.startswith("-") else (word, "", "")
        name = "-" + name.lstrip("-") if len(name.lstrip("-")) == 1 else name
        if word in ("-", "") or not word.startswith("-"):
            urls.append(word)
            continue
        if name in SWITCHES:
            SWITCHES[name](options, fields)
            continue
        if name not in VALUES:
            raise _wrong("no such option", word)
        if not equals:
            if not left:
                raise _wrong(f"{name} needs a value", word)
            value = left.pop(0)
        kind, target = VALUES[name]
        try:
            parsed = kind(value)
        except (ValueError, OverflowError) as error:
            raise _wrong(f"{name} does not take this value", f"{value} ({error})") from None
        if target == "header":
            headers.append(parsed)
        elif target == "address":
            addresses.append(parsed)
        elif target == "content_type":
            content_type = parsed
        elif target in Options.__init__.__code__.co_names:
            setattr(options, target, parsed)
        else:
            fields[target] = parsed
    return options


def _wrong(happened: str, saw: str) -> LoadError:
    return LoadError(happened, saw, "./lab load --help")
