"""Surfaces of lymph nodes, by Slicer's own conversion, from the block around one instead of the whole neck.

Slicer converts every segment of a shared labelmap from all of its voxels: for sixty lymph nodes seconds, for an edit
as for the first time. From its own block a lymph node has the same surface within milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ece_core.review.outline import Outline
from ece_core.scene.labelmap import shared_labelmap

if TYPE_CHECKING:
    import slicer

BINARY_LABELMAP, CLOSED_SURFACE = "Binary labelmap", "Closed surface"  # Slicer's names of the representations


def set_surface(
    segmentation: slicer.vtkSegmentation, segment: slicer.vtkSegment, outline: Outline, affine: np.ndarray
) -> None:
    """Give a segment the surface of an outline, smoothed as the segmentation says.

    Parameters
    ----------
    affine
        (4, 4), voxel (i, j, k) of the CT grid to LPS mm.
    """
    import slicer

    own = slicer.vtkSegment()
    own.SetLabelValue(1)
    own.AddRepresentation(BINARY_LABELMAP, shared_labelmap({1: outline}, affine))
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule()
    for name in _parameters(rule):
        value = segmentation.GetConversionParameter(name)
        if value:
            rule.SetConversionParameter(name, value)
    rule.Convert(own)
    segment.AddRepresentation(CLOSED_SURFACE, own.GetRepresentation(CLOSED_SURFACE))


def has_surface(segment: slicer.vtkSegment) -> bool:
    return segment.GetRepresentation(CLOSED_SURFACE) is not None


def _parameters(rule: slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule) -> tuple[str, ...]:
    return (
        rule.GetDecimationFactorParameterName(),
        rule.GetSmoothingFactorParameterName(),
        rule.GetComputeSurfaceNormalsParameterName(),
        rule.GetConversionMethodParameterName(),
        rule.GetSurfaceNetInternalSmoothingParameterName(),
    )  # joint smoothing is of all segments at once: there is none for a lymph node by itself
