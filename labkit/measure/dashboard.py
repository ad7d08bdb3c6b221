"""`lab.dashboard`: what Prometheus knows of your namespace, in one live display."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from labkit.errors import LabError
from labkit.kube.session import Session, current
from labkit.measure import panels
from labkit.measure.prometheus import Metrics, asking, queried
from labkit.ui.live import Live
from labkit.ui.notebook import Shown, in_notebook

EVERY_S = 2.0  # what Prometheus scrapes in: there is nothing new in between
# The end of the last answer is scraped up to EVERY_S later, and what is asked ends at a step, up
# to as long before now; the half is for the scrape itself.
SETTLE = 2.5
BACK_S = 300.0
LEAST_S = 60.0  # shorter, and rates over 30 s are all that one sees


def dashboard(*, minutes: float = 0.0, seconds: float = 0.0) -> Dashboard:
    """Show seven panels of your namespace, each with its PromQL.

        with lab.dashboard():
            lab.generate("What is a Pod?", at="service/ollama")

    In flight, queued, time to first token, tokens/s, memory, loaded models, errors. In a `with`
    it queries every 2 s while the block runs, and what it shows at the end stays.
    With `minutes` or `seconds` it runs for so long, or until Ctrl-C; without both
    it is a look at the last 5 minutes. `print` gives it as text. Equals a `lab.metrics` for each
    line. Raises what that raises when it begins; later it shows it.
    """
    board = Dashboard(current())
    span_s = minutes * 60 + seconds
    if span_s > 0:
        with suppress(KeyboardInterrupt), board:
            time.sleep(span_s)
    return board


class Dashboard(Shown):
    """The panels as they are when it is made; in a `with`, kept up to date until its end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # the cell that makes it shows it, unless it has been shown live there
        self._cell, self._made_in = self._made_in, None
        self._look(BACK_S)

    def __enter__(self) -> Dashboard:
        self._begun = time.monotonic()
        self._live = Live("dashboard")
        self._over = threading.Event()  # of this `with`: there may be another one after it
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._over.set()
        self._thread.join()
        if error is None:
            time.sleep(SETTLE * EVERY_S)
        self._refresh()
        self._live.done(repr(self), self._repr_html_())
        self._made_in = self._cell

    def __repr__(self) -> str:
        return panels.text(self._seen, self._caption)

    def _repr_html_(self) -> str:
        return panels.html(self._seen, self._caption, self._span_s)

    def _go_on(self) -> None:
        self._refresh()
        while not self._over.wait(EVERY_S):
            self._refresh()

    def _refresh(self) -> None:
        """Query once more; without an answer, what was seen stays, with a note."""
        try:
            self._look(max(LEAST_S, time.monotonic() - self._begun + EVERY_S))
        except LabError as error:
            self._trouble = f"{error.happened}: {error.saw}"
        said = repr(self) if in_notebook() else f"{panels.line(self._seen)} {self._trouble}"
        html = panels.html(self._seen, self._caption, self._span_s, queries=False)
        self._live.show(said, html)

    def _look(self, span_s: float) -> None:
        namespace = self._session.namespace

        def ask(query: str) -> Metrics:
            minutes = span_s / 60
            return queried(self._session, asking(panels.asked(query, namespace), minutes=minutes))

        targets = ask(panels.UP).series
        self._seen = [
            panels.seen(panel, namespace, [ask(line.query) for line in panel.lines], targets)
            for panel in panels.PANELS
        ]
        self._span_s, self._trouble = span_s, ""

    @property
    def _caption(self) -> str:
        said = f"namespace {self._session.namespace}, the last {self._span_s:.0f} s"
        return f"{said}; ■ {self._trouble}" if self._trouble else said
