"""Sixty lymph nodes in Slicer's scene: loading the result, selecting a row, showing an edit. No view is drawn."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from registry import Row, case
from timing import median, spread, timed

HOST = Path(__file__).parents[2] / "Testing" / "mrml"
ROUNDS = 5


@case("scene_load", threads=1, goal="at most 3 s")
def scene_load(tiny: bool) -> list[Row]:
    """The result folder to nodes, with outlines and surfaces; the scan is in the scene already."""
    with tempfile.TemporaryDirectory() as temporary:
        scene = _Scene(Path(temporary), tiny)
        seconds = []
        for _ in range(2 if tiny else ROUNDS):
            scene.clear()
            seconds.append(timed(scene.load))
        return [Row(median(seconds), settings={**scene.about, **spread(seconds)})]


@case("scene_select", threads=1, goal="at most 0.1 s")
def scene_select(tiny: bool) -> list[Row]:
    """From a selected row to all three slice views centered and the others dimmed."""
    with tempfile.TemporaryDirectory() as temporary:
        scene = _Scene(Path(temporary), tiny)
        nodes = scene.load()
        seconds = [timed(lambda name=name: scene.select(nodes, name)) for name in scene.ids[:: 1 if tiny else 6]]
        return [Row(median(seconds), settings={**scene.about, **spread(seconds)})]


@case("scene_edit", threads=1, goal="at most 0.5 s")
def scene_edit(tiny: bool) -> list[Row]:
    """After the last stroke: one lymph node's outline read, measured, logged, shown with a new surface, and saved."""
    from ece_core.scene import SceneReview

    with tempfile.TemporaryDirectory() as temporary:
        scene = _Scene(Path(temporary), tiny)
        review = SceneReview(scene.load(), scene.folder, scene.volumeNode)
        review.show()
        review.review.measure(review.state.lymph_nodes[0].outline)  # finds the neck's landmarks, once for a scan
        seconds = [timed(lambda name=name: scene.edit(review, name)) for name in scene.ids[: 2 if tiny else ROUNDS]]
        return [Row(median(seconds), settings={**scene.about, **spread(seconds)})]


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

    def load(self):
        from ece_core.scene import load_result

        return load_result(self.folder, self.volumeNode)

    def select(self, nodes, name: str) -> None:
        """What the panel does for a row that was activated."""
        from ece_core.scene import jump_to_lymph_node

        display = nodes.segmentationNode.GetDisplayNode()
        for other in self.ids:
            display.SetSegmentOpacity2DFill(other, 1.0 if other == name else 0.25)
            display.SetSegmentOpacity2DOutline(other, 1.0 if other == name else 0.25)
        jump_to_lymph_node(nodes.segmentationNode, name)

    def edit(self, review, name: str) -> None:
        """Erases the lowest slices and does what the panel does then."""
        from vtk.util.numpy_support import vtk_to_numpy

        labelmap = review.nodes.segmentationNode.GetSegmentation().GetSegment(name).GetRepresentation("Binary labelmap")
        extent = labelmap.GetExtent()
        shape = [extent[2 * axis + 1] - extent[2 * axis] + 1 for axis in (2, 1, 0)]
        array = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(shape)
        outline = review.state.get(name).outline
        first = outline.start_kji[0] - extent[4]
        below = array[first : first + 3]
        below[below == review.state.get(name).label] = 0
        if review.take_edits() != [name]:
            raise RuntimeError("the edit was not seen")
        review.show()
        review.save()
