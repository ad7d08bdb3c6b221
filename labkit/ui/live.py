"""Live lines: one place on the screen that says how far an operation is, and how it ended."""

from __future__ import annotations

import sys
import threading
import time
from html import escape

from labkit.errors import LabError
from labkit.ui.escapes import Plain
from labkit.ui.notebook import NotebookOutput, click, escaped, in_notebook
from labkit.ui.terminal import TextLine, printable, write

REPAINTS_PER_S = 4  # JupyterLab keeps up with more, test runners lose messages

_GREEN, _RED, _ORANGE = "#009E73", "#D55E00", "#E69F00"
_COLOURS = {"✓": _GREEN, "✗": _RED, "■": _ORANGE}


def echo(line: str) -> None:
    """Print the command that equals what follows.

    >>> echo("kubectl get pods")
    $ kubectl get pods
    """
    write(f"$ {line}\n")


def describe(text: str) -> None:
    """Print what follows in words where no command line equals it; a shell takes it as a comment.

    >>> describe("docker build of k8s/steps/05-baked")
    # docker build of k8s/steps/05-baked
    """
    write(f"# {text}\n")


class Live:
    """One place on the screen that says how far an operation is, and at its end how it ended.

    >>> with Live("pull lab-llama") as live:
    ...     live.progress(3, 12, "3 of 12 MB")
    ...     live.done("pulled lab-llama, 12 MB")
    25 % 3 of 12 MB
    ✓ pulled lab-llama, 12 MB

    A notebook shows one output that is rewritten and kept, a terminal one line that is
    rewritten; a pipe gets the first state, milestones and the last. An interrupt leaves
    "stopped" behind, an error "failed"; both are passed to the caller.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._surface = _surface()
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._painted = float("-inf")
        self._line = self._html = self._stream = ""
        self._plain = Plain()  # of the text that grows
        self._quarter = 0
        self._over = False

    def show(self, text: str, html: str | None = None, *, milestone: bool = False) -> None:
        """The state now. `html` is put in as it is; without it the text is, escaped."""
        with self._lock:
            if self._over:  # of a thread that has not heard of the end
                return
            self._line, self._html = printable(text), escaped(text) if html is None else html
            self._repaint_in_time() if self._surface.rewrites else self._paint(milestone)

    def progress(self, done: float, total: float, text: str) -> None:
        """A bar; each quarter is a milestone."""
        share = min(max(done / total, 0.0), 1.0) if total else 0.0
        bar = (
            f'<progress aria-label="{escape(self.title)}" value="{share:.3f}" max="1">'
            f"{share:.0%}</progress> {escaped(text)}"
        )
        quarter, self._quarter = self._quarter, int(share * 4)
        self.show(f"{share * 100:.0f} % {text}", bar, milestone=self._quarter > quarter)

    def append(self, text: str) -> None:
        """More of a text that grows: it takes the state's place, and stays above later ones."""
        with self._lock:
            if not self._over:
                self._grow(self._plain.feed(text))

    def _grow(self, text: str) -> None:
        if text := printable(text):
            self._stream += text
            self._line = self._html = ""
            self._surface.grow(text)
            if self._surface.rewrites_streams:
                self._repaint_in_time()

    def done(self, text: str, html: str | None = None) -> None:
        """The last state: ✓ and the text. What is shown afterwards is not."""
        self._finish("✓", text.removeprefix("✓ "), html)

    def stopped(self, text: str) -> None:
        """The last state: ■ and the text, where it is not done and nothing has failed."""
        self._finish("■", text)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            seen = f" (last seen: {self._line})" if self._line else ""
            self._finish("■", f"stopped: {self.title}{seen}")
        elif error is not None:
            # an error of the lab says the rest itself, right below
            kind = "" if isinstance(error, LabError) else f" ({type(error).__name__})"
            self._finish("✗", f"failed: {self.title}{kind}")
        else:
            self._finish()

    def _finish(self, sign: str = "", text: str = "", html: str | None = None) -> None:
        with self._lock:
            if self._over:
                return
            self._grow(self._plain.rest())
            if sign:
                self._line = f"{sign} {printable(text)}"
                self._html = _signed(sign, escaped(text) if html is None else html)
            self._over = True
            self._paint()

    def _repaint_in_time(self) -> None:
        wait_s = self._painted + 1 / REPAINTS_PER_S - time.monotonic()
        if wait_s <= 0:
            self._paint()
        elif self._timer is None:  # else a state before a long silence would stay unseen
            self._timer = threading.Timer(wait_s, self._paint_late)
            self._timer.daemon = True
            self._timer.start()

    def _paint_late(self) -> None:
        with self._lock:
            if threading.current_thread() is self._timer:  # nobody painted meanwhile
                self._paint()

    def _paint(self, milestone: bool = False) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._painted = time.monotonic()
        self._surface.paint(
            self._stream, self._line, self._html, last=self._over, milestone=milestone
        )


def _surface() -> NotebookOutput | TextLine:
    if in_notebook() and not getattr(click, "runs", False):
        return NotebookOutput()
    return TextLine(terminal=sys.stdout.isatty())


def _signed(sign: str, html: str) -> str:
    line = f"border-left:4px solid {_COLOURS[sign]};padding-left:.5em"
    return f'<div style="{line}">{sign} {html}</div>'
