"""Charts as SVG files: bars, lines, bands and marks in a row of panels. No library, readable in a page offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

Array = np.ndarray
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 250, 160, 44, 14, 30, 44
BLUE, RED, GREEN, GRAY = "#1f5fa8", "#c2571a", "#2c7d4f", "#8794a1"
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#33404d}.title{font-weight:600}.small{font-size:10.5px}"
    ".frame{fill:none;stroke:#8794a1}.grid{stroke:#e7ebef}"
)


@dataclass
class Panel:
    """One chart. What is added first lies behind.

    Attributes
    ----------
    x, y
        Ranges shown; what lies outside is cut off.
    note
        A line below the axis title.
    """

    title: str
    x_title: str
    x: tuple[float, float]
    y: tuple[float, float] = (0.0, 1.0)
    note: str = ""
    names: dict[float, str] = field(default_factory=dict)
    _parts: list[str] = field(default_factory=list)

    def _x(self, value: float) -> float:
        share = (value - self.x[0]) / (self.x[1] - self.x[0])
        return round(LEFT + WIDTH * float(np.clip(share, 0, 1)), 1)

    def _y(self, value: float) -> float:
        share = (value - self.y[0]) / (self.y[1] - self.y[0])
        return round(TOP + HEIGHT * (1 - float(np.clip(share, 0, 1))), 1)

    def bars(self, edges: Sequence[float], heights: Sequence[float], color: str = BLUE, opacity: float = 0.55) -> None:
        for low, high, height in zip(edges[:-1], edges[1:], heights, strict=True):
            x, top = self._x(low), self._y(height)
            width = max(self._x(high) - x - 0.6, 0.4)
            self._parts.append(
                f'<rect x="{x}" y="{top}" width="{width:.1f}" height="{TOP + HEIGHT - top:.1f}" fill="{color}" '
                f'fill-opacity="{opacity}"/>'
            )

    def line(self, x: Sequence[float], y: Sequence[float], color: str = RED, dashed: bool = False) -> None:
        seen = [(a, b) for a, b in zip(x, y, strict=True) if self.x[0] <= a <= self.x[1]]
        points = " ".join(f"{self._x(a)},{self._y(b)}" for a, b in seen)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.8"{dash}/>')

    def band(self, low: float, high: float, color: str = RED) -> None:
        """A range on the x axis."""
        x, end = self._x(low), self._x(high)
        self._parts.append(
            f'<rect x="{x}" y="{TOP}" width="{end - x:.1f}" height="{HEIGHT}" fill="{color}" fill-opacity="0.16"/>'
        )

    def mark(self, value: float, color: str = RED) -> None:
        """A vertical line."""
        x = self._x(value)
        self._parts.append(f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{TOP + HEIGHT}" stroke="{color}"/>')

    def ticks(self, values: Sequence[float], color: str = "#1c2733") -> None:
        """A short stroke at the foot for each value, as of one patient each."""
        foot = TOP + HEIGHT
        for value in values:
            x = self._x(value)
            self._parts.append(f'<line x1="{x}" y1="{foot - 9}" x2="{x}" y2="{foot}" stroke="{color}"/>')

    def svg(self) -> str:
        """The panel at the origin."""
        foot = TOP + HEIGHT
        parts = [f'<text x="{LEFT}" y="18" class="title">{escape(self.title)}</text>']
        for tick in _nice(*self.y, 4):
            parts.append(
                f'<line x1="{LEFT}" y1="{self._y(tick)}" x2="{LEFT + WIDTH}" y2="{self._y(tick)}" class="grid"/>'
                f'<text x="{LEFT - 5}" y="{self._y(tick) + 4}" text-anchor="end" class="small">{tick:g}</text>'
            )
        names = self.names or {tick: f"{tick:g}" for tick in _nice(*self.x, 5)}
        for value, name in names.items():
            parts.append(
                f'<text x="{self._x(value)}" y="{foot + 14}" text-anchor="middle" class="small">{escape(name)}</text>'
            )
        parts += self._parts
        parts.append(f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" class="frame"/>')
        middle = LEFT + WIDTH / 2
        parts.append(f'<text x="{middle}" y="{foot + 28}" text-anchor="middle">{escape(self.x_title)}</text>')
        parts.append(
            f'<text x="{middle}" y="{foot + 42}" text-anchor="middle" class="small">{escape(self.note)}</text>'
        )
        return "".join(parts)


def _nice(low: float, high: float, count: int) -> list[float]:
    """Round numbers in a range."""
    step = 10 ** np.floor(np.log10((high - low) / count))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= count)
    return [round(float(tick), 10) + 0.0 for tick in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]


def write_chart(path: Path, panels: Sequence[Panel], columns: int = 3, legend: Sequence[tuple[str, str]] = ()) -> None:
    """Write panels in rows; ``legend`` holds (color, words)."""
    across, down = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM + 10
    rows = -(-len(panels) // columns)
    width, height = across * min(columns, len(panels)), down * rows + (26 if legend else 0)
    parts = [
        f'<g transform="translate({across * (n % columns)} {down * (n // columns)})">{panel.svg()}</g>'
        for n, panel in enumerate(panels)
    ]
    x = LEFT
    for color, words in legend:
        parts.append(f'<rect x="{x}" y="{height - 18}" width="12" height="12" fill="{color}"/>')
        parts.append(f'<text x="{x + 17}" y="{height - 8}">{escape(words)}</text>')
        x += 32 + int(6.6 * len(words))
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img"><style>{STYLE}</style><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n',
        encoding="utf-8",
    )


def density(values: Array, edges: Array) -> Array:
    """Share of the values per unit of x."""
    return np.histogram(values, edges)[0] / max(len(values), 1) / np.diff(edges)


def curve(function: Callable[[Array], Array], low: float, high: float, count: int = 200) -> tuple[Array, Array]:
    x = np.linspace(low, high, count)
    return x, function(x)
