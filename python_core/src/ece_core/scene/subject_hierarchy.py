"""Places the result beside its scan: in the CT's study, as Slicer's DICOM export expects it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import slicer


def place_beside(volumeNode: slicer.vtkMRMLVolumeNode | None, nodes: Iterable[slicer.vtkMRMLNode]) -> None:
    """Put the nodes' items under the parent of the scan's item; at the top of the tree when there is no scan."""
    import slicer

    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parent = tree.GetSceneItemID()
    if volumeNode is not None:
        item = tree.GetItemByDataNode(volumeNode)  # 0 on the wheel: there, no plugin makes items
        parent = tree.GetItemParent(item or tree.CreateItem(parent, volumeNode)) or parent
    for node in nodes:
        item = tree.GetItemByDataNode(node)
        if item:
            tree.SetItemParent(item, parent)
        else:
            tree.CreateItem(parent, node)
