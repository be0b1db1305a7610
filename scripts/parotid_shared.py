"""What both scripts that reproduce the parotid paper need."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from ece_core import RESEARCH_USE_ONLY
from ece_core.evaluation.figure_table import Table
from PIL import Image, ImageDraw

LINE_HEIGHT = 16
CELL, HEADING = 128, 16  # pixels


def write_table(table: Table, out: Path) -> None:
    """As CSV and as Markdown."""
    (out / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
    (out / f"{table.name}.md").write_text("\n".join(table.markdown()) + "\n", encoding="utf-8")


def with_research_line(picture: Image.Image) -> Image.Image:
    """The picture with the sentence below it that every view of results carries."""
    canvas = Image.new("RGB", (picture.width, picture.height + LINE_HEIGHT), "white")
    canvas.paste(picture, (0, 0))
    ImageDraw.Draw(canvas).text((3, picture.height + 2), RESEARCH_USE_ONLY, fill="black")
    return canvas


def montage(titles: Sequence[str], rows: Sequence[Sequence[np.ndarray]]) -> Image.Image:
    """Slices (j, i) in [0, 1], each under its title."""
    canvas = Image.new("RGB", (CELL * len(titles), HEADING + CELL * len(rows)), "white")
    draw = ImageDraw.Draw(canvas)
    for column, title in enumerate(titles):
        draw.text((column * CELL + 3, 2), title.replace("guided backpropagation", "guided backprop."), fill="black")
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            picture = Image.fromarray((np.clip(cell.astype(float), 0, 1) * 255).astype(np.uint8))
            canvas.paste(picture.resize((CELL - 2, CELL - 2), 0), (column * CELL, HEADING + row * CELL))
    return canvas


def as_input(image: np.ndarray) -> torch.Tensor:
    """(1, 1, k, j, i)."""
    return torch.from_numpy(image)[None, None]


def reporter(name: str) -> Callable[[str, float], None]:
    """Prints how far a training is."""
    began = time.perf_counter()

    def report(_stage: str, fraction: float) -> None:
        print(f"{name}: {100 * fraction:.0f} % trained, {time.perf_counter() - began:.0f} s", flush=True)

    return report
