"""Tilt and unequal spacing, corrected on request: a CT that is linear in patient space stays what it was."""

import dicom_variants as variants
import numpy as np
import pytest
from dicom_variants import a_neck_phantom, a_series, save, setting
from ece_core.errors import GeometryError, InputError
from ece_core.io import read_ct
from ece_core.io.dicom_instances import instance_of, instances_of

SLOPE = np.array([4.0, -6.0, 3.0])  # HU per mm of x, y, z


def linear(points):
    return points @ SLOPE + 400


def painted(slices):
    """Each slice's HU from where its voxels lie: linear interpolation must give them back, to the rounding of 0.5."""
    for ds in slices:
        row, column = np.reshape(np.array(ds.ImageOrientationPatient, float), (2, 3))
        between_rows, between_columns = map(float, ds.PixelSpacing)
        j, i = np.mgrid[: ds.Rows, : ds.Columns]
        points = np.array(ds.ImagePositionPatient, float) + j[..., None] * column * between_rows
        points = points + i[..., None] * row * between_columns
        ds.PixelData = (np.rint(linear(points)) + 1024).astype("<u2").tobytes()
    return slices


def corrected(tmp_path, variant, correct):
    return read_ct(save(painted(variant(a_series(tmp_path))), tmp_path), correct=correct)


def assert_linear(scan, least_voxels):
    covered = scan.volume.array > -1000
    expected = linear(scan.volume.to_lps(np.argwhere(covered)))
    assert np.abs(scan.volume.array[covered] - expected).max() <= 0.51
    assert covered.sum() >= least_voxels


def test_a_tilted_series_is_straightened_where_its_voxels_lie(tmp_path):
    """12 slices of 20 x 24; the last lies 11 * 2.5 * sin 15 = 7.1 mm, 8.9 rows of 0.8 mm, beside the first. Each slice
    but the first loses one row to the interpolation: 11 * 24 voxels."""
    scan = corrected(tmp_path, variants.tilted, ["tilt"])
    assert scan.volume.shape == (12, 29, 24)
    np.testing.assert_allclose(scan.volume.spacing_mm, (2.5 * np.cos(np.radians(15)), 0.8, 0.6), atol=1e-6)
    assert_linear(scan, 12 * 20 * 24 - 11 * 24)
    assert any("by 15.0 degrees: slices were moved back (resampled) on request" in text for text in scan.warnings)
    assert any("lie on the resampled grid, and refer to the series" in text for text in scan.warnings)
    assert {instance_of(header) for header in scan.headers} == {None} and len(instances_of(scan.headers)) == 12
    places = np.array([header.ImagePositionPatient for header in scan.headers], float)
    np.testing.assert_allclose(places, scan.volume.to_lps([(k, 0, 0) for k in range(12)]), atol=1e-6)


def test_unequal_slices_are_interpolated_at_the_usual_distance(tmp_path):
    """Seven slices 2.5 mm apart, then five 5 mm apart: 40 mm, 17 slices."""
    scan = corrected(tmp_path, variants.uneven, ["spacing"])
    assert scan.volume.shape == (17, 20, 24) and scan.volume.spacing_mm[0] == 2.5
    assert_linear(scan, 17 * 20 * 24)
    assert any("differ (2.50 to 5.00 mm): slices at every 2.50 mm were interpolated" in text for text in scan.warnings)


def test_a_regular_series_is_left_alone_whatever_is_asked_for(tmp_path):
    folder = save(a_series(tmp_path), tmp_path)
    scan = read_ct(folder, correct=("tilt", "spacing"))
    np.testing.assert_array_equal(scan.volume.array, a_neck_phantom().array)
    assert scan.warnings == () and len(scan.headers) == 12


REFUSED = {
    "tilt is not spacing": (variants.uneven, ["tilt"], "Slice distances differ: from 2.500 to 5.000"),
    "spacing is not tilt": (variants.tilted, ["spacing"], "gantry was tilted by 15.0 degrees"),
    "a shift is no tilt": (variants.shifted_sideways, ["tilt", "spacing"], "shifted sideways.*3.00 mm"),
    "too far apart": (variants.without_slice(4, 5, 6, 7), ["spacing"], "12.5 mm apart; more than 10 mm are not"),
}


@pytest.mark.parametrize(("variant", "correct", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_was_not_asked_for_or_is_another_defect_stays_refused(tmp_path, variant, correct, words):
    with pytest.raises(GeometryError, match=words):
        corrected(tmp_path, variant, correct)


def test_an_unknown_correction_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no such correction.*tilt, spacing"):
        corrected(tmp_path, variants.tilted, ["shear"])


def test_two_acquisitions_side_by_side_are_never_merged(tmp_path):
    slices = setting("AcquisitionNumber", 2, range(10, 20))(a_series(tmp_path, a_neck_phantom(20)))
    folder = save(slices, tmp_path)
    words = r"2 acquisitions side by side: #1 acquisition 1 \(10 slices\), #2.*--series [\d.]+#1"
    with pytest.raises(GeometryError, match=words):
        read_ct(folder)
    scan = read_ct(folder, f"{slices[0].SeriesInstanceUID}#2")
    np.testing.assert_array_equal(scan.volume.array, a_neck_phantom(20).array[10:])


def test_a_scanner_that_numbers_every_rotation_has_one_acquisition(tmp_path):
    slices = a_series(tmp_path)
    for number, ds in enumerate(slices, start=1):
        ds.AcquisitionNumber = number
    assert read_ct(save(slices, tmp_path)).volume.shape[0] == 12
