"""What a Parametric Map of a heatmap says. How others read it is in Testing/dicom."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from drawn_patient import a_heatmap, a_neck_ct
from ece_core import RESEARCH_USE_ONLY
from ece_core.errors import EmptyMaskError, GeometryError
from ece_core.export.dicom_pm import write_dicom_pm
from ece_core.geometry import Volume
from pydicom.uid import DeflatedExplicitVRLittleEndian


def normal_and_positions(file):
    shared = file.SharedFunctionalGroupsSequence[0]
    axes = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    positions = [f.PlanePositionSequence[0].ImagePositionPatient for f in file.PerFrameFunctionalGroupsSequence]
    return np.cross(*axes), np.array(positions, float)


def test_frames_ascend_and_hold_the_heatmaps_own_values_on_the_ct_slices_they_name(tmp_path, a_scan):
    """The ramp's first voxel is 0, and with it nothing of the box: 9 x 12 x 12 stay."""
    heatmap = a_heatmap()
    write_dicom_pm(tmp_path / "pm.dcm", heatmap, "Grad-CAM", a_scan.volume, a_scan.headers, number=1)
    file = pydicom.dcmread(tmp_path / "pm.dcm")
    normal, positions = normal_and_positions(file)
    np.testing.assert_allclose(positions, heatmap.to_lps([(k, 0, 0) for k in range(9)]), atol=1e-6)
    assert (np.diff(positions @ normal) > 0).all()
    np.testing.assert_array_equal(np.frombuffer(file.FloatPixelData, "<f4").reshape(9, 12, 12), heatmap.array)
    named = [
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for frame in file.PerFrameFunctionalGroupsSequence
    ]
    assert named == [header.SOPInstanceUID for header in a_scan.headers[3:12]]
    assert file.SeriesDescription == f"Grad-CAM. {RESEARCH_USE_ONLY}"
    assert (file.SeriesNumber, file.StudyInstanceUID) == (9012, a_scan.headers[0].StudyInstanceUID)
    assert file.SharedFunctionalGroupsSequence[0].FrameAnatomySequence[0].FrameLaterality == "U"


def test_only_the_box_that_is_not_zero_is_written_and_deflated_it_is_smaller(tmp_path, a_scan):
    whole = np.zeros(a_neck_ct().shape, np.float32)
    whole[5:7, 10:30, 11:41] = 0.25
    heatmap = Volume(whole, a_scan.volume.affine)
    for name, deflated in (("pm.dcm", False), ("deflated.dcm", True)):
        write_dicom_pm(tmp_path / name, heatmap, "Grad-CAM", a_scan.volume, a_scan.headers, deflated=deflated)
    file = pydicom.dcmread(tmp_path / "deflated.dcm")
    assert file.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    assert (tmp_path / "deflated.dcm").stat().st_size < 0.5 * (tmp_path / "pm.dcm").stat().st_size
    volume = hd.imread(tmp_path / "pm.dcm").get_volume()
    assert sorted(volume.array.shape) == [2, 20, 30] and (volume.array == 0.25).all()


def test_a_long_title_is_cut_and_the_research_sentence_is_not(tmp_path, a_scan):
    write_dicom_pm(tmp_path / "pm.dcm", a_heatmap(), "Occlusion " * 9, a_scan.volume, a_scan.headers)
    said = pydicom.dcmread(tmp_path / "pm.dcm", stop_before_pixels=True).SeriesDescription
    assert len(said) <= 64 and said.startswith("Occlusion Occ") and said.endswith(f". {RESEARCH_USE_ONLY}")


def test_a_heatmap_of_zeros_is_refused(tmp_path, a_scan):
    with pytest.raises(EmptyMaskError, match=r"0 everywhere.*another method"):
        write_dicom_pm(tmp_path / "pm.dcm", a_scan.volume.with_array(a_scan.volume.array * 0), "x", a_scan.volume, ())


@pytest.mark.parametrize("shift", [0.25, 40.0])
def test_a_heatmap_beside_the_grid_is_refused(tmp_path, a_scan, shift):
    affine = a_heatmap().affine.copy()
    affine[0, 3] += shift
    with pytest.raises(GeometryError, match=r"not lie on the voxels of the CT"):
        write_dicom_pm(tmp_path / "pm.dcm", Volume(a_heatmap().array, affine), "x", a_scan.volume, a_scan.headers)
