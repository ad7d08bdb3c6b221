"""A result as the JSON object of schema `labkit.load/2`, documented in docs/load.md, and back."""

from __future__ import annotations

import sys

from labkit.load.blocks import Blocks
from labkit.load.bounds import Bounded
from labkit.load.histogram import Histogram
from labkit.load.sample import Sample

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

SCHEMA = "labkit.load/2"
WITHOUT_BOUNDS = "labkit.load/1"  # still read
VERSION = "0.1.0"
# numbers of `client` that a result has under the same names
CLIENT = (
    "cpu_s max_rss_bytes reads coalesced_reads unstamped_reads clock_steps reconnects "
    "not_streamed buffered lumped connections"
).split()


def plain(result: Any) -> dict[str, Any]:
    """The object of a Result; of one that was read from schema 1 it is that schema's."""
    bounded = result.bounded
    least, most = result.rate_bounds()
    return {
        "schema": result.schema,
        "tool": {
            "name": "labkit.load",
            "version": VERSION,
            "python": "{}.{}.{}".format(*sys.version_info[:3]),
        },
        "plan": result.plan.plain(),
        "started_at": result.started_at,
        "duration_s": round(result.duration_s, 6),
        **({"noticing_s": round(result.noticing_s, 6)} if bounded else {}),
        "interrupted": result.interrupted,
        "requests": {
            "started": result.started,
            "succeeded": result.succeeded,
            "failed": result.failed,
            "unfinished": result.unfinished,
        },
        "failures": dict(result.failures),
        "statuses": {str(status): count for status, count in result.statuses.items()},
        "failure_examples": dict(result.failure_examples),
        "rates": {**result.rates(), **({"low": least, "high": most} if bounded else {})},
        "tokens": {
            "prompt": result.prompt_tokens,
            "generated": result.generated_tokens,
            "cached": result.cached_tokens,
        },
        "chunks": result.chunks,
        **{
            name: metric.summary(bounds=bounded)
            if isinstance(metric, Bounded)
            else metric.summary()
            for name, metric in result.metrics.items()
        },
        "goodput": result.goodput(),
        "blocks": result.blocks.plain(),
        "sample": result.sample.plain(),
        "machine": result.machine,
        "client": result.client(),
        "trust": {**result.trust(), "notes": result.notes()},
        "workers": result.workers,
    }


def fill(result: Any, raw: dict[str, Any]) -> None:
    """Give a new Result what `plain` wrote, in either schema."""
    result.schema = raw["schema"]
    result.noticing_s = raw["noticing_s"] if result.bounded else 0.0
    for name in ("started_at", "duration_s", "interrupted", "workers"):
        setattr(result, name, raw[name])
    for name in ("started", "succeeded", "unfinished"):
        setattr(result, name, raw["requests"][name])
    result.failures.update(raw["failures"])
    result.failure_examples.update(raw["failure_examples"])
    result.statuses = {int(status): count for status, count in raw["statuses"].items()}
    tokens = raw["tokens"]
    result.prompt_tokens, result.generated_tokens = tokens["prompt"], tokens["generated"]
    result.cached_tokens = tokens.get("cached")
    result.chunks = raw["chunks"]
    if goodput := raw["goodput"]:
        result.good = result.good_low = result.good_high = goodput["requests"]
        if result.bounded:
            result.good_low = goodput["low"]["requests"]
            result.good_high = goodput["high"]["requests"]
    for name, metric in result.metrics.items():
        result.metrics[name] = type(metric).of(raw[name], metric.unit)
    result.blocks, result.machine = Blocks.of(raw.get("blocks")), raw.get("machine", {})
    result.sample = Sample.of(raw.get("sample"))
    client = raw["client"]
    result.delay = Histogram.of(client["delay_ms"])
    for name in CLIENT:
        setattr(result, name, client.get(name, 0))
    result.addresses = client.get("addresses", {})
    result.address_failures = client.get("address_failures", {})
    result.reasons = raw["trust"]["reasons"]
