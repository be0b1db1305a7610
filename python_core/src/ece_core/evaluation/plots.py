"""Small line plots as SVG text: no library, no file, readable offline."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

SIZE, LEFT, BOTTOM, TOP, RIGHT = 300, 52, 44, 12, 12
COLORS = ("#1f5fa8", "#c2571a", "#2c7d4f")
Curve = tuple[str, Sequence[tuple[float, float]]]


def line_plot(
    curves: Sequence[Curve],
    axis_titles: tuple[str, str],
    *,
    x_limit: float = 1.0,
    diagonal: bool = False,
    dots: bool = False,
) -> str:
    """An SVG of curves over [0, x_limit] by [0, 1].

    Parameters
    ----------
    curves
        (title, points (x, y)).
    axis_titles
        Of x and y.
    diagonal
        Draw the line of chance, or of perfect calibration.
    dots
        Mark every point.
    """
    width, height = LEFT + SIZE + RIGHT, TOP + SIZE + BOTTOM + 18 * len(curves)
    parts = [f'<rect x="{LEFT}" y="{TOP}" width="{SIZE}" height="{SIZE}" class="frame"/>']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = _place(tick * x_limit, tick, x_limit)
        parts.append(f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{TOP + SIZE}" class="grid"/>')
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{LEFT + SIZE}" y2="{y}" class="grid"/>')
        parts.append(f'<text x="{x}" y="{TOP + SIZE + 15}" text-anchor="middle">{tick * x_limit:.3g}</text>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:.3g}</text>')
    if diagonal:
        parts.append(f'<line x1="{LEFT}" y1="{TOP + SIZE}" x2="{LEFT + SIZE}" y2="{TOP}" class="chance"/>')
    for number, (title, points) in enumerate(curves):
        parts += _curve(number, title, points, x_limit, dots)
    middle = TOP + SIZE / 2
    parts.append(
        f'<text x="{LEFT + SIZE / 2}" y="{TOP + SIZE + 32}" text-anchor="middle">{escape(axis_titles[0])}</text>'
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">'
        f"{escape(axis_titles[1])}</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img">{"".join(parts)}</svg>'
    )


def _curve(number: int, title: str, points: Sequence[tuple[float, float]], x_limit: float, dots: bool) -> list[str]:
    color = COLORS[number % len(COLORS)]
    places = [_place(x, y, x_limit) for x, y in points]
    path = " ".join(f"{x},{y}" for x, y in places)
    parts = [f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>']
    if dots:
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>' for x, y in places]
    y = TOP + SIZE + BOTTOM + 8 + 18 * number
    parts.append(f'<line x1="{LEFT}" y1="{y - 4}" x2="{LEFT + 22}" y2="{y - 4}" stroke="{color}" stroke-width="3"/>')
    parts.append(f'<text x="{LEFT + 30}" y="{y}">{escape(title)}</text>')
    return parts


def _place(x: float, y: float, x_limit: float) -> tuple[float, float]:
    return round(LEFT + SIZE * x / x_limit, 1), round(TOP + SIZE * (1 - y), 1)
