"""Sixty lymph nodes in Slicer's scene: loading the result, selecting a row, showing an edit. No view is drawn."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from registry import Row, case
from timing import median, spread, timed

HOST = Path(__file__).parents[2] / "Testing" / "mrml"
ROUNDS = 5


@case("scene_load", threads=1, goal="at most 3 s")
def scene_load(tiny: bool) -> list[Row]:
    """The result folder to nodes with outlines and surfaces, and its review; the scan is in the scene already."""
    with tempfile.TemporaryDirectory() as temporary:
        scene = _Scene(Path(temporary), tiny)
        scene.open()  # imports
        times = _Times()
        for _ in range(2 if tiny else ROUNDS):
            scene.clear()
            times.of(scene.open)
        return [times.row(scene)]


@case("scene_select", threads=1, goal="at most 0.1 s")
def scene_select(tiny: bool) -> list[Row]:
    """From a selected row to all three slice views centered and the others dimmed."""
    with tempfile.TemporaryDirectory() as temporary:
        scene, times = _Scene(Path(temporary), tiny), _Times()
        nodes = scene.open().nodes
        for name in scene.ids[:: 1 if tiny else 6]:
            times.of(lambda name=name: scene.select(nodes, name))
        return [times.row(scene)]


@case("scene_edit", threads=1, goal="at most 0.5 s")
def scene_edit(tiny: bool) -> list[Row]:
    """After the last stroke: one lymph node's outline read, measured, logged, shown with a new surface, and saved."""
    with tempfile.TemporaryDirectory() as temporary:
        scene, times = _Scene(Path(temporary), tiny), _Times()
        review = scene.open()
        review.review.measure(review.state.lymph_nodes[0].outline)  # finds the neck's landmarks, once for a scan
        for name in scene.ids[: 2 if tiny else ROUNDS]:
            scene.erase(review, name)
            times.of(lambda name=name: scene.take_edit(review, name))
        return [times.row(scene)]


class _Times:
    """Wall and CPU seconds of several calls: on a machine with other work, only the second says what a call costs."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def of(self, function: Callable[[], object]) -> None:
        started = time.process_time()
        self.wall.append(timed(function))
        self.cpu.append(time.process_time() - started)

    def row(self, scene: _Scene) -> Row:
        cpu = {"cpu_s": round(median(self.cpu), 4)}
        return Row(median(self.wall), settings={**scene.about, **spread(self.wall), **cpu})


class _Scene:
    """A scan with balls as lymph nodes, its result folder, and a scene with three slice views."""

    def __init__(self, folder: Path, tiny: bool) -> None:
        sys.path.insert(0, str(HOST))
        import slicer_host

        slicer_host.start()
        shape, grid, self.radius = ((40, 64, 64), (1, 2, 1), 6) if tiny else ((200, 512, 512), (4, 5, 3), 10)
        self.folder, self.ids = folder, []
        array = np.zeros(shape, np.uint8)
        step = [size // (count + 1) for size, count in zip(shape, grid, strict=True)]
        ball = (np.indices((2 * self.radius + 1,) * 3) - self.radius) ** 2
        ball = ball.sum(axis=0) <= self.radius**2
        for label, place in enumerate(np.ndindex(*grid), start=1):
            center = [(index + 1) * size for index, size in zip(place, step, strict=True)]
            array[tuple(slice(c - self.radius, c + self.radius + 1) for c in center)][ball] = label
            self.ids.append(f"LN{label}")
        self.about = {"shape_kji": shape, "lymph_nodes": len(self.ids), "radius_voxels": self.radius}
        self._write(array)
        self._addViews()

    def _write(self, array: np.ndarray) -> None:
        from ece_core.export.result import RESULT_FILE, Result
        from ece_core.export.seg_nrrd import write_seg_nrrd
        from ece_core.geometry import Volume, affine_from
        from ece_core.lymph_nodes.lymph_node import LymphNode

        instances = Volume(array, affine_from((1.0, 0.5, 0.5)))
        said = {"N": 0.1, "P": 0.5, "ENE": 0.4}
        lymph_nodes = tuple(LymphNode(name, label, "P", said, 0.4) for label, name in enumerate(self.ids, start=1))
        grid = {"shape_kji": list(array.shape), "affine_lps": instances.affine.tolist()}
        result = Result({"name": "bench"}, (), "cpu", {}, (), grid, {}, lymph_nodes)
        write_seg_nrrd(self.folder / "lymph_nodes.seg.nrrd", instances, lymph_nodes)
        (self.folder / RESULT_FILE).write_text(result.to_json(), encoding="utf-8")
        self._ct = instances.with_array(np.where(array > 0, 100, -80).astype(np.int16))

    def _addViews(self) -> None:
        import slicer
        from phantom_result import add_ct_node

        self.volumeNode = add_ct_node(self._ct)
        for name in ("Red", "Green", "Yellow"):
            sliceNode = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceNode())
            sliceNode.SetLayoutName(name)

    def clear(self) -> None:
        import slicer

        slicer.mrmlScene.Clear(False)
        self._addViews()

    def open(self):
        """What the panel does with a result folder."""
        from ece_core.scene import SceneReview, load_result

        review = SceneReview(load_result(self.folder, self.volumeNode), self.folder, self.volumeNode)
        review.show()
        return review

    def select(self, nodes, name: str) -> None:
        """What the panel does for a row that was activated."""
        from ece_core.scene import highlight_lymph_node, jump_to_lymph_node

        highlight_lymph_node(nodes.segmentationNode, name)
        jump_to_lymph_node(nodes.segmentationNode, name)

    def erase(self, review, name: str) -> None:
        """The lowest slices of a lymph node, by Slicer's own Segment Editor logic; not timed."""
        import slicer
        from ece_core.scene.labelmap import array_of

        editor = slicer.vtkSlicerSegmentEditorLogic()
        editor.SetMRMLScene(slicer.mrmlScene)
        editorNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        editorNode.SetOverwriteMode(editorNode.OverwriteNone)
        editor.SetSegmentEditorNode(editorNode)
        editor.SetSegmentationNode(review.nodes.segmentationNode)
        editor.SetSourceVolumeNode(self.volumeNode)
        editor.SetCurrentSegmentID(name)
        editor.UpdateReferenceGeometryImage()
        editor.ResetModifierLabelmapToDefault()
        modifier = editor.GetModifierLabelmap()
        array_of(modifier)[review.state.get(name).outline.box][:3] = 1
        editor.ModifySegmentByLabelmap(
            review.nodes.segmentationNode, name, modifier, editor.ModificationModeRemove, False, False
        )

    def take_edit(self, review, name: str) -> None:
        """What the panel does then."""
        if review.take_edits() != [name]:
            raise RuntimeError("the edit was not seen")
        review.show()
        review.save()
