"""A heatmap that was computed after its result had been loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ece_core.errors import InputError
from ece_core.export.result import fingerprint, read_result
from ece_core.scene.heatmap import add_heatmap
from ece_core.scene.heatmap_file import read_heatmap
from ece_core.scene.record import FINGERPRINT, VOLUME, find_record, heatmap_role
from ece_core.scene.result_nodes import ResultNodes
from ece_core.scene.subject_hierarchy import place_beside


def take_new_heatmap(nodes: ResultNodes, folder: Path | str, method: str) -> ResultNodes:
    """Add the heatmap of a method to a result that is in the scene; one that was there is replaced.

    Parameters
    ----------
    nodes
        The result as it was loaded.
    folder
        Its folder, in which `ece explain` (the worker's job ``explain``) has written the heatmap.

    Raises
    ------
    InputError
        The folder has no such heatmap, or the file is damaged.
    """
    import slicer

    result = read_result(Path(folder))
    entry = next((entry for entry in result.heatmaps if entry["method"] == method), None)
    if entry is None:
        raise InputError("The result has no heatmap of this method.", "Compute it again.")
    heatmap = read_heatmap(Path(folder) / entry["file"])
    recordNode = find_record(nodes.result, None)
    if recordNode is None:
        raise InputError("The result is not in the scene any more.", "Open the result folder again.")
    former = recordNode.GetNodeReference(heatmap_role(method))
    if former is not None:
        slicer.mrmlScene.RemoveNode(former)
    heatmapNode = add_heatmap(_name(entry), heatmap, entry)
    volumeNode = recordNode.GetNodeReference(VOLUME)
    if volumeNode is not None:
        heatmapNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    recordNode.SetNodeReferenceID(heatmap_role(method), heatmapNode.GetID())
    recordNode.SetText(result.to_json())
    recordNode.SetAttribute(FINGERPRINT, fingerprint(result))
    place_beside(volumeNode, [heatmapNode])
    return replace(nodes, heatmapNodes={**nodes.heatmapNodes, method: heatmapNode}, result=result)


def _name(entry: dict) -> str:
    import slicer

    title = entry.get("title") or entry["method"]
    return slicer.mrmlScene.GenerateUniqueName(title) if slicer.mrmlScene.GetFirstNodeByName(title) else title
