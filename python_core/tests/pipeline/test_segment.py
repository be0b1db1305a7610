"""Finding lymph nodes alone."""

import numpy as np
import pytest
from ece_core.export.result import read_result
from ece_core.geometry import Volume, affine_from
from ece_core.io import write_image
from ece_core.pipeline import AnalyzeOptions, segment
from fake_networks import a_bundle, a_neck_ct
from fake_networks import segment as fake_segment


def test_segment_calls_no_ece(fake_models, a_ct_file, tmp_path):
    segment(a_ct_file, tmp_path / "out")
    result = read_result(tmp_path / "out")
    assert [node.class_name for node in result.lymph_nodes] == ["P", "P"]
    assert all(node.ece_probability is None for node in result.lymph_nodes)
    assert "ece_probability" not in result.patient and result.heatmaps == ()
    assert [model["task"] for model in result.models] == ["lymph_node_segmentation"]


def test_class_is_the_mean_of_the_segmentation_over_the_lymph_node(fake_models, a_ct_file, tmp_path):
    def undecided(*arguments):
        output = fake_segment(*arguments)
        output.class_probabilities[:] = np.array([[0.125], [0.125], [0.25]])  # background has the other half
        return output

    fake_models(segment=undecided)
    for node in segment(a_ct_file, tmp_path / "out").lymph_nodes:
        assert node.class_probabilities == {"N": 0.25, "P": 0.25, "ENE": 0.5}
        assert node.class_name == "ENE"


def test_what_the_network_doubts_is_left_out_and_the_others_are_numbered_anew(fake_models, a_ct_file, tmp_path):
    def doubts_the_upper_one(bundle, region, *arguments):
        output = fake_segment(bundle, region, *arguments)
        output.class_probabilities[1] = np.where(region.array.ravel()[output.voxels] < 300, 0.7, 0.6)
        return output

    everything = segment_with(fake_models, doubts_the_upper_one, 0.5, a_ct_file, tmp_path / "all")
    confident = segment_with(fake_models, doubts_the_upper_one, 0.65, a_ct_file, tmp_path / "some")
    assert [node.label for node in everything] == [1, 2]
    assert [node.label for node in confident] == [1]
    upper, lower = sorted(everything, key=lambda node: node.centroid_lps_mm[2], reverse=True)
    kept = next(node for node in everything if node.centroid_lps_mm == confident[0].centroid_lps_mm)
    assert kept.mean_hu == min(upper.mean_hu, lower.mean_hu), "the dim one, of which the network was surer"


def segment_with(fake_models, network, least_confidence, ct, out):
    fake_models(segment=network, load=lambda task, folder: a_bundle(task, least_confidence=least_confidence))
    return segment(ct, out).lymph_nodes


def test_coarse_voxels_are_warned_of(fake_models, tmp_path):
    for slice_mm, words in ((3.0, None), (3.4, "voxels measure 2.0 x 2.0 x 3.4 mm; beyond 3 mm small lymph nodes are")):
        ct = a_neck_ct()
        write_image(Volume(ct.array, affine_from((slice_mm, 2.0, 2.0))), tmp_path / f"{slice_mm}.nii.gz")
        warnings = segment(tmp_path / f"{slice_mm}.nii.gz", tmp_path / f"out_{slice_mm}").warnings
        assert [words in each for each in warnings] == [True] if words else warnings == ()


@pytest.mark.parametrize(
    ("device", "options", "known", "mode"),
    [
        pytest.param("cpu", {}, True, "fast", id="the default on a CPU"),
        pytest.param("cpu", {"full_search": True}, True, "full", id="as asked"),
        pytest.param("cpu", {}, False, "full", id="nobody knows what fast search misses with this model"),
        pytest.param("cuda:0", {}, True, "full", id="a GPU has the time"),
    ],
)
def test_how_lymph_nodes_were_looked_for_stands_in_the_result(
    device, options, known, mode, fake_models, a_ct_file, tmp_path
):
    asked = []

    def remembers(*arguments):
        asked.append(arguments[-1])
        return fake_segment(*arguments)

    fake_models(segment=remembers, choose_device=lambda name: device, fast_by_default=lambda bundle: known)
    segment(a_ct_file, tmp_path / "out", AnalyzeOptions(**options))
    assert read_result(tmp_path / "out").search == {"mode": mode, "mirrored": False, "engine": "fake"}
    assert [search.fast for search in asked] == [mode == "fast"]


def test_a_model_that_does_not_allow_mirroring_is_not_mirrored_and_that_is_said(fake_models, a_ct_file, tmp_path):
    result = segment(a_ct_file, tmp_path / "out", AnalyzeOptions(mirror=True))
    assert result.search["mirrored"] is False
    assert any("was not made for mirrored images; it was used without mirroring" in each for each in result.warnings)
    fake_models(can_mirror=lambda bundle: True)
    allowed = segment(a_ct_file, tmp_path / "again", AnalyzeOptions(mirror=True))
    assert allowed.search["mirrored"] is True and allowed.warnings == ()
