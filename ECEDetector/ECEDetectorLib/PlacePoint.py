"""One click in a slice view, by Slicer's own placing of markups points."""

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _


class PlacePoint:
    """Waits for one point.

    Parameters
    ----------
    onPlaced
        Gets the point, LPS mm, after the mouse event has ended.
    """

    def __init__(self, onPlaced: Callable[[tuple[float, float, float]], None]) -> None:
        self._onPlaced = onPlaced
        self._node = None
        self._timer = qt.QTimer()  # the node is not removed from within its own event
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._finish)

    @property
    def isWaiting(self) -> bool:
        return self._node is not None

    @property
    def node(self):
        return self._node

    def start(self) -> None:
        self._node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _("Missed lymph node"))
        self._node.SetSaveWithScene(False)
        self._tag = self._node.AddObserver(
            slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent, lambda *_arguments: self._timer.start(0)
        )
        logic = slicer.app.applicationLogic()
        selectionNode, interactionNode = logic.GetSelectionNode(), logic.GetInteractionNode()
        selectionNode.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsFiducialNode")
        selectionNode.SetActivePlaceNodeID(self._node.GetID())
        interactionNode.SetPlaceModePersistence(0)
        interactionNode.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.Place)

    def stop(self) -> None:
        """Give up, or tidy up."""
        node, self._node = self._node, None
        self._timer.stop()
        if node is None:
            return
        node.RemoveObserver(self._tag)
        interactionNode = slicer.app.applicationLogic().GetInteractionNode()
        interactionNode.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)
        if node.GetScene() is not None:
            node.GetScene().RemoveNode(node)

    def _finish(self) -> None:
        if self._node is None or self._node.GetNumberOfControlPoints() == 0:
            return
        right, anterior, superior = self._node.GetNthControlPointPositionWorld(0)
        self.stop()
        self._onPlaced((-right, -anterior, superior))
