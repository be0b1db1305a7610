"""`metrics.json` and `index.html` of an evaluation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ece_core import RESEARCH_USE_ONLY
from ece_core.errors import InputError

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; background: #f5f7f9; margin: 0 auto; max-width: 1000px;
       padding: 24px }
h1 { font-size: 24px; margin: 0 } h2 { font-size: 16px; margin: 0 0 8px }
.only { background: #fff4d6; border-left: 4px solid #d39b00; padding: 8px 12px }
table { border-collapse: collapse; background: white; margin: 16px 0; width: 100% }
td, th { text-align: left; padding: 5px 12px; border-bottom: 1px solid #e2e7ec }
td:not(:first-child), th:not(:first-child) { text-align: right; font-variant-numeric: tabular-nums }
.plots { display: flex; flex-wrap: wrap; gap: 16px } figure { background: white; margin: 0; padding: 12px }
svg text { font: 12px system-ui, sans-serif; fill: #44515e }
.frame { fill: none; stroke: #8794a1 } .grid { stroke: #e7ebef } .chance { stroke: #8794a1; stroke-dasharray: 4 4 }
"""


@dataclass(frozen=True)
class Page:
    """What `index.html` shows: a table, plots as (title, svg), and notes on what could not be computed."""

    title: str
    summary: str
    table: str
    plots: list[tuple[str, str]]
    notes: list[str]

    def html(self) -> str:
        """One self-contained file: no script, no font, no link."""
        figures = "".join(f"<figure><h2>{escape(title)}</h2>{svg}</figure>" for title, svg in self.plots)
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f"<style>{STYLE}</style></head><body><h1>{escape(self.title)}</h1><p>{escape(self.summary)}</p>"
            f'<p class="only">{escape(RESEARCH_USE_ONLY)}</p>{self.table}<div class="plots">{figures}</div>'
            f"{f'<h2>Not computed</h2><ul>{notes}</ul>' if notes else ''}</body></html>\n"
        )


def write_evaluation(out: Path, metrics: dict[str, Any], page: Page) -> None:
    """Write both files; those of an earlier evaluation are replaced.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
    try:
        out = Path(out)
        out.mkdir(parents=True, exist_ok=True)
        (out / "index.html").write_text(page.html(), encoding="utf-8")
        (out / "metrics.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The evaluation cannot be written ({type(error).__name__}).", "Choose a folder that you may write to."
        ) from error
