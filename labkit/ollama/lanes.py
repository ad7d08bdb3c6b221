"""The picture of a timeline: a lane for each Pod, a mark for each moment, a bar for what is known
of it to a second only."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from labkit.ui import chart, units

KINDS = ("made", "scheduled", "started", "ended", "model", "ready", "trouble")
_COLOURS = dict(
    zip(KINDS, ("#666", "#0072B2", "#56B4E9", "#999", "#E69F00", "#009E73", "#D55E00"), strict=True)
)
_MARKERS = (  # as many as kinds: colour alone tells nothing to some readers
    *chart.MARKERS,
    '<path d="M0 4.5 4-3H-4Z"/>',
    '<path transform="rotate(45)" d="M-4.5-1h3.5v-3.5h2v3.5h3.5v2h-3.5v3.5h-2v-3.5h-3.5Z"/>',
)
_WIDTH, _TOP, _ROW, _RIGHT = 640, 44, 16, 20
_APART = 12  # pixels between two marks on one row
_LETTERS = 28  # of a lane's name, from its end
_NOTE = "A bar is the whole second that Kubernetes notes: it happened somewhere in it."


class Moment(NamedTuple):
    """Something that happened to a Pod, `at_s` to `at_s + span_s` seconds after it was made."""

    pod: str
    at_s: float
    kind: str
    what: str
    span_s: float = 0.0

    @property
    def seconds(self) -> str:
        """
        >>> Moment("x", 7.0, "ready", "ready", 1.0).seconds, Moment("x", 7.42, "model", "").seconds
        ('7 to 8', '7.4')
        """
        if self.span_s:
            return f"{self.at_s:.0f} to {self.at_s + self.span_s:.0f}"
        return f"{self.at_s:.1f}"


def image(title: str, moments: Sequence[Moment]) -> str:
    """The picture as an `<img>`, whose words tell all of it."""
    lanes = dict.fromkeys(moment.pod for moment in moments)
    said = "; ".join(f"{m.pod} {m.what} after {m.seconds} s" for m in moments)
    return chart.img(svg(title, moments), f"{title}, {units.count(len(lanes), 'Pod')}. {said}")


def svg(title: str, moments: Sequence[Moment]) -> str:
    """The picture: a lane for each Pod, white ground, because an image knows no theme."""
    lanes = list(dict.fromkeys(moment.pod for moment in moments))
    names = {lane: lane if len(lane) <= _LETTERS else f"…{lane[1 - _LETTERS :]}" for lane in lanes}
    left = 24 + 7 * max((len(name) for name in names.values()), default=0)
    last = max((moment.at_s + moment.span_s for moment in moments), default=1.0) or 1.0
    ticks = chart.ticks(0, last, 7)

    def x(at_s: float) -> float:
        return round(left + at_s / ticks[-1] * (_WIDTH - left - _RIGHT), 1)

    marks: list[str] = []
    top = float(_TOP)
    for lane in lanes:
        mine = [moment for moment in moments if moment.pod == lane]
        rows = _rows([x(moment.at_s + moment.span_s / 2) for moment in mine])
        marks.append(chart.text(10, top + _ROW, names[lane]))
        marks.append(chart.line(left, top + 4, _WIDTH - _RIGHT, top + 4, "#ddd"))
        for moment, row in zip(mine, rows, strict=True):
            marks.append(_moment(moment, x, top + _ROW * (row + 0.5) + 6))
        top += _ROW * (max(rows) + 1) + 10
    height = top + 78
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:g}"'
        f' viewBox="0 0 {_WIDTH} {height:g}" font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{_WIDTH}" height="{height:g}" fill="#fff"/>',
        chart.text(10, 20, title, size=14),
    ]
    for tick in ticks:
        body.append(chart.line(x(tick), _TOP - 8, x(tick), top, "#ddd"))
        body.append(chart.text(x(tick), top + 16, chart.number(tick), anchor="middle"))
    body.append(chart.text(_WIDTH - _RIGHT, top + 32, "seconds", anchor="end"))
    body += marks
    if any(moment.span_s for moment in moments):
        body.append(chart.text(10, top + 70, _NOTE))
    shown = [kind for kind in KINDS if any(m.kind == kind for m in moments)]
    for index, kind in enumerate(shown):
        place = 20 + index * 88
        body += [_mark(place, top + 46, kind, kind), chart.text(place + 8, top + 50, kind)]
    return "".join(body) + "</svg>"


def _rows(places: Sequence[float]) -> list[int]:
    """The row of each mark of a lane: the first one where it does not cover another.

    >>> _rows([10.0, 12.0, 30.0])
    [0, 1, 0]
    """
    ends: list[float] = []
    found = []
    for place in places:
        free = [row for row, end in enumerate(ends) if abs(place - end) >= _APART]
        row = free[0] if free else len(ends)
        ends[row : row + 1] = [place]
        found.append(row)
    return found


def _moment(moment: Moment, x: chart.Scale, top: float) -> str:
    bar = ""
    if moment.span_s:
        begin, end = x(moment.at_s), x(moment.at_s + moment.span_s)
        bar = (
            f'<rect x="{begin:g}" y="{top - 3:g}" width="{max(end - begin, 1):g}" height="6"'
            f' fill="{_COLOURS[moment.kind]}" fill-opacity=".35"/>'
        )
    said = f"{moment.what}, {moment.seconds} s"
    return bar + _mark(x(moment.at_s + moment.span_s / 2), top, moment.kind, said)


def _mark(left: float, top: float, kind: str, said: str) -> str:
    marker = _MARKERS[KINDS.index(kind)]
    return (
        f'<g transform="translate({left:g} {top:g}) scale(1.4)" fill="{_COLOURS[kind]}">'
        f"<title>{escape(said)}</title>{marker}</g>"
    )
