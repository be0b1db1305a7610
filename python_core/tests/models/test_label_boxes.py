"""The second version interpolates every voxel and takes the class with the highest score."""

import numpy as np
import pytest
import torch
from ece_core.geometry import Volume, affine_from
from ece_core.models.label_boxes import LabelWriter, foreground_boxes, highest
from ece_core.preprocessing.resample import aligned_weights
from ece_core.preprocessing.spline import spline_matrices
from scipy import ndimage

COARSE = (18, 26, 22)


def area_weights(shape, spacing):
    source = Volume(np.zeros(COARSE), affine_from((1.5, 1.5, 1.5), (0.1, -0.2, 0.4)))
    return aligned_weights(source, shape, affine_from(spacing))


WAYS_BACK = {
    "finer": area_weights((30, 70, 60), (0.9, 0.5, 0.5)),
    "thicker slices": area_weights((9, 70, 60), (3.0, 0.5, 0.5)),
    "coarser": area_weights((7, 12, 9), (4.0, 3.3, 3.5)),
    "linear, as nnU-Net": spline_matrices(COARSE, (31, 50, 47), 1, None),
    "nearest slice, as nnU-Net": spline_matrices(COARSE, (6, 50, 47), 1, 0),
    "the same grid": tuple(np.eye(n, dtype=np.float32) for n in COARSE),
}


def blobs(classes=4, seed=11):
    """Scores (c, K, J, I) with a few blobs of each class, some at the border."""
    rng = np.random.default_rng(seed)
    scores = np.stack([ndimage.gaussian_filter(rng.normal(size=COARSE), 1.5) for _ in range(classes)])
    scores[0] += 2.6 * scores[1:].std()
    return torch.from_numpy(scores.astype(np.float32))


def everywhere(scores, matrices):
    operands = (*(m.astype(float) for m in matrices), scores.numpy().astype(float))
    return np.einsum("ka,jb,ic,nabc->nkji", *operands, optimize=True)  # one axis after the other: minutes less


def written(scores, matrices, planes_at_once):
    writer = LabelWriter(matrices, "cpu")
    for start in range(0, COARSE[0], planes_at_once):
        planes = scores[:, start : start + planes_at_once].clone()
        writer.add(planes)
        planes.fill_(np.nan)  # the ring uses their memory again
    return writer


@pytest.mark.parametrize("planes_at_once", [1, 5, 18])
@pytest.mark.parametrize("way", WAYS_BACK)
def test_the_labels_are_those_of_interpolating_everything(way, planes_at_once):
    scores, matrices = blobs(), WAYS_BACK[way]
    mixed = everywhere(scores, matrices)
    labels = written(scores, matrices, planes_at_once).labels()
    assert 0.001 < (labels > 0).mean() < 0.5 and set(np.unique(labels)) == {0, 1, 2, 3}
    assert (labels != mixed.argmax(axis=0)).sum() == 0


def test_every_foreground_voxel_has_the_scores_of_the_nearest_voxel_once():
    scores, matrices = blobs(), WAYS_BACK["finer"]
    writer = written(scores, matrices, 4)
    index, found = writer.foreground()
    order = np.lexsort(index.T[::-1])
    assert index[order].tolist() == np.argwhere(writer.labels()).tolist()
    k, j, i = (matrix.argmax(axis=1)[column] for matrix, column in zip(matrices, index.T, strict=True))
    np.testing.assert_array_equal(found, scores.numpy()[:, k, j, i])


def test_where_background_wins_nothing_is_written():
    writer = written(blobs() * 0, WAYS_BACK["finer"], 6)  # a tie goes to the first class
    assert not writer.labels().any()
    assert writer.foreground()[0].shape == (0, 3)


def test_of_equal_scores_the_first_class_wins_as_in_argmax():
    scores = torch.from_numpy(np.random.default_rng(1).integers(0, 3, (4, 5, 6, 7)).astype(np.float32))
    assert highest(scores).numpy().tolist() == scores.numpy().argmax(axis=0).tolist()


def test_boxes_are_few_and_hold_all_that_beats_background():
    scores = torch.zeros(2, 9, 30, 31)
    scores[1, 1, 2, 3] = scores[1, 8, 29, 30] = scores[1, 8, 27, 30] = 1
    assert sorted(foreground_boxes(scores)) == [((0, 4), (0, 4), (0, 4)), ((8, 9), (24, 30), (28, 31))]
