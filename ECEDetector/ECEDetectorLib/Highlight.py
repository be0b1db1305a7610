"""Lifts one lymph node out of the others in the views."""

DIMMED_OPACITY = 0.25  # of the other lymph nodes, while one is selected


def highlight(segmentationNode, segmentId: str | None) -> None:
    """Dim all segments but this one; None: all as they are."""
    if segmentationNode is None or segmentationNode.GetDisplayNode() is None:
        return
    display = segmentationNode.GetDisplayNode()
    segmentation = segmentationNode.GetSegmentation()
    for index in range(segmentation.GetNumberOfSegments()):
        name = segmentation.GetNthSegmentID(index)
        opacity = 1.0 if segmentId is None or name == segmentId else DIMMED_OPACITY
        display.SetSegmentOpacity2DFill(name, opacity)
        display.SetSegmentOpacity2DOutline(name, opacity)
