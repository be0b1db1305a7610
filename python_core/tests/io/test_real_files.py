"""Real scanners' files beside the repository; each test skips where they are absent."""

import numpy as np
import pytest
from ece_core.errors import GeometryError, InputError
from ece_core.io import list_series, read_ct, read_labelmap
from ece_core.io.dicom_checks import check_pixel_bytes, check_transfer_syntax
from ece_core.io.dicom_file import is_dicom, read_header
from ece_core.io.dicom_pixels import hounsfield, stored_values
from pydicom import dcmread


def test_the_tilted_philips_series_is_refused_in_the_right_words(shared_data):
    folder = shared_data / "dcm_qa_ct" / "Philips_phantom_tilt-18.5"
    with pytest.raises(GeometryError, match=r"gantry was tilted by 18\.5 degrees.*--correct tilt"):
        read_ct(folder)
    assert [(info.slices, info.rows, info.spacing_mm) for info in list_series(folder)] == [(54, 512, None)]


def test_the_tilted_philips_series_is_straightened_on_request(shared_data):
    """Its corners lie where its own headers put them: nothing is lost, and nothing stays sheared."""
    folder = shared_data / "dcm_qa_ct" / "Philips_phantom_tilt-18.5"
    scan = read_ct(folder, correct=["tilt"])
    assert any("tilted by 18.5 degrees: slices were moved back" in text for text in scan.warnings)
    slices = [dcmread(path, stop_before_pixels=True) for path in folder.rglob("*") if is_dicom(path)]
    slices = [ds for ds in slices if "LOCALIZER" not in ds.ImageType]
    index = scan.volume.to_index([[float(value) for value in ds.ImagePositionPatient] for ds in slices])
    assert np.abs(index[:, 0] - np.rint(index[:, 0])).max() < 0.01
    assert index.min() > -0.01 and (index < np.array(scan.volume.shape) - 0.99).all()


def test_the_philips_localizer_is_no_ct_slice(shared_data):
    with pytest.raises(InputError, match="no CT slices, only: 1 localizer"):
        read_ct(shared_data / "dcm_qa_ct" / "Philips_localizer")


@pytest.fixture
def encoded_slices(shared_data):
    files = [read_header(path) for path in sorted((shared_data / "transfer_syntax_slices").glob("*.dcm"))]
    assert len({file.transfer_syntax for file in files}) == 7
    return files


def test_seven_transfer_syntaxes_decode_to_the_same_pixels(encoded_slices):
    check_transfer_syntax(encoded_slices)
    check_pixel_bytes(encoded_slices)
    reference = stored_values(encoded_slices[0])
    assert (reference.shape, reference.min()) == ((512, 512), -2000)
    for file in encoded_slices[1:]:
        np.testing.assert_array_equal(stored_values(file), reference, err_msg=file.transfer_syntax.name)


def test_padding_that_the_header_names_wrong_becomes_air(encoded_slices):
    hu = hounsfield(encoded_slices[0])
    assert hu.min() == -1024
    assert 0 < np.count_nonzero(hu == -1024) < hu.size / 2


def test_one_slice_is_no_volume(shared_data, tmp_path):
    path = next((shared_data / "transfer_syntax_slices").glob("*Explicit*.dcm"))
    (tmp_path / "one.dcm").symlink_to(path)
    with pytest.raises(InputError, match="a single slice, which is no volume"):
        read_ct(tmp_path)


def test_one_slice_in_seven_encodings_is_not_taken_for_a_copy(shared_data):
    with pytest.raises(InputError, match="one SOPInstanceUID but differ in content"):
        read_ct(shared_data / "transfer_syntax_slices")


def test_vtk_headsq_is_a_ct(shared_data):
    scan = read_ct(shared_data / "vtk_headsq" / "ct.nii.gz")
    assert scan.volume.shape == (93, 64, 64)
    np.testing.assert_allclose(scan.volume.spacing_mm, (1.5, 3.2, 3.2), atol=1e-6)
    assert scan.warnings == ()


def test_rtstructs_beside_the_ct_are_set_aside(shared_data):
    scan = read_ct(shared_data / "rtstruct_rtutils_phantom")
    assert scan.warnings == ("Set aside, no CT slices: 3 RT Structure Set Storage.",)
    np.testing.assert_allclose(scan.volume.spacing_mm, (5, 0.488281, 0.488281))
    np.testing.assert_allclose(scan.volume.origin_lps_mm, (-125, -125, 60))


def test_an_rtstruct_is_no_ct(shared_data):
    with pytest.raises(InputError, match="holds no CT slice: RT Structure Set Storage"):
        read_ct(shared_data / "rtstruct_rtutils_phantom" / "rt.dcm")


def test_the_neck_atlas_is_a_label_map(shared_data):
    atlas = read_labelmap(shared_data / "spl_hn_atlas" / "labels_LPS.nii.gz")
    assert atlas.shape == (229, 255, 255)
    assert atlas.array.dtype == np.uint8
    np.testing.assert_allclose(atlas.origin_lps_mm, (-124.0234, -124.0234, -159.6028), atol=1e-3)
