"""Where a network that judges the patient looked, as a box in the scene, on grids of any direction."""

from __future__ import annotations

import json

import numpy as np
import pytest
import slicer
import slicer.util
from ece_core.errors import InputError
from ece_core.scene import load_result, results_in_scene
from phantom_result import DIRECTIONS, a_ct, write_folder

SIZE_MM = (30.0, 20.0, 12.0)


def with_box(folder, ct, **changes):
    """The folder's result with GMGENet's box around the scan's middle, along the scan's axes."""
    write_folder(folder, ct)
    axes = ct.affine[:3, :3] / np.linalg.norm(ct.affine[:3, :3], axis=0)
    center = ct.to_lps((np.array(ct.shape) - 1) / 2)
    box = {"center_lps_mm": center.tolist(), "size_mm": SIZE_MM, "axes_lps": axes.T.tolist(), **changes}
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    content["patient"]["boxes"] = {"gmgenet": box}
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return folder, box


def corners_ras(box) -> np.ndarray:
    """The eight corners written out by hand: LPS to RAS changes the sign of the first two coordinates."""
    axes, half = np.array(box["axes_lps"]), np.array(box["size_mm"]) / 2
    signs = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T
    return (np.array(box["center_lps_mm"]) + (signs * half) @ axes) * (-1, -1, 1)


def corners_of(boxNode) -> np.ndarray:
    to_ras = slicer.util.arrayFromVTKMatrix(boxNode.GetObjectToNodeMatrix())
    half = np.array(boxNode.GetSize()) / 2
    signs = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T
    return (to_ras @ np.c_[signs * half, np.ones(8)].T).T[:, :3]


def sorted_rows(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(np.round(points, 3).T)]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_its_corners_lie_where_the_network_looked(scene, tmp_path, direction):
    folder, box = with_box(tmp_path / "result", a_ct(DIRECTIONS[direction]))
    boxNode = load_result(folder).boxNodes["gmgenet"]
    np.testing.assert_allclose(sorted_rows(corners_of(boxNode)), sorted_rows(corners_ras(box)), atol=1e-3)
    assert boxNode.GetName() == "GMGENet box" and boxNode.GetLocked()
    assert "Not a medical device" in boxNode.GetDescription()


def test_it_is_found_again_and_comes_back_when_deleted(scene, tmp_path, ct):
    folder, _ = with_box(tmp_path / "result", ct)
    first = load_result(folder).boxNodes["gmgenet"]
    assert load_result(folder).boxNodes["gmgenet"] is first
    assert results_in_scene()[0].boxNodes["gmgenet"] is first
    slicer.mrmlScene.RemoveNode(first)
    assert load_result(folder).boxNodes["gmgenet"].GetScene() is not None


@pytest.mark.parametrize(
    "changes", [{"size_mm": (1, 2)}, {"size_mm": (0, 1, 1)}, {"axes_lps": [[1, 0, 0]] * 3}, {"center_lps_mm": "here"}]
)
def test_a_box_that_is_none_is_refused_before_the_scene_is_touched(scene, tmp_path, ct, changes):
    folder, _ = with_box(tmp_path / "result", ct, **changes)
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match="holds a box that cannot be drawn"):
        load_result(folder)
    assert slicer.mrmlScene.GetNumberOfNodes() == before
