"""Slicer's own Segment Editor, embedded, on one lymph node."""

import slicer

EFFECTS = ("Paint", "Erase", "Scissors", "Islands", "Smoothing")
TAG = "ECEDetectorSegmentEditor"


class SegmentEditing:
    """Opens and closes the editor; what was painted is taken by the review, not here.

    Parameters
    ----------
    widget
        qMRMLSegmentEditorWidget.
    """

    def __init__(self, widget) -> None:
        self._widget = widget
        self._widget.visible = False
        self._node = None

    @property
    def isActive(self) -> bool:
        return self._node is not None

    def start(self, segmentationNode, volumeNode, segmentId: str) -> None:
        """Edit one segment; no voxel of another can be overwritten."""
        self._node = self._editorNode()
        self._node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
        self._widget.setMRMLScene(slicer.mrmlScene)
        self._widget.setMRMLSegmentEditorNode(self._node)
        self._widget.setEffectNameOrder(list(EFFECTS))
        self._widget.setSegmentationNode(segmentationNode)
        self._widget.setSourceVolumeNode(volumeNode)
        self._widget.setCurrentSegmentID(segmentId)
        self._widget.installKeyboardShortcuts()  # z undoes a stroke
        self._widget.visible = True

    def select(self, segmentId: str) -> None:
        """Go on with another lymph node."""
        if self.isActive:
            self._widget.setCurrentSegmentID(segmentId)

    def stop(self) -> None:
        if not self.isActive:
            return
        self._widget.setActiveEffectByName("")  # gives the mouse back to the views
        self._widget.uninstallKeyboardShortcuts()
        self._widget.visible = False
        self._node = None

    def _editorNode(self):
        node = slicer.mrmlScene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(TAG)
            node = slicer.mrmlScene.AddNode(node)
        return node
