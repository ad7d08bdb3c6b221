"""The notebook that this runs in, if any: its outputs, its results, its failed commands.

The only file that imports IPython, and only where one of its shells runs.
"""

from __future__ import annotations

import contextvars
import os
import shlex
import subprocess
import sys
import threading
from html import escape
from typing import Any, Self

from labkit.errors import CommandFailed
from labkit.ui import cell_commands, cell_errors, notebook_file
from labkit.ui.escapes import plain
from labkit.ui.table import FRAME

# a long text scrolls in a place of its own, also by keyboard, and no reader has to scroll past it
SCROLLS = "max-height:26em;overflow:auto"
BOX = f' tabindex="0" style="{SCROLLS}"'
LONG = (15, 1200)  # lines, or characters
click = threading.local()  # `runs`: one of a button, which shows lines and rewrites no display


def in_notebook() -> bool:
    """Does a kernel run this: can displays be rewritten, does a widget have a place?"""
    return getattr(shell(), "kernel", None) is not None


class NotebookOutput:
    """One output of a cell, which is rewritten and kept.

    It stays that cell's: from ipykernel 7.1 on what another thread shows belongs to the cell that
    runs then, unless the thread has the context of the first one.
    """

    rewrites = rewrites_streams = True

    def __init__(self) -> None:
        self._handle: Any = None
        self._cell = contextvars.copy_context()
        self._shown: dict[str, str] = {}

    def grow(self, text: str) -> None:
        return  # all of it is painted each time

    def paint(self, stream: str, line: str, html: str, *, last: bool, **_: object) -> None:
        if not (stream or line):
            return
        # a reader's voice says what is there when it is no longer busy, not each repaint
        busy = "" if last else ' aria-busy="true"'
        box = BOX if last and _is_long(stream) else ""  # while it grows, its end must be seen
        answer = f"<div{box}>{escaped(stream)}</div>" if stream else ""
        bundle = {
            "text/plain": "\n".join(part for part in (stream, line) if part),
            "text/html": f'<div role="status"{busy} style="{FRAME}">{answer}{html}</div>',
        }
        if bundle == self._shown:
            return
        self._shown = bundle
        if self._handle is None:
            self._handle = self._cell.run(display, bundle, display_id=True)
        else:
            self._cell.run(self._handle.update, bundle, raw=True)


class Shown:
    """A result that has been told already: the cell that made it does not paint it again."""

    _made_in: int | None  # the cell

    def __new__(cls, *_: object, **__: object) -> Self:
        self = super().__new__(cls)
        object.__setattr__(self, "_made_in", cell())  # its class may be a frozen dataclass
        return self

    def _ipython_display_(self) -> None:
        if self._made_in is None or self._made_in != cell():
            display(_bundle(self))


def on_failed_command() -> None:
    """Let a failed `!command` fail its cell, in three lines, as errors of the lab's words are."""
    ipython = shell()
    if ipython is None:
        return
    ipython.system_raise_on_error = True
    _hook(ipython, (subprocess.CalledProcessError, *cell_errors.KINDS))
    if _without_conversations not in ipython.input_transformers_cleanup:
        ipython.input_transformers_cleanup.append(_without_conversations)


def load_ipython_extension(ipython: Any) -> None:
    """Explain errors that concern the lab from a kernel's start, before `lab` is imported."""
    _hook(ipython, cell_errors.KINDS)


def _hook(ipython: Any, kinds: tuple[type[BaseException], ...]) -> None:
    def shown(
        shell: Any, kind: type[BaseException], error: Any, trace: Any, tb_offset: object = None
    ) -> None:
        _keep(kind, error, trace)
        if isinstance(error, subprocess.CalledProcessError):
            failed = _command_failed(error)
            shell._showtraceback(CommandFailed, failed, failed._render_traceback_())
        elif lines := _explained(shell, error):
            shell._showtraceback(kind, error, lines)
        else:
            shell.showtraceback((kind, error, trace), running_compiled_code=True)

    ipython.set_custom_exc(kinds, shown)
    # an error of the cell's syntax has a way of its own in IPython
    original = type(ipython).showsyntaxerror

    def shown_syntax(filename: str | None = None, running_compiled_code: bool = False) -> None:
        error = sys.exc_info()[1]
        lines = None
        if isinstance(error, SyntaxError):
            lines = cell_errors.typographic(error) or cell_errors.of_a_shell(error)
        if lines and not os.environ.get(cell_errors.TRACEBACK):
            _keep(*sys.exc_info())
            ipython._showtraceback(SyntaxError, error, lines)
        else:
            original(ipython, filename, running_compiled_code)

    ipython.showsyntaxerror = shown_syntax


def _without_conversations(lines: list[str]) -> list[str]:
    """The lines of a cell; raise for a `!command` that would wait for ever, and run none of it."""
    for line in lines:
        command = line.strip()
        if command.startswith("!") and (error := cell_commands.conversation(command[1:])):
            raise error
    return lines


def _keep(kind: Any, error: Any, trace: Any) -> None:
    """For %tb and %debug, as IPython does with the errors that it shows itself."""
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error


def _explained(shell: Any, error: BaseException) -> list[str] | None:
    if os.environ.get(cell_errors.TRACEBACK):
        return None
    names = shell.user_ns
    file = notebook_file.place(names)

    def python(text: str) -> str:
        try:
            transformed: str = shell.transform_cell(text)
        except CommandFailed:  # of a cell that would be refused
            return text
        return transformed

    def where_set(name: str) -> str | None:
        return notebook_file.heading(file, name, python)

    try:
        return cell_errors.explained(error, names, where_set)
    except Exception:  # any value of a cell can be in it; IPython then shows the error as ever
        return None


def _command_failed(error: subprocess.CalledProcessError) -> CommandFailed:
    text = error.cmd
    if isinstance(text, bytes):  # a %%bash cell
        text = text.decode(errors="replace")
    elif not isinstance(text, str):
        text = shlex.join(map(str, text))
    return CommandFailed(
        f"{text.strip().partition(chr(10))[0]} ended with exit code {error.returncode}",
        "what it printed is above",
        "fix the line and run the cell again",
    )


def shell() -> Any:
    """The IPython that this runs in, or None."""
    # IPython is loaded where one of its shells runs; elsewhere it would cost half a second
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def cell() -> int | None:
    return getattr(shell(), "execution_count", None)


def display(bundle: dict[str, Any], **options: Any) -> Any:
    """A new output of the cell, from its MIME types."""
    from IPython.display import display

    return display(bundle, raw=True, **options)


def _bundle(value: Any) -> dict[str, Any]:
    if hasattr(value, "_repr_mimebundle_"):
        bundle: dict[str, Any] = value._repr_mimebundle_()
        return bundle
    html = {"text/html": value._repr_html_()} if hasattr(value, "_repr_html_") else {}
    return {"text/plain": plain(repr(value)), **html}


def _is_long(text: str) -> bool:
    lines, letters = LONG
    return text.count("\n") > lines or len(text) > letters


def escaped(text: str) -> str:
    """Text as HTML."""
    return f"<span>{escape(plain(text))}</span>"
