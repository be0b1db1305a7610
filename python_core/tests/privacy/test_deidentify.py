"""The copy for research: what must go is gone, what must stay is there, one identity becomes one pseudonym."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ece_core.cli.main import main
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct
from ece_core.privacy.deidentify import LABELS, Deidentifier, coarse_age, kept_keywords, shifted
from ece_core.privacy.export_folder import deidentify_folder, warnings_of
from ece_core.privacy.owner_only import read_owner_only, write_owner_only
from marked_patient import DATES, NAMES, TEXTS, TIMES, searched, write_marked_ct
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword

KEY = b"sixteen bytes at least"
VOLUME = Volume(
    np.arange(3 * 16 * 18).reshape(3, 16, 18).astype(np.int16), affine_from((2.5, 0.8, 0.9), (-7, 3.25, 100))
)


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked") / "ct"
    return folder, write_marked_ct(VOLUME, folder)


@pytest.fixture(scope="module")
def copied(marked, tmp_path_factory):
    target = tmp_path_factory.mktemp("copy")
    notes = deidentify_folder(marked[0], target, KEY)
    return target, notes


def files(folder):
    return sorted(folder.rglob("*.dcm"))


def test_no_mark_is_left_in_any_file_or_name(marked, copied):
    content = b"".join(file.read_bytes() for file in copied[0].rglob("*") if file.is_file())
    names = "".join(map(str, copied[0].rglob("*")))
    dates_and_times = [marked[1][keyword] for keyword in (*DATES, *TIMES)]
    for text, keyword in searched(marked[1]).items():
        assert text.encode() not in content, keyword
        assert text in dates_and_times or text not in names, keyword
    assert len(files(copied[0])) == 3


def test_voxels_and_geometry_are_the_same(marked, copied):
    before, after = read_ct(marked[0]), read_ct(copied[0])
    np.testing.assert_array_equal(before.volume.array, after.volume.array)
    np.testing.assert_array_equal(before.volume.affine, after.volume.affine)


def test_it_says_what_was_done(copied):
    dataset = dcmread(files(copied[0])[0])
    assert dataset.PatientIdentityRemoved == "YES" and dataset.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]
    assert dataset.PatientID.startswith("ANON-") and dataset.PatientBirthDate == "" and dataset.PatientSex == "O"
    assert not any(element.tag.is_private for element in dataset.iterall())


def test_what_the_standard_removes_is_not_on_the_keep_list():
    replaced = {"StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"}
    replaced |= {"StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"}
    assert kept_keywords() & {*NAMES, *TEXTS, *DATES, *TIMES} == replaced
    tags = [tag_for_keyword(keyword) for keyword in kept_keywords() - set(LABELS)]
    assert None not in tags and not {"PN", "LT", "ST", "UT", "AE"} & {dictionary_VR(tag) for tag in tags}


def a_dataset(**values) -> Dataset:
    dataset = Dataset()
    for keyword, value in {"PatientID": "7", "StudyDate": "20200310", **values}.items():
        setattr(dataset, keyword, value)
    return dataset


def test_one_patient_keeps_one_pseudonym_and_the_days_between_two_scans():
    identities = Deidentifier(KEY)
    first, later, other = a_dataset(), a_dataset(StudyDate="20200317"), a_dataset(PatientID="8")
    assert identities.pseudonym(first) == identities.pseudonym(later) != identities.pseudonym(other)
    assert identities.days(first) == identities.days(later) != identities.days(other)
    assert -3650 <= identities.days(first) <= -1
    assert Deidentifier(b"another key, 16 bytes").pseudonym(first) != identities.pseudonym(first)
    assert identities.pseudonym(a_dataset(IssuerOfPatientID="B")) != identities.pseudonym(first)
    nobody = a_dataset(PatientID="", StudyInstanceUID="1.2")
    assert identities.pseudonym(nobody) != identities.pseudonym(a_dataset(PatientID="", StudyInstanceUID="1.3"))


def test_uids_stay_consistent_and_those_of_the_standard_stay_themselves():
    identities = Deidentifier(KEY)
    assert identities.uid("1.2.3") == identities.uid("1.2.3") != identities.uid("1.2.4")
    assert identities.uid("1.2.3").startswith("2.25.") and len(identities.uid("1.2.3")) <= 64
    assert identities.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    ("text", "moved"),
    [("20200301", "20200229"), ("20200101", "20191231"), ("2020", ""), ("20201399", ""), ("JANE DOE", ""), ("", "")],
)
def test_dates_move_by_days_and_what_is_none_is_emptied(text, moved):
    assert shifted(text, -1) == moved
    if len(text) == 8:
        assert shifted(f"{text}113059.123", -1, with_time=True) == (f"{moved}000000" if moved else "")


def test_old_ages_are_one_group():
    assert [coarse_age(age) for age in ("061Y", "089Y", "090Y", "101Y", "030D", "JANE")] == [
        "061Y", "089Y", "090Y", "090Y", "030D", ""
    ]  # fmt: skip


def a_file(**values):
    dataset = dcmread(io.BytesIO(_one_slice()))
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _one_slice() -> bytes:
    from tempfile import TemporaryDirectory

    from ece_core.io import write_ct_series

    with TemporaryDirectory() as folder:
        return write_ct_series(VOLUME.crop((0, 0, 0), (1, 16, 18)), folder, seed=1)[0].read_bytes()


def test_a_name_in_an_element_that_is_kept_is_emptied_and_counted_but_numbers_never():
    identities = Deidentifier(KEY)
    source = a_file(PatientName="DOE^JANE", PatientID="512", AccessionNumber="120", InstitutionName="NECK")
    source.ConvolutionKernel, source.Manufacturer, source.Rows = "doe special", "JANES WORKS", source.Rows
    copied = identities.copy(source)
    assert copied.ConvolutionKernel == "" and identities.notes.names_found == 2  # and the body part
    assert copied.Manufacturer == "JANES WORKS" and str(copied.KVP) == "120"
    assert copied.PixelSpacing == source.PixelSpacing and copied.ImageType == source.ImageType


def test_names_of_segments_and_rois_that_are_none_become_numbers():
    identities = Deidentifier(KEY)
    segments = []
    for number, label in enumerate(("LN1 left II, ENE", "tumor of Jane Doe (1950)", "DOE"), start=1):
        segments.append(Dataset())
        segments[-1].SegmentNumber, segments[-1].SegmentLabel, segments[-1].TrackingID = number, label, label
    copied = identities.copy(a_file(PatientName="DOE^JANE", SegmentSequence=segments))
    labels = ["LN1 left II, ENE", "Segment 2", "Segment 3"]
    for keyword in ("SegmentLabel", "TrackingID"):
        assert [item[keyword].value for item in copied.SegmentSequence] == labels


@pytest.mark.slow
def test_what_may_hold_anything_is_left_out_and_burned_in_text_is_told(tmp_path):
    report, burned, doubtful = a_file(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"), a_file(), a_file()
    burned.BurnedInAnnotation = "YES"
    del doubtful.BurnedInAnnotation
    doubtful.ImageType = ["DERIVED", "SECONDARY"]
    for name, dataset in (("a", report), ("b", burned), ("c", doubtful)):
        dataset.save_as(tmp_path / f"{name}.dcm")
    notes = deidentify_folder(tmp_path, tmp_path / "out", KEY)
    said = "\n".join(warnings_of(notes))
    assert len(files(tmp_path / "out")) == 1
    assert "a neck CT shows the face" in said and "1 images were made by a computer" in said
    assert "Basic Text SR Storage may hold free text" in said and "BurnedInAnnotation is YES" in said
    both = deidentify_folder(tmp_path, tmp_path / "all", KEY, with_burned_in=True)
    assert "1 images say that text is burned into them" in "\n".join(warnings_of(both))
    (tmp_path / "only").mkdir()
    report.save_as(tmp_path / "only" / "a.dcm")
    with pytest.raises(InputError, match="No DICOM object is left to export.*CT Image"):
        deidentify_folder(tmp_path / "only", tmp_path / "none", KEY)


def test_the_key_file_is_made_once_and_owner_only(tmp_path):
    key = tmp_path / "key"
    write_owner_only(key, "secret", "the key")
    assert read_owner_only(key, "the key") == "secret" and key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="cannot be made"):
        write_owner_only(key, "other", "the key")
    key.chmod(0o644)
    with pytest.raises(InputError, match="Others may open the file with the key.*chmod 600"):
        read_owner_only(key, "the key")
    with pytest.raises(InputError, match="not a file"):
        read_owner_only(Path("/dev/null"), "the key")


@pytest.mark.slow
def test_from_the_command_line_the_same_key_gives_the_same_pseudonyms(marked, tmp_path, capsys):
    runs = []
    for out in ("a", "b"):
        assert main(["deidentify", str(marked[0]), str(tmp_path / out), "--key", str(tmp_path / "key")]) == 0
        runs.append(sorted(path.name for path in (tmp_path / out).iterdir()))
    assert runs[0] == runs[1] and (tmp_path / "key").stat().st_mode & 0o077 == 0
    assert "a neck CT shows the face" in capsys.readouterr().out
    assert main(["deidentify", str(marked[0]), str(tmp_path / "c")]) == 0
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) != runs[0]


def test_the_copy_is_valid_dicom(copied):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is absent: apt-get install dicom3tools")
    said = subprocess.run(["dciodvfy", files(copied[0])[0]], capture_output=True, text=True).stderr
    assert "Error" not in said, said
