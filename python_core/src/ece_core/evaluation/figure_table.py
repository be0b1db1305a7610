"""A table of figures with intervals: as CSV for a program, as HTML for the page, as Markdown for the docs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

NOT_COMPUTED = "-"
ALPHA = 0.05  # of the tests in GMGENet's paper


class Spread(NamedTuple):
    """Mean and standard deviation over folds; without the latter if one fold has a value."""

    mean: float
    sd: float | None


class PValue(float):
    """Read with a star below 0.05, and as "< 0.001" below that; the CSV holds the number."""

    def words(self) -> str:
        star = " *" if self < ALPHA else ""
        return f"< 0.001{star}" if self < 0.001 else f"{self:.3f}{star}"


Cell = str | int | float | dict | Spread | None


@dataclass(frozen=True)
class Table:
    """Rows of cells: words, counts, plain numbers, figures {value, low, high}, or spreads; None: not computed.

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
    rows: Sequence[tuple[Cell, ...]]
    caption: str = ""
    percent: frozenset[str] = frozenset()
    decimals: int = 2
    on_page: bool = field(default=True)

    def csv(self) -> str:
        """A figure fills three columns: value, low and high; a spread two: mean and SD. Full precision."""
        parts = [_parts([row[n] for row in self.rows]) for n in range(len(self.columns))]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([f"{name}{part}" for name, names in zip(self.columns, parts, strict=True) for part in names])
        for row in self.rows:
            cells = [value for cell, names in zip(row, parts, strict=True) for value in _values(cell, len(names))]
            writer.writerow(["" if value is None else value for value in cells])
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
        if isinstance(cell, Spread):
            mean, sd = self._word(cell.mean, percent), self._word(cell.sd, percent)
            return mean if cell.sd is None else f"{mean} ({sd})"
        if cell is None:
            return NOT_COMPUTED
        if isinstance(cell, PValue):
            return cell.words()
        if isinstance(cell, float):
            return f"{100 * cell:.1f}" if percent else f"{cell:.{self.decimals}f}"
        return str(cell)


def _parts(cells: Sequence[Cell]) -> tuple[str, ...]:
    """What the CSV's columns for one column of the table are called, after its heading."""
    if any(isinstance(cell, dict) for cell in cells):
        return "", " low", " high"
    return ("", " SD") if any(isinstance(cell, Spread) for cell in cells) else ("",)


def _values(cell: Cell, count: int) -> list:
    if isinstance(cell, dict):
        return [cell["value"], cell["low"], cell["high"]]
    values = list(cell) if isinstance(cell, Spread) else [cell]
    return values + [None] * (count - len(values))
