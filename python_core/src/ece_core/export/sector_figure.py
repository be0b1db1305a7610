"""Capsule repair as a figure: an axial ring of sectors around the lymph node, and one above and one below it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import cos, pi, sin
from typing import Any

NOT_AROUND = ("above", "below")
WIDTH, HEIGHT, CENTER_X, CENTER_Y = 300, 220, 112, 110
INNER, OUTER, LETTER = 44, 84, 96
FULL = (158, 42, 10)  # color of a fall from 1 to 0; white: none


def sector_svg(repair: Mapping[str, Any]) -> str:
    """An SVG: in each sector the probability of ENE (also ECE) were it repaired, the darker the further it falls.

    Parameters
    ----------
    repair
        ``capsule_repair`` of one lymph node in `result.json`: {as_is, whole, sectors: {name: probability}}, the sectors
        of the axial plane first, from anterior over the patient's left. As on every axial image the patient's left is
        on the right.
    """
    as_is, sectors = repair["as_is"], repair["sectors"]
    around = [name for name in sectors if name not in NOT_AROUND]
    parts = [
        _wedge(place, len(around), sectors[name], as_is, f"{name}: {sectors[name]:.2f}")
        for place, name in enumerate(around)
    ]
    for place, letter in enumerate("ALPR"):
        x, y = _at(place * pi / 2, LETTER)
        parts.append(f'<text x="{x:.1f}" y="{y + 4:.1f}" class="letter-out">{letter}</text>')
    parts.append(_words(CENTER_X, CENTER_Y - 8, f"{as_is:.2f}", "#1c2430", "now"))
    parts.append(_words(CENTER_X, CENTER_Y + 8, "as scanned", "#5b6675", "small"))
    for name, top in zip(NOT_AROUND, (24, 150), strict=True):
        if name in sectors:
            parts.append(_box(name, top, sectors[name], as_is))
    return (
        f'<svg class="sectors" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Probability of ENE with each sector repaired">{"".join(parts)}</svg>'
    )


def _at(angle: float, radius: float) -> tuple[float, float]:
    """Clockwise from the top."""
    return CENTER_X + radius * sin(angle), CENTER_Y - radius * cos(angle)


def _wedge(place: int, count: int, probability: float, as_is: float, title: str) -> str:
    middle, half = 2 * pi * place / count, pi / count
    corners = [(middle - half, INNER), (middle - half, OUTER), (middle + half, OUTER), (middle + half, INNER)]
    a, b, c, d = (f"{x:.1f} {y:.1f}" for x, y in (_at(*corner) for corner in corners))
    fill, ink = _colors(as_is - probability)
    x, y = _at(middle, (INNER + OUTER) / 2)
    return (
        f'<path d="M {a} L {b} A {OUTER} {OUTER} 0 0 1 {c} L {d} A {INNER} {INNER} 0 0 0 {a} Z" fill="{fill}" '
        f'stroke="#8a94a3"><title>{escape(title)}</title></path>' + _words(x, y, f"{probability:.2f}", ink)
    )


def _box(name: str, top: int, probability: float, as_is: float) -> str:
    fill, ink = _colors(as_is - probability)
    return (
        f'<rect x="222" y="{top}" width="66" height="30" rx="4" fill="{fill}" stroke="#8a94a3"/>'
        + _words(255, top + 15, f"{probability:.2f}", ink)
        + _words(255, top + 41, name, "#5b6675", "small")
    )


def _words(x: float, y: float, text: str, ink: str, kind: str = "value-in") -> str:
    return f'<text x="{x:.1f}" y="{y + 4:.1f}" fill="{ink}" class="{kind}">{escape(text)}</text>'


def _colors(fall: float) -> tuple[str, str]:
    """Of the sector and of the number on it."""
    share = min(max(fall, 0.0), 1.0)
    mixed = tuple(round(255 + (full - 255) * share) for full in FULL)
    return f"rgb{mixed}", "#fff" if share > 0.55 else "#1c2430"
