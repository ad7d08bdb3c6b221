"""An error of a cell that concerns the lab, in the lab's three lines: names, keywords, values.

Pure functions on the error, its frames and the cell's source; `notebook` shows what they return.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import linecache
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import labkit

KINDS = (NameError, AttributeError, TypeError)
PACKAGE = str(Path(labkit.__file__).parent)
_CONSTANTS = {"true": "True", "false": "False", "none": "None", "null": "None"}
_CALLED = re.compile(r"^(?:\w+\.)*?(?P<name>\w+)(?:\.__init__)?\(\) (?P<what>.+)")
_NO_TEXT = ("list", "dict", "Sequence", "Iterable", "Any", "Mapping", "tuple")
# quotes, dashes and spaces of texts and slides
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2018\u2019\u201a", "'"),
        **dict.fromkeys("\u2013\u2014", "-"),
        "\u00a0": " ",
    }
)
_NAMES = {"\u00a0": "a no-break space"}  # of those that are not seen
_COMMANDS = ("kubectl", "ollama", "helm", "hey", "kind", "docker", "curl")
# "ollama/ollama", "pod/mine": Python reads a division of two names
_SLASHED = re.compile(r"[\w.-]+(/[\w.:-]+)+")
_MEANT = {"name": "model", "pod": "at", "host": "at", "url": "at", "count": "replicas"}
_INVALID = ("invalid character", "invalid non-printable character")
TRACEBACK = "LAB_TRACEBACK"  # the variable that keeps IPython's own tracebacks
_SEEN = 60  # characters of a value that are shown


def explained(
    error: BaseException, cell: dict[str, Any], where_set: Callable[[str], str | None]
) -> list[str] | None:
    """Return the three lines for an error that concerns the lab; None for any other.

    `cell` are the names of the kernel, `where_set(name)` is the heading of the notebook's cell that
    sets a name.
    """
    frames = _frames(error)
    in_cell = [index for index, frame in enumerate(frames) if frame.f_globals is cell]
    if not in_cell:
        return None
    called = [one for one in frames[in_cell[-1] + 1 :] if _is_ours(one)]
    source = _Source(frames[in_cell[-1]], _line(error, in_cell[-1]))
    said: Said = None
    if isinstance(error, AttributeError) and not (called and _wrong_value(called[0])):
        said = _attribute(error)
    elif called:
        said = _inside(error, called[0], source)
    elif type(error) is NameError:
        said = _name(error.name or "", source, cell, where_set)
    elif isinstance(error, TypeError):
        said = _call(str(error))
    if said is None and called:
        said = _inside(error, called[0], source)
    if said is None:
        return None
    happened, saw, hint = said
    return [f"{type(error).__name__}: {happened}", f"saw: {saw}", f"try: {hint}"]


def typographic(error: SyntaxError) -> list[str] | None:
    """Return the three lines for a character that a text processor put in place of Python's.

    >>> error = SyntaxError("invalid character", ("", 1, 10, "lab.chat(“Hi”)", 1, 10))
    >>> typographic(error)[2]
    'try: lab.chat("Hi")'
    """
    line, at = error.text or "", (error.offset or 0) - 1
    wrong = line[at] if 0 <= at < len(line) else ""
    if not str(error.msg).startswith(_INVALID) or not wrong or ord(wrong) not in _PLAIN:
        return None
    plain = (line[:at] + line[at:].translate(_PLAIN)).strip()  # what stands before was understood
    happened = f"{_NAMES.get(wrong, wrong)} is not a character that Python reads"
    hint = f"type its spaces again: {plain}" if wrong in _NAMES else plain
    return [f"SyntaxError: {happened}", f"saw: {line.strip()}", f"try: {hint}"]


def of_a_shell(error: SyntaxError) -> list[str] | None:
    """Return the three lines for a line of a shell, with its prompt or without, in a Python cell.

    >>> of_a_shell(SyntaxError("invalid syntax", ("", 1, 9, "$ kubectl get pods", 1, 12)))[2]
    'try: !kubectl get pods'
    """
    line = (error.text or "").strip()
    command = line.removeprefix("$").strip()
    happened = "that line is for a shell, and this cell is Python"
    if command.startswith("./lab "):  # a notebook is in another folder
        hint = f"{command} in a terminal: File, New, Terminal"
        return [f"SyntaxError: {happened}", f"saw: {line}", f"try: {hint}"]
    if command.split(" ")[0] not in _COMMANDS:
        return None
    return [f"SyntaxError: {happened}", f"saw: {line}", f"try: !{command}"]


Said = tuple[str, str, str] | None


class _Source:
    """The statement of a cell in which an error was raised."""

    def __init__(self, frame: FrameType, line: int) -> None:
        self.text = "".join(linecache.getlines(frame.f_code.co_filename))
        try:
            tree = ast.parse(self.text)
        except SyntaxError:
            tree = ast.Module([], [])
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self.calls = [call for call in calls if call.lineno <= line <= (call.end_lineno or line)]
        self.line = (self.text.splitlines() or [""])[min(line, self.text.count("\n")) - 1].strip()

    def argument(self, name: str) -> str | None:
        """Return the argument of a call of `lab` that this name is in: `image=ollama/ollama`."""
        for call in self.calls:
            if _owner(call) != "lab":
                continue
            for value in [*call.args, *(word.value for word in call.keywords)]:
                if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value)):
                    return ast.get_source_segment(self.text, value)
        return None

    def is_called(self, name: str) -> bool:
        return any(isinstance(c.func, ast.Name) and c.func.id == name for c in self.calls)


def _owner(call: ast.Call) -> str:
    is_of = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
    return call.func.value.id if is_of else ""  # type: ignore[attr-defined]


def _name(
    name: str, source: _Source, cell: Mapping[str, Any], where_set: Callable[[str], str | None]
) -> Said:
    happened = f"{name} is not defined in this kernel"
    argument = source.argument(name)
    if name == "lab":
        saw = "the first cell has not run since the kernel started"
        hint = "run the first cell with import labkit as lab and lab.start(), then this one"
        return happened, saw, hint
    if argument and _SLASHED.fullmatch(argument):
        return happened, f"{argument} has no quotes", f'"{argument}" in quotes'
    if heading := where_set(name):
        place = f'the cell under "{heading}"'
        saw = f"{place} sets it, and has not run since the kernel started"
        return happened, saw, f"run the first cell, then {place}, then this one"
    if name in labkit.__all__ and source.is_called(name):
        return happened, f"labkit has lab.{name}", f"lab.{name}(…)"
    known = [one for one in cell if not one.startswith("_")]
    is_lab = cell.get("lab") is labkit
    if is_lab and _nearest(name, ["lab"]):
        return happened, "lab is defined", f"lab in place of {name}"
    if argument is None:
        return None
    if name.lower() in _CONSTANTS and argument == name:
        right = _CONSTANTS[name.lower()]
        return happened, f"Python writes it {right}", f"{right} in place of {name}"
    if near := _nearest(name, known):
        return happened, f"{near} is defined", f"{near} in place of {name}"
    return happened, f"{argument} has no quotes", f'"{argument}" in quotes, if it is a name'


def _attribute(error: AttributeError) -> Said:
    of, name = error.obj, error.name or ""
    if of is labkit:
        near = _nearest(name, labkit.__all__)
        saw = f"the names of labkit that are near: {f'lab.{near}' if near else 'none'}"
        return f"labkit has no {name}", saw, f"lab.{near}" if near else "help(lab) lists all names"
    kind = type(of)
    if not kind.__module__.startswith("labkit."):
        return None
    public = [one for one in dir(of) if not one.startswith("_")]
    near = _nearest(name, public)
    saw = f"it has {', '.join(public)}"
    return f"a {kind.__name__} has no {name}", saw, f".{near}" if near else f".{public[0]}"


def _call(text: str) -> Said:
    """What is wrong with the words of a call of `lab`, from Python's own message."""
    found = _CALLED.match(text)
    if not found or found["name"] not in labkit.__all__:
        return None
    name, what = found["name"], found["what"]
    helper = getattr(labkit, name)
    known = [word for word in inspect.signature(helper).parameters if word != "self"]
    saw = f"it takes {', '.join(known)}"
    if wrong := re.match(r"got an unexpected keyword argument '(\w+)'", what):
        near = _nearest(wrong[1], known)
        if not near and _MEANT.get(wrong[1]) in known:
            near = _MEANT[wrong[1]]
        hint = f"{near}= in place of {wrong[1]}=" if near else _example(name, helper)
        return f"lab.{name} does not take {wrong[1]}=", saw, hint
    if re.match(r"missing|takes|got multiple values", what):
        return f"lab.{name} {what}", saw, _example(name, helper)
    return None


def _inside(error: BaseException, frame: FrameType, source: _Source) -> Said:
    """What a call of labkit got that it cannot work with; else its message without its frames."""
    name = frame.f_code.co_qualname
    helper = getattr(labkit, name, None) if name in labkit.__all__ else None
    told = f"lab.{name}" if helper else name
    if said := _wrong_value(frame):
        return said
    hint = f"help({told}) shows what it takes" if helper else "the values that this line uses"
    whole = f"%tb shows the whole traceback, and %env {TRACEBACK}=1 always does"
    return f"{told} failed: {error}", source.line, f"{hint}; {whole}"


def _wrong_value(frame: FrameType) -> Said:
    """An argument of a call of labkit that should be a name, and is not text."""
    name = frame.f_code.co_qualname
    if name not in labkit.__all__:
        return None
    for word, parameter in inspect.signature(getattr(labkit, name)).parameters.items():
        value = frame.f_locals.get(word)
        values = value if parameter.kind is parameter.VAR_POSITIONAL else [value]
        for one in values or []:
            if _is_no_text(one, str(parameter.annotation)):
                kind = type(one).__name__
                article = "an" if kind[0] in "aeio" else "a"
                happened = f"lab.{name} takes a name as {word}, not {article} {kind}"
                saw = " ".join(repr(one).split())[:_SEEN]
                return happened, f"{word} is {saw}", _as_name(one, name, word)
    return None


def _is_no_text(value: object, annotation: str) -> bool:
    words = re.findall(r"\w+", annotation)
    if not {"str", "At"} & set(words) or set(_NO_TEXT) & set(words):
        return False
    if isinstance(value, int | float) and {"int", "float", "bool"} & set(words):
        return False
    return isinstance(value, list | tuple | dict | set | int | float) or _is_table(value)


def _is_table(value: object) -> bool:
    return type(value).__name__ == "Table" and type(value).__module__.startswith("labkit.")


def _as_name(value: object, helper: str, word: str) -> str:
    """What to type: the number as text, or a loop over names."""
    if isinstance(value, int | float):
        return f'"{value}", in quotes'
    parameters = inspect.signature(getattr(labkit, helper)).parameters
    needed = ["…" for one in parameters.values() if one.default is one.empty and one.name != word]
    is_keyword = parameters[word].kind is inspect.Parameter.KEYWORD_ONLY
    name = f'{word}=f"pod/{{name}}"' if is_keyword else 'f"pod/{name}"'
    call = f"lab.{helper}({', '.join([*needed, name])})"
    return f'for name in lab.get("pods").column("NAME"): {call}'


def _example(name: str, helper: object) -> str:
    """The example of its docstring."""
    lines = (line.strip() for line in (inspect.getdoc(helper) or "").splitlines())
    return next((line for line in lines if f"lab.{name}(" in line), f"help(lab.{name})")


def _nearest(name: str, known: Iterable[str]) -> str:
    """
    >>> _nearest("keepalive", ["prompt", "keep_alive"]), _nearest("Pul", ["pull"])
    ('keep_alive', 'pull')
    >>> _nearest("ollama", ["models"])
    ''
    """
    plain = {one.replace("_", "").lower(): one for one in known}
    found = difflib.get_close_matches(name.replace("_", "").lower(), plain, n=1, cutoff=0.75)
    return plain[found[0]] if found else ""


def _frames(error: BaseException) -> list[FrameType]:
    found, trace = [], error.__traceback__
    while trace:
        found.append(trace.tb_frame)
        trace = trace.tb_next
    return found


def _line(error: BaseException, index: int) -> int:
    trace = error.__traceback__
    for _ in range(index):
        trace = trace.tb_next if trace else None
    return trace.tb_lineno if trace else 0


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(f"{PACKAGE}/")
