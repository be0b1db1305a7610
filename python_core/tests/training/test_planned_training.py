"""From a data set and a plan to a bundle that finds what it was shown; killed and resumed; folds, stages, ensemble."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from ece_core.cli.main import main as ece
from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.io.datasets import load_dataset
from ece_core.models import load_bundle
from ece_core.models.recipe import recipe_of
from ece_core.models.segmentation import segment
from ece_core.training.ensemble import ensemble_of_folds
from ece_core.training.main import main
from ece_core.training.patches import Patches
from ece_core.training.prepared_cases import classes_of, prepare
from ece_core.training.settings import stages_of
from safetensors.torch import load_file
from tiny_dataset import a_scan, a_stage, write_dataset


def weights(bundle):
    return load_file(bundle / "weights.safetensors")


def assert_same_weights(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_a_trained_bundle_names_its_plan_and_runs(a_training, tmp_path):
    bundle = load_bundle(main("segmentation", a_training(), tmp_path / "out"))
    assert bundle.spec["labels"] == ["N", "P", "ENE"]
    assert bundle.spec["input"]["normalization"] == {"clip_hu": [-100.0, 200.0], "subtract_hu": 60.0, "divide_hu": 40.0}
    assert bundle.spec["input"]["tile_multiple"] == [2, 4, 4]
    assert bundle.spec["input"]["mirror_axes"] == [0, 1, 2]
    assert "user's own data set" in bundle.spec["training_data"]
    assert "Nothing is known to us" in bundle.spec["intended_use"]
    assert bundle.spec["license"] == "unstated"
    ct, _ = a_scan(0)
    assert segment(bundle, ct, "cpu").class_map.array.shape == ct.shape
    assert (tmp_path / "out" / "curve.csv").read_text().count("\n") == 4


@pytest.mark.slow
def test_a_trained_network_finds_what_it_was_shown(a_training, tmp_path):
    config = a_training(steps=600, augmentation="none", batch_size=4, log_every=50, checkpoint_every=600)
    bundle = load_bundle(main("segmentation", config, tmp_path / "out"))
    ct, labels = a_scan(2)
    found = segment(bundle, ct, "cpu").class_map.array > 0
    both = 2 * (found & (labels.array > 0)).sum()
    assert both / (found.sum() + (labels.array > 0).sum()) > 0.9, "where; telling the classes apart takes longer"


def stop_at(monkeypatch, step):
    whole = Patches.batch

    def batch(self, number):
        if number == step:
            raise KeyboardInterrupt
        return whole(self, number)

    monkeypatch.setattr(Patches, "batch", batch)


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_killed_and_resumed_is_not_killed(a_training, tmp_path, monkeypatch, step):
    config = a_training()
    whole = main("segmentation", config, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_at(patch, step)
        main("segmentation", config, tmp_path / "broken")
    resumed = main("segmentation", config, tmp_path / "broken")
    assert_same_weights(whole, resumed)
    curves = [(tmp_path / name / "curve.csv").read_text().splitlines() for name in ("whole", "broken")]
    assert [row.split(",")[:2] for row in curves[0]] == [row.split(",")[:2] for row in curves[1]]


@pytest.mark.slow
def test_a_process_killed_at_any_moment_goes_on_to_the_same_weights(a_training, tmp_path):
    config = a_training(steps=30, checkpoint_every=1, loaders=1)
    whole = main("segmentation", config, tmp_path / "whole")
    command = [sys.executable, "-m", "ece_core.cli", "train", "segmentation", str(config), "--out",
               str(tmp_path / "broken"), "--device", "cpu"]  # fmt: skip
    for kill in range(3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and rows(tmp_path / "broken" / "curve.csv") < 5 + 7 * kill:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert ece(command[3:]) == 0
    assert_same_weights(whole, tmp_path / "broken" / "tiny")


def rows(path):
    return path.read_text().count("\n") if path.exists() else 0


def test_cases_are_prepared_as_inference_will_prepare_them(a_dataset, a_training, tmp_path):
    (config,) = stages_of(json.loads(a_training(a_stage(spacing_mm=(2.0, 1.25, 1.25))).read_text()))
    prepared = prepare(config, tmp_path / "data")
    case = load_dataset(a_dataset)[1]
    recipe = recipe_of({**config, "window_hu": None})
    image = np.load(prepared[1].folder / "image.npy")
    np.testing.assert_array_equal(image, recipe.working(case.ct.volume).array)
    classes = np.load(prepared[1].folder / "classes.npy")
    assert classes.shape == image.shape == (12, 16, 16)
    assert set(np.unique(classes)) == {0, 1, 2, 3}
    truth = a_scan(1)[1].array
    for value in (1, 2, 3):
        assert (classes == value).sum() * 1.25**2 == pytest.approx((truth == value).sum(), rel=0.2)
    assert [each.patient for each in prepared] == list("abcde")
    assert not [path for path in (tmp_path / "data").rglob("*") if path.name in "abcde"], "no name is written"


def test_what_nobody_looked_at_is_unknown_and_a_class_that_is_not_told_is_none(tmp_path):
    def make(number):
        ct, labels = a_scan(number)
        array = np.where(labels.array == 3, 1, labels.array)
        array[0] = 9
        return ct, Volume(array, labels.affine)

    folder = write_dataset(tmp_path / "set", "a", {"background": 0, "GTVn": 1, "P": 2, "ignore": 9}, make)
    classes = classes_of(load_dataset(folder)[0]).array
    assert (classes[0] == 255).all()
    assert set(np.unique(classes[1:])) == {0, 2, 5}


def test_labels_that_the_data_set_does_not_have_are_named(tmp_path, a_training):
    folder = write_dataset(tmp_path / "set", "ab", {"background": 0, "N": 1, "P": 2, "GTVn": 3})
    with pytest.raises(InputError, match='lymph node of the 2 training cases is ENE.*"metastatic_joined" or'):
        main("segmentation", a_training(dataset=str(folder)), tmp_path / "out")
    joined = a_training(dataset=str(folder), labels="all_joined", steps=1)
    assert load_bundle(main("segmentation", joined, tmp_path / "joined")).spec["labels"] == ["lymph_node"]


def test_a_folder_is_for_one_plan_and_one_config(a_training, tmp_path):
    main("segmentation", a_training(steps=1), tmp_path / "out")
    with pytest.raises(InputError, match=r"other values of learning_rate.*\(--out\)"):
        main("segmentation", a_training(steps=1, learning_rate=0.5), tmp_path / "out")
    with pytest.raises(InputError, match="prepared for another plan.*--out"):
        main("segmentation", a_training(a_stage(spacing_mm=(3.0, 1.0, 1.0)), steps=1), tmp_path / "out")


def test_folds_keep_patients_out_and_their_ensemble_is_the_mean_of_probabilities(a_training, tmp_path):
    config, out = a_training(steps=2), tmp_path / "out"
    bundles = [main("segmentation", config, out, fold=fold) for fold in ("0", "3")]
    assert [bundle.name for bundle in bundles] == ["tiny-fold-0", "tiny-fold-3"]
    assert "without fold 3 of five" in load_bundle(bundles[1]).spec["training_data"]
    header = (out / "fold_0" / "validation.csv").read_text().splitlines()[0]
    assert header == "step,dice_N,dice_P,dice_ENE"
    together = load_bundle(ensemble_of_folds(out))
    assert (together.name, together.spec["training"]["fold"]) == ("tiny", ["0", "3"])
    x = torch.randn(1, 1, 8, 8, 8)
    with torch.inference_mode():
        alone = [load_bundle(bundle).network(x).softmax(1) for bundle in bundles]
        torch.testing.assert_close(together.network(x).softmax(1), (alone[0] + alone[1]) / 2)
    assert not torch.allclose(alone[0], alone[1])


def test_an_ensemble_needs_folds_of_one_network(a_training, tmp_path, capsys):
    assert ece(["train", "ensemble", str(tmp_path)]) == 2
    assert "has 0 trained folds" in capsys.readouterr().err
    main("segmentation", a_training(steps=1), tmp_path / "out", fold="0")
    main("segmentation", a_training(steps=1, labels="all_joined"), tmp_path / "out", fold="1")
    with pytest.raises(InputError, match="folds 0 and 1 are of different networks.*one config"):
        ensemble_of_folds(tmp_path / "out")


def two_stages():
    return a_stage("low_resolution", (2.0, 2.0, 2.0)), a_stage()


def test_two_stages_become_one_bundle_whose_second_network_sees_what_the_first_found(a_training, tmp_path):
    folder = main("segmentation", a_training(*two_stages(), steps=2), tmp_path / "out")
    assert folder == tmp_path / "out" / "full_resolution" / "tiny"
    bundle = load_bundle(folder)
    low = load_bundle(tmp_path / "out" / "low_resolution" / "tiny-low-resolution")
    x = torch.randn(1, 4, 8, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(bundle.network.earlier(x[:, :1]), low.network(x[:, :1]))
        blind = torch.cat((x[:, :1], torch.zeros(1, 3, 8, 8, 8)), 1)
        assert not torch.allclose(bundle.network(x), bundle.network(blind))
    case = tmp_path / "out" / "data" / "full_resolution" / "case_0000"
    ct, _ = a_scan(0)
    shown = np.load(case / "earlier_all.npy")
    assert shown.shape == np.load(case / "image.npy").shape
    fractions = []
    found = segment(bundle, ct, "cpu", fractions.append)
    assert found.class_map.array.shape == ct.shape
    assert fractions == sorted(fractions) and fractions[-1] == 1


@pytest.mark.slow
def test_the_second_stage_learns_from_answers_about_cases_that_were_kept_out(a_training, tmp_path):
    config, out = a_training(*two_stages(), steps=1), tmp_path / "out"
    main("segmentation", config, out, fold="1", stage="low_resolution")
    assert not (out / "full_resolution").exists()
    main("segmentation", config, out, fold="1")
    assert sorted(path.name for path in (out / "low_resolution").iterdir()) == [f"fold_{n}" for n in range(5)]
    cases = sorted((out / "data" / "full_resolution").glob("case_*"))
    assert all((case / "earlier_folds.npy").is_file() for case in cases)
    assert load_bundle(out / "full_resolution" / "fold_1" / "tiny-fold-1").spec["architecture"] == "Cascade"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, '"steps" in the config is 0, not a whole number of at least 1'),
        ({"learning_rate": "fast"}, "\"learning_rate\" in the config is 'fast', not a number above 0"),
        ({"batchsize": 2}, 'The config has "batchsize", which no training knows.*spelling'),
        ({"plan": "absent.json"}, "plan that the config names is not there.*ece train plan"),
        ({"plan": 3}, '"plan" in the config is not the name of a file'),
        ({"dataset": "absent"}, "data set that the config names is not a folder"),
        ({"patch_size": [8, 8, 9]}, r'"patch_size" in the config is \[8, 8, 9\].*multiples of \[2, 4, 4\]'),
        ({"arguments": {"in_channels": 1}}, "arguments do not make a network 'PlainConvUNet'"),
        ({"architecture": "Transformer"}, "do not make a network 'Transformer'"),
        ({"optimizer": "adam"}, "'adam', not one of adamw_one_cycle, sgd_polynomial"),
        ({"name": "../x"}, "not a name that can be a folder's"),
        ({"labels": "joined"}, "asks for the labels 'joined'"),
    ],
)
def test_a_bad_config_is_refused_in_words_with_exit_code_2(a_training, tmp_path, capsys, changes, words):
    import re

    config = a_training(**changes)
    assert ece(["train", "segmentation", str(config), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 2
    assert re.search(words, capsys.readouterr().err, re.DOTALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fold", "7"], "no fold '7'"),
        (["--stage", "low_resolution"], "no stage 'low_resolution' to train.*plan has: full_resolution"),
    ],
)
def test_folds_and_stages_that_are_not_there_are_refused(a_training, tmp_path, capsys, options, words):
    import re

    arguments = ["train", "segmentation", str(a_training()), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert ece([*arguments, *options]) == 2
    assert re.search(words, capsys.readouterr().err, re.DOTALL)
    assert not (tmp_path / "out").exists()


def test_real_ct_is_no_background_for_a_data_set_of_real_scans(a_training, tmp_path):
    with pytest.raises(InputError, match="does not say what for.*Leave out --real-ct"):
        main("segmentation", a_training(), tmp_path / "out", tmp_path)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("{", "plan cannot be read as JSON"),
        ('{"schema": "ece-plan/9"}', r"not one of this version \(ece-plan/1\)"),
        ('{"schema": "ece-plan/1", "stages": [{"name": "x"}]}', "no stages as `ece train plan` writes them"),
    ],
)
def test_a_damaged_plan_is_refused(a_training, tmp_path, plan, words):
    config = a_training()
    (tmp_path / "plan.json").write_text(plan)
    with pytest.raises(InputError, match=words):
        main("segmentation", config, tmp_path / "out")


