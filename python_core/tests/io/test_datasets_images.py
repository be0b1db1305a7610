"""Data sets of images, laid out by hand as their authors document them."""

import json

import numpy as np
import pytest
from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io import datasets, write_ct_series, write_image
from ece_core.io.datasets import (
    Dataset,
    load_dicom_studies,
    load_hecktor,
    load_nnunet,
    load_nrrd_organs,
    load_openkbp,
    load_simulated_cohort,
)
from rt_files import write_rtstruct_of
from seg_files import a_ct, a_seg, outlines

SHAPE = (6, 20, 20)
AFFINE = affine_from((2.5, 0.9, 0.8), (-10.0, 5.0, -70.0))


def a_volume(value=40):
    array = np.full(SHAPE, -1000, np.int16)
    array[:, 2:-2, 2:-2] = value
    return Volume(array, AFFINE)


def a_labelmap(**values):
    """One box for label a, two boxes apart for label b."""
    array = np.zeros(SHAPE, np.uint8)
    array[1:3, 3:6, 3:6] = values.get("a", 1)
    array[1:3, 10:12, 3:6] = array[3:5, 14:16, 10:13] = values.get("b", 2)
    return Volume(array, AFFINE)


def save(volume, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(volume, path)


ABOUT = {
    "channel_names": {"0": "PET", "1": "CT"},
    "labels": {"background": 0, "GTVp": 1, "GTVn": 2},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def an_nnunet(folder, about=ABOUT, labelmap=None):
    """documentation/dataset_format.md: imagesTr/ID_XXXX.nii.gz, labelsTr/ID.nii.gz, dataset.json."""
    save(a_volume(7), folder / "imagesTr" / "neck_001_0000.nii.gz")
    save(a_volume(), folder / "imagesTr" / "neck_001_0001.nii.gz")
    save(a_volume(), folder / "imagesTs" / "neck_002_0001.nii.gz")
    save(labelmap or a_labelmap(), folder / "labelsTr" / "neck_001.nii.gz")
    (folder / "dataset.json").write_text(json.dumps(about))
    return folder


def test_nnunets_ct_channel_labels_and_split(tmp_path):
    train, test = load_nnunet(an_nnunet(tmp_path))
    assert [(c.case_id, c.split, c.has_outlines) for c in (train, test)] == [
        ("neck_001", "train", True), ("neck_002", "test", False),
    ]  # fmt: skip
    np.testing.assert_array_equal(train.ct.volume.array, a_volume().array)
    assert [(row.label, row.target, row.class_name) for row in train.outlines.lymph_nodes] == [
        (1, "GTVn", None), (2, "GTVn", None),
    ]  # fmt: skip
    np.testing.assert_array_equal(train.outlines.instances.array > 0, a_labelmap().array == 2)
    assert train.outlines.structures == ("GTVp",)
    np.testing.assert_array_equal(train.outlines.structure("GTVp").array, a_labelmap().array == 1)
    assert test.outlines.instances is None


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"background": 0, "P": 1, "ene": 2}, id="version 2"),
        pytest.param({"0": "background", "1": "P", "2": "ENE"}, id="version 1"),
        pytest.param({"background": 0, "lymph nodes": [1, 2], "P": 1, "ENE": 2}, id="regions"),
    ],
)
def test_labels_named_by_class_give_the_class_once(tmp_path, labels):
    case = load_nnunet(an_nnunet(tmp_path, {**ABOUT, "labels": labels}))[0]
    assert [row.class_name for row in case.outlines.lymph_nodes] == ["P", "ENE", "ENE"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"channel_names": {"0": "T2"}}, "names no channel CT", id="no CT"),
        pytest.param({"labels": None}, "names no labels", id="no labels"),
        pytest.param({"labels": {"background": 0, "x": "y"}}, "no whole number", id="a label that is text"),
        pytest.param({"file_ending": ".png"}, "kind that is not read here", id="pictures"),
        pytest.param({"file_ending": ".nrrd"}, "no case was found", id="no images"),
    ],
)
def test_what_is_no_nnunet_data_set(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        load_nnunet(an_nnunet(tmp_path, {**ABOUT, **change}))


def test_a_label_map_that_does_not_fit_is_told_with_its_case(tmp_path):
    shifted = Volume(a_labelmap().array, affine_from((2.5, 0.9, 0.8), (-9.0, 5.0, -70.0)))
    data = load_nnunet(an_nnunet(tmp_path, labelmap=shifted))
    with pytest.raises(GeometryError, match="label map is not on the grid.*Resample"):
        _ = data[0].outlines
    told = str(data.describe(open_files=True))
    assert "error: neck_001: The label map is not on the grid of the CT" in told
    with pytest.raises(InputError, match="values that have no name: 9"):
        _ = load_nnunet(an_nnunet(tmp_path / "b", labelmap=a_labelmap(b=9)))[0].outlines


@pytest.mark.parametrize("layout", ["2022", "2025"])
def test_hecktors_label_2_is_the_lymph_nodes(tmp_path, layout):
    folder = tmp_path / ("imagesTr" if layout == "2022" else "CHUM-001")
    save(a_volume(), folder / "CHUM-001__CT.nii.gz")
    save(a_volume(7), folder / "CHUM-001__PT.nii.gz")
    save(a_labelmap(), (tmp_path / "labelsTr" if layout == "2022" else folder) / "CHUM-001.nii.gz")
    (case,) = load_hecktor(tmp_path)
    assert case.case_id == "CHUM-001" and len(case.outlines.lymph_nodes) == 2
    np.testing.assert_array_equal(case.outlines.instances.array > 0, a_labelmap().array == 2)
    assert case.outlines.structures == ("GTVp",)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        pytest.param("0522c0002/img.nrrd", "0522c0002/structures/{}.nrrd", id="PDDCA"),
        pytest.param("0522c0002/CT_IMAGE.nrrd", "0522c0002/segmentations/{}.nrrd", id="DeepMind"),
        pytest.param("0522c0002/case_IMG_CT.nrrd", "0522c0002/case_OAR_{}.seg.nrrd", id="HaN-Seg"),
    ],
)
def test_organ_folders(tmp_path, image, mask):
    save(a_volume(), tmp_path / image)
    save(a_labelmap(b=0), tmp_path / mask.format("Mandible"))
    save(a_labelmap(a=0), tmp_path / mask.format("GTVn"))
    (case,) = load_nrrd_organs(tmp_path)
    assert (case.case_id, case.outlines.structures) == ("0522c0002", ("Mandible",))
    np.testing.assert_array_equal(case.outlines.structure("Mandible").array, a_labelmap().array == 1)
    assert len(case.outlines.lymph_nodes) == 2
    with pytest.raises(InputError, match="no structure with this name"):
        case.outlines.structure("Brain")


def a_study(folder, seed):
    ct = a_ct(folder / "ct", seed=seed)
    a_seg(folder / "seg.dcm", ct, labels=("Parotid", "GTVn"))
    write_rtstruct_of(folder / "rt.dcm", ct, outlines(ct), {1: "Mandible", 2: "GTVn"})
    return ct


def test_a_dicom_study_with_seg_and_rtstruct_of_the_same_lymph_nodes(tmp_path):
    ct = a_study(tmp_path / "DOE_JANE", 1)
    write_ct_series(ct.volume, tmp_path / "DOE_JANE" / "other", seed=9)
    (case,) = load_dicom_studies(tmp_path)
    np.testing.assert_array_equal(case.outlines.instances.array > 0, outlines(ct) == 2)
    assert len(case.outlines.lymph_nodes) == 2 and set(case.outlines.structures) == {"Parotid", "Mandible"}
    for name in case.outlines.structures:
        np.testing.assert_array_equal(case.outlines.structure(name).array, outlines(ct) == 1)


def test_nothing_that_names_a_patient_leaves_a_dicom_data_set(tmp_path):
    ct = a_study(tmp_path / "DOE_JANE", 1)
    data = load_dicom_studies(tmp_path)
    said = data[0].case_id + data[0].patient + repr(data[0]) + str(data.describe(open_files=True))
    assert data[0].case_id.startswith("dicom-") and data[0].patient == "patient-0001"
    assert "DOE" not in said and str(ct.headers[0].PatientID) not in said


def test_two_ct_series_that_nothing_refers_to(tmp_path):
    ct = a_ct(tmp_path / "s" / "one", seed=1)
    write_ct_series(ct.volume, tmp_path / "s" / "two", seed=2)
    with pytest.raises(InputError, match="2 CT series, and no RTSTRUCT or SEG says which.*Keep one"):
        _ = load_dicom_studies(tmp_path)[0].ct


def test_openkbp_arrays(tmp_path):
    labels = a_labelmap().array
    np.savez(tmp_path / "pt_1.npz", hu=a_volume().array, labels=labels, spacing_zyx_mm=np.array([2.5, 3.9, 3.9]))
    (tmp_path / "labels.json").write_text('{"1": "Brainstem", "2": "PTV70", "3": "Larynx"}')
    (case,) = load_openkbp(tmp_path)
    assert case.ct.volume.spacing_mm == (2.5, 3.9, 3.9) and case.outlines.structures == ("Brainstem", "PTV70")
    assert case.outlines.instances is None  # a PTV is no lymph node
    np.testing.assert_array_equal(case.outlines.structure("PTV70").array, labels == 2)


def test_the_real_openkbp(shared_data):
    data = load_openkbp(shared_data / "openkbp")
    case = data.case("pt_10")
    assert len(data) == 200 and case.ct.volume.shape == (128, 128, 128)
    assert {"LeftParotid", "RightParotid"} <= set(case.outlines.structures)


def a_cohort(folder):
    save(a_volume(), folder / "case_0000" / "ct.nii.gz")
    save(a_labelmap(), folder / "case_0000" / "instances.nii.gz")
    rows = [
        {"label": 2, "class": "ENE", "iene_grade": 1, "noisy_class": "P"},
        {"label": 1, "class": "N", "iene_grade": 0, "noisy_class": "N"},
    ]
    truth = {"lymph_nodes": rows, "patient": {"ece": True, "noisy_ece": False}}
    (folder / "case_0000" / "truth.json").write_text(json.dumps(truth))
    manifest = {"schema": "ece-cohort/1", "cases": [{"case": "case_0000", "split": "test"}]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_simulated_cohorts_truth_and_its_noisy_labels(tmp_path):
    (case,) = load_simulated_cohort(a_cohort(tmp_path))
    assert (case.split, case.labels.pene, case.labels.iene_grade) == ("test", "present", 1)
    assert [(n.label, n.class_name, n.pene) for n in case.outlines.lymph_nodes] == [
        (1, "N", "none"), (2, "ENE", "present"),
    ]  # fmt: skip
    (noisy,) = load_simulated_cohort(tmp_path, noisy=True)
    assert noisy.labels.pene == "none" and [n.class_name for n in noisy.outlines.lymph_nodes] == ["N", "P"]


def test_each_access_is_a_fresh_case_so_that_memory_is_freed(tmp_path):
    data = load_simulated_cohort(a_cohort(tmp_path))
    assert data[0].ct is not data[0].ct
    case = data[0]
    assert case.ct is case.ct


@pytest.mark.parametrize("loader", [name for name in datasets.__all__ if name.startswith("load_")])
def test_a_folder_of_something_else_is_refused_in_words(loader, tmp_path):
    (tmp_path / "DOE_JANE").mkdir()
    with pytest.raises(InputError) as raised:
        getattr(datasets, loader)(tmp_path / "DOE_JANE")
    assert raised.value.fix and "DOE" not in str(raised.value)


def test_description_counts_by_hand(tmp_path):
    words = str(load_simulated_cohort(a_cohort(tmp_path)).describe(open_files=True))
    assert "cases: 1 in all, 1 patients" in words and "lymph nodes: 2 in all, 1 class N, 1 class ENE" in words
    assert "pathologic ENE (also ECE): 1 present" in words and "split: 1 test" in words


def test_a_split_without_cases_is_refused(tmp_path):
    data = load_simulated_cohort(a_cohort(tmp_path))
    assert isinstance(data[:1], Dataset) and len(data.of_split("test")) == 1
    with pytest.raises(InputError, match="train: no case was found"):
        data.of_split("train")


@pytest.fixture
def rt_utils_phantom(shared_data, tmp_path):
    """Two slices and one of the three structure sets that rt-utils wrote."""

    def study(structure_set):
        folder = tmp_path / "PATIENT"
        folder.mkdir()
        for name in ("ct_1.dcm", "ct_2.dcm", structure_set):
            (folder / name).symlink_to(shared_data / "rtstruct_rtutils_phantom" / name)
        return load_dicom_studies(tmp_path)

    return study


def test_the_rt_utils_phantom_is_one_study(rt_utils_phantom):
    (case,) = rt_utils_phantom("rt.dcm")
    assert case.ct.volume.shape[0] == 2 and case.outlines.structures == ("ROI-1",)
    assert case.outlines.instances is None  # nothing nodal: unknown, not "no lymph nodes"
    assert "PHANTOM" not in case.case_id + case.patient + repr(case)


@pytest.mark.parametrize(
    ("structure_set", "words"),
    [
        ("rt.dcm", "ROI 1 lies in another frame of reference"),
        ("invalid_reference_rt.dcm", "ROI 1 refer to images that are not in this CT"),
        ("non_existent_reference_rt.dcm", "ROI 1 refer to images that are not in this CT"),
    ],
)
def test_references_of_rt_utils_that_lead_nowhere_are_told_when_the_structure_is_read(
    rt_utils_phantom, structure_set, words
):
    (case,) = rt_utils_phantom(structure_set)
    with pytest.raises(InputError, match=words):
        case.outlines.structure("ROI-1")


def test_a_structure_in_two_structure_sets_is_said(tmp_path):
    ct = a_study(tmp_path / "one", 1)
    write_rtstruct_of(tmp_path / "one" / "second.dcm", ct, outlines(ct), {1: "Mandible"})
    (case,) = load_dicom_studies(tmp_path)
    assert any("outline a structure of one name: the first" in note for note in case.outlines.notes)
