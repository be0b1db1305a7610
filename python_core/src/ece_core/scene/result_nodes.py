"""From a result folder to nodes in the scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ece_core.errors import InputError
from ece_core.export.result import Result, read_result
from ece_core.export.seg_nrrd import Segment, read_seg_nrrd
from ece_core.geometry import Volume
from ece_core.lymph_nodes.patient_networks import title_of
from ece_core.scene.fit import check_fit
from ece_core.scene.heatmap import add_heatmap, show_heatmap
from ece_core.scene.heatmap_file import read_heatmap
from ece_core.scene.network_box import add_box, box_to_ras
from ece_core.scene.record import SEGMENTATION, TABLE, VOLUME, add_record, box_role, find_record, heatmap_role, records
from ece_core.scene.segmentation import add_segmentation, check_segments
from ece_core.scene.subject_hierarchy import place_beside
from ece_core.scene.table import add_table

if TYPE_CHECKING:
    import slicer


@dataclass(frozen=True)
class ResultNodes:
    """One result in the scene.

    Attributes
    ----------
    segmentationNode
        One segment per lymph node, with the lymph node's id.
    heatmapNodes
        Volume nodes by method, in the order of `result.json`.
    tableNode
        One row per lymph node, the highest ECE probability first.
    result
        What `result.json` says.
    was_loaded
        The same result was in the scene already: these are its nodes, with whatever the user did to them.
    boxNodes
        Where networks that judge the patient looked, by their names.
    """

    segmentationNode: slicer.vtkMRMLSegmentationNode
    heatmapNodes: dict[str, slicer.vtkMRMLScalarVolumeNode]
    tableNode: slicer.vtkMRMLTableNode
    result: Result
    was_loaded: bool = False
    boxNodes: dict[str, slicer.vtkMRMLMarkupsROINode] = field(default_factory=dict)


def load_result(folder: Path | str, volumeNode: slicer.vtkMRMLVolumeNode | None = None) -> ResultNodes:
    """Show a result folder: outlines, surfaces, heatmaps and table, beside the scan it was made from.

    Loading the same result again returns the nodes that are there, edits included, and adds only those of them that
    were deleted. Another result gets nodes of its own. Nothing of the user's is replaced: a background volume stays,
    and a foreground volume comes back when the heatmaps are hidden.

    Parameters
    ----------
    folder
        As `ece analyze` wrote it. Not changed, and not needed afterwards: no node refers to its files.
    volumeNode
        The scan that was analyzed. Gives the segmentation its reference geometry, its transform, and its place in the
        subject hierarchy. None: the result is shown by itself.

    Raises
    ------
    InputError
        The folder is not a result, or files are missing, damaged, or of different results. The scene is as before.
    GeometryError
        The result lies elsewhere than ``volumeNode``.
    """
    files = _read(Path(folder))
    if volumeNode is not None:
        check_fit(files.instances, volumeNode)
    recordNode = find_record(files.result, volumeNode)
    was_loaded = recordNode is not None
    with _all_or_nothing():
        if recordNode is None:
            recordNode = add_record(_name("ECE result"), files.result)
        if volumeNode is not None:
            recordNode.SetNodeReferenceID(VOLUME, volumeNode.GetID())
        _add_missing(recordNode, files)
    nodes = _nodes_of(recordNode, files.result, was_loaded)
    if not was_loaded:
        _show(nodes, volumeNode)
    return nodes


def results_in_scene() -> list[ResultNodes]:
    """The results that a scene holds, for instance one that was saved and opened again without its result folder.

    A result whose segmentation or table was deleted is left out.

    Raises
    ------
    InputError
        A result was written by a newer version of this software.
    """
    whole = [node for node in records() if node.GetNodeReference(SEGMENTATION) and node.GetNodeReference(TABLE)]
    return [_nodes_of(recordNode, Result.from_json(recordNode.GetText()), True) for recordNode in whole]


@dataclass(frozen=True)
class _Files:
    """A result folder, read and checked."""

    result: Result
    instances: Volume
    segments: tuple[Segment, ...]
    heatmaps: dict[str, Volume]


def _read(folder: Path) -> _Files:
    """Everything is read before the scene is touched."""
    result = read_result(folder)
    instances, segments = read_seg_nrrd(folder / "lymph_nodes.seg.nrrd")
    check_segments(segments, result.lymph_nodes)
    _check_boxes(result)
    heatmaps = {entry["method"]: read_heatmap(folder / entry["file"]) for entry in result.heatmaps}
    return _Files(result, instances, segments, heatmaps)


def _check_boxes(result: Result) -> None:
    try:
        for box in result.patient.get("boxes", {}).values():
            box_to_ras(box)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            "The result holds a box that cannot be drawn.", "Run the analysis again; result.json was changed."
        ) from error


def _add_missing(recordNode: slicer.vtkMRMLTextNode, files: _Files) -> None:
    """Add the nodes that the record does not refer to (all of them, the first time) and place them beside the scan."""
    volumeNode, result = recordNode.GetNodeReference(VOLUME), files.result
    added = {}
    if recordNode.GetNodeReference(SEGMENTATION) is None:
        added[SEGMENTATION] = add_segmentation(
            _name("Lymph nodes"), files.instances, files.segments, result.lymph_nodes, volumeNode
        )
    for entry in result.heatmaps:
        role = heatmap_role(entry["method"])
        if recordNode.GetNodeReference(role) is None:
            added[role] = add_heatmap(
                _name(entry.get("title") or entry["method"]), files.heatmaps[entry["method"]], entry
            )
    for network, box in result.patient.get("boxes", {}).items():
        if recordNode.GetNodeReference(box_role(network)) is None:
            added[box_role(network)] = add_box(_name(f"{title_of(network)} box"), network, box)
    if recordNode.GetNodeReference(TABLE) is None:
        added[TABLE] = add_table(_name("Lymph node table"), result.lymph_nodes)
    for role, node in added.items():
        recordNode.SetNodeReferenceID(role, node.GetID())
        if volumeNode is not None and node.IsA("vtkMRMLTransformableNode"):
            node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    if added:
        place_beside(volumeNode, [*added.values(), recordNode])


def _nodes_of(recordNode: slicer.vtkMRMLTextNode, result: Result, was_loaded: bool) -> ResultNodes:
    heatmaps = {
        entry["method"]: recordNode.GetNodeReference(heatmap_role(entry["method"])) for entry in result.heatmaps
    }
    boxes = {network: recordNode.GetNodeReference(box_role(network)) for network in result.patient.get("boxes", {})}
    return ResultNodes(
        segmentationNode=recordNode.GetNodeReference(SEGMENTATION),
        heatmapNodes={method: node for method, node in heatmaps.items() if node is not None},
        tableNode=recordNode.GetNodeReference(TABLE),
        result=result,
        was_loaded=was_loaded,
        boxNodes={network: node for network, node in boxes.items() if node is not None},
    )


def _show(nodes: ResultNodes, volumeNode: slicer.vtkMRMLVolumeNode | None) -> None:
    """Put the scan into empty slice views (a background that the user chose stays) and the first heatmap over it."""
    import slicer

    if volumeNode is not None:
        for compositeNode in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if not compositeNode.GetBackgroundVolumeID():
                compositeNode.SetBackgroundVolumeID(volumeNode.GetID())
    if nodes.heatmapNodes:
        show_heatmap(next(iter(nodes.heatmapNodes.values())))


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    """Nodes that the block added are removed again when it raises."""
    import slicer

    before = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLNode")}
    try:
        yield
    except BaseException:
        for node in slicer.util.getNodesByClass("vtkMRMLNode"):
            if node.GetID() not in before and node.GetScene() is not None:
                slicer.mrmlScene.RemoveNode(node)
        raise


def _name(what: str) -> str:
    """Unique in the scene. Without the scan's name: node names become file names, and that one may name a patient."""
    import slicer

    return slicer.mrmlScene.GenerateUniqueName(what) if slicer.mrmlScene.GetFirstNodeByName(what) else what
