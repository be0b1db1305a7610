"""The two commands of docs/parotid.md, tiny: every file is there, and a second call does nothing again."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]
TINY = {
    "edge": 16, "filters": 4, "log_every": 2, "checkpoint_every": 4, "pattern_images": 2, "mapped_voxels": 2,
    "cam_layer": "decoder.2", "augment": False,
}  # fmt: skip
pytestmark = pytest.mark.slow


def run(name, monkeypatch, tmp_path, changes, *options):
    config = json.loads((ROOT / "configs" / f"{name}.json").read_text()) | TINY | changes
    (tmp_path / "config.json").write_text(json.dumps(config))
    script = ROOT / "scripts" / f"reproduce_{name}.py"
    monkeypatch.syspath_prepend(str(script.parent))  # python puts it there when the script is called: parotid_shared
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    call = [str(script), str(tmp_path / "config.json"), "--out", str(tmp_path / "out"), *options]
    monkeypatch.setattr(sys, "argv", call)
    assert module.main() == 0
    return tmp_path / "out"


def test_synthetic_heads(monkeypatch, tmp_path):
    changes = {"variations": ["S6"], "cases": [4, 2, 3], "epochs": 1, "mapped_cases": 1}
    out = run("parotid_synthetic", monkeypatch, tmp_path, changes)
    table = (out / "dice.csv").read_text().splitlines()
    assert table[1].startswith("S6,near perfect,") and table[1].endswith(",3")
    assert len((out / "heat.csv").read_text().splitlines()) == 1 + 7 and (out / "maps_S6.png").is_file()
    last_line = np.asarray(Image.open(out / "maps_S6.png").convert("L"))[-16:, :300]
    assert 6 <= (last_line < 128).any(axis=1).sum() <= 13, "the words of research use, on white"
    shares = json.loads((out / "S6" / "figures.json").read_text())["heat"][0]
    regions = ("inside", "border", "rod's ends", "rest of the rod", "elsewhere")
    assert sum(shares[name] for name in regions) == pytest.approx(1, abs=1e-5)
    before = (out / "S6" / "figures.json").stat().st_mtime_ns
    run("parotid_synthetic", monkeypatch, tmp_path, changes)
    assert (out / "S6" / "figures.json").stat().st_mtime_ns == before


def test_real_parotids_on_made_up_arrays(monkeypatch, tmp_path):
    rng, folder = np.random.default_rng(1), tmp_path / "arrays"
    folder.mkdir()
    (folder / "labels.json").write_text(json.dumps({"3": "RightParotid", "4": "LeftParotid"}))
    names = [f"pt_{n}" for n in range(18)]
    for name in names:
        labels, size = np.zeros((24, 24, 24), np.uint8), rng.integers(4, 8)
        labels[8 : 8 + size, 8:14, 3:8], labels[8:14, 8 : 8 + size, 16:21] = 3, 4
        hu = np.where(labels > 0, 80, -80) + rng.integers(-20, 20, labels.shape)
        np.savez(folder / f"{name}.npz", hu=hu.astype(np.int16), labels=labels, spacing_zyx_mm=np.full(3, 4.0))
    split = {"train": names[:4], "validation": names[4:5], "test": names[5:]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    changes = {"epochs": {"plain": 6, "curated": 6}, "curate_after": 1, "spacing_mm": 4.0, "mapped_cases": 26,
               "learning_rate": 0.01}  # fmt: skip
    options = ("--real-ct", str(folder), "--split", str(tmp_path / "split.json"))
    out = run("parotid_real", monkeypatch, tmp_path, changes, *options)
    assert len(json.loads((out / "kept.json").read_text())) == 6  # of 8 glands a fifth, rounded, is left out
    assert [row.split(",")[:3] for row in (out / "dice.csv").read_text().splitlines()[1:]] == [
        ["plain", "validation", "2"], ["plain", "test", "26"], ["curated", "validation", "2"], ["curated", "test", "26"]
    ]  # fmt: skip
    assert len((out / "auc.csv").read_text().splitlines()) == 1 + 14
    pictures = {path.name for path in out.rglob("*.png")}
    maps = {"maps_plain.png", "maps_curated.png"}
    curves = {"roc_plain.png", "roc_curated.png", "curves.png", "loss.png"}
    assert maps <= pictures <= curves | maps  # no picture of a patient
