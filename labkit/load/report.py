"""A result as text for people, like hey's, and requests as hey's CSV."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.load.bounds import Bounded
from labkit.load.connection import Connection
from labkit.load.figures import IN_TABLE, SHOWN, TIMES, between
from labkit.load.histogram import UNITS, Histogram
from labkit.load.notes import LOOK, answered
from labkit.load.result import Result

BAR = 40
ROWS = 10
CSV_HEAD = (
    "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset"
    ",first-token,chunks,failure"
)
SWEEP_HEAD = (
    *("clients", "requests/s", "tokens/s", "ttft p50", "p95 ms", "gap p50", "p95 ms"),
    *("answer p50", "p95 ms", "failed", "verdict"),
)


def text(result: Result) -> str:
    """Summary, quantiles, histogram, status codes, failures and the verdict."""
    least, most = result.rate_bounds()
    requests = between(least["requests_per_s"], most["requests_per_s"], 2)
    lines = [
        "Summary:",
        f"  Requests:      {result.succeeded} succeeded, {result.failed} failed"
        + (f", {result.unfinished} unfinished" if result.unfinished else "")
        + (" (interrupted)" if result.interrupted else ""),
        f"  Total:         {result.duration_s:.4f} s",
        f"  Requests/s:    {requests} (successful ones)",
    ]
    if result.generated_tokens:
        whole = between(least["tokens_per_s"], most["tokens_per_s"], 1)
        low, high = result.metrics["tokens_per_s_per_request"].bounds(0.5)
        one = between(low, high, 1)
        lines.append(f"  Tokens/s:      {whole} in total, {one} in one answer (p50)")
    if cached := result.cached():
        lines.append(f"  Prompt cache:  {cached}")
    used, known = answered(result)
    if known:
        lines.append(f"  Addresses:     {used} of {known} answered")
    goodput = result.goodput()
    if goodput:
        limits = ", ".join(f"{name[:-3]} {ms:g} ms" for name, ms in goodput["limits"].items())
        low, high = goodput.get("low", goodput), goodput.get("high", goodput)
        per_s = between(low["requests_per_s"], high["requests_per_s"], 2)
        share = between(low["share"] * 100, high["share"] * 100, 1)
        lines.append(f"  Goodput:       {per_s} requests/s within {limits} ({share}%)")
    lines += ["", *quantiles(result)]
    latency = result.metrics["latency_ms"]
    if latency.count:
        lines += ["", "Response time histogram (ms):", *bars(latency)]
    lines += ["", "Status code distribution:"]
    lines += [f"  [{status}]\t{count} responses" for status, count in result.statuses.items()]
    if result.failed:
        lines += ["", "Failures:"]
        for kind, count in result.failures.items():
            if count:
                lines.append(f"  {kind}\t{count}, such as: {result.failure_examples[kind]}")
                lines += [f"  \t{LOOK[kind]}"] if kind in LOOK else []
    trust = result.trust()
    lines += ["", f"These figures are {trust['verdict']}; {_own(result)}"]
    lines += [f"  because {doubt}" for doubt in result.doubts()]
    lines += [f"  note: {note}" for note in result.notes() if note != cached]
    return "\n".join(lines)


def _own(result: Result) -> str:
    late = result.delay.quantile(0.99)
    memory = result.max_rss_bytes / 2**20
    return f"the client used {result.cpu_s:.2f} s of CPU, {memory:.0f} MB, read {late:.1f} ms late"


def quantiles(result: Result) -> list[str]:
    """One row for each time that was measured: `50.3`, or `50.3 … 90.2` where no more is known."""
    rows = [("ms", "count", *(name.replace("_", ".") for name in SHOWN))]
    for metric, label in TIMES.items():
        summary = result.metrics[metric].summary()
        if summary:
            low, high = summary.get("low", summary), summary.get("high", summary)
            values = (between(low[name], high[name]) for name in SHOWN)
            rows.append((label, str(summary["count"]), *values))
    return columns(rows)


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of words as aligned lines, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    first, *others = widths
    return [
        f"  {name:{first}}" + "".join(f"  {c:>{w}}" for c, w in zip(cells, others, strict=True))
        for name, *cells in rows
    ]


def bars(metric: Bounded) -> list[str]:
    """hey's histogram: ten equal steps from the fastest to the slowest; each at its high end."""
    histogram: Histogram = metric.high
    least, most = (v / UNITS[histogram.unit] for v in (histogram.minimum or 0, histogram.maximum))
    edges = [least + (most - least) * step / ROWS for step in range(ROWS + 1)]
    counts = histogram.counts(edges)
    top = max(counts)
    return [
        f"  {edge:.3f} [{count}]\t|" + "■" * round(count * BAR / top)
        for edge, count in zip(edges, counts, strict=True)
    ]


def sweep(results: list[Result]) -> str:
    """One row for each level of a sweep."""
    rows: list[tuple[str, ...]] = [SWEEP_HEAD]
    for result in results:
        (least, most), metrics = result.rate_bounds(), result.metrics
        times = [
            _quantile(metrics[name], share)
            for name in ("ttft_ms", "gap_ms", "latency_ms")
            for share in (0.5, 0.95)
        ]
        names = (("requests_per_s", 2), ("tokens_per_s", 1))
        per_s = (between(least[name], most[name], decimals) for name, decimals in names)
        end = (str(result.failed), "doubtful" if result.doubts(IN_TABLE) else "good")
        rows.append((str(result.plan.clients), *per_s, *times, *end))
    return "\n".join(columns(rows))


def _quantile(metric: Bounded, share: float) -> str:
    low, high = metric.bounds(share)
    return between(low, high, 1) if metric.count else "-"


def csv_row(connection: Connection, end: int, kind: str, origin: int) -> str:
    """A request as a row of hey's CSV, in seconds; what hey measures and we do not is 0."""
    start = connection.start or connection.sent
    first = max(0, connection.first - start) / 1e9 if connection.first else 0.0
    whole = max(0, end - start) / 1e9
    cells = [whole, 0, 0, 0, first, max(0.0, whole - first) if first else 0.0]
    numbers = ",".join(f"{cell:4.4f}" for cell in cells)
    status = connection.reader.status
    offset = f"{(start - origin) / 1e9:4.4f}"
    return f"{numbers},{status},{offset},{first:4.4f},{connection.chunks},{kind}"
