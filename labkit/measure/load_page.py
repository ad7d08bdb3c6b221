"""`./lab load -o html`: a load test as one page that loads nothing, for a screen or a phone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from labkit.load.result import Result
from labkit.measure import load_drawings
from labkit.measure.load_result import Measured
from labkit.ui import units
from labkit.ui.table import Table

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1b1b; --grid: #ccc;
  --wait: #E69F00; --prompt: #0072B2; --tokens: #009E73; --failed: #D55E00; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181c; --ink: #e8e8e8; --grid: #444; --prompt: #56B4E9; } }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  margin: 0 auto; max-width: 84rem; padding: 1rem; }
h1, h2 { line-height: 1.2; overflow-wrap: anywhere; }
.pictures { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; } figcaption { font-weight: 600; }
figcaption small { display: block; font-weight: 400; }
svg { display: block; width: 100%; font-family: inherit; }
.wide { overflow-x: auto; } td, th { overflow-wrap: anywhere; }
.wait { fill: var(--wait); } .prompt { fill: var(--prompt); } .tokens { fill: var(--tokens); }
.failed { fill: var(--failed); } .mark { fill: var(--prompt); }
.curve { fill: none; stroke: var(--prompt); stroke-width: 2; }
.band { fill: var(--prompt); opacity: .25; }
.key { display: inline-block; width: 1.2em; margin-right: .3em; vertical-align: middle; }
.key.wait { background: var(--wait); height: .2em; }
.key.prompt { background: var(--prompt); height: .5em; }
.key.tokens { background: var(--tokens); height: .8em; }
"""
_KEYS = (
    '<span class="key wait"></span>waiting <span class="key prompt"></span>reading the prompt '
    '<span class="key tokens"></span>tokens ✗ failed'
)


def page(measured: Measured) -> str:
    """The whole page as text: charts, figures, plan and machine."""
    name = f"Load test of {escape(measured.target)}"
    words = "".join(f"<li>{escape(line)}</li>" for line in measured.words())
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{name}</title><style>{_STYLE}</style></head><body><main><h1>{name}</h1>",
        f'<div class="wide">{measured.table()._repr_html_()}</div><ul>{words}</ul>',
    ]
    if measured.swept:
        reached = load_drawings.knee(measured.levels) is not None
        knee = "has the most throughput for its latency" if reached else "is beyond the last one"
        about = f"each point is a number of clients; the knee {knee}"
        drawn = load_drawings.throughput(measured.levels)
        parts.append(
            f'<div class="pictures">{_figure("Throughput and latency", about, drawn)}</div>'
        )
    for level in measured.levels:
        parts += _level(level, titled=measured.swept)
    first = measured.levels[0]
    parts.append(f"<h2>Plan</h2>{_pairs(first.plan.plain())}")
    parts.append(f"<h2>Machine</h2>{_pairs(first.machine)}</main></body></html>")
    return "\n".join(parts)


def _level(level: Result, *, titled: bool) -> list[str]:
    """The pictures of one level."""
    times = (("ttft_ms", "first token"), ("gap_ms", "gap"), ("latency_ms", "whole answer"))
    every = f"one line for {units.count(level.sample.every, 'request')}; "
    keys = (every if level.sample.every > 1 else "") + _KEYS
    figures = [_figure("Requests", keys, load_drawings.timeline(level))]
    figures += [
        _figure(
            label.capitalize(),
            "how many took at most so long; dots: p50 and p99",
            load_drawings.cumulative(level, metric, label),
        )
        for metric, label in times
    ]
    about = f"line: answers per second; bars: failed requests per second ({level.failed} in all)"
    figures.append(_figure("Answers and failures by time", about, load_drawings.by_time(level)))
    title = f"<h2>{level.plan.clients} at a time</h2>" if titled else ""
    return [f'{title}<div class="pictures">', *figures, "</div>"]


def _figure(title: str, about: str, drawn: str) -> str:
    """A picture under its title; `about` is HTML. Nothing where nothing was drawn."""
    if not drawn:
        return ""
    return f"<figure><figcaption>{title}<small>{about}</small></figcaption>{drawn}</figure>"


def _pairs(values: Mapping[str, object]) -> str:
    """What is set, as a table."""
    rows = [[name, value] for name, value in values.items() if value not in (None, (), "", False)]
    shown = Table(["name", "value"], rows, empty="not recorded")._repr_html_()
    return f'<div class="wide">{shown}</div>'
