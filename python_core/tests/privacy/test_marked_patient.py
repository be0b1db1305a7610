"""A patient whose every identifying value is unmistakable goes through `ece`; none of them comes out but in DICOM."""

import base64
import gzip
import json
import logging
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from ece_core.cli.main import main
from ece_core.io import dicom_file, write_image
from ece_core.review import open_review
from fake_networks import a_neck_ct
from marked_patient import searched, write_marked_ct
from scipy import ndimage

FOLDER = "QXFOLDER77ZW"  # hospitals name folders after patients
BRIGHT_HU = 150


def contents(content: bytes) -> bytes:
    """A file's bytes, with what is packed in it: gzip, zlib streams of PNG, base64 pictures of HTML."""
    found = [content]
    for start in (match.start() for match in re.finditer(rb"\x1f\x8b\x08", content)):
        try:
            found.append(zlib.decompressobj(31).decompress(content[start:]))
        except zlib.error:
            continue
    for picture in re.findall(rb"base64,([A-Za-z0-9+/=]+)", content):
        found.append(base64.b64decode(picture))
    return b"\n".join(found)


def leaks(marks: dict[str, str], content: bytes) -> set[str]:
    """Which elements' values stand there, in any of the usual encodings."""
    whole = contents(content)
    return {
        keyword
        for text, keyword in searched(marks).items()
        for encoded in (text.encode(), text.encode("utf-16-le"), text.lower().encode())
        if encoded in whole
    }


def assert_clean(marks, folder):
    checked = 0
    for file in (file for file in folder.rglob("*") if file.is_file()):
        content = file.read_bytes()
        assert not leaks(marks, str(file.relative_to(folder)).encode())
        if content[128:132] != b"DICM":
            assert not leaks(marks, content), file.name
            checked += 1
    return checked


@pytest.fixture
def patient(tmp_path):
    """(folder of the CT, its lymph nodes' mask, marks)."""
    ct = a_neck_ct()
    marks = write_marked_ct(ct, tmp_path / FOLDER / "ct") | {"folder": FOLDER}
    mask = ct.with_array(ndimage.label(ct.array > BRIGHT_HU)[0].astype("uint16"))
    write_image(mask, tmp_path / "mask.nii.gz")
    return tmp_path / FOLDER / "ct", tmp_path / "mask.nii.gz", marks


@pytest.fixture
def ece(monkeypatch, capfd):
    """Runs `ece` with all logs; gives its exit code and what it said, down to the libraries in C."""
    monkeypatch.setenv("ECE_LOG", "debug")
    reading = dicom_file.read_partial

    def talkative(file, *arguments, **options):
        """As a library does that logs what it reads; whether a real one does depends on what ran before."""
        found = reading(file, *arguments, **options)
        logging.getLogger("talkative").debug("read %s: %s", file, found)
        return found

    monkeypatch.setattr(dicom_file, "read_partial", talkative)

    def run(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return code, (said.out + said.err).encode()

    return run


def test_the_search_finds_what_is_hidden():
    marks = {"PatientName": "QXNAME00^ZW00GIVEN", "PatientID": "QXTEXT00ZW"}
    picture = base64.b64encode(b"PNG tEXt QXTEXT00ZW")
    for content in (b"a QXTEXT00ZW", gzip.compress(b"QXTEXT00ZW"), "QXTEXT00ZW".encode("utf-16-le"),
                    b'<img src="data:image/png;base64,' + picture + b'">', b"qxtext00zw"):  # fmt: skip
        assert leaks(marks, b"NRRD0005\n\n" + content) == {"PatientID"}
    assert leaks(marks, b"ZW00GIVEN") == {"PatientName"} and not leaks(marks, b"QXNAME ZW00")


@pytest.mark.slow
def test_nothing_of_the_patient_comes_out(patient, ece, tmp_path):
    ct, mask, marks = patient
    out = tmp_path / "out"
    said = []
    for arguments in (
        ["analyze", ct, out / "analyzed", "--explain", "gradcam"],
        ["classify", ct, mask, out / "classified"],
        ["explain", ct, out / "classified", "--method", "gradcam"],
        ["explain", ct, out / "classified", "--method", "saliency"],
        ["export", out / "classified", "--to", "csv,html", "--out", out / "exported"],
        ["deidentify", ct, out / "copy"],
    ):
        code, words = ece(*arguments)
        assert code == 0, words.decode()
        said.append(words)
    assert (out / "classified" / "dicom" / "seg.dcm").is_file()  # DICOM was written, from the marked headers
    assert assert_clean(marks, out) >= 12
    assert not leaks(marks, b"\n".join(said))
    assert b"DEBUG talkative: test_marked_patient.py, line" in b"\n".join(said)  # there was something to cut down


WORKER = Path(__file__).parents[1] / "worker" / "fake_worker.py"
SEEN = "Seen by the second reader"


def worker_says(requests, behaviour):
    """Every line of the real worker's stdout and stderr, with all logs, over fake networks."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    worker = subprocess.Popen([sys.executable, str(WORKER), behaviour], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=os.environ | {"ECE_LOG": "debug"})  # fmt: skip
    worker.stdin.write(lines.encode())
    worker.stdin.flush()
    said = b""
    while said.count(b'"event": "result"') + said.count(b'"event": "error"') < len(requests):
        line = worker.stdout.readline()
        assert line, worker.stderr.read().decode()
        said += line
    rest, errors = worker.communicate(timeout=180)  # closes stdin, which ends it
    return said + rest, errors


@pytest.mark.slow
def test_nothing_of_the_patient_comes_out_of_the_worker_or_into_a_review(patient, tmp_path):
    ct, mask, marks = patient
    out = tmp_path / "out"
    options = {"explain": ["gradcam"], "rtstruct": True}
    (tmp_path / "heat").mkdir()
    said, errors = worker_says([
        {"id": 1, "request": "analyze", "ct": str(ct), "out": str(out / "analyzed"), "options": options},
        {"id": 2, "request": "explain", "ct": str(ct), "result": str(out / "analyzed"), "method": "saliency"},
        {"id": 3, "request": "classify", "ct": str(ct), "mask": str(mask), "label": 1,
         "heatmap_folder": str(out / "heat"), "options": {"explain": ["gradcam"]}},
    ], "quick")  # fmt: skip
    assert said.count(b'"event": "result"') == 3, said.decode() + errors.decode()
    review = open_review(out / "analyzed")
    review.review.set_status("LN1", "accepted")
    review.review.set_comment("LN1", SEEN)
    review.save()
    assert SEEN in (out / "analyzed" / "review.json").read_text()
    assert sorted(file.name for file in (out / "analyzed" / "dicom").iterdir()) == [
        "heatmap_gradcam.dcm", "heatmap_saliency.dcm", "rtstruct.dcm", "seg.dcm", "sr.dcm",
    ]  # fmt: skip
    assert assert_clean(marks, out) >= 8
    assert not leaks(marks, said) and not leaks(marks, errors)


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["broken", "quick"])
def test_nothing_of_the_patient_comes_out_of_a_worker_that_fails(behaviour, patient, tmp_path):
    ct, _, marks = patient
    if behaviour == "quick":
        damage(ct, lambda content: content[:600])
        for file in sorted(ct.glob("*.dcm"))[4:]:
            file.unlink()
    request = {"id": 1, "request": "analyze", "ct": str(ct), "out": str(tmp_path / "out")}
    said, errors = worker_says([request], behaviour)
    assert said.count(b'"event": "error"') == 1, said.decode()
    assert not leaks(marks, said) and not leaks(marks, errors)


def damage(ct, how):
    files = sorted(ct.glob("*.dcm"))
    content = files[3].read_bytes()
    files[3].write_bytes(how(content))


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(lambda content: content[:-50], id="pixels cut"),
        pytest.param(lambda content: content[:600], id="header cut"),
        pytest.param(lambda content: content.replace(b"\x20\x00\x32\x00DS", b"\x20\x00\x32\x00ZZ"), id="unknown VR"),
        pytest.param(lambda content: content.replace(b"QXTEXT", b"\xff\xfe\xfd\x80\x81\x82"), id="no characters"),
    ],
)
def test_nothing_of_the_patient_comes_out_of_a_failure(how, patient, ece, tmp_path):
    ct, mask, marks = patient
    damage(ct, how)
    code, words = ece("classify", ct, mask, tmp_path / "out")
    assert not leaks(marks, words), words.decode()
    assert code == 2 or how(b"QXTEXT") != b"QXTEXT"
    code, words = ece("deidentify", ct, tmp_path / "copy")
    assert not leaks(marks, words), words.decode()
