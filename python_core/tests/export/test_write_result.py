"""The whole folder: every file, the same story in each, and nobody's name outside DICOM."""

import csv
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from drawn_patient import a_heatmap, a_neck_ct, a_result, an_instance_map
from ece_core.export.result import read_result
from ece_core.export.result_folder import algorithm_name, new_result_folder, read_heatmaps, write_result
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.geometry import Volume


def write(out, headers=(), result=None, **changes):
    values = {"instances": an_instance_map(), "heatmaps": {"gradcam": a_heatmap()}, "ct": a_neck_ct(), **changes}
    with new_result_folder(out) as folder:
        return write_result(folder, result or a_result(), headers=headers, **values)


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


NO_DICOM = ["heatmaps/gradcam.nrrd", "lymph_nodes.csv", "lymph_nodes.seg.nrrd", "report.html", "result.json"]


def test_a_dicom_scan_gives_all_files(tmp_path, a_scan):
    written = write(tmp_path / "out", a_scan.headers)
    pm = "dicom/heatmap_gradcam.dcm"
    assert files_of(tmp_path / "out") == [pm, "dicom/seg.dcm", "dicom/sr.dcm", *NO_DICOM]
    assert read_result(tmp_path / "out") == written == a_result(heatmaps=({**a_result().heatmaps[0], "dicom": pm},))


def test_contours_are_written_on_request_and_a_heatmap_of_zeros_is_no_parametric_map(tmp_path, a_scan):
    cold = a_heatmap().with_array(np.zeros_like(a_heatmap().array))
    written = write(tmp_path / "out", a_scan.headers, heatmaps={"gradcam": cold}, rtstruct=True)
    assert files_of(tmp_path / "out") == ["dicom/rtstruct.dcm", "dicom/seg.dcm", "dicom/sr.dcm", *NO_DICOM]
    assert "dicom" not in written.heatmaps[0]
    title = a_result().heatmaps[0]["title"]
    assert written.warnings[-1].startswith(f"There is no Parametric Map of {title}. A heatmap is 0 everywhere")


def test_another_scan_gives_all_but_dicom(tmp_path):
    write(tmp_path / "out")
    assert files_of(tmp_path / "out") == NO_DICOM


def test_all_files_tell_of_the_same_lymph_nodes_on_the_ct_s_grid(tmp_path, a_scan):
    write(tmp_path / "out", a_scan.headers)
    volume, segments = read_seg_nrrd(tmp_path / "out" / "lymph_nodes.seg.nrrd")
    np.testing.assert_array_equal(volume.array, an_instance_map().array)
    np.testing.assert_allclose(volume.affine, a_neck_ct().affine, rtol=0, atol=1e-12)
    assert segments[0].tags["DICOM.SegmentAlgorithmName"] == "ECEDetector 0.1.0 (lymph_node_unet 1.0.0)"
    with (tmp_path / "out" / "lymph_nodes.csv").open() as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    seg = pydicom.dcmread(tmp_path / "out" / "dicom" / "seg.dcm")
    assert ids == [segment.id for segment in segments] == [item.TrackingID for item in seg.SegmentSequence]


def test_a_heatmap_keeps_its_own_grid_and_stays_between_0_and_1(tmp_path):
    wild = a_heatmap().with_array(a_heatmap().array.astype(np.float64) * 3 - 1)
    write(tmp_path / "out", heatmaps={"gradcam": wild})
    heatmap = read_heatmaps(tmp_path / "out", a_result())["gradcam"]
    assert heatmap.array.dtype == np.float32
    np.testing.assert_allclose(heatmap.array, np.clip(wild.array, 0, 1), atol=1e-6)
    np.testing.assert_allclose(heatmap.affine, a_heatmap().affine, rtol=0, atol=1e-12)


def test_without_a_lymph_node_there_is_no_seg_and_the_sr_says_so(tmp_path, a_scan):
    empty = an_instance_map().with_array(np.zeros_like(an_instance_map().array))
    nothing = a_result(lymph_nodes=(), heatmaps=())
    write(tmp_path / "out", a_scan.headers, nothing, instances=empty, heatmaps={})
    assert files_of(tmp_path / "out") == [
        "dicom/sr.dcm", "lymph_nodes.csv", "lymph_nodes.seg.nrrd", "report.html", "result.json",
    ]  # fmt: skip


def test_headers_that_no_seg_can_be_made_of_cost_the_seg_only_and_are_a_warning(tmp_path, a_scan):
    for header in a_scan.headers:
        del header.StudyInstanceUID
    written = write(tmp_path / "out", a_scan.headers)
    assert files_of(tmp_path / "out") == NO_DICOM
    assert "seg.dcm was not written: the CT's headers lack StudyInstanceUID" in written.warnings[-1]
    assert read_result(tmp_path / "out").warnings == written.warnings
    assert "lack StudyInstanceUID" in (tmp_path / "out" / "report.html").read_text()


def test_nobody_is_named_outside_dicom(tmp_path, headers_of_somebody):
    write(tmp_path / "out", headers_of_somebody)
    for file in files_of(tmp_path / "out"):
        if not file.startswith("dicom/"):
            content = (tmp_path / "out" / file).read_bytes()
            assert b"MARKED" not in content and b"19010203" not in content, file
    assert pydicom.dcmread(tmp_path / "out" / "dicom" / "seg.dcm").PatientName == "MARKED^NAME"  # the PACS needs it


def test_result_json_is_the_last_file(tmp_path, monkeypatch):
    """Whoever sees result.json sees a whole folder, also in the temporary one."""
    from ece_core.export import report

    def fail(*_):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(report, "write_report", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        write_result(tmp_path, a_result(), an_instance_map(), {"gradcam": a_heatmap()}, a_neck_ct())
    assert "lymph_nodes.csv" in files_of(tmp_path) and "result.json" not in files_of(tmp_path)


def test_things_that_do_not_belong_together_are_refused(tmp_path):
    moved = a_neck_ct().affine.copy()
    moved[0, 3] += 5
    with pytest.raises(ValueError, match="not on the grid of the CT"):
        write(tmp_path / "out", ct=Volume(a_neck_ct().array, moved))
    with pytest.raises(ValueError, match=r"lists the heatmaps \['gradcam'\], but \[\] were given"):
        write(tmp_path / "out", heatmaps={})
    with pytest.raises(ValueError, match=r"labels without a lymph node: \[2, 3\]"):
        write(tmp_path / "out", result=replace(a_result(), lymph_nodes=a_result().lymph_nodes[:1]))
    assert list(tmp_path.iterdir()) == []


def test_the_algorithm_is_named_also_when_no_model_is_known():
    assert algorithm_name(a_result(models=())) == "ECEDetector 0.1.0"


EXPORT_AGAIN = """
import sys
from pathlib import Path
from ece_core.export.dicom_seg import write_dicom_seg
from ece_core.export.lymph_nodes_csv import write_lymph_nodes_csv
from ece_core.export.report import write_report
from ece_core.export.result import read_result
from ece_core.export.result_folder import read_heatmaps
from ece_core.export.seg_nrrd import read_seg_nrrd
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
result = read_result(folder)
instances, _ = read_seg_nrrd(folder / "lymph_nodes.seg.nrrd")
write_lymph_nodes_csv(out / "again.csv", result)
write_report(out / "again.html", result, instances, read_heatmaps(folder, result), None)
heavy = {"torch", "monai", "slicer", "captum"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


@pytest.mark.slow
def test_a_saved_result_is_exported_again_without_torch(tmp_path):
    write(tmp_path / "out")
    subprocess.run([sys.executable, "-c", EXPORT_AGAIN, tmp_path / "out", tmp_path], check=True, timeout=120)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out" / "lymph_nodes.csv").read_bytes()
    assert "not at hand" in (tmp_path / "again.html").read_text()
