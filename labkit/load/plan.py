"""One load experiment as plain data: what is sent, how much, how fast, and what counts as good."""

from __future__ import annotations

from labkit.load.errors import LoadError
from labkit.load.nouns import count

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

# name: default; a dataclass would cost a third of the 40 ms that a start may take.
FIELDS: dict[str, object] = {
    "url": "",
    "method": "GET",
    "headers": (),  # pairs of name and value
    "body": None,  # text; None: no body
    "api": None,  # "generate", "chat", or None: `body` is sent as it is
    "model": None,
    "prompt": "Why is the sky blue?",
    "vary_prompt": False,  # each prompt begins with digits of its own: no prompt cache has it
    "num_predict": None,
    "stream": True,
    "requests": 200,  # exactly so many; None: until `seconds` are over
    "seconds": None,
    "clients": 50,  # closed loop: connections; open loop: the most connections at once
    "rate": None,  # arrivals per second; None is a closed loop
    "arrivals": "constant",  # or "poisson"
    "client_rate": None,  # most requests per second and client, hey's -q
    "timeout_s": 20.0,  # 0: none
    "warmup": 0,  # requests before the measured ones
    "seed": 0,
    "goodput": (),  # pairs of "ttft", "gap" or "latency" and the limit in ms
    "keep_alive": True,
    "addresses": (),  # "IP:port" of each Pod, in place of what the URL's host resolves to
    "worker": 0,
    "workers": 1,
}
NUMBERS: dict[str, tuple[tuple[type, ...], float]] = {  # field: its types, its least value
    "requests": ((int,), 1),
    "clients": ((int,), 1),
    "num_predict": ((int,), -1),
    "seconds": ((int, float), 0.001),
    "rate": ((int, float), 0.001),
    "client_rate": ((int, float), 0.001),
    "timeout_s": ((int, float), 0),
    "warmup": ((int,), 0),
    "seed": ((int,), 0),
}
TUPLES = ("headers", "goodput", "addresses")


class Plan:
    """One experiment; cannot be changed, `replace()` gives another one.

    >>> Plan(url="http://127.0.0.1:11434", api="generate", model="m", requests=10).share(0, 4)
    ... # doctest: +ELLIPSIS
    Plan(url='http://127.0.0.1:11434', ... requests=2, ...)
    """

    __slots__ = tuple(FIELDS)

    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    body: str | None
    api: str | None
    model: str | None
    prompt: str
    vary_prompt: bool
    num_predict: int | None
    stream: bool
    requests: int | None
    seconds: float | None
    clients: int
    rate: float | None
    arrivals: str
    client_rate: float | None
    timeout_s: float
    warmup: int
    seed: int
    goodput: tuple[tuple[str, float], ...]
    keep_alive: bool
    addresses: tuple[str, ...]
    worker: int
    workers: int

    def __init__(self, **fields: object) -> None:
        unknown = sorted(set(fields) - set(FIELDS))
        if unknown:
            raise LoadError(
                "a plan has a field that is not known", ", ".join(unknown), ", ".join(FIELDS)
            )
        for name, default in FIELDS.items():
            value = fields.get(name, default)
            if name in TUPLES and isinstance(value, list | tuple):
                value = tuple(tuple(v) if isinstance(v, list) else v for v in value)
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        """Numbers are numbers, and at least what a run needs; raises LoadError."""
        for name, (kinds, least) in NUMBERS.items():
            value = getattr(self, name)
            if (value is None and FIELDS[name] is None) or (name == "requests" and value is None):
                continue
            if type(value) not in kinds or not least <= value < float("inf"):
                raise LoadError(f"{name} cannot be {value!r}", f"at least {least}", "./lab load -h")
        for name, default in FIELDS.items():
            value = getattr(self, name)
            kind: type = tuple if name in TUPLES else bool if default in (True, False) else str
            if name in NUMBERS or name in ("worker", "workers") or value is None is default:
                continue
            if not isinstance(value, kind):
                raise LoadError(f"{name} cannot be {value!r}", kind.__name__, "./lab load -h")
        if self.arrivals not in ("constant", "poisson"):
            raise LoadError("no such arrivals", self.arrivals, "constant or poisson")
        pairs = all(isinstance(p, tuple) and len(p) == 2 for p in self.headers + self.goodput)
        if not pairs or not {name for name, _ in self.goodput} <= {"ttft", "gap", "latency"}:
            saw = f"headers {self.headers}, goodput {self.goodput}"
            hint = 'pairs: ("Name", "value"), ("ttft", 500.0)'
            raise LoadError("headers or goodput cannot be so", saw, hint)
        if self.requests is None and self.seconds is None:
            raise LoadError("a run needs an end", "no requests, no seconds", "-n 200, or -z 10s")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Plan cannot be changed; plan.replace({name}=...) gives another")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.plain() == other.plain()

    def __hash__(self) -> int:
        return hash(tuple(self.plain().values()))

    def __repr__(self) -> str:
        changed = {k: v for k, v in self.plain().items() if v != FIELDS[k]}
        return f"Plan({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    def replace(self, **changes: object) -> Plan:
        """The same plan with other values of the fields named."""
        return Plan(**{**self.plain(), **changes})

    def plain(self) -> dict[str, Any]:
        """Field → value."""
        return {name: getattr(self, name) for name in FIELDS}

    def to_json(self) -> str:
        """One line of JSON that `from_json` takes."""
        import json  # after the first request, or never

        return json.dumps(self.plain())

    @classmethod
    def from_json(cls, text: str | dict[str, Any]) -> Plan:
        """The plan that `to_json` wrote, or the `plan` of a result; raises LoadError."""
        import json

        try:
            fields = json.loads(text) if isinstance(text, str) else text
            if not isinstance(fields, dict):
                raise ValueError(f"a {type(fields).__name__}")
        except ValueError as error:
            raise LoadError("the plan is not a JSON object", str(error), "Plan.to_json()") from None
        return cls(**fields)

    def share(self, index: int, of: int) -> Plan:
        """The part of worker `index` of `of`: together they are exactly this plan."""
        if not 0 <= index < of:
            raise LoadError("no such worker", f"{index}/{of}", f"0/{of} to {of - 1}/{of}")
        if self.clients < of or (self.requests is not None and self.requests < of):
            saw = f"{count(of, 'worker')}, {count(self.clients, 'client')}, "
            saw += count(self.requests, "request") if self.requests else "no number of requests"
            raise LoadError("a worker would have nothing to do", saw, "fewer workers")

        def part(whole: int | None) -> int | None:
            return None if whole is None else whole * (index + 1) // of - whole * index // of

        return self.replace(
            requests=part(self.requests),
            clients=part(self.clients),
            warmup=part(self.warmup),
            rate=self.rate / of if self.rate else None,
            seed=self.seed + index,
            worker=index,
            workers=of,
        )


def whole_plan(plans: list[Plan]) -> Plan:
    """The plan whose shares these are.

    >>> whole_plan([Plan(requests=5, clients=2).share(index, 2) for index in range(2)]).requests
    5
    """

    def total(name: str) -> Any:
        parts = [getattr(plan, name) for plan in plans]
        return None if None in parts else sum(parts)

    return plans[0].replace(
        requests=total("requests"),
        clients=total("clients"),
        warmup=total("warmup"),
        rate=total("rate"),
        worker=0,
        workers=1,
    )
