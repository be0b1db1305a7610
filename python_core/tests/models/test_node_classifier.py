import numpy as np
import pytest
from ece_core.errors import EmptyMaskError
from ece_core.geometry import Volume, affine_from
from ece_core.models import load_bundle
from ece_core.models.node_classifier import attribution_on_ct_grid, calibrated, classify, crop, diameter_mm, seen


@pytest.fixture
def a_bundle(a_classification_bundle):
    return load_bundle(a_classification_bundle)


def a_lymph_node_in_a_neck(signs=(1, 1, 1)):
    """A box of 100 HU, label 3, in fat; the same patient space for every sign of the axes."""
    affine = affine_from((1.25, 0.75, 0.75))
    hu, labels = np.full((40, 60, 60), -100, np.int16), np.zeros((40, 60, 60), np.uint16)
    hu[15:21, 30:38, 20:30] = 100
    labels[15:21, 30:38, 20:30] = 3
    ct = Volume(hu, affine)
    for axis, sign in enumerate(signs):
        if sign < 0:
            corner = [ct.shape[n] - 1 if n == axis else 0 for n in range(3)]
            flipped = ct.affine.copy()
            flipped[:3, 3] = ct.to_lps(corner)
            flipped[:3, 2 - axis] *= -1
            ct, labels = Volume(np.flip(ct.array, axis), flipped), np.flip(labels, axis)
    return ct, ct.with_array(labels)


def test_the_crop_is_centered_on_the_lymph_node_with_its_mask(a_bundle):
    ct, instances = a_lymph_node_in_a_neck()
    block = crop(a_bundle, ct, instances, 3)
    assert block.input.shape == (3, 16, 24, 24)
    assert (block.input[-1] < 0).sum() == 6 * 8 * 10
    middle = np.argwhere(block.input[-1] < 0).mean(axis=0)
    np.testing.assert_allclose(middle, (7.5, 11.5, 11.5), atol=0.01)
    inside = block.input[0][block.input[-1] < 0]
    np.testing.assert_allclose(inside, (100 + 400) / 800, atol=1e-4)


@pytest.mark.parametrize("signs", [(-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, 1)])
def test_a_flipped_stack_gives_the_same_answer(a_bundle, signs):
    upright = classify(a_bundle, *a_lymph_node_in_a_neck(), 3)
    flipped = classify(a_bundle, *a_lymph_node_in_a_neck(signs), 3)
    assert flipped["ece_probability"] == pytest.approx(upright["ece_probability"], abs=1e-5)


def test_probabilities_sum_to_one_and_ece_is_that_of_ene(a_bundle):
    answer = classify(a_bundle, *a_lymph_node_in_a_neck(), 3)
    assert sum(answer["class_probabilities"].values()) == pytest.approx(1)
    assert answer["ece_probability"] == answer["class_probabilities"]["ENE"]


def test_the_diameter_is_that_of_the_ball_of_its_volume(a_bundle):
    ct, instances = a_lymph_node_in_a_neck()
    volume_mm3 = 6 * 8 * 10 * 1.25 * 0.75 * 0.75
    diameter = diameter_mm(crop(a_bundle, ct, instances, 3))
    assert np.pi / 6 * diameter**3 == pytest.approx(volume_mm3)


def test_tissue_is_seen_within_the_margin_of_the_lymph_node_and_nowhere_else(a_bundle):
    ct, instances = a_lymph_node_in_a_neck()
    a_bundle.spec["input"]["margin_mm"] = 3.0
    block = crop(a_bundle, ct, instances, 3)
    shown = seen(a_bundle, block)
    assert (block.input[:2, ~shown] == 0).all()
    assert shown[block.input[-1] < 0].all()
    assert (~shown).sum() > 0
    del a_bundle.spec["input"]["margin_mm"]
    assert seen(a_bundle, block) is None


def test_without_calibration_the_network_speaks_for_itself():
    assert calibrated(np.log([0.2, 0.3, 0.5]), 10.0, None) == pytest.approx([0.2, 0.3, 0.5])
    assert calibrated(np.array([800.0, 0.0, 0.0]), 10.0, None) == [1.0, 0.0, 0.0], "no overflow"


def test_calibration_is_the_softmax_of_a_linear_function_of_logits_and_log_diameter():
    matrix = [[1.0, 0, 0, -1.0], [0, 1.0, 0, 0], [0, 0, 1.0, 0.5]]
    probabilities = calibrated(np.array([1.0, 2.0, 3.0]), 10.0, {"matrix": matrix, "bias": [0.5, 0.0, -1.0]})
    scores = np.array([1 - np.log(10) + 0.5, 2.0, 3 + 0.5 * np.log(10) - 1])
    assert probabilities == pytest.approx(np.exp(scores) / np.exp(scores).sum())


def test_another_mask_changes_the_answer(a_bundle):
    ct, instances = a_lymph_node_in_a_neck()
    smaller = instances.array.copy()
    smaller[15:18] = 0
    first, second = classify(a_bundle, ct, instances, 3), classify(a_bundle, ct, instances.with_array(smaller), 3)
    assert first["ece_probability"] != second["ece_probability"]


def test_an_empty_mask_is_refused(a_bundle):
    ct, instances = a_lymph_node_in_a_neck()
    with pytest.raises(EmptyMaskError, match=r"lymph node 2 is empty.*Paint the lymph node again"):
        crop(a_bundle, ct, instances, 2)


def test_a_lymph_node_at_the_corner_of_the_scan_is_still_cut(a_bundle):
    ct, instances = a_lymph_node_in_a_neck()
    labels = np.zeros_like(instances.array)
    labels[0:3, 0:3, 57:60] = 1
    block = crop(a_bundle, ct, ct.with_array(labels), 1)
    assert (block.input[0, :6] == 0).all(), "beyond the scan is air"
    assert 27 <= (block.input[-1] < 0).sum() <= 64, "three voxels an edge, sampled half a voxel apart"


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_an_attribution_goes_back_to_where_it_came_from(a_bundle, signs):
    ct, instances = a_lymph_node_in_a_neck(signs)
    block = crop(a_bundle, ct, instances, 3)
    back = attribution_on_ct_grid(block, block.input[-1] < 0, ct)
    start = np.rint(ct.to_index(back.origin_lps_mm)).astype(int)
    where = tuple(slice(a, a + n) for a, n in zip(start, back.shape, strict=True))
    np.testing.assert_allclose(back.array, instances.array[where] == 3, atol=1e-4)
