"""Classifying what someone outlined."""

import numpy as np
import pytest
from ece_core.errors import EmptyMaskError, GeometryError
from ece_core.export.nrrd import read_nrrd
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.geometry import Volume
from ece_core.io import write_image
from ece_core.lymph_nodes.not_evaluable import CUT_OFF, TOO_LARGE
from ece_core.pipeline import AnalyzeOptions, classify, reclassify
from fake_networks import a_neck_ct


@pytest.fixture
def mask_file(tmp_path):
    """Writes a labelmap; the bright balls of the CT with labels 3 (400 HU) and 7 (200 HU) unless changed."""

    def write(change=lambda array: array, affine=None):
        ct = a_neck_ct()
        array = np.select([ct.array == 400, ct.array == 200], [3, 7], 0).astype(np.int16)
        path = tmp_path / "mask.nii.gz"
        write_image(Volume(change(array), ct.affine if affine is None else affine), path)
        return path

    return write


def test_each_label_is_one_lymph_node_and_keeps_its_number(fake_models, a_ct_file, mask_file, tmp_path):
    result = classify(a_ct_file, mask_file(), tmp_path / "out")
    assert [(node.id, node.label, node.source) for node in result.lymph_nodes] == [
        ("LN3", 3, "MANUAL"),
        ("LN7", 7, "MANUAL"),
    ]
    assert [node.ece_probability for node in result.lymph_nodes] == pytest.approx([0.4, 0.2])
    instances, _ = read_seg_nrrd(tmp_path / "out" / "lymph_nodes.seg.nrrd")
    assert set(np.unique(instances.array)) == {0, 3, 7}


def test_one_label_in_two_pieces_is_said(fake_models, a_ct_file, mask_file, tmp_path):
    result = classify(a_ct_file, mask_file(lambda array: (array > 0).astype(np.int16)), tmp_path / "out")
    assert len(result.lymph_nodes) == 1
    assert any("Label 1 of the mask is in 2 separate pieces" in warning for warning in result.warnings)


def test_reclassify_answers_for_the_edited_lymph_node_alone(fake_models, a_ct_file, mask_file, tmp_path):
    before = sorted(tmp_path.iterdir())
    lymph_node, warnings, heatmaps = reclassify(a_ct_file, mask_file(), 7)
    assert lymph_node.id == "LN7" and lymph_node.ece_probability == pytest.approx(0.2)
    assert warnings == () and heatmaps == ()
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "mask.nii.gz"])


def test_reclassify_explains_where_a_folder_is_given(fake_models, a_ct_file, mask_file, tmp_path):
    options = AnalyzeOptions(explain=("gradcam",))
    (entry,) = reclassify(a_ct_file, mask_file(), 7, options, heatmap_folder=tmp_path / "new").heatmaps
    assert (entry["method"], entry["title"]) == ("gradcam-LN7", "Grad-CAM of LN7")
    heatmap, ct = read_nrrd(tmp_path / "new" / entry["file"]), a_neck_ct()
    k, j, i = np.argwhere(ct.array == 200)[0]
    assert heatmap.array[tuple(np.rint(heatmap.to_index(ct.to_lps([k, j, i]))).astype(int))] == 1


def test_reclassify_follows_the_edit(fake_models, a_ct_file, mask_file):
    def half_of_it(array):
        array[: np.argwhere(array == 3)[:, 0].min() + 2][array[: np.argwhere(array == 3)[:, 0].min() + 2] == 3] = 0
        return array

    whole = reclassify(a_ct_file, mask_file(), 3)[0]
    part = reclassify(a_ct_file, mask_file(half_of_it), 3)[0]
    assert 0 < part.volume_mm3 < whole.volume_mm3


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        pytest.param(lambda a: a * 0, EmptyMaskError, "mask is empty.*Outline", id="empty"),
        pytest.param(lambda a: a[1:], GeometryError, "not on the grid of the CT.*Resample", id="a slice short"),
    ],
)
def test_masks_that_cannot_be_used(change, error, words, fake_models, a_ct_file, mask_file, tmp_path):
    with pytest.raises(error, match=words):
        classify(a_ct_file, mask_file(change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mask_drawn_on_a_shifted_grid(fake_models, a_ct_file, mask_file, tmp_path):
    affine = a_neck_ct().affine.copy()
    affine[0, 3] += 1.0
    with pytest.raises(GeometryError, match="origin, spacing or direction differ"):
        classify(a_ct_file, mask_file(affine=affine), tmp_path / "out")


def test_a_label_that_is_not_there(fake_models, a_ct_file, mask_file):
    with pytest.raises(EmptyMaskError, match=r"no lymph node with label 5\..*Paint"):
        reclassify(a_ct_file, mask_file(), 5)


def test_what_touches_the_edge_has_measures_but_no_ece_probability(fake_models, a_ct_file, mask_file, tmp_path):
    def down_to_the_lowest_slice(array):
        where = np.argwhere(array == 3)
        array[: where[:, 0].max(), where[0, 1], where[0, 2]] = 3
        return array

    result = classify(a_ct_file, mask_file(down_to_the_lowest_slice), tmp_path / "out")
    cut, whole = result.lymph_nodes
    assert cut.ece_probability is None and cut.not_evaluable == (CUT_OFF,)
    assert cut.class_name == "metastatic" and set(cut.class_probabilities) == {"N", "metastatic"}
    assert cut.short_axis_mm > 0 and cut.volume_mm3 > 0
    assert whole.not_evaluable == () and result.patient["ece_probability"] == whole.ece_probability
    assert result.patient["not_evaluable"] == 1
    assert any("1 lymph node has no ECE probability (LN3)" in warning for warning in result.warnings)


def test_what_is_larger_than_the_classifier_s_block_is_not_judged(fake_models, a_ct_file, mask_file, tmp_path):
    fake_models(block_mm=lambda bundle: (50.0, 48.0, 5.0))
    result = classify(a_ct_file, mask_file(), tmp_path / "out")
    assert all(node.not_evaluable == (TOO_LARGE,) for node in result.lymph_nodes)
    assert "ece_probability" not in result.patient and result.patient["outputs"] == {}
