"""Lifts one lymph node out of the others in the slice views."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import slicer

DIMMED_OPACITY = 0.25  # of the other lymph nodes, while one is selected


def highlight_lymph_node(segmentationNode: slicer.vtkMRMLSegmentationNode, lymph_node_id: str | None) -> None:
    """Dim all lymph nodes but this one; None: all as they are. The views are told once, not for each lymph node."""
    import slicer

    display = segmentationNode.GetDisplayNode()
    if display is None:
        return
    segmentation = segmentationNode.GetSegmentation()
    with slicer.util.NodeModify(display):
        for index in range(segmentation.GetNumberOfSegments()):
            name = segmentation.GetNthSegmentID(index)
            opacity = 1.0 if lymph_node_id is None or name == lymph_node_id else DIMMED_OPACITY
            display.SetSegmentOpacity2DFill(name, opacity)
            display.SetSegmentOpacity2DOutline(name, opacity)
