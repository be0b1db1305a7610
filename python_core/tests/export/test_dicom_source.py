"""A saved result knows its CT's slices: what is written from it equals what is written from the CT's own headers."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from drawn_patient import a_result, an_instance_map, three_lymph_nodes
from ece_core.errors import InputError
from ece_core.export.dicom_seg import usable_headers, write_dicom_seg
from ece_core.export.dicom_source import source_headers

SAME = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "AccessionNumber",
    "SeriesInstanceUID", "SeriesNumber", "FrameOfReferenceUID", "SOPInstanceUID", "SOPClassUID", "Rows", "Columns",
)  # fmt: skip
NUMBERS = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")


@pytest.fixture
def saved(tmp_path, a_scan, headers_of_somebody):
    """A result folder as far as it matters: seg.dcm, and the grid in result.json."""
    (tmp_path / "dicom").mkdir()
    write_dicom_seg(tmp_path / "dicom" / "seg.dcm", an_instance_map(), three_lymph_nodes(), headers_of_somebody, ())
    grid = {"shape_kji": list(a_scan.volume.shape), "affine_lps": a_scan.volume.affine.tolist()}
    return tmp_path, replace(a_result(), input=grid)


def test_every_slices_header_comes_back(saved, headers_of_somebody):
    expected, _ = usable_headers(headers_of_somebody)
    found = source_headers(*saved)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert {keyword: one[keyword].value for keyword in SAME} == {keyword: other[keyword].value for keyword in SAME}
        for keyword in NUMBERS:
            values = [np.array(header[keyword].value, float) for header in (one, other)]
            np.testing.assert_allclose(*values, atol=1e-6)


def test_a_seg_whose_slices_stand_in_another_order_is_refused(saved):
    folder, result = saved
    seg = pydicom.dcmread(folder / "dicom" / "seg.dcm")
    seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence.reverse()
    seg.save_as(folder / "dicom" / "seg.dcm")
    with pytest.raises(InputError, match=r"damaged, or not of this result.*Run the analysis again"):
        source_headers(folder, result)


def test_without_a_seg_there_are_no_headers(tmp_path):
    with pytest.raises(InputError, match=r"no DICOM SEG: its CT was not DICOM, or no lymph node"):
        source_headers(tmp_path, a_result())
