from itertools import pairwise

import numpy as np
import pytest
from ece_core.classes import CLASS_NAMES
from ece_core.simulate.case import diagnostic_grid, draw_case
from ece_core.training import simulated_data
from ece_core.training.simulated_data import LEAST_SIGN_HU, classification_crops

SEED, NUMBER = 9, 0
SHAPE, SPACING_MM = (16, 24, 24), (1.25, 0.75, 0.75)


@pytest.fixture(scope="module")
def rendered():
    """Grid and scanner of every scan that was made."""
    return []


@pytest.fixture(scope="module")
def crops(tmp_path_factory, rendered):
    render = simulated_data.render

    def watched(patient, grid, scanner, index):
        rendered.append((grid, scanner))
        return render(patient, grid, scanner, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated_data, "render", watched)
        path = classification_crops(tmp_path_factory.mktemp("crops"), SEED, NUMBER, "medium", SHAPE, SPACING_MM)
    with np.load(path) as archive:
        return dict(archive)


def test_every_metastasis_of_the_patient_is_there_and_each_ene_is_followed_by_its_twin(crops):
    patient, _, _ = draw_case(SEED, NUMBER, "medium")
    drawn = [CLASS_NAMES.index(node.class_name) for node in patient.lymph_nodes]
    natural = crops["label"][~crops["twin"]].tolist()
    assert drawn.count(2) > 0, "a patient without ENE shows nothing here"
    assert [natural.count(c) for c in (1, 2)] == [drawn.count(c) for c in (1, 2)]
    rows = list(zip(crops["label"].tolist(), crops["twin"].tolist(), crops["short_axis_mm"].tolist(), strict=True))
    for (label, twin, size), (next_label, next_twin, next_size) in pairwise(rows):
        assert next_twin == (label == 2 and not twin)
        if next_twin:
            assert (next_label, next_size) == (1, size)


def test_a_twin_differs_from_its_ene_just_where_the_signs_are(crops):
    for row in np.flatnonzero(crops["twin"]):
        differs = np.abs(crops["hu"][row - 1].astype(int) - crops["hu"][row]) > LEAST_SIGN_HU
        np.testing.assert_array_equal(crops["signs"][row - 1].astype(bool), differs)
        assert not crops["signs"][row].any()
    assert any(crops["signs"][row - 1].any() for row in np.flatnonzero(crops["twin"]))


def test_lymph_nodes_are_scanned_as_the_cohort_scans_this_patient(crops, rendered):
    _, scanner, _ = draw_case(SEED, NUMBER, "medium")
    _, spacing_mm = diagnostic_grid(SEED, NUMBER, "medium")
    assert len(rendered) == len(crops["label"])
    for (_, affine), used in rendered:
        assert used == scanner
        np.testing.assert_allclose(np.abs(np.diag(affine)[:3]), spacing_mm[::-1])
