"""`lab.load_test` and `./lab load`: where a load test runs, and how it is told while it does.

Both are one command line: `load_test` writes the one that it equals, and runs that.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import labkit
from labkit.errors import LabError
from labkit.kube import refs
from labkit.kube import session as sessions
from labkit.load import __main__ as engine_main
from labkit.load import report, workers
from labkit.load.errors import LoadError
from labkit.load.options import Options, is_url, parse, split
from labkit.load.plan import Plan
from labkit.load.progress import Progress
from labkit.load.result import Result
from labkit.load.targets import Targets
from labkit.load.varied import requests
from labkit.measure import load_page, load_pods, load_target
from labkit.measure.load_result import Measured
from labkit.setup.host import speed
from labkit.ui.live import Live, echo

PROMPT = "What is a Pod?"
ANSWER_S = 60.0  # on the reference machine
_OWN_REQUEST = {"-d", "-D", "-m", "--path"}  # with one of these it is not about a model
_NOT_IN_PODS = ("--processes", "--worker", "--start-at", "--progress", "--realtime")

Run = Callable[[Plan, Callable[[Progress], None], Callable[[str], None]], Result]


def load_test(
    target: str,
    *,
    clients: int | None = None,
    requests: int | None = None,
    seconds: float | None = None,
    rate: float | None = None,
    arrivals: str = "constant",
    pods: int = 1,
    model: str | None = None,
    prompt: str = PROMPT,
    vary_prompt: bool = False,
    api: str = "generate",
    num_predict: int | None = None,
    path: str = "",
    body: dict[str, Any] | None = None,
    sweep: Sequence[int] = (),
    warmup: int = 0,
    goodput: dict[str, float] | None = None,
    seed: int = 0,
    timeout_s: float | None = None,
    i_own_this_target: bool = False,
) -> Measured:
    """Send prompts as many users would, and measure every token of the answers.

        lab.load_test("service/ollama", clients=4, requests=20)

    Equals `./lab load service/ollama -c 4 -n 20 …`. A Service, a Deployment or a Pod gets
    its requests from `pods` Pods in the cluster, which begin at the same moment. An http:// URL
    gets them from this machine, and must be on it unless `i_own_this_target`.

    `clients` send at a time (1), `requests` in all (10), or for `seconds`; `sweep=[1, 2, 4]` is one
    measurement for each number of clients. `rate` sends so many a second whatever comes back (an
    open loop, `clients` the most at once, 1000 if not said), at `arrivals` that are "constant" or
    "poisson".
    `warmup` requests go first and are not counted. `path` and `body` send something else than a
    prompt. `vary_prompt` puts digits before each prompt: equal ones are in Ollama's prompt cache
    from the second on, and are not read again. `goodput` has limits in ms,
    {"ttft": 500, "gap": 100, "latency": 9000}. One answer may take `timeout_s` seconds, by default
    60 and more on a slow machine.

    It shows its progress; Ctrl-C returns what was measured until then. Raises Unreachable (no
    answer there), NotFound, ModelMissing, PodFailed (its Pods will not run), Refused (a quota),
    CommandFailed (a worker ended without a result), TimedOut.
    """
    given = (
        ["-n", str(10 if requests is None else requests)]
        if seconds is None
        else ["-z", f"{seconds:g}s"]
    )
    given += ["--sweep", ",".join(map(str, sweep))] if sweep else []
    clients = clients or (None if rate else 1)
    given += [] if sweep or clients is None else ["-c", str(clients)]
    given += ["-t", f"{speed.deadline(ANSWER_S, timeout_s):g}"]
    given += ["--rate", f"{rate:g}", "--arrivals", arrivals] if rate else []
    given += ["--pods", str(pods)] if pods != 1 else []
    given += ["--path", path] if path else []
    if body is not None:
        given += ["-m", "POST", "-T", "application/json", "-d", json.dumps(body)]
    elif not path:
        given += ["--model", model or labkit.model, "--prompt", prompt, "--api", api]
        given += ["--num-predict", str(num_predict)] if num_predict is not None else []
    given += ["--vary-prompt"] if vary_prompt else []
    given += ["--warmup", str(warmup)] if warmup else []
    limits = ",".join(f"{name}={limit:g}" for name, limit in (goodput or {}).items())
    given += ["--goodput", limits] if limits else []
    given += ["--seed", str(seed)] if seed else []
    given += ["--i-own-this-target"] if i_own_this_target else []
    echo(shlex.join(["./lab", "load", target, *given]))
    try:
        return measured(asked([target, *given]))
    except LoadError as error:
        raise LabError(error.happened, error.saw, error.hint) from None


def enter(words: Sequence[str]) -> None:
    """Choose the cluster that the words name, where the target is in one; raises LoadError."""
    target, own, _ = split(list(words))
    if not target:
        raise LoadError("a target is missing", " ".join(words), "./lab load service/ollama")
    if own.get("--context"):
        os.environ["LAB_CONTEXT"] = own["--context"]
    if not is_url(target):
        sessions.enter()


def command(words: list[str]) -> int:
    """`./lab load WORDS`; its exit code."""
    try:
        enter(words)
        wanted = asked(words)
        with contextlib.redirect_stdout(sys.stderr):  # the answer alone is on standard output
            found = measured(wanted)
    except LoadError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if wanted.options.output == "json":
        print(found.to_json())
    elif wanted.options.output == "html":
        print(load_page.page(found))
    else:
        print("\n\n".join(report.text(level) for level in found.levels))
        if found.swept:
            print("\n" + report.sweep(found.levels))
        for line in found.left_out():
            print(f"  note: {line}")
    if found.interrupted:
        return engine_main.INTERRUPTED
    return engine_main.FAILED if found.failed else 0


class Asked(NamedTuple):
    """A command line, read: the target, the engine's options, and how one level is run."""

    target: str
    options: Options
    pods: int  # 0: it runs on this machine
    run: Run
    behind: int = 0  # Pods of a Service; 0: not known


def asked(words: Sequence[str]) -> Asked:
    """The request of a command line; its target is checked, and answers.

    Raises LoadError (a wrong option), NotFound, Unreachable, ModelMissing.
    """
    target, own, rest = split(words)
    if is_url(target):
        if own:
            hint = "a Service, a Deployment or a Pod as target"
            raise LoadError("these are for what is in the cluster", " ".join(own), hint)
        options = parse([*rest, target])
        Targets(options.plan).guard(options.owned)
        requests(options.plan)  # what is wrong with it is said here, not by a process of its own
        return Asked(target, options, 0, partial(_here, processes=options.processes))
    session = sessions.current()
    pods = _count(own.get("--pods", "1"))
    if not _OWN_REQUEST & {word.partition("=")[0] for word in rest} and "--path" not in own:
        rest += [] if _has(rest, "--model") else ["--model", labkit.model]
    one = refs.parsed(session, target)
    item = refs.found(session, one)
    options = parse([*rest, *load_target.words(session, one, item, own.get("--path", "/"))])
    requests(options.plan)
    for option in _NOT_IN_PODS:
        if _has(rest, option):
            raise LoadError("in the cluster workers are Pods", option, "--pods 4")
    if options.output == "csv":
        hint = "-o json has the histograms of all workers"
        raise LoadError("Pods keep no row for each request", "-o csv", hint)
    load_target.require_answers(session, one, item, options.plan.model)
    run = partial(load_pods.run, session, pods=pods)
    return Asked(str(one), options, pods, run, load_target.pods_behind(session, one, item))


def _has(words: list[str], option: str) -> bool:
    return any(word.partition("=")[0] == option for word in words)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise LoadError("--pods wants a number of workers", text or "nothing", "--pods 4")
    return int(text)


def _here(plan: Plan, on_progress: Callable, on_wait: Callable, *, processes: int) -> Result:
    """On this machine, in a process of its own: a kernel's threads would be in the figures."""
    return workers.run(plan, processes, on_progress)


def measured(wanted: Asked) -> Measured:
    """Run every level, and show the progress."""
    plan, levels = wanted.options.plan, wanted.options.sweep or [wanted.options.plan.clients]
    found: list[Result] = []
    with Live(f"load {wanted.target}") as live:
        for clients in levels:
            level = plan.replace(clients=clients)
            head = f"{plan.rate:g}/s" if plan.rate else f"{clients} at a time"

            def tell(progress: Progress, level: Plan = level, head: str = head) -> None:
                live.progress(*_share(level, progress), f"{head}: {_said(progress)}")

            def wait(text: str, head: str = head) -> None:
                live.show(f"{head}: {text}")

            found.append(wanted.run(level, on_progress=tell, on_wait=wait))
            if found[-1].interrupted:
                break
        swept = bool(wanted.options.sweep)
        known = {"pods": wanted.pods, "behind": wanted.behind}
        whole = Measured(wanted.target, found, swept=swept, **known)
        live.show(repr(whole), whole._repr_html_())  # which says itself how it ended
    return whole


def _share(plan: Plan, progress: Progress) -> tuple[float, float]:
    """How much is done, of how much: seconds where they are the limit, else requests."""
    if plan.seconds is not None:
        return progress.elapsed_s, plan.seconds
    return progress.succeeded + progress.failed, plan.requests


def _said(progress: Progress) -> str:
    """Progress in words.

    >>> _said(Progress(2.0, 4, 12, 1, 300, 280, 812.0, 1900.0))
    '12 answered, 1 failed, 4 asking; first token 812 ms (p95 1900 ms)'
    """
    said = f"{progress.succeeded} answered, {progress.failed} failed, {progress.in_flight} asking"
    if progress.ttft_p50_ms is None:
        return said
    return f"{said}; first token {progress.ttft_p50_ms:.0f} ms (p95 {progress.ttft_p95_ms:.0f} ms)"
