"""The color table that all heatmaps share: 0 dark violet, 1 pale yellow, brighter is more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import slicer

NAME = "ECE heatmap"
MARK = "ECE.HeatmapColors"
NUMBER_OF_COLORS = 256
# Nine points of matplotlib's "inferno" (CC0, Smith and van der Walt 2015): lightness rises evenly, so it also reads in
# gray and with color vision deficiency. Slicer ships the same table, but not in the slicer-core wheel.
POINTS = (
    (0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85),
    (227, 89, 51), (249, 140, 10), (249, 201, 50), (252, 255, 164),
)  # fmt: skip


def heatmap_color(value: float) -> tuple[float, float, float]:
    """(red, green, blue), 0 to 1, of a heatmap value in [0, 1]."""
    position = np.clip(value, 0, 1) * (len(POINTS) - 1)
    red, green, blue = (
        float(np.interp(position, range(len(POINTS)), channel)) / 255 for channel in zip(*POINTS, strict=True)
    )
    return red, green, blue


def heatmap_color_node() -> slicer.vtkMRMLColorTableNode:
    """The scene's heatmap color table, added when there is none yet."""
    import slicer

    for colorNode in slicer.util.getNodesByClass("vtkMRMLColorTableNode"):
        if colorNode.GetAttribute(MARK):
            return colorNode
    colorNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", NAME)
    colorNode.SetAttribute(MARK, "1")
    colorNode.SetTypeToUser()
    colorNode.SetNumberOfColors(NUMBER_OF_COLORS)
    for index in range(NUMBER_OF_COLORS):
        value = index / (NUMBER_OF_COLORS - 1)
        colorNode.SetColor(index, f"{value:.2f}", *heatmap_color(value), 1.0)
    return colorNode
