"""Takes a result out of the scene, when the reader goes on to another case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ece_core.scene.heatmap_view import hide_heatmaps
from ece_core.scene.record import SEGMENTATION, VOLUME, records
from ece_core.scene.result_nodes import ResultNodes

if TYPE_CHECKING:
    import slicer


def remove_result(nodes: ResultNodes) -> None:
    """Remove all nodes of a result, its review included. What is to be kept was saved in the result folder before.

    The scan is the user's and stays.
    """
    import slicer

    hide_heatmaps()
    for recordNode in records():
        if recordNode.GetNodeReference(SEGMENTATION) is nodes.segmentationNode:
            roles = [recordNode.GetNthNodeReferenceRole(n) for n in range(recordNode.GetNumberOfNodeReferenceRoles())]
            owned = [recordNode.GetNodeReference(role) for role in roles if role != VOLUME]
            for node in [*filter(None, owned), recordNode]:
                _remove(node)
    slicer.mrmlScene.RemoveUnusedNodeReferences()


def hide_scan(volumeNode: slicer.vtkMRMLVolumeNode) -> None:
    """Take a scan out of the slice views: the next result is not to be looked at on it. It stays in the scene."""
    import slicer

    for compositeNode in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if compositeNode.GetBackgroundVolumeID() == volumeNode.GetID():
            compositeNode.SetBackgroundVolumeID(None)


def _remove(node: slicer.vtkMRMLNode) -> None:
    """With what shows and stores it, which the scene would keep, and its place in the subject hierarchy."""
    import slicer

    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = tree.GetItemByDataNode(node) if tree is not None else 0
    if item:  # without the application nothing else removes it
        tree.RemoveItem(item, False, True)
    shown = node.GetNumberOfDisplayNodes() if node.IsA("vtkMRMLDisplayableNode") else 0
    helpers = [node.GetNthDisplayNode(n) for n in range(shown)]
    if node.IsA("vtkMRMLStorableNode"):
        helpers.append(node.GetStorageNode())
    for each in [*filter(None, helpers), node]:
        slicer.mrmlScene.RemoveNode(each)
