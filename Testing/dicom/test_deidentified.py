"""SEG, Parametric Map and RTSTRUCT still belong to their CT after `ece deidentify`, and are valid DICOM."""

import subprocess

import numpy as np
import pytest
from ece_core.export.dicom_pm import write_dicom_pm
from ece_core.export.dicom_seg import write_dicom_seg
from ece_core.io import read_ct, read_lymph_nodes
from ece_core.io.rtstruct_writer import write_rtstruct
from ece_core.privacy.export_folder import deidentify_folder
from pydicom import dcmread

pytestmark = pytest.mark.slow


@pytest.fixture
def copied(scan, instances, lymph_nodes, tmp_path):
    """{modality: files} of the copy."""
    heatmap = scan.volume.with_array((instances.array > 0).astype(np.float32))
    write_dicom_seg(tmp_path / "ct" / "seg.dcm", instances, lymph_nodes, scan.headers, [])
    write_dicom_pm(tmp_path / "ct" / "pm.dcm", heatmap, "Grad-CAM", scan.volume, scan.headers)
    write_rtstruct(tmp_path / "ct" / "rt.dcm", instances, {n.label: n.id for n in lymph_nodes}, scan.headers)
    notes = deidentify_folder(tmp_path / "ct", tmp_path / "copy", b"sixteen bytes and more")
    assert notes.left_out == {}
    found = {}
    for file in sorted((tmp_path / "copy").rglob("*.dcm")):
        found.setdefault(dcmread(file).Modality, []).append(file)
    return found


def test_they_find_their_ct_and_say_the_same(copied, scan, instances):
    ct = read_ct(copied["CT"][0].parent)
    np.testing.assert_array_equal(ct.volume.array, scan.volume.array)
    for modality in ("SEG", "RTSTRUCT"):
        (file,) = copied[modality]
        read = read_lymph_nodes(file, ct)
        np.testing.assert_array_equal(read.volume.array > 0, instances.array > 0)
    (heatmap,) = copied["OT"]
    uids = {str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in copied["CT"]}
    referenced = {str(e.value) for e in dcmread(heatmap).iterall() if e.keyword == "ReferencedSOPInstanceUID"}
    assert referenced and referenced <= uids
    headers = [dcmread(file, stop_before_pixels=True) for files in copied.values() for file in files]
    assert len({header.StudyInstanceUID for header in headers}) == 1


def test_the_copies_have_no_error_of_their_own(copied, dciodvfy):
    for modality, (file, *_) in copied.items():
        said = subprocess.run([dciodvfy, file], capture_output=True, text=True).stderr
        errors = [line for line in said.splitlines() if line.startswith("Error")]
        assert not errors, (modality, errors)
