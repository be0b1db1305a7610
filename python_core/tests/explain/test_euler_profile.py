"""Euler characteristic profiles: shapes counted by hand, every cell counted slowly, and GUDHI's persistent homology."""

from itertools import product

import numpy as np
import pytest
from ece_core.explain.euler_profile import euler_profile, euler_thresholds

THRESHOLDS = np.array([0.25, 0.5, 1.0])


def a_ring(shape):
    """Eight voxels around a hole, in the middle slice of three."""
    image = np.zeros(shape)
    image[..., 1:4, 1:4] = 1
    image[..., 2, 2] = 0
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(np.zeros((3, 4, 5)), (0, 0, 0), id="nothing is above zero"),
        pytest.param(np.ones((3, 4, 5)), (1, 1, 1), id="a box is one piece"),
        pytest.param(np.eye(2)[None], (1, 1, 1), id="voxels that share an edge are one piece"),
        pytest.param(np.array([[[1.0, 0, 0.5]]]), (2, 2, 1), id="two pieces, of which the fainter one goes"),
        pytest.param(a_ring((1, 5, 5)), (0, 0, 0), id="one piece less one tunnel"),
        pytest.param(a_ring((5, 5)), (0, 0, 0), id="in 2D: one piece less one hole"),
        pytest.param(np.pad(1 - np.pad([[[1.0]]], 1), 1), (2, 2, 2), id="one piece and its cavity"),
    ],
)
def test_shapes_are_counted_by_hand(image, expected):
    assert tuple(euler_profile(image, thresholds=THRESHOLDS)) == expected


def slow_profile(heatmap, inside, thresholds):
    """Every cell of every voxel above the threshold, each kept once, counted with its sign."""
    counts = []
    for threshold in thresholds:
        cells = set()
        for index in np.argwhere((heatmap >= threshold) & inside):
            # Of a voxel at i the cells lie at 2i (a side), 2i + 1 (the voxel's own extent), 2i + 2 (the other side).
            cells |= set(product(*[(2 * i, 2 * i + 1, 2 * i + 2) for i in index.tolist()]))
        counts.append(sum((-1) ** sum(place % 2 for place in cell) for cell in cells))
    return counts


@pytest.mark.parametrize("shape", [(4, 3, 5), (1, 6, 4), (5, 6), (1, 1, 1)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_count_of_every_cell(shape, seed):
    rng = np.random.default_rng(seed)
    heatmap, inside = np.round(rng.random(shape), 1), rng.random(shape) < 0.7  # ties, and holes in the contour
    thresholds = np.arange(1, 11) / 10
    assert euler_profile(heatmap, inside, thresholds).tolist() == slow_profile(heatmap, inside, thresholds)


@pytest.mark.parametrize(("shape", "masked"), [((9, 8, 7), False), ((9, 8, 7), True), ((12, 10), False)])
def test_equals_gudhis_persistent_homology(shape, masked):
    gudhi = pytest.importorskip("gudhi")
    rng = np.random.default_rng(3)
    heatmap = rng.random(shape).astype(np.float32)
    inside = rng.random(shape) < 0.6 if masked else None
    thresholds = euler_thresholds().astype(float)
    there = np.ones(shape, bool) if inside is None else inside
    cubes = gudhi.CubicalComplex(top_dimensional_cells=np.where(there, -heatmap.astype(float), np.inf))
    cubes.compute_persistence()
    expected = np.zeros(len(thresholds), int)
    for dimension in range(heatmap.ndim):
        born, dies = cubes.persistence_intervals_in_dimension(dimension).T
        alive = (born[:, None] <= -thresholds) & (-thresholds < dies[:, None])
        expected += (-1) ** dimension * alive.sum(axis=0)
    assert euler_profile(heatmap, inside).tolist() == expected.tolist()


def test_does_not_know_one_axis_from_another_or_left_from_right():
    heatmap = np.random.default_rng(5).random((5, 6, 7))
    profile = euler_profile(heatmap)
    assert (euler_profile(heatmap.transpose(2, 0, 1)) == profile).all()
    assert (euler_profile(heatmap[:, ::-1]) == profile).all()


def test_more_than_255_thresholds_are_told_apart():
    thresholds = np.arange(1, 401) / 400
    heatmap = thresholds.reshape(4, 10, 10)
    assert euler_profile(heatmap, thresholds=thresholds)[-1] == 1
    assert euler_profile(heatmap, thresholds=thresholds)[::50].tolist() == slow_profile(
        heatmap, heatmap > 0, thresholds[::50]
    )


def test_an_empty_contour_has_no_topology():
    assert not euler_profile(np.ones((2, 3, 4)), np.zeros((2, 3, 4), bool)).any()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((np.ones(4),), r"heatmap must be \(k, j, i\) or \(j, i\), got shape \(4,\)"),
        ((np.full((2, 2), np.nan),), "holds NaN or infinity"),
        ((np.ones((2, 2)), np.ones((2, 3), bool)), r"inside has shape \(2, 3\), the heatmap \(2, 2\)"),
        ((np.ones((2, 2)), None, [0.5, 0.5]), "strictly ascend"),
    ],
)
def test_what_has_no_profile_is_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        euler_profile(*arguments)
