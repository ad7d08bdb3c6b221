"""Rows under names, for reading: kubectl's aligned text, or an HTML table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from labkit.errors import LabError
from labkit.ui.escapes import plain
from labkit.ui.terminal import width

# JupyterLab's own colours, light or dark; elsewhere those of the page
FRAME = (
    "color:var(--jp-ui-font-color1,inherit);"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);white-space:pre-wrap"
)
_BORDER = "1px solid var(--jp-border-color2,#888)"


class Table:
    """Rows under names: a table in a notebook, kubectl's aligned text elsewhere.

        >>> pods = Table(["NAME", "STATUS"], [["ollama", "Running"], ["client", "Pending"]])
        >>> pods
        NAME     STATUS
        ollama   Running
        client   Pending
        >>> pods.column("status"), len(pods), [name for name, status in pods]
        (['Running', 'Pending'], 2, ['ollama', 'client'])
        >>> Table(["NAME"], [])
        No resources found

    A caption stands above. `.csv()` is for spreadsheets, `.items` for programs.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        caption: str = "",
        items: Sequence[dict[str, Any]] = (),
        empty: str = "No resources found",
    ) -> None:
        self.columns = list(columns)
        self.rows = [[plain(str(cell)) for cell in row] for row in rows]
        self.caption = caption
        self.items = list(items)
        self._empty = empty

    def column(self, name: str) -> list[str]:
        """The cells below that name, in whatever case it is written."""
        names = [column.casefold() for column in self.columns]
        if name.casefold() not in names:
            seen = f"columns: {', '.join(self.columns)}"
            raise LabError(f"the table has no column {name}", seen, "one of these names")
        return [row[names.index(name.casefold())] for row in self.rows]

    def csv(self) -> str:
        """The names and the rows as comma-separated values, for a spreadsheet.

        >>> print(Table(["NAME", "SAW"], [["ollama", 'said "no", twice']]).csv(), end="")
        NAME,SAW
        ollama,"said ""no"", twice"
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> list[str]:
        return self.rows[index]

    def __repr__(self) -> str:
        if not self.rows:
            return self._empty
        lines = [self.columns, *self.rows]
        widths = [max(map(width, cells)) for cells in zip(*lines, strict=True)]
        aligned = [
            "   ".join(
                cell + " " * (wide - width(cell)) for cell, wide in zip(line, widths, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.caption, *aligned] if self.caption else aligned)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f'<div style="{FRAME}">{escape(self._empty)}</div>'
        style = f'style="text-align:left;padding:.2em .8em;border-bottom:{_BORDER}"'
        head = "".join(f'<th scope="col" {style}>{escape(name)}</th>' for name in self.columns)
        body = "".join(
            f'<tr><th scope="row" {style}>{escape(row[0])}</th>'
            + "".join(f"<td {style}>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in self.rows
        )
        caption = (
            f'<caption style="text-align:left;color:inherit">{escape(self.caption)}</caption>'
            if self.caption
            else ""
        )
        return (
            f'<table style="{FRAME};border-collapse:collapse;margin:0">{caption}'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
