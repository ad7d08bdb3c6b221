"""What the learner sees: live lines, tables, charts, controls; in a notebook, a terminal, a pipe.

The only file that imports IPython or ipywidgets, and only inside a kernel.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from html import escape
from types import SimpleNamespace
from typing import Any

from labkit.chart import Chart
from labkit.errors import CommandFailed, LabError
from labkit.lines import TextLine, printable, write
from labkit.table import FRAME, Table

__all__ = [
    "Chart",
    "Live",
    "Panel",
    "Shown",
    "Table",
    "choice",
    "echo",
    "in_notebook",
    "on_failed_command",
    "panel",
]

REPAINTS_PER_S = 4  # JupyterLab keeps up with more, test runners lose messages

_GREEN, _RED, _ORANGE = "#009E73", "#D55E00", "#E69F00"
_COLOURS = {"✓": _GREEN, "✗": _RED, "■": _ORANGE}

_panel = threading.local()  # `works`: a button's place shows lines, no display that is rewritten


def in_notebook() -> bool:
    """Does a kernel run this: can displays be rewritten, does a widget have a place?"""
    return getattr(_shell(), "kernel", None) is not None


def echo(line: str) -> None:
    """Prints the command that equals what follows.

    >>> echo("kubectl get pods")
    $ kubectl get pods
    """
    write(f"$ {line}\n")


class Live:
    """One place on the screen that says how far an operation is, and at its end how it ended.

    >>> with Live("pull lab-llama") as live:
    ...     live.progress(3, 12, "3 of 12 MB")
    ...     live.done("pulled lab-llama, 12 MB")
    25 % 3 of 12 MB
    ✓ pulled lab-llama, 12 MB

    A notebook shows one output that is rewritten and kept, a terminal one line that is
    rewritten; a pipe gets the first state, milestones and the last. An interrupt leaves
    "stopped" behind, an error "failed" and why; both go on to the caller.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._surface = _surface()
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._painted = float("-inf")
        self._line = self._html = self._stream = ""
        self._quarter = 0
        self._over = False

    def show(self, text: str, html: str | None = None, *, milestone: bool = False) -> None:
        """The state now. `html` is put in as it is; without it the text is, escaped."""
        with self._lock:
            if self._over:  # of a thread that has not heard of the end
                return
            self._line, self._html = printable(text), _escaped(text) if html is None else html
            self._repaint_in_time() if self._surface.rewrites else self._paint(milestone)

    def progress(self, done: float, total: float, text: str) -> None:
        """A bar; each quarter is a milestone."""
        share = min(max(done / total, 0.0), 1.0) if total else 0.0
        bar = (
            f'<progress aria-label="{escape(self.title)}" value="{share:.3f}" max="1">'
            f"{share:.0%}</progress> {_escaped(text)}"
        )
        quarter, self._quarter = self._quarter, int(share * 4)
        self.show(f"{share * 100:.0f} % {text}", bar, milestone=self._quarter > quarter)

    def append(self, text: str) -> None:
        """More of a text that grows: it takes the state's place, and stays above later ones."""
        with self._lock:
            text = printable(text)
            if self._over or not text:
                return
            self._stream += text
            self._line = self._html = ""
            self._surface.grow(text)
            if self._surface.rewrites_streams:
                self._repaint_in_time()

    def done(self, text: str, html: str | None = None) -> None:
        """The last state: ✓ and the text. What is shown afterwards is not."""
        self._finish("✓", text.removeprefix("✓ "), html)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            seen = f" (last seen: {self._line})" if self._line else ""
            self._finish("■", f"stopped: {self.title}{seen}")
        elif error is not None:
            reason = error.happened if isinstance(error, LabError) else type(error).__name__
            self._finish("✗", f"failed: {reason}")
        else:
            self._finish()

    def _finish(self, sign: str = "", text: str = "", html: str | None = None) -> None:
        with self._lock:
            if self._over:
                return
            if sign:
                self._line = f"{sign} {printable(text)}"
                self._html = _signed(sign, _escaped(text) if html is None else html)
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


class _Notebook:
    rewrites = rewrites_streams = True

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown: dict[str, str] = {}

    def grow(self, text: str) -> None:
        return  # all of it is painted each time

    def paint(self, stream: str, line: str, html: str, *, last: bool, **_: object) -> None:
        if not (stream or line):
            return
        # a reader's voice says what is there when it is no longer busy, not each repaint
        busy = "" if last else ' aria-busy="true"'
        answer = f"<div>{_escaped(stream)}</div>" if stream else ""
        bundle = {
            "text/plain": "\n".join(part for part in (stream, line) if part),
            "text/html": f'<div role="status"{busy} style="{FRAME}">{answer}{html}</div>',
        }
        if bundle == self._shown:
            return
        self._shown = bundle
        if self._handle is None:
            self._handle = _display(bundle, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class Shown:
    """A result that has been told already: the cell that made it does not paint it again."""

    def __new__(cls, *_: object, **__: object) -> Shown:
        self = super().__new__(cls)
        object.__setattr__(self, "_made_in", _cell())  # its class may be a frozen dataclass
        return self

    def _ipython_display_(self) -> None:
        if self._made_in is None or self._made_in != _cell():
            _display(_bundle(self))


class Choice(Shown):
    """One of several values: buttons in a notebook, and everywhere a plain `.value`.

    >>> replicas = choice("replicas", [1, 2, 4], 2)
    >>> replicas.value = 4
    >>> replicas
    replicas: 4 (of 1, 2, 4)
    """

    def __init__(self, label: str, options: Sequence[Any], value: Any, control: Any) -> None:
        self.label, self.options, self._control = label, list(options), control
        self.value = value

    @property
    def value(self) -> Any:
        return self._control.value

    @value.setter
    def value(self, value: Any) -> None:
        if value not in self.options:
            said = ", ".join(map(str, self.options))
            raise LabError(f"{self.label} cannot be {value!r}", f"options: {said}", "one of them")
        self._control.value = value

    def _repr_mimebundle_(self, **_: object) -> dict:
        shown = self._control._repr_mimebundle_() if in_notebook() else {}
        return {**shown, "text/plain": repr(self)}  # what is left without a front end

    def __repr__(self) -> str:
        return f"{self.label}: {self.value} (of {', '.join(map(str, self.options))})"


def choice(label: str, options: Sequence[Any], value: Any) -> Choice:
    """A control that the learner may turn, and code may read and set: `.value`.

        replicas = lab.choice("replicas", [1, 2, 4], 2)

    Buttons or a list in a notebook; elsewhere the plain value.
    """
    if not in_notebook():
        return Choice(label, options, value, SimpleNamespace(value=value))
    import ipywidgets

    kind = ipywidgets.ToggleButtons if len(options) <= 5 else ipywidgets.Dropdown
    control = kind(
        options=[(str(option), option) for option in options],
        description=label,
        style={"description_width": "initial"},
    )
    made = Choice(label, options, value, control)
    _display(made._repr_mimebundle_())
    return made


class Panel(Shown):
    """A list to choose from, and buttons that do something with the one that is chosen.

    >>> fruit = panel("fruit", ["apple", "pear"], {"eat": print}, '{}("{}")'.format)
    eat("apple")
    >>> fruit.value = "pear"
    >>> fruit.press("eat")
    pear
    """

    def __init__(
        self,
        label: str,
        options: Sequence[str],
        actions: dict[str, Callable[[str], object]],
        call: Callable[[str, str], str],
    ) -> None:
        self._actions, self._call = actions, call
        self._chosen = Choice(label, options, options[0], SimpleNamespace(value=options[0]))
        self._widget: Any = None

    @property
    def value(self) -> str:
        """The one that is chosen."""
        return self._chosen.value

    @value.setter
    def value(self, value: str) -> None:
        self._chosen.value = value

    def press(self, action: str) -> object:
        """Does what that button does; what it gives and raises."""
        return self._actions[action](self.value)

    def _repr_mimebundle_(self, **_: object) -> dict:
        shown = self._widget._repr_mimebundle_() if self._widget else {}
        return {**shown, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return "\n".join(self._call(action, self.value) for action in self._actions)

    def _build(self) -> None:
        """The widgets. A click is answered after the cells that run, or beside them in a thread."""
        import ipywidgets

        options, style = self._chosen.options, {"description_width": "initial"}
        named = {"description": self._chosen.label, "layout": {"width": "max-content"}}
        chosen = ipywidgets.Dropdown(options=options, value=self.value, style=style, **named)
        self._chosen._control = chosen
        buttons = {
            action: ipywidgets.Button(description=action, tooltip=self._call(action, "…"))
            for action in self._actions
        }
        output, alone = ipywidgets.Output(), threading.Lock()
        controls = [chosen, *buttons.values()]

        def clicked(button: Any) -> None:
            with alone:
                for control in controls:
                    control.disabled = True
                try:
                    output.clear_output()
                    with output:
                        self._tell(button.description)
                finally:
                    for control in controls:
                        control.disabled = False

        for button in buttons.values():
            button.on_click(clicked)
        row = {"flex_flow": "row wrap"}
        self._widget = ipywidgets.VBox([ipywidgets.HBox(controls, layout=row), output])

    def _tell(self, action: str) -> None:
        """The same as `press`, with the call above it, and an error as its three lines."""
        _panel.works = True
        try:
            write(f">>> {self._call(action, self.value)}\n")
            self.press(action)
        except LabError as error:
            write(f"{error}\n")
        except KeyboardInterrupt:  # told already, and there is no cell that it could end
            return
        finally:
            _panel.works = False


def panel(
    label: str,
    options: Sequence[str],
    actions: dict[str, Callable[[str], object]],
    call: Callable[[str, str], str],
) -> Panel:
    """A list and buttons in a notebook; elsewhere the plain calls that they stand for.

        panel("step", ["a", "b"], {"check": lab.check}, 'lab.{}("{}")'.format)

    `call` gives the text of a button's call, from its name and the chosen value.
    """
    made = Panel(label, options, actions, call)
    if in_notebook():
        made._build()
        _display(made._repr_mimebundle_())
    else:
        print(made)
    return made


def on_failed_command() -> None:
    """Lets a failed `!command` fail its cell, in three lines; without IPython, nothing."""
    shell = _shell()
    if shell is None:
        return
    shell.system_raise_on_error = True

    def three_lines(shell, kind, error, trace, tb_offset=None):
        text = error.cmd
        if isinstance(text, bytes):  # a %%bash cell
            text = text.decode(errors="replace")
        elif not isinstance(text, str):
            text = shlex.join(map(str, text))
        failed = CommandFailed(
            f"{text.strip().partition(chr(10))[0]} ended with exit code {error.returncode}",
            "what it printed is above",
            "mend the line and run the cell again",
        )
        shell._showtraceback(CommandFailed, failed, failed._render_traceback_())

    shell.set_custom_exc((subprocess.CalledProcessError,), three_lines)


def _shell() -> Any:
    # IPython is loaded where one of its shells runs; elsewhere it would cost half a second
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _cell() -> int | None:
    return getattr(_shell(), "execution_count", None)


def _surface() -> _Notebook | TextLine:
    if in_notebook() and not getattr(_panel, "works", False):
        return _Notebook()
    return TextLine(terminal=sys.stdout.isatty())


def _display(bundle: dict[str, Any], **options: Any) -> Any:
    from IPython.display import display

    return display(bundle, raw=True, **options)


def _bundle(value: Any) -> dict[str, Any]:
    if hasattr(value, "_repr_mimebundle_"):
        return value._repr_mimebundle_()
    html = {"text/html": value._repr_html_()} if hasattr(value, "_repr_html_") else {}
    return {"text/plain": repr(value), **html}


def _escaped(text: str) -> str:
    return f"<span>{escape(text)}</span>"


def _signed(sign: str, html: str) -> str:
    line = f"border-left:4px solid {_COLOURS[sign]};padding-left:.5em"
    return f'<div style="{line}">{sign} {html}</div>'
