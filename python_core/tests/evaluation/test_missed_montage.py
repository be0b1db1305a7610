"""The lymph nodes that were missed: which, in which order, and what their tiles show."""

import numpy as np
import pytest
from ece_core.classes import CLASS_COLORS
from ece_core.errors import GeometryError
from ece_core.evaluation.cohort import EvaluatedCase
from ece_core.evaluation.missed_montage import CAPTION, PIXELS, missed_lymph_nodes, missed_montage
from ece_core.evaluation.overlap import Overlap
from ece_core.evaluation.voxels import LabeledVoxels
from ece_core.export.result import Result
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct, write_image

SHAPE, SPACING_MM = (6, 60, 80), (3.0, 1.0, 1.0)


def a_case(folder, name="case_0000", flip=False, ct_shape=SHAPE):
    """Label 1 (8 mm, N) found; 2 (6 mm, P) and 3 (14 mm, ENE, 14 by 10 mm on slice 4) missed."""
    truth, predicted = np.zeros((2, *SHAPE), np.uint16)
    truth[1, 5:13, 5:13] = predicted[1, 6:12, 6:12] = 1
    truth[2:4, 30:36, 10:16] = 2
    truth[3, 24:32, 42:50], truth[4, 22:32, 40:54] = 3, 3
    rows = {
        label: {"class": of, "short_axis_mm": mm, "side": "left", "level": "II"}
        for label, (of, mm) in {1: ("N", 8.0), 2: ("P", 6.0), 3: ("ENE", 14.0)}.items()
    }
    ct = np.full(ct_shape, -160, np.int16)
    ct[..., ct_shape[-1] // 2 :] = 240
    direction = np.diag([-1.0, -1.0, 1.0]) if flip else np.eye(3)
    file = folder / f"{name}.nii.gz"
    write_image(Volume(ct, affine_from(SPACING_MM, (0, 0, 0), direction)), file)
    affine = affine_from(SPACING_MM, (0, 0, 0), direction)
    voxels = LabeledVoxels.of(Volume(truth, affine), Volume(predicted, affine))
    result = Result({}, (), "cpu", {}, (), {}, {})
    return EvaluatedCase(name, rows, True, result, Overlap.of(truth, predicted), voxels, lambda: read_ct(file).volume)


def colored(tile, class_name):
    return (np.asarray(tile)[CAPTION:] == CLASS_COLORS[class_name]).all(axis=-1)


def test_only_the_missed_ones_the_largest_first(tmp_path):
    cases = [a_case(tmp_path, "case_0000"), a_case(tmp_path, "case_0001")]
    missed = [(one.case.name, one.label) for one in missed_lymph_nodes(cases)]
    assert missed == [("case_0000", 3), ("case_0001", 3), ("case_0000", 2), ("case_0001", 2)]


@pytest.mark.parametrize("flip", [False, True])
def test_a_tile_shows_the_largest_slice_in_the_window_with_the_outline_of_the_truth(tmp_path, flip):
    case = a_case(tmp_path, flip=flip)
    tile = missed_montage(missed_lymph_nodes([case])[:1])
    assert tile.size == (PIXELS, PIXELS + CAPTION)
    outline = colored(tile, "ENE")
    rows, columns = np.nonzero(outline)
    per_mm = PIXELS / 60
    assert np.ptp(columns) == pytest.approx(14 * per_mm, abs=6)  # of slice 4, not the smaller one of slice 3
    assert np.ptp(rows) == pytest.approx(10 * per_mm, abs=6)
    assert (rows.mean(), columns.mean()) == pytest.approx((PIXELS / 2, PIXELS / 2), abs=3)
    gray = np.asarray(tile)[CAPTION + 40, :, 0]
    # -160 HU is black and 240 white; the bright half is the patient's left, unless the scan runs the other way.
    assert (gray[5], gray[-5]) == ((255, 0) if flip else (0, 255))


def test_predictions_nearby_are_white_and_other_truths_are_not_shown(tmp_path):
    case = a_case(tmp_path)
    sheet = missed_montage(missed_lymph_nodes([case]))
    assert sheet.size == (2 * PIXELS, PIXELS + CAPTION)
    assert colored(sheet, "ENE")[:, :PIXELS].any() and not colored(sheet, "ENE")[:, PIXELS:].any()
    assert not colored(sheet, "N").any()


def test_without_a_ct_nothing_is_drawn(tmp_path):
    case = a_case(tmp_path)
    bare = EvaluatedCase(case.name, case.truth, True, case.result, case.overlap, case.voxels, None)
    assert missed_montage(missed_lymph_nodes([bare])) is None
    assert missed_montage([]) is None


def test_a_ct_of_another_grid_is_refused(tmp_path):
    case = a_case(tmp_path, ct_shape=(6, 60, 81))
    with pytest.raises(GeometryError, match=r"case_0000: the CT .* is not on the grid.*ece simulate"):
        missed_montage(missed_lymph_nodes([case]))
