"""The record: a text node that holds `result.json` and refers to the result's other nodes.

It makes a saved scene complete: the result can be reviewed and exported without its folder, and loading the same
folder again is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ece_core.export.result import Result, fingerprint

if TYPE_CHECKING:
    import slicer

FINGERPRINT = "ECE.ResultSha256"  # attribute of a record: SHA-256 of its text
VOLUME, SEGMENTATION, TABLE = "ECE.Volume", "ECE.Segmentation", "ECE.Table"  # roles of the nodes it refers to


def heatmap_role(method: str) -> str:
    return f"ECE.Heatmap.{method}"


def box_role(network: str) -> str:
    return f"ECE.Box.{network}"


def add_record(name: str, result: Result) -> slicer.vtkMRMLTextNode:
    """Add the text node; it refers to no node yet."""
    import slicer

    recordNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", name)
    recordNode.SetText(result.to_json())
    recordNode.SetAttribute(FINGERPRINT, fingerprint(result))
    return recordNode


def records() -> Iterable[slicer.vtkMRMLTextNode]:
    """All records of the scene."""
    import slicer

    return [node for node in slicer.util.getNodesByClass("vtkMRMLTextNode") if node.GetAttribute(FINGERPRINT)]


def find_record(result: Result, volumeNode: slicer.vtkMRMLVolumeNode | None) -> slicer.vtkMRMLTextNode | None:
    """The record of this result for this scan; without a scan, for whichever scan."""
    for recordNode in records():
        same = recordNode.GetAttribute(FINGERPRINT) == fingerprint(result)
        if same and (volumeNode is None or recordNode.GetNodeReference(VOLUME) in (None, volumeNode)):
            return recordNode
    return None
