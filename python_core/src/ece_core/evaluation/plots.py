"""The plots of an evaluation: curves, bars with intervals, errors against size, confusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ece_core.evaluation.axes import COLORS, FRAME, WIDTH, Axes
from ece_core.evaluation.short_axis import LIMITS_95, REPEATABILITY_CV
from ece_core.geometry import Array

Curve = tuple[str, Sequence[tuple[float, float]]]
BAND, INNER_BAND = "#fbe8d3", "#f3cfa6"
BOX, DOT = "#eaf0f7", "#101820"


def line_plot(
    curves: Sequence[Curve],
    axis_titles: tuple[str, str],
    *,
    x_limit: float = 1.0,
    diagonal: bool = False,
    dots: bool = False,
) -> Image.Image:
    """Curves over [0, x_limit] by [0, 1].

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
    axes = Axes((0, x_limit), (0, 1), axis_titles, legend=len(curves))
    if diagonal:
        axes.line([(0, 0), (x_limit, 1)], FRAME, 1.2, dashed=True)
    for number, (title, points) in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        axes.line(points, color)
        if dots:
            axes.dots(points, color)
        axes.legend(color, title)
    return axes.image()


def bar_plot(groups: Sequence[tuple[str, dict]], y_title: str) -> Image.Image:
    """Bars of shares with their intervals.

    Parameters
    ----------
    groups
        (words below the bar, {value, low, high}).
    """
    width = max(WIDTH, 86 * len(groups))
    ticks = [(n + 0.5, words) for n, (words, _) in enumerate(groups)]
    axes = Axes((0, len(groups)), (0, 1), ("", y_title), x_ticks=ticks, width=width)
    for n, (_, figure) in enumerate(groups):
        corners = [(n + 0.18, 0), (n + 0.82, 0), (n + 0.82, figure["value"]), (n + 0.18, figure["value"])]
        axes.area(corners, COLORS[0])
        if figure["low"] is not None:
            axes.line([(n + 0.5, figure["low"]), (n + 0.5, figure["high"])], "#101820", 1.6)
    return axes.image()


def interval_plot(
    words: Sequence[str], series: Sequence[tuple[str, Sequence]], axis_titles: tuple[str, str]
) -> Image.Image:
    """Shares of ordered groups as dots joined by lines, with their intervals.

    Parameters
    ----------
    words
        Below each group.
    series
        (title, per group {value, low, high}; anything else leaves the group blank).
    """
    ticks = [(n + 0.5, text) for n, text in enumerate(words)]
    axes = Axes(
        (0, len(words)), (0, 1), axis_titles, legend=len(series), x_ticks=ticks, width=max(WIDTH, 76 * len(words))
    )
    for number, (title, figures) in enumerate(series):
        color, beside = COLORS[number % len(COLORS)], 0.5 + 0.14 * (number - (len(series) - 1) / 2)
        known = [(n + beside, figure) for n, figure in enumerate(figures) if isinstance(figure, dict)]
        axes.line([(x, figure["value"]) for x, figure in known], color)
        axes.dots([(x, figure["value"]) for x, figure in known], color)
        for x, figure in known:
            if figure["low"] is not None:
                axes.line([(x, figure["low"]), (x, figure["high"])], color, 1.2)
        axes.legend(color, title)
    return axes.image()


def box_plot(groups: Sequence[tuple[str, Sequence[float]]], y_title: str) -> Image.Image:
    """Values over [0, 1]: box from the first to the third quartile, line at the median, and every value as a dot.

    Whiskers run to the least and the largest value: with five folds nothing can be called an outlier.

    Parameters
    ----------
    groups
        (words, values); without values a group is left blank. The boxes are numbered, the words stand below them all:
        names of methods are longer than a box is wide.
    """
    ticks = [(n + 0.5, str(n + 1)) for n in range(len(groups))]
    axes = Axes((0, len(groups)), (0, 1), ("", y_title), len(groups), ticks, width=max(WIDTH, 48 * len(groups)))
    for n, (words, values) in enumerate(groups):
        color = COLORS[n % len(COLORS)]
        axes.legend(color, f"{n + 1}  {words}")
        if not len(values):
            continue
        least, low, middle, high, most = (float(v) for v in np.percentile(values, [0, 25, 50, 75, 100]))
        left, right, x = n + 0.28, n + 0.72, n + 0.5
        axes.area([(left, low), (right, low), (right, high), (left, high)], BOX)
        axes.line([(left, low), (right, low), (right, high), (left, high), (left, low)], color, 1.4)
        for start, end in ((least, low), (high, most)):
            axes.line([(x, start), (x, end)], color, 1.4)
        for value in (least, most):
            axes.line([(x - 0.1, value), (x + 0.1, value)], color, 1.4)
        axes.line([(left, middle), (right, middle)], color, 3.0)
        beside = x + np.linspace(-0.09, 0.09, len(values)) if len(values) > 1 else [x]
        axes.dots(list(zip(beside, values, strict=True)), DOT, 2.0)
    return axes.image()


def error_plot(errors_mm: Array, axis_titles: tuple[str, str], words: str = "lymph nodes") -> Image.Image:
    """Errors of the short axis against its true size, over the repeatability of readers.

    Parameters
    ----------
    errors_mm
        (n, 2): true short axis, measured minus true.
    """
    largest = max(10.0, float(errors_mm[:, 0].max(initial=0)) * 1.05)
    reach = max(3.0, 1.1 * float(abs(errors_mm[:, 1]).max(initial=0)))
    axes = Axes((0, largest), (-reach, reach), axis_titles, legend=3)
    for share, color in ((LIMITS_95 * REPEATABILITY_CV, BAND), (REPEATABILITY_CV, INNER_BAND)):
        end = min(largest, reach / share)
        top = [(0.0, 0.0), (end, share * end), (largest, share * end)]
        axes.area([*top, *((x, -y) for x, y in top[:0:-1])], color)
    axes.line([(0, 0), (largest, 0)], FRAME, 1.0)
    axes.dots(errors_mm.tolist(), COLORS[0], 1.8)
    axes.legend(COLORS[0], words)
    axes.legend(INNER_BAND, f"repeatability of readers, CV {100 * REPEATABILITY_CV:.1f} %")
    axes.legend(BAND, "95 % of readings (1.96 CV)")
    return axes.image()


def share_plot(
    shares: Array, row_names: Sequence[str], column_names: Sequence[str], titles: tuple[str, str]
) -> Image.Image:
    """A matrix of shares as squares, the darker the larger, each with its percentage.

    Parameters
    ----------
    shares
        (rows, columns) 0 to 1; NaN where there is nothing to share.
    titles
        Of the columns and of the rows.
    """
    rows, columns = shares.shape
    x_ticks = [(n + 0.5, name) for n, name in enumerate(column_names)]
    y_ticks = [(rows - n - 0.5, SHORT.get(name, name)) for n, name in enumerate(row_names)]
    axes = Axes((0, columns), (0, rows), titles, x_ticks=x_ticks, y_ticks=y_ticks, width=max(WIDTH, 84 * columns))
    for row in range(rows):
        for column in range(columns):
            share = shares[row, column]
            left, low = column, rows - row - 1
            tone = "white" if share != share else _blue(float(share))
            axes.area([(left, low), (left + 1, low), (left + 1, low + 1), (left, low + 1)], tone)
            text = "-" if share != share else f"{100 * share:.1f} %"
            axes.words(left + 0.5, low + 0.5, text, "white" if share > 0.55 else "#1c2733")
    return axes.image()


SHORT = {"background": "backgr.", "no lymph node": "none"}


def _blue(share: float) -> str:
    """White at 0 to the first colour at 1."""
    end = tuple(int(COLORS[0][n : n + 2], 16) for n in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (value - 255) * share**0.7):02x}" for value in end)
