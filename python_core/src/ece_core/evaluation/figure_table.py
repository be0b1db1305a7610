"""A table of figures with intervals: as CSV for a program, as HTML for the page, as Markdown for the docs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

NOT_COMPUTED = "-"
Cell = str | int | float | dict | None


@dataclass(frozen=True)
class Table:
    """Rows of cells: words, counts, plain numbers, or figures {value, low, high}; None where nothing was computed.

    Attributes
    ----------
    name
        Of the CSV file, without suffix.
    columns
        Headings; the first one is of the rows' names.
    percent
        Headings of the columns whose figures are shown as percentages. The CSV always holds shares.
    decimals
        Of the other numbers, on the page.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    caption: str = ""
    percent: frozenset[str] = frozenset()
    decimals: int = 2
    on_page: bool = field(default=True)

    def csv(self) -> str:
        """A figure fills three columns: value, low and high. Full precision."""
        spread = [any(isinstance(row[n], dict) for row in self.rows) for n in range(len(self.columns))]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_flat(self.columns, spread, lambda heading: (heading, f"{heading} low", f"{heading} high")))
        for row in self.rows:
            writer.writerow(_flat(row, spread, _three))
        return out.getvalue()

    def html(self) -> str:
        if not self.on_page:
            return ""
        note = f"<p>{escape(self.caption)}</p>" if self.caption else ""
        head = "".join(f"<th>{escape(heading)}</th>" for heading in self.columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in self.words())
        return (
            f"<table><caption>{escape(self.title)}{note}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def markdown(self) -> list[str]:
        """Lines of a Markdown table, without title and caption."""
        lines = [f"| {' | '.join(self.columns)} |", "| --- " * len(self.columns) + "|"]
        return lines + [f"| {' | '.join(row)} |" for row in self.words()]

    def words(self) -> list[tuple[str, ...]]:
        """The cells as they are read."""
        return [
            tuple(self._word(cell, heading in self.percent) for heading, cell in zip(self.columns, row, strict=True))
            for row in self.rows
        ]

    def _word(self, cell: Cell, percent: bool) -> str:
        if isinstance(cell, dict):
            value, low, high = (self._word(cell[part], percent) for part in ("value", "low", "high"))
            return value if cell["low"] is None else f"{value} ({low} to {high})"
        if cell is None:
            return NOT_COMPUTED
        if isinstance(cell, float):
            return f"{100 * cell:.1f}" if percent else f"{cell:.{self.decimals}f}"
        return str(cell)


def _flat(cells: Sequence, spread: list[bool], three) -> list:
    flat: list = []
    for cell, wide in zip(cells, spread, strict=True):
        flat += three(cell) if wide else [cell]
    return ["" if cell is None else cell for cell in flat]


def _three(cell: Cell) -> tuple:
    return (cell["value"], cell["low"], cell["high"]) if isinstance(cell, dict) else (cell, None, None)
