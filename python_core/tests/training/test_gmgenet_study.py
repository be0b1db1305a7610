"""The GMGENet study on drawn patients: it learns, it is taken up where it was killed, and it leaks nothing."""

import copy
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ece_core.errors import Cancelled, InputError
from ece_core.evaluation.cross_validation import compare
from ece_core.evaluation.roc import auc
from ece_core.models import load_bundle
from ece_core.training.gmgenet import batches as batches_module
from ece_core.training.gmgenet import train as train_module
from ece_core.training.gmgenet.batches import SHIFT, Batches, shown
from ece_core.training.gmgenet.one_number import log_size, mean_hu, probabilities_by
from ece_core.training.gmgenet.patients import cohort
from ece_core.training.gmgenet.split import split_patients
from ece_core.training.gmgenet.study import CLASSIFIER, GMGENET, HU, SIZE, study
from ece_core.training.gmgenet.train import probabilities, train_network
from tiny_gmgenet import CONFIG, a_network, a_patient, write_patient, write_patients

SCRIPT = Path(__file__).parents[3] / "scripts" / "reproduce_gmgenet.py"


@pytest.fixture
def patients(tmp_path):
    write_patients(tmp_path / "data")
    return cohort(CONFIG, tmp_path / "data")


@pytest.fixture(scope="module")
def a_study(tmp_path_factory):
    work = tmp_path_factory.mktemp("gmgenet")
    write_patients(work / "data")
    return work, study(CONFIG, work)


def test_a_patients_file_is_read_as_it_was_written(patients):
    assert [patient.has_ene for patient in patients] == [False, True] * 8
    assert patients[0].name == "7-0"
    contours = patients[1].contours()
    assert contours.sum() == 18
    assert patients[1].volume().array[contours].min() > 0.9
    assert not patients[0].contours().any()


def test_a_scan_that_was_refused_is_left_out(tmp_path):
    write_patients(tmp_path / "data")
    np.savez(tmp_path / "data" / "patient_0003.npz", name=np.array("7-3"), refused=np.array("no nose"))
    names = [patient.name for patient in cohort(CONFIG, tmp_path / "data")]
    assert len(names) == 15
    assert "7-3" not in names


def test_a_batch_follows_from_its_step_and_is_half_positive(patients):
    batches = Batches({"seed": 3, "batch_size": 6}, patients)
    images, labels = batches.batch(5)
    again, _ = batches.batch(5)
    other, _ = batches.batch(6)
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert torch.equal(images, again)
    assert not torch.equal(images, other)
    assert images.shape == (6, 1, 8, 16, 16)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1


def test_what_is_shown_is_the_box_moved_by_the_shift(patients):
    volume = patients[0].volume().array
    found = shown(patients[0], {"7-0": (1, 2, 3)}, (4, 10, 10), (1, -1, 2))
    np.testing.assert_array_equal(found, volume[2:6, 1:11, 5:15])


def test_beyond_the_volume_there_is_air(patients):
    volume = patients[0].volume().array
    found = shown(patients[0], {"7-0": (4, 6, 6)}, (4, 10, 10), SHIFT)
    assert found.shape == (4, 10, 10)
    np.testing.assert_array_equal(found[:1, :4, :4], volume[7:, 12:, 12:])
    assert (found[1:] == 0).all()


def test_a_training_whose_starter_was_killed_ends(patients, monkeypatch):
    batches = Batches({"seed": 3, "batch_size": 2}, patients)
    starter = SimpleNamespace(is_alive=lambda: True)
    monkeypatch.setattr("multiprocessing.parent_process", lambda: starter)
    batches.batch(0)
    starter.is_alive = lambda: False
    with pytest.raises(Cancelled):
        batches.batch(0)


def test_patients_of_one_label_teach_nothing(patients):
    with pytest.raises(InputError, match="All 8 patients to learn from have the same label"):
        Batches({"seed": 3, "batch_size": 2}, patients[::2])


def test_size_alone_orders_patients_by_size():
    train = [a_patient(f"t{n}", has_ene=n >= 10, largest_mm=8.0 + n) for n in range(20)]
    found = probabilities_by(log_size, train, [a_patient(str(mm), largest_mm=mm) for mm in (6.0, 17.5, 40.0)])
    values = list(found.values())
    assert values == sorted(values)
    assert values[0] < 0.1
    assert values[1] == pytest.approx(0.5, abs=0.15), "halfway between the last without and the first with ENE"
    assert values[2] > 0.95


def test_hu_alone_orders_patients_by_hu():
    train = [a_patient(f"t{n}", has_ene=n < 10, mean_hu=60.0 + 4 * n) for n in range(20)]
    low, high = probabilities_by(mean_hu, train, [a_patient(str(hu), mean_hu=hu) for hu in (60.0, 140.0)]).values()
    assert low > 0.9 and high < 0.1


@pytest.mark.slow
def test_all_methods_are_judged_on_the_same_patients_and_none_taught_the_extractor(a_study):
    _, found = a_study
    assert (found.taught, found.judged, found.left_out) == (6, 10, 0)
    assert set(found.volumes_of_interest) == {f"7-{n}" for n in range(6, 16)}
    comparison = compare(found.results)  # refuses methods with other labels or folds
    assert [row.cases for row in comparison.methods] == [10] * 5
    assert {row.method for row in comparison.methods} >= {GMGENET, SIZE, HU}


@pytest.mark.slow
def test_only_patients_with_ene_have_an_overlap(a_study):
    _, found = a_study
    assert {name for name, each in found.volumes_of_interest.items() if each["overlap"]} == {
        f"7-{n}" for n in range(7, 16, 2)
    }


@pytest.mark.slow
def test_a_killed_study_goes_on_and_ends_with_the_same_scores(a_study, tmp_path, monkeypatch):
    _, found = a_study
    write_patients(tmp_path / "data")
    real, calls = train_module.run, []

    def killed(*arguments, **options):
        calls.append(arguments[1])
        if len(calls) == 13:  # the second fold of the classifier
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(train_module, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        study(CONFIG, tmp_path)
    again = study(CONFIG, tmp_path)
    for method, folds in found.results.items():
        for (scores, labels), (other, other_labels) in zip(folds, again.results[method], strict=True):
            np.testing.assert_array_equal(labels, other_labels)
            np.testing.assert_array_equal(scores, other)


@pytest.mark.slow
def test_other_numbers_of_patients_in_the_same_folder_are_refused(a_study):
    work, _ = a_study
    config = {**CONFIG, "extractor_patients": 5}
    with pytest.raises(InputError, match="other values of patients.*another folder"):
        study(config, work)


@pytest.mark.slow
def test_another_volume_of_interest_is_another_training(a_study, tmp_path):
    work, found = a_study
    fold = split_patients(cohort(CONFIG, work / "data"), 6).folds[0]
    starts = dict.fromkeys(found.volumes_of_interest, (0, 0, 0))
    with pytest.raises(InputError, match="other values of volumes_of_interest"):
        train_network(CONFIG, CLASSIFIER, work / CLASSIFIER / "fold_0", fold.train, starts)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("reproduce_gmgenet", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_command_writes_the_tables_and_the_page(a_study, script, tmp_path, monkeypatch, capsys):
    work, _ = a_study  # is trained: the command only reads
    config = tmp_path / "gmgenet.json"
    config.write_text(json.dumps(CONFIG))
    page = tmp_path / "docs" / "table.md"
    page.parent.mkdir()
    monkeypatch.setattr("sys.argv", ["x", str(config), "--out", str(work), "--page", str(page)])
    script.main()
    text = page.read_text()
    assert "| GMGENet, paper | 0.902 (0.020) | 0.911 (0.011) | 0.909 (0.023) | 0.895 (0.009) |" in text
    assert "| GMGENet, ours |" in text
    assert "say nothing about performance in a clinic" in text
    assert "6 simulated patients (medium, seed 7) taught the extractor" in text
    assert "5 patients with ENE (also ECE)" in text
    for picture in ("heat", "roc", "box_accuracy", "box_auc", "box_sensitivity", "box_specificity"):
        assert (page.with_suffix("") / f"{picture}.png").exists()
        assert f"(table/{picture}.png)" in text
    assert (work / "heat_overlap.csv").read_text().count("\n") == 6
    assert (work / "table" / "pairs.csv").exists()
    bundle = load_bundle(work / "tiny")
    assert bundle.task == "patient_ece"
    assert bundle.spec["metrics"][GMGENET]["AUC"].keys() == {"mean", "sd"}
    assert "not measured" in " ".join(bundle.spec["limits"])
    first = cohort(CONFIG, work / "data")[6]
    box = torch.from_numpy(shown(first, {first.name: (0, 0, 0)}, (4, 10, 10)))[None, None]
    with torch.inference_mode():
        members = [float(member(box).softmax(1)[0, 1]) for member in bundle.network.classifier.members]
        together = float(bundle.network(box).softmax(1)[0, 1])
    assert len(members) == 5
    assert together == pytest.approx(np.mean(members), abs=1e-5)


@pytest.mark.slow
def test_the_classifier_learns_what_a_bright_lymph_node_means(tmp_path, monkeypatch):
    """Overfit, and new patients of the same kind are judged right."""
    monkeypatch.setattr(batches_module, "SHIFT", (1, 1, 1))  # 6 voxels would move it out of a volume this small
    config = copy.deepcopy(CONFIG)
    config["networks"]["densenet"] = a_network(
        {"in_channels": 1, "out_channels": 2, "init_features": 8, "growth_rate": 4, "block_config": [1, 1, 1, 1, 1],
         "bn_size": 2, "stem_pool": False, "halvings": 1, "standardize": True}, steps=150,
    )  # fmt: skip
    config["networks"]["densenet"]["batch_size"] = 8
    write_patients(tmp_path / "data", 40, size=(12, 32, 32))
    patients = cohort({**config, "patients": 40}, tmp_path / "data")
    network = train_network(config, "densenet", tmp_path / "network", patients[:30])
    for some, least in ((patients[:30], 0.99), (patients[30:], 0.9)):
        scores = probabilities(network, some)
        truth = np.array([patient.has_ene for patient in some])
        assert auc(np.array(list(scores.values())), truth) >= least


@pytest.mark.slow
def test_a_simulated_patient_becomes_a_file_that_is_not_made_twice(tmp_path):
    config = {**CONFIG, "patients": 1, "volume_shape": [45, 75, 75], "scan_spacing_mm": [4.5, 5.0, 5.0]}
    (patient,) = cohort(config, tmp_path)
    made = patient.path.stat().st_mtime_ns
    assert cohort(config, tmp_path) == [patient]
    assert patient.path.stat().st_mtime_ns == made
    volume = patient.volume()
    assert volume.shape == (45, 75, 75)
    assert 0.5 < float(np.median(volume.array[volume.array > 0.3])) < 0.65, "soft tissue"
    assert patient.contours().any() == patient.has_ene


def test_a_duplicate_scan_in_the_data_is_refused(tmp_path):
    write_patients(tmp_path / "data")
    first = tmp_path / "data" / "patient_0000.npz"
    write_patient(tmp_path / "data", 0, False, name="a second name")
    (tmp_path / "data" / "patient_0010.npz").write_bytes(first.read_bytes())  # the same scan
    write_patient(tmp_path / "data", 0, False)
    with pytest.raises(InputError, match="Leakage: 1 of the patients who learned the volumes of interest"):
        study(CONFIG, tmp_path)
