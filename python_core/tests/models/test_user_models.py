"""Models from a file: checked before anything is replaced, and nothing of a stranger's archive but what belongs."""

import hashlib
import json
import zipfile

import pytest
from ece_core.errors import InputError, ModelError, RunError
from ece_core.models.bundle import read_bundle
from ece_core.models.user_models import import_bundle, remove_bundle, user_bundles


def safetensors(content: bytes = b"abcd") -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}}).encode()
    return len(header).to_bytes(8, "little") + header + content


def a_card(weights: bytes, **changes) -> str:
    keys = ("architecture", "arguments", "input", "labels", "training_data", "metrics", "license", "intended_use")
    card = dict.fromkeys(keys, "x") | {"schema": "ece-model/1", "name": "tiny", "version": "1", "task": "x"}
    return json.dumps({**card, "weights_sha256": hashlib.sha256(weights).hexdigest(), **changes})


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    monkeypatch.setenv("ECE_MODELS", str(tmp_path / "mine"))
    return tmp_path / "mine"


def a_zip(tmp_path, weights=None, inside="bundle/", **changes):
    weights = safetensors() if weights is None else weights
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{inside}model.json", a_card(weights, **changes))
        archive.writestr(f"{inside}weights.safetensors", weights)
        archive.writestr(f"{inside}contour_quality.safetensors", safetensors(b"xy"))
        archive.writestr(f"{inside}setup.py", "print('never copied')")
        archive.writestr("../../outside.txt", "never written")
    return path


@pytest.mark.parametrize("inside", ["", "bundle/", "a/b/"])
def test_a_zip_file_becomes_a_model_of_ones_own(inside, tmp_path, mine):
    assert import_bundle(a_zip(tmp_path, inside=inside))["name"] == "tiny"
    assert {path.name for path in (mine / "tiny").iterdir()} == {
        "model.json", "weights.safetensors", "contour_quality.safetensors",
    }  # fmt: skip
    assert [path.name for path in user_bundles()] == ["tiny"]
    assert not list(tmp_path.rglob("outside.txt"))
    remove_bundle("tiny")
    assert user_bundles() == []


def test_a_model_is_replaced_only_when_that_was_asked_for_and_only_by_a_whole_one(tmp_path, mine):
    import_bundle(a_zip(tmp_path, version="1"))
    with pytest.raises(InputError, match="already have a model named tiny"):
        import_bundle(a_zip(tmp_path, version="2"))
    import_bundle(a_zip(tmp_path, version="2"), replace=True)
    assert read_bundle(mine / "tiny")["version"] == "2"
    for broken in (a_zip(tmp_path, version="3", weights_sha256="0" * 64), a_zip(tmp_path, version="3", schema="x/9")):
        with pytest.raises(ModelError):
            import_bundle(broken, replace=True)
        assert read_bundle(mine / "tiny")["version"] == "2", "the former one is whole"
    assert [path.name for path in mine.iterdir()] == ["tiny"], "nothing half-copied is left"


def test_a_full_disk_leaves_the_former_model(tmp_path, mine, monkeypatch):
    import_bundle(a_zip(tmp_path, version="1"))

    def full(*_):
        raise OSError(28, "full")

    monkeypatch.setattr("ece_core.models.user_models.shutil.copyfile", full)
    with pytest.raises(RunError, match="could not be copied.*disk is not full"):
        import_bundle(a_zip(tmp_path, version="2"), replace=True)
    assert read_bundle(mine / "tiny")["version"] == "1"


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        pytest.param(b"not one", "is not a safetensors file", id="junk"),
        pytest.param(safetensors()[:-1], "is not a safetensors file", id="cut"),
        pytest.param(safetensors() + b"x", "is not a safetensors file", id="appended to"),
        pytest.param(b"\x80\x04" + bytes(20), "is not a safetensors file", id="a pickle under another name"),
    ],
)
def test_only_safetensors_are_taken(weights, words, tmp_path, mine):
    with pytest.raises(ModelError, match=words):
        import_bundle(a_zip(tmp_path, weights=weights))
    assert not mine.exists() or list(mine.iterdir()) == []


def test_a_pickle_is_named_and_not_read(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.json").write_text(a_card(b""))
    (folder / "weights.pth").write_bytes(b"cos\nsystem\n")
    with pytest.raises(ModelError, match="weights are a pickle, which can run code"):
        import_bundle(folder)


def test_other_files_are_refused_in_words(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"no zip")
    with pytest.raises(ModelError, match="not a zip file.*folder with model.json"):
        import_bundle(tmp_path / "photo.jpg")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(ModelError, match="holds 0 model cards"):
        import_bundle(tmp_path / "empty.zip")
    whole = a_zip(tmp_path).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-60] + bytes(10) + whole[-50:])
    with pytest.raises(ModelError, match="damaged"):
        import_bundle(tmp_path / "cut.zip")
    with pytest.raises(InputError, match="does not exist"):
        import_bundle(tmp_path / "nothing.zip")


def test_a_shipped_model_is_not_removed():
    with pytest.raises(InputError, match="came with the program"):
        remove_bundle("lymph-node-unet")
    with pytest.raises(InputError, match="no model with this name"):
        remove_bundle("nobody")
