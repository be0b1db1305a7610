"""`scripts/reproduce_dual_swin_unetr.py`: its figures by hand, and the page that it writes."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from ece_core.training.folds import fold_of
from ece_core.training.swin.dual import Prediction
from ece_core.training.swin.patients import Patient

ROOT = Path(__file__).parents[3]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("reproduce_dual_swin_unetr")


def test_one_number_is_cut_where_it_tells_the_known_apart_best(script):
    known, truth = np.array([5.0, 8.0, 12.0, 20.0]), np.array([False, False, True, True])
    score = script.one_number(known, truth, np.array([9.0, 10.0, 11.0, 40.0]))
    assert score[1] == 0.5 and score[0] < 0.5 < score[2] < score[3] < 1


def test_f1_is_counted_by_hand(script):
    called, truth = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert script.f1(called, truth) == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert script.f1(called & False, truth & False) is None


def some_patients(count=40):
    empty = np.zeros((1, 1, 1), np.int16)
    return [Patient(f"patient_{n:04d}", empty, empty, n % 2 == 0, 10.0 + n % 7, 100.0 + n % 3) for n in range(count)]


def answers_of(patients, sharpness, seed=0):
    rng, folds = np.random.default_rng(seed), fold_of([p.name for p in patients])
    found = [[], [], [], [], []]
    for fold, patient in zip(folds, patients, strict=True):
        logit = sharpness * (1 if patient.has_ece else -1) + rng.normal()
        found[fold].append(Prediction(patient.name, patient.has_ece, float(1 / (1 + np.exp(-logit))), rng.random()))
    return found


@pytest.mark.slow
def test_the_page_puts_both_arms_beside_the_paper_and_says_what_pretraining_did(script, tmp_path):
    (tmp_path / "pretraining").mkdir()
    (tmp_path / "pretraining" / "validation.csv").write_text("step,masked_error,of_the_mean_image\n500,0.04,0.09\n")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.json").write_text(json.dumps({"training_data": "Three scans."}))
    config = {"difficulty": "medium", "data_seed": 1, "seed": 2, "steps": 3, "batch_size": 4}
    patients = some_patients()
    answers = {script.PLAIN: answers_of(patients, 0.0), script.PRETRAINED: answers_of(patients, 4.0)}
    page = tmp_path / "tables.md"
    script.write_page(page, config, patients, answers, tmp_path / "pretraining", tmp_path / "bundle")
    text = page.read_text()
    assert "Our figures are from simulated patients" in text and "**Pretraining raised the AUC by +" in text
    assert "40 simulated patients with metastases, 20 with ECE" in text and "Three scans." in text
    assert "| AUC | 0.681 |" in text and "| 0.886 | 1.000" in text and "| 500 | 0.0400 | 0.0900 |" in text
    assert script.SIZE in text and script.HU in text and "nan" not in text
    assert (tmp_path / "tables" / "roc.png").exists() and (tmp_path / "tables" / "regions.csv").exists()
    shown = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert all((tmp_path / name).exists() for name in shown if name.startswith("tables"))


def test_the_verdict_goes_the_way_that_the_figures_go(script):
    patients = some_patients()
    good, poor = answers_of(patients, 4.0), answers_of(patients, 0.0)
    for plain, pretrained, words in (
        (good, poor, "lowered the AUC: -"), (poor, poor, "cannot be said"),
        (answers_of(patients, 0.8), answers_of(patients, 0.8, seed=1), "did not change the AUC beyond chance"),
    ):  # fmt: skip
        comparison = script.compare(script.scores_of({script.PLAIN: plain, script.PRETRAINED: pretrained}))
        assert words in script.verdict(comparison)
