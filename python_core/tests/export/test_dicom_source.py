"""A saved result knows its CT's slices: what is written from it equals what is written from the CT's own headers."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from drawn_patient import a_result, an_instance_map, three_lymph_nodes
from ece_core.errors import InputError
from ece_core.export.dicom_seg import usable_headers, write_dicom_seg
from ece_core.export.dicom_source import headers_of_files, source_headers
from ece_core.io import read_ct
from ece_core.io.dicom_instances import frames_of_slices, instance_of, instances_of

sys.path.insert(0, str(Path(__file__).parents[1] / "io"))
import dicom_variants as variants

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


def test_a_multi_frame_ct_gives_its_frames_in_the_order_of_the_grid(tmp_path):
    """Its frames are stored in an order of their own."""
    folder = variants.save(variants.enhanced(variants.a_series(tmp_path)), tmp_path)
    scan = read_ct(folder)
    result = of_scan(scan)
    (file,) = folder.iterdir()
    found = headers_of_files([file], result)
    assert [instance_of(header) for header in found] == [instance_of(header) for header in scan.headers]
    places = np.array([header.ImagePositionPatient for header in found], float)
    np.testing.assert_allclose(places, scan.volume.to_lps([(k, 0, 0) for k in range(len(found))]), atol=1e-6)
    assert frames_of_slices(found) == result.input["frames"] != sorted(result.input["frames"])


@pytest.mark.parametrize("variant, correct", [(variants.tilted, "tilt"), (variants.uneven, "spacing")])
def test_the_files_of_a_corrected_ct_are_refused_and_the_folder_has_its_slices(variant, correct, tmp_path):
    series = variants.save(variant(variants.a_series(tmp_path)), tmp_path)
    scan = read_ct(series, correct=[correct])
    result = of_scan(scan)
    labels = np.zeros(scan.volume.shape, np.uint16)
    labels[5:8, 8:12, 8:12] = 1
    (tmp_path / "dicom").mkdir()
    nodes = three_lymph_nodes()[:1]
    write_dicom_seg(tmp_path / "dicom" / "seg.dcm", scan.volume.with_array(labels), nodes, scan.headers, ())
    with pytest.raises(InputError, match=r"was corrected \(resampled\).*or files are missing.*from its folder"):
        headers_of_files(sorted(series.iterdir()), result)
    found = source_headers(tmp_path, result)
    assert {instance_of(header) for header in found} == {None}
    assert instances_of(found) == instances_of(scan.headers)
    places = np.array([header.ImagePositionPatient for header in found], float)
    np.testing.assert_allclose(places, scan.volume.to_lps([(k, 0, 0) for k in range(len(found))]), atol=1e-6)


def of_scan(scan):
    """A result that says of the scan what the pipeline says."""
    facts = {"format": "dicom", "series_uid_sha256": scan.series_uid_sha256, "shape_kji": list(scan.volume.shape),
             "affine_lps": scan.volume.affine.tolist()}  # fmt: skip
    frames = frames_of_slices(scan.headers)
    return replace(a_result(), input={**facts, "frames": frames} if frames else facts)
