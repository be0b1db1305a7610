"""The files of an evaluation: `metrics.json`, `index.html`, tables as CSV, plots as PNG."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from ece_core import RESEARCH_USE_ONLY
from ece_core.errors import InputError
from ece_core.evaluation.axes import PICTURE_SCALE
from ece_core.evaluation.figure_table import Table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; background: #f5f7f9; margin: 0 auto; max-width: 1160px;
       padding: 24px }
h1 { font-size: 24px; margin: 0 } h2 { font-size: 18px; margin: 32px 0 8px } h3 { font-size: 14px; margin: 0 0 8px }
.only { background: #fff4d6; border-left: 4px solid #d39b00; padding: 8px 12px }
table { border-collapse: collapse; background: white; margin: 16px 0; width: 100% }
caption { text-align: left; padding: 8px 0; font-weight: 600 } caption p { font-weight: 400; margin: 0; color: #44515e }
td, th { text-align: left; padding: 5px 10px; font-size: 14px; border-bottom: 1px solid #e2e7ec }
td { white-space: nowrap }
td:not(:first-child), th:not(:first-child) { text-align: right; font-variant-numeric: tabular-nums }
.plots { display: flex; flex-wrap: wrap; gap: 16px } figure { background: white; margin: 0; padding: 12px }
figure img { width: 100% } figcaption { color: #44515e; max-width: 480px; font-size: 13px }
"""


@dataclass(frozen=True, eq=False)
class Picture:
    """A plot: the name of its file without suffix, its title, the image, and a sentence on how to read it.

    ``density``: its pixels per unit of the page.
    """

    name: str
    title: str
    image: Image.Image
    caption: str = ""
    density: int = PICTURE_SCALE

    @cached_property
    def png(self) -> bytes:
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()

    def html(self) -> str:
        """With the PNG inside, so that the page can be sent alone."""
        data = base64.b64encode(self.png).decode("ascii")
        width = round(self.image.width / self.density)
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        return (
            f'<figure><h3>{escape(self.title)}</h3><img alt="{escape(self.title)}" style="max-width: {width}px" '
            f'src="data:image/png;base64,{data}">{caption}</figure>'
        )


@dataclass(frozen=True)
class Section:
    """A part of the page: tables, then pictures. A table that is too long for the page is named."""

    title: str
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def html(self) -> str:
        tables = "".join(table.html() for table in self.tables)
        pictures = "".join(picture.html() for picture in self.pictures)
        files = ", ".join(f"tables/{table.name}.csv" for table in self.tables if not table.on_page)
        tables += f"<p>{escape(files)}</p>" if files else ""
        return f'<h2>{escape(self.title)}</h2>{tables}<div class="plots">{pictures}</div>'


@dataclass(frozen=True)
class Page:
    """What `index.html` shows: the figures, sections of tables and plots, and notes on what could not be computed."""

    title: str
    summary: str
    figures: str
    sections: list[Section]
    notes: list[str]

    def html(self) -> str:
        """One self-contained file: no script, no font, no link."""
        sections = "".join(section.html() for section in self.sections)
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f"<style>{STYLE}</style></head><body><h1>{escape(self.title)}</h1><p>{escape(self.summary)}</p>"
            f'<p class="only">{escape(RESEARCH_USE_ONLY)}</p>{self.figures}{sections}'
            f"{f'<h2>Not computed</h2><ul>{notes}</ul>' if notes else ''}</body></html>\n"
        )


def write_evaluation(out: Path, metrics: dict[str, Any], page: Page) -> None:
    """Write `metrics.json`, `index.html`, the tables as CSV and the plots as PNG; those of an earlier one are replaced.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
    try:
        out = Path(out)
        out.mkdir(parents=True, exist_ok=True)
        for section in page.sections:
            for table in section.tables:
                _write(out / "tables" / f"{table.name}.csv", table.csv().encode("utf-8"))
            for picture in section.pictures:
                _write(out / "plots" / f"{picture.name}.png", picture.png)
        _write(out / "index.html", page.html().encode("utf-8"))
        _write(out / "metrics.json", text.encode("utf-8"))
    except OSError as error:
        raise InputError(
            f"The evaluation cannot be written ({type(error).__name__}).", "Choose a folder that you may write to."
        ) from error


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
