"""The reader against damage: a fixed budget here; ECE_FUZZ_INPUTS=10000 for the long mode (docs/dicom.md).

What is drawn depends on ECE_FUZZ_SEED alone (0 if not given).
"""

import os
import shutil

import dicom_variants
import fuzz
import numpy as np
import pytest
from ece_core.export.dicom_seg import write_dicom_seg
from ece_core.geometry import Volume, affine_from
from ece_core.io import dicom_series, read_ct, write_ct_series
from ece_core.io.dicom_seg import read_dicom_seg
from ece_core.io.rtstruct import read_rtstruct, write_rtstruct
from ece_core.lymph_nodes.lymph_node import LymphNode
from hypothesis import HealthCheck, event, given, seed, settings
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless

pytestmark = pytest.mark.slow

INPUTS = int(os.environ.get("ECE_FUZZ_INPUTS", "150"))
SEED = int(os.environ.get("ECE_FUZZ_SEED", "0"))
SHAPE_KJI = (5, 18, 20)
ENCODINGS = {
    "native": None, "RLE": RLELossless, "JPEG-LS": JPEGLSLossless, "deflated": DeflatedExplicitVRLittleEndian,
}  # fmt: skip
ENHANCED = {f"enhanced {name}": syntax for name, syntax in ENCODINGS.items()}  # the same slices as frames of one file
EVERY = (*ENCODINGS, *ENHANCED)
FEWEST = 18  # of each encoding, so that some are read and some refused
WHOLE = "whole series"

damage = st.lists(
    st.tuples(
        st.sampled_from(sorted(fuzz.KEYWORDS)),
        st.none() | st.sampled_from(fuzz.NUMBERS) | st.text(st.characters(codec="ascii"), max_size=20),
        st.sampled_from([WHOLE, 0, 2, SHAPE_KJI[0] - 1]),
    ),
    min_size=1,
    max_size=3,
)
disorder = st.lists(
    st.tuples(
        st.sampled_from([*fuzz.GROUPS, fuzz.SHARED, fuzz.OF_EACH_FRAME]),
        st.sampled_from(fuzz.STRUCTURE),
        st.none() | st.integers(0, SHAPE_KJI[0] - 1),
    ),
    max_size=2,
)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Folder of a series per encoding, and objects that lie on it."""
    root = tmp_path_factory.mktemp("clean")
    rng = np.random.default_rng(1)
    volume = Volume(rng.integers(-900, 900, SHAPE_KJI).astype(np.int16), affine_from((2.5, 0.8, 0.7), (-7, -9, -100)))
    for name, syntax in ENCODINGS.items():
        for path in write_ct_series(volume, root / name, seed=1):
            if syntax is not None:
                encode(path, syntax)
    for name, syntax in ENHANCED.items():
        (root / name).mkdir()
        path = root / name / "enhanced.dcm"
        (frames,) = dicom_variants.enhanced([dcmread(path) for path in sorted((root / "native").iterdir())])
        dcmwrite(path, frames, enforce_file_format=True)
        if syntax is not None:
            encode(path, syntax)
    scan = read_ct(root / "native")
    labels = np.zeros(SHAPE_KJI, np.uint16)
    labels[1:4, 5:9, 6:11] = 1
    node = LymphNode("LN1", 1, "P", {"N": 0.2, "P": 0.5, "ENE": 0.3}, 0.3)
    (root / "objects").mkdir()
    instances = scan.volume.with_array(labels)
    write_dicom_seg(root / "objects" / "seg.dcm", instances, [node], scan.headers, ())
    write_dicom_seg(root / "objects" / "labelmap.dcm", instances, [node], scan.headers, (), labelmap=True)
    write_rtstruct(root / "objects" / "rtstruct.dcm", instances, {1: "GTVn"}, scan.headers)
    return root, scan


def encode(path, syntax):
    ds = dcmread(path)
    if syntax == DeflatedExplicitVRLittleEndian:
        ds.file_meta.TransferSyntaxUID = syntax
    else:
        ds.compress(syntax, generate_instance_uid=False)
    dcmwrite(path, ds, enforce_file_format=True)


@seed(SEED)
@settings(max_examples=INPUTS // 2, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.sampled_from(sorted(ENCODINGS)), damage)
def test_headers_of_any_content_end_in_the_right_volume_or_in_our_error(clean, tmp_path_factory, encoding, changes):
    folder = tmp_path_factory.mktemp("headers") / "series"
    shutil.copytree(clean[0] / encoding, folder)
    files = sorted(folder.iterdir())
    try:
        for keyword, value, which in changes:
            for path in files if which == WHOLE else [files[which]]:
                fuzz.set_raw(path, keyword, value)
        event(fuzz.judge(folder))  # --hypothesis-show-statistics counts them
    finally:
        shutil.rmtree(folder.parent)


@seed(SEED)
@settings(max_examples=INPUTS // 4, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.sampled_from(sorted(ENHANCED)), damage, disorder)
def test_frames_of_any_content_end_in_the_right_volume_or_in_our_error(
    clean, tmp_path_factory, encoding, changes, moves
):
    folder = tmp_path_factory.mktemp("frames") / "series"
    shutil.copytree(clean[0] / encoding, folder)
    (path,) = folder.iterdir()
    try:
        for keyword, value, which in changes:
            fuzz.set_raw(path, keyword, value, None if which == WHOLE else which)
        for group, how, frame in moves:
            fuzz.restructure(path, group, how, frame)
        event(fuzz.judge(folder))
    finally:
        shutil.rmtree(folder.parent)


@pytest.mark.parametrize("encoding", EVERY)
def test_bytes_that_flipped_end_in_the_right_volume_or_in_our_error(clean, tmp_path, encoding):
    outcomes = set()
    for number in range(max(FEWEST, INPUTS // 2 // len(EVERY))):
        rng = np.random.default_rng([SEED, number, EVERY.index(encoding)])
        folder = tmp_path / str(number)
        shutil.copytree(clean[0] / encoding, folder)
        path = rng.choice(sorted(folder.iterdir()))
        path.write_bytes(fuzz.flip_bytes(path.read_bytes(), rng))
        outcomes.add(outcome(folder, number))
        shutil.rmtree(folder)
    assert outcomes == {"read", "refused"}  # else the damage is too mild or too coarse to say anything


@pytest.mark.parametrize("name", ["seg.dcm", "labelmap.dcm", "rtstruct.dcm"])
def test_damaged_objects_end_in_an_answer_or_in_our_error(clean, tmp_path, name):
    root, scan = clean
    read = read_rtstruct if name == "rtstruct.dcm" else read_dicom_seg
    data = (root / "objects" / name).read_bytes()
    path = tmp_path / name
    for number in range(INPUTS // 6):
        path.write_bytes(fuzz.flip_bytes(data, np.random.default_rng([SEED, number])))
        outcome(path, number, lambda file: read(file, scan))


ONE_MM_HIGHER = affine_from((2.5, 0.8, 0.7), (-7, -9, -99))


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        pytest.param("grid_affine", lambda files: ONE_MM_HIGHER, "wrong geometry", id="geometry"),
        pytest.param("hounsfield", lambda file: np.full((18, 20), 7, np.int32), "wrong HU", id="HU"),
    ],
)
@pytest.mark.parametrize("encoding", ["native", "enhanced native", "enhanced deflated"])
def test_the_judge_sees_a_wrong_volume(clean, monkeypatch, encoding, name, wrong, words):
    """A judge that says yes to everything would let all of the tests above pass."""
    assert fuzz.judge(clean[0] / encoding) == "read"
    monkeypatch.setattr(dicom_series, name, wrong)
    with pytest.raises(AssertionError, match=words):
        fuzz.judge(clean[0] / encoding)


def outcome(path, number, read=read_ct) -> str:
    try:
        return fuzz.judge(path, read)
    except BaseException as error:
        error.add_note(f"input {number} of seed {SEED}")
        raise
