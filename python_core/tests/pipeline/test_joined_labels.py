"""A network that cannot tell P from ENE must not seem to."""

import numpy as np
import pytest
from ece_core.classes import LABEL_SETTINGS, LABEL_VALUES
from ece_core.errors import ModelError
from ece_core.export.lymph_nodes_csv import write_lymph_nodes_csv
from ece_core.export.report import _counts
from ece_core.export.result import read_result
from ece_core.export.terminology import category_and_type
from ece_core.models import segmentation
from ece_core.models.segmentation import SegmentationOutput
from ece_core.pipeline import networks, segment
from fake_networks import a_bundle
from fake_networks import segment as fake_segment

OUTPUTS = {"metastatic_joined": [0.25, 0.75], "all_joined": [1.0]}


@pytest.fixture
def segmented(fake_models, a_ct_file, tmp_path):
    def run(setting):
        def joined(*arguments):
            output = fake_segment(*arguments)
            shares = np.array(OUTPUTS[setting], np.float32)[:, None]
            output.class_probabilities = np.repeat(shares, len(output.voxels), axis=1)
            return output

        labels = list(LABEL_SETTINGS[setting])
        fake_models(segment=joined, load=lambda task, folder: a_bundle(task, labels=labels))
        segment(a_ct_file, tmp_path / "out")
        return read_result(tmp_path / "out")

    return run


def test_p_and_ene_joined_give_neither(segmented, tmp_path):
    result = segmented("metastatic_joined")
    for node in result.lymph_nodes:
        assert node.class_name == "metastatic"
        assert node.class_probabilities == {"N": 0.25, "metastatic": 0.75}
        assert node.ece_probability is None
    write_lymph_nodes_csv(tmp_path / "table.csv", result)
    header, row, *_ = (line.split(",") for line in (tmp_path / "table.csv").read_text().splitlines())
    cells = dict(zip(header, row, strict=False))
    assert (cells["class"], cells["p_N"], cells["p_P"], cells["p_ENE"]) == ("metastatic", "0.25", "", "")
    assert cells["p_metastatic"] == "0.75"
    page = _counts(result.lymph_nodes)
    assert "ENE (also ECE) not judged" in page and ">ENE<" not in page and ">P<" not in page


def test_all_joined_gives_no_class(segmented):
    result = segmented("all_joined")
    assert {node.class_name for node in result.lymph_nodes} == {"lymph_node"}
    assert category_and_type(result.lymph_nodes[0])[1].meaning == "Lymph node", "not coded as a neoplasm"
    assert ">lymph node<" in _counts(result.lymph_nodes)


@pytest.mark.parametrize("setting", LABEL_SETTINGS)
def test_joined_labels_have_values_of_their_own_in_the_class_map(setting, monkeypatch):
    from fake_networks import a_neck_ct

    labels = LABEL_SETTINGS[setting]
    ct = a_neck_ct()
    numbers = ct.with_array((np.indices(ct.shape).sum(0) % (len(labels) + 1)).astype(np.uint8))
    output = SegmentationOutput(numbers, np.zeros(0, int), np.zeros((len(labels), 0), np.float32))
    monkeypatch.setattr(segmentation, "segment", lambda *args, **options: output)
    bundle = a_bundle("x", labels=list(labels))
    found = networks.segment(bundle, ct, "cpu", print, 1.0, networks.Search()).class_map.array
    for number, name in enumerate(labels, start=1):
        assert (found == LABEL_VALUES[name]).sum() == (numbers.array == number).sum()
    assert set(np.unique(found)) == {0, *(LABEL_VALUES[name] for name in labels)}


def test_a_label_of_unknown_meaning_is_refused():
    with pytest.raises(ModelError, match="has the label 'GTVp', whose meaning is not known.*N, P, ENE, metastatic"):
        networks.labels_of(a_bundle("x", labels=["N", "GTVp"]))
