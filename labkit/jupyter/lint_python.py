"""Rules for a cell's Python and its magics: what passes there though it failed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from labkit.jupyter.limits import tags
from labkit.jupyter.lint_cells import Code, name, owner

Found = Iterator[tuple[int, str, str]]  # line of the cell, rule, why and what instead

KNOWN_MAGICS = {"bash", "sh", "time", "timeit", "env", "pwd"}
_CAPTURE = "what it captures never fails: subprocess.run(…, check=True), or a verb of labkit"
_MAGICS = {
    "capture": ("hides-output", "who reads a failure sees nothing: let it be shown"),
    "script": ("bash-without-e", "%%bash -eo pipefail"),
    "xmode": ("hides-output", "errors are shown as they are"),
    **dict.fromkeys(("sx", "sc", "system", "!"), ("getoutput", _CAPTURE)),
}
# the letters of Kubernetes' generated names: no vowels, nothing that looks like another
_LETTER = "[bcdfghjklmnpqrstvwxz2456789]"
_GENERATED = re.compile(rf"\b[a-z][a-z0-9-]*-{_LETTER}{{8,10}}-{_LETTER}{{5}}\b")
_ENDS = {("", "exit"), ("", "quit"), ("sys", "exit"), ("os", "_exit"), ("os", "abort")}
_UNCHECKED = {("os", "system"), ("os", "popen"), ("subprocess", "Popen")}
_UNCHECKED |= {("subprocess", "call"), ("subprocess", "getstatusoutput")}
_SHOWS_ERRORS = {"system_raise_on_error", "showtraceback", "_showtraceback", "CustomTB"}
_WIDE = {"Exception", "BaseException"}
# of IPython's shell: they show an error, and the cell that called them passes
_SHOWS_ONLY = {"run_cell", "run_cell_async", "safe_execfile", "safe_execfile_ipy", "runcode"}
_UNSEEN = {"Thread", "create_task", "ensure_future", "call_soon", "call_later", "run_in_executor"}


def rules(code: Code) -> Found:
    """Everything to fix in the cell's Python and its magics."""
    for line in code.broken:
        yield line, "no-python", "IPython cannot read this cell"
    for rule in (
        _magics,
        _sleeps,
        _handlers,
        _left_out,
        _shows_errors,
        _commands,
        _ends,
        _always,
    ):
        yield from rule(code)
    yield from _names(code)


def asserts(code: Code) -> bool:
    """Does it call lab.check, or assert something that can be false?"""
    found = [node for node in code.nodes if isinstance(node, ast.Assert)]
    return any(not _is_constant(node.test) for node in found) or any(
        name(call) == "check" for call in code.calls
    )


def _magics(code: Code) -> Found:
    for line, magic, _ in code.magics:
        if magic in _MAGICS:
            yield line, *_MAGICS[magic]
        elif magic.startswith("%"):
            yield line, "unknown-magic", f"%{magic} counts on the first line of a cell only"
        elif magic not in KNOWN_MAGICS:
            yield line, "unknown-magic", f"%{magic} may not exist, and passes with its cell not run"


def _sleeps(code: Code) -> Found:
    for call in code.calls:
        if name(call) == "sleep":
            why = "too short on a slow machine, too long on others: lab.wait(…)"
            yield call.lineno, "fixed-sleep", why


def _handlers(code: Code) -> Found:
    for node in code.nodes:
        if isinstance(node, ast.ExceptHandler) and all(map(_is_nothing, node.body)):
            why = "except … pass: let it fail, or assert what was raised"
            yield node.lineno, "swallows-errors", why
        elif isinstance(node, ast.ExceptHandler) and _is_wide(node) and not _raises(node):
            why = "any error passes: name the one that is meant, except lab.LabError"
            yield node.lineno, "swallows-errors", why
        if isinstance(node, ast.Try | ast.TryStar) and any(map(_is_way_out, node.finalbody)):
            yield (
                node.finalbody[0].lineno,
                "swallows-errors",
                "this way out of finally drops errors",
            )
        if isinstance(node, ast.Call) and name(node) == "suppress":
            yield node.lineno, "swallows-errors", "let it fail, or assert what was raised"
        if isinstance(node, ast.Call) and name(node) in _SHOWS_ONLY:
            yield node.lineno, "swallows-errors", "an error in it is shown and passes: run it here"


def _left_out(code: Code) -> Found:
    for node in code.nodes:
        is_never = isinstance(node, ast.If | ast.While) and (
            isinstance(node.test, ast.Constant) and not node.test.value
        )
        if is_never:
            yield node.lineno, "left-out", "this is never run: take the condition away"


def _is_nothing(node: ast.stmt) -> bool:
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant or isinstance(node, ast.Pass | ast.Continue | ast.Break)


def _is_wide(handler: ast.ExceptHandler) -> bool:
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "id", "") in _WIDE for kind in types)


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise | ast.Assert) for node in ast.walk(handler))


def _is_way_out(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return | ast.Break | ast.Continue)


def _shows_errors(code: Code) -> Found:
    """What decides in IPython whether an error is seen is labkit's alone."""
    why = "whether an error is shown is lab.start()'s to say"
    for node in code.nodes:
        stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if stored and node.attr in _SHOWS_ERRORS:
            yield node.lineno, "shell-cannot-fail", why
        if isinstance(node, ast.Call) and name(node) == "set_custom_exc":
            yield node.lineno, "shell-cannot-fail", why
        if isinstance(node, ast.Call) and name(node) == "setattr":
            words = [word.value for word in node.args if isinstance(word, ast.Constant)]
            if _SHOWS_ERRORS.intersection(words):
                yield node.lineno, "shell-cannot-fail", why


def _commands(code: Code) -> Found:
    for call in code.calls:
        whose = owner(call.func), name(call)
        if whose in _UNCHECKED or (whose == ("subprocess", "run") and not _checks(call)):
            why = "its failure passes: subprocess.run(…, check=True)"
            yield call.lineno, "unchecked-command", why
        if name(call) in _UNSEEN:
            why = "what fails in the background passes: call it here"
            yield call.lineno, "background-work", why


def _checks(call: ast.Call) -> bool:
    found = [word.value for word in call.keywords if word.arg == "check"]
    return any(isinstance(value, ast.Constant) and value.value is True for value in found)


def _ends(code: Code) -> Found:
    why = "it ends the kernel, and what follows in silence: raise an error of its own"
    for node in code.nodes:
        called = isinstance(node, ast.Call) and (owner(node.func), name(node)) in _ENDS
        bare = isinstance(node, ast.Expr) and getattr(node.value, "id", "") in ("exit", "quit")
        raised = isinstance(node, ast.Raise) and "SystemExit" in ast.dump(node)
        if called or bare or raised:
            yield node.lineno, "ends-kernel", why


def _always(code: Code) -> Found:
    if "check" in tags(code.cell) and not asserts(code):
        yield 0, "check-asserts-nothing", "a check calls lab.check(…) or asserts"
        return
    for node in code.nodes:
        if isinstance(node, ast.Assert) and _is_constant(node.test):
            yield node.lineno, "always-true", "this assertion cannot fail"


def _is_constant(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) or (isinstance(test, ast.Tuple) and bool(test.elts))


def _names(code: Code) -> Found:
    for line, text in enumerate(code.cell["source"].splitlines(), 1):
        if _GENERATED.search(text):
            yield (
                line,
                "generated-name",
                "this Pod's name is another one next time: deployment/NAME",
            )
        if re.search(r"lab-llama(?!:slow)", text):
            yield line, "model-name", "lab.model, or $MODEL: learners may have another"
