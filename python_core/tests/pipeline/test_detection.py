"""The score of a found lymph node: the network's own probability of lymph node tissue, median over its voxels."""

import numpy as np
import pytest
from ece_core.export.result import read_result
from ece_core.geometry import Volume
from ece_core.io import write_image
from ece_core.models.segmentation import SegmentationOutput
from ece_core.pipeline import analyze, classify, segment
from ece_core.pipeline.detection import detection_probabilities
from fake_networks import a_neck_ct
from fake_networks import segment as fake_segment


def half_sure(*arguments):
    output = fake_segment(*arguments)
    output.class_probabilities[:] = np.array([[0.125], [0.25], [0.25]])  # background has the other 0.375
    return output


@pytest.mark.parametrize("run", [analyze, segment])
def test_every_class_counts_and_the_result_holds_it(run, fake_models, a_ct_file, tmp_path):
    fake_models(segment=half_sure)
    run(a_ct_file, tmp_path / "out")
    nodes = read_result(tmp_path / "out").lymph_nodes
    assert [node.detection_probability for node in nodes] == [0.625, 0.625]


def test_each_lymph_node_has_its_own(fake_models, a_ct_file, tmp_path):
    def unsure_at_the_upper_half(*arguments):
        output = fake_segment(*arguments)
        output.class_probabilities[1, : len(output.voxels) // 2] = 0.5  # of all voxels, in the order of the slices
        return output

    fake_models(segment=unsure_at_the_upper_half)
    first, second = (node.detection_probability for node in segment(a_ct_file, tmp_path / "out").lymph_nodes)
    assert {first, second} == {0.5, 1.0}  # two lymph nodes of equal size, one above the other


@pytest.mark.parametrize(("doubtful", "expected"), [(0.4, 1.0), (0.6, 0.5)])
def test_an_edge_of_which_the_network_is_unsure_does_not_count(doubtful, expected):
    voxels = np.arange(1000)
    class_map = Volume(np.ones((10, 10, 10), np.uint8), np.eye(4))
    probabilities = np.zeros((3, 1000), np.float32)
    probabilities[0] = np.where(voxels < 1000 * doubtful, 0.5, 1.0)
    output = SegmentationOutput(class_map, voxels, probabilities)
    assert detection_probabilities(output, class_map.with_array(class_map.array.astype(np.uint16))) == {1: expected}


def test_nobody_is_sure_of_a_lymph_node_that_was_outlined_by_hand(fake_models, a_ct_file, tmp_path):
    ct = a_neck_ct()
    write_image(ct.with_array((ct.array > 150).astype(np.int16)), tmp_path / "mask.nii.gz")
    (node,) = classify(a_ct_file, tmp_path / "mask.nii.gz", tmp_path / "out").lymph_nodes
    assert node.detection_probability is None
