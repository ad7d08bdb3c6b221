"""The page of the Python reference: every public name of labkit, in the order of its docstring."""

from __future__ import annotations

import re

import labkit

_INTRO = """\
# Python

Every name of `import labkit as lab`, from the docstrings of the package. `help(lab.run)` in a
notebook has the same text. [Errors](docs/errors.md) lists what they raise.
"""
_CLASSES = ("Chart", "Table")
_PROGRAMS = ("kubectl", "helm")  # written small everywhere


def groups() -> list[tuple[str, list[str]]]:
    """Return the rows of the package's table: what the names do, and the names.

    >>> groups()[0]
    ('the lab and your namespace; the first line of every notebook', ['start'])
    """
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|$", labkit.__doc__ or "", re.MULTILINE)
    return [
        (about, [name.removeprefix("lab.") for name in re.findall(r"`([\w.]+)`", names)])
        for names, about in rows
    ]


def page() -> str:
    """Return the page, in Markdown; mkdocstrings puts signatures and docstrings into it."""
    parts = [_INTRO]
    for about, names in groups():
        is_program = about.startswith(_PROGRAMS)
        parts.append(f"## {about if is_program else about[0].upper() + about[1:]}\n")
        parts += [_entry(name) for name in names]
    return "\n".join(parts)


def _entry(name: str) -> str:
    if name == "model":  # a value, which has no docstring
        return f"### lab.model\n\n`{labkit._DEFAULT_MODEL}`, or `$MODEL` when that is set.\n"
    lines = [f"::: labkit.{name}", "    options:", f"      heading: lab.{name}"]
    lines += [f"      toc_label: {name}", f"      members: {str(name in _CLASSES).lower()}"]
    return "\n".join(lines) + "\n"
