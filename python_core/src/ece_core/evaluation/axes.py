"""A frame with axes to draw into, as a Pillow image: no plotting library, the same picture on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT, LEGEND = 300, 300, 58, 46, 12, 16, 18  # as on the page
SCALE = 4  # drawn so much larger, then halved, so that lines are smooth and the picture is sharp on any screen
PICTURE_SCALE = 2
COLORS = ("#1f5fa8", "#c2571a", "#2c7d4f", "#7a4fa3", "#8a6d1f", "#44515e")
FRAME, GRID, TEXT = "#8794a1", "#e7ebef", "#33404d"
FONT_SIZE = 12
Range = tuple[float, float]


class Axes:
    """One plot. What is drawn first lies behind; what lies outside the ranges is cut off at the frame.

    Parameters
    ----------
    x, y
        Ranges shown.
    titles
        Of the x and the y axis.
    legend
        Number of lines below the axis.
    x_ticks, y_ticks
        (value, words) instead of round numbers.
    width
        Of the frame.
    """

    def __init__(
        self,
        x: Range,
        y: Range,
        titles: tuple[str, str],
        legend: int = 0,
        x_ticks: Sequence[tuple[float, str]] | None = None,
        y_ticks: Sequence[tuple[float, str]] | None = None,
        width: int = WIDTH,
    ) -> None:
        self.x, self.y, self.width = x, y, width
        size = (LEFT + width + RIGHT, TOP + HEIGHT + BOTTOM + LEGEND * legend)
        self._image = Image.new("RGB", (size[0] * SCALE, size[1] * SCALE), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(FONT_SIZE * SCALE)
        self._legend = 0
        for value, words in round_numbers(*x) if x_ticks is None else x_ticks:
            if x_ticks is None:
                self._stroke([(self._x(value), TOP), (self._x(value), TOP + HEIGHT)], GRID)
            self._text(self._x(value), TOP + HEIGHT + 5, words, "ma")
        for value, words in round_numbers(*y) if y_ticks is None else y_ticks:
            self._stroke([(LEFT, self._y(value)), (LEFT + width, self._y(value))], GRID)
            self._text(LEFT - 6, self._y(value), words, "rm")
        self._text(LEFT + width / 2, TOP + HEIGHT + 24, titles[0], "ma")
        self._upright_text(titles[1])

    def line(self, points: Sequence[tuple[float, float]], color: str, width: float = 2.0, dashed: bool = False) -> None:
        places = [(self._x(x), self._y(y)) for x, y in points]
        if dashed:
            for start, end in pairwise(places):
                self._dashes(start, end, color, width)
        elif len(places) > 1:
            self._stroke(places, color, width)

    def dots(self, points: Sequence[tuple[float, float]], color: str, radius: float = 3.0) -> None:
        for x, y in points:
            if self.x[0] <= x <= self.x[1] and self.y[0] <= y <= self.y[1]:
                a, b = self._x(x), self._y(y)
                self._draw.ellipse([SCALE * v for v in (a - radius, b - radius, a + radius, b + radius)], fill=color)

    def area(self, corners: Sequence[tuple[float, float]], color: str) -> None:
        self._draw.polygon([(SCALE * self._x(x), SCALE * self._y(y)) for x, y in corners], fill=color)

    def words(self, x: float, y: float, text: str, color: str = TEXT) -> None:
        """Text centered on a point."""
        self._text(self._x(x), self._y(y), text, "mm", color)

    def legend(self, color: str, words: str) -> None:
        y = TOP + HEIGHT + BOTTOM + LEGEND * self._legend + 6
        self._legend += 1
        self._widen(SCALE * (LEFT + 28 + RIGHT) + int(self._draw.textlength(words, self._font)))
        self._stroke([(LEFT, y), (LEFT + 20, y)], color, 4)
        self._text(LEFT + 28, y, words, "lm")

    def image(self) -> Image.Image:
        """The picture, two pixels per unit."""
        corners = [(LEFT, TOP), (LEFT + self.width, TOP), (LEFT + self.width, TOP + HEIGHT), (LEFT, TOP + HEIGHT)]
        self._stroke([*corners, corners[0]], FRAME)
        return self._image.reduce(SCALE // PICTURE_SCALE)

    def _widen(self, width: int) -> None:
        """White on the right where the words of the legend are longer than the frame."""
        wide = -(-width // SCALE) * SCALE  # whole units, so that the picture is halved evenly
        if wide > self._image.width:
            narrow, self._image = self._image, Image.new("RGB", (wide, self._image.height), "white")
            self._image.paste(narrow)
            self._draw = ImageDraw.Draw(self._image)

    def _x(self, value: float) -> float:
        return LEFT + self.width * float(np.clip((value - self.x[0]) / (self.x[1] - self.x[0]), 0, 1))

    def _y(self, value: float) -> float:
        return TOP + HEIGHT * (1 - float(np.clip((value - self.y[0]) / (self.y[1] - self.y[0]), 0, 1)))

    def _stroke(self, places: Sequence[tuple[float, float]], color: str, width: float = 1.0) -> None:
        self._draw.line([(SCALE * x, SCALE * y) for x, y in places], color, round(SCALE * width), joint="curve")

    def _dashes(self, start: tuple[float, float], end: tuple[float, float], color: str, width: float) -> None:
        a, b = np.array(start), np.array(end)
        length = float(np.linalg.norm(b - a))
        for at in np.arange(0, length, 9.0):
            first, last = (tuple(a + (b - a) * min(d / length, 1)) for d in (at, at + 5))
            self._stroke([first, last], color, width)

    def _text(self, x: float, y: float, words: str, anchor: str, color: str = TEXT) -> None:
        # Pillow's own font lacks the sign.
        self._draw.text((SCALE * x, SCALE * y), words.replace("≥", ">="), color, self._font, anchor)

    def _upright_text(self, words: str) -> None:
        length = int(self._draw.textlength(words, self._font)) + 2 * SCALE
        strip = Image.new("RGB", (length, 20 * SCALE), "white")
        ImageDraw.Draw(strip).text((length / 2, 10 * SCALE), words, TEXT, self._font, "mm")
        self._image.paste(strip.rotate(90, expand=True), (2 * SCALE, int(SCALE * (TOP + HEIGHT / 2) - length / 2)))


def round_numbers(low: float, high: float, count: int = 5) -> list[tuple[float, str]]:
    """At most ``count`` + 1 round numbers in a range, with their words."""
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))
    numbers = step * np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)
    return [(float(number), f"{round(float(number), 10) + 0.0:g}") for number in numbers]
