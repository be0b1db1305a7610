"""The dual-output SwinUNETR: losses by hand, patients with and without what is needed, learning, going on."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct
from ece_core.io.ct_series_writer import write_ct_series
from ece_core.io.datasets import Case, Dataset, Outlines, PatientLabels
from ece_core.io.rtstruct_writer import write_rtstruct
from ece_core.io.scan import Scan
from ece_core.models import load_bundle
from ece_core.models.bundle import save_bundle
from ece_core.models.masked_autoencoder import MaskedAutoencoder
from ece_core.training.swin import dual
from ece_core.training.swin.card import card
from ece_core.training.swin.patients import Patient, expect_both_classes, load_patients, prepare_cases
from ece_core.training.swin.settings import check
from ece_core.training.swin.volumes import save_labeled

CONFIG = {
    "task": "classification", "name": "tiny", "version": "0.1", "seed": 1, "data_seed": 2, "difficulty": "medium",
    "cases": 10, "jobs": 1, "spacing_mm": [6.0, 6.0, 3.0], "patch_size": [32, 32, 64], "window_hu": [-200, 300],
    "dilation_mm": 3.0, "case_weight": 1.0, "focal_gamma": 2.0, "architecture": "DualSwinUNETR",
    "arguments": {"feature_size": 12, "depths": [1, 1, 1, 1], "window": 2, "hidden": 8},
    "batch_size": 2, "steps": 4, "learning_rate": 0.003, "log_every": 1, "checkpoint_every": 2, "loaders": 0,
}  # fmt: skip
SHAPE = (48, 48, 80)


def a_patient(number, has_ece):
    """Fat with one bright ball, three times as far to the front if it has ECE; and a little noise."""
    rng = np.random.default_rng(number)
    k, j, i = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    center = (24, 18 if has_ece else 30, 40 + rng.integers(-4, 5))
    ball = sum((axis - c) ** 2 for axis, c in zip((k, j, i), center, strict=True)) < 36
    hu = np.where(ball, 250 if has_ece else 100, -90) + rng.normal(0, 10, SHAPE)
    return Patient(f"patient_{number:04d}", hu.astype(np.int16), ball.astype(np.uint8), has_ece, 12.0, 100.0)


@pytest.fixture(scope="module")
def ten_patients():
    return [a_patient(number, number % 2 == 0) for number in range(10)]


def test_the_region_s_loss_is_known_in_closed_form():
    logits = torch.zeros(1, 1, 1, 1, 4)  # everywhere 0.5
    region = torch.tensor([[[[[1.0, 0.0, 0.0, 0.0]]]]])
    dice = (2 * 0.5 + 1) / (2 + 1 + 1)
    assert dual.region_loss(logits, region, 0.0).item() == pytest.approx(1 - dice + np.log(2))
    assert dual.region_loss(logits, region, 2.0).item() == pytest.approx(1 - dice + 0.25 * np.log(2))


def test_both_classes_count_alike_however_rare_one_is():
    patients = [a_patient(number, number == 0) for number in range(4)]
    weights = dual.class_weights(patients)
    assert weights == pytest.approx((4 / 6, 2.0))
    ece = torch.tensor([1.0, 0.0, 0.0, 0.0])
    one = dual.case_loss(torch.zeros(4), ece, weights).item()
    assert one == pytest.approx(np.log(2)), "the weights' mean is 1"
    logits = torch.zeros(4, requires_grad=True)
    dual.case_loss(logits, ece, weights).backward()
    assert logits.grad[0].item() == pytest.approx(-logits.grad[1:].sum().item())


@pytest.mark.parametrize(("has_ece", "words"), [(True, "all have ECE"), (False, "none has ECE")])
def test_patients_of_one_kind_are_refused(has_ece, words):
    with pytest.raises(InputError, match=f"Of the 3 patients to learn from {words}.*both kinds"):
        expect_both_classes([a_patient(number, has_ece) for number in range(3)])


def test_dice_is_counted_by_hand():
    found, true = np.array([True, True, False, False]), np.array([1, 0, 1, 1])
    assert dual.dice(found, true) == pytest.approx(2 * 1 / (2 + 3))
    assert dual.dice(found & False, true * 0) == 1.0


@pytest.mark.slow  # imports MONAI
def test_every_patient_comes_once_before_any_comes_again(ten_patients):
    batches = dual.Batches(CONFIG, [replace(patient, has_ece=number) for number, patient in enumerate(ten_patients)])
    epoch = torch.cat([batches.batch(step)[1][1] for step in range(5)])
    assert sorted(epoch.tolist()) == list(range(10))
    images, (regions, _) = batches.batch(0)
    assert images.shape == regions.shape == (2, 1, 32, 32, 64) and regions.unique().tolist() == [0, 1]
    again, _ = dual.Batches(CONFIG, batches.patients).batch(0)
    assert torch.equal(images, again)


@pytest.mark.slow
def test_both_answers_are_learned_from_a_few_patients(ten_patients, tmp_path):
    config = CONFIG | {"steps": 80, "checkpoint_every": 80, "learning_rate": 0.002}
    bundle = dual.train_fold(config, ten_patients, tmp_path, fold="0")
    kept_out = dual.read_predictions(tmp_path / "fold_0" / dual.PREDICTIONS)
    assert len(kept_out) == 2
    learned = [patient for patient in ten_patients if patient.name not in {answer.patient for answer in kept_out}]
    answers = dual.predict(load_bundle(bundle).network, config, learned)
    assert np.mean([answer.dice for answer in answers]) > 0.4
    mean = {kind: np.mean([a.probability for a in answers if a.has_ece == kind]) for kind in (False, True)}
    assert mean[True] > mean[False] + 0.15


@pytest.mark.slow
def test_a_killed_fold_goes_on_and_ends_with_the_same_weights_and_answers(ten_patients, tmp_path, monkeypatch):
    whole = dual.train_fold(CONFIG, ten_patients, tmp_path / "whole", fold="0")
    ask = dual.Batches.batch

    def killed(self, step):
        if step == 3:
            raise KeyboardInterrupt
        return ask(self, step)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(dual.Batches, "batch", killed)
        dual.train_fold(CONFIG, ten_patients, tmp_path / "parts", fold="0")
    assert torch.load(tmp_path / "parts" / "fold_0" / "checkpoint.pt", weights_only=True)["step"] == 2
    parts = dual.train_fold(CONFIG, ten_patients, tmp_path / "parts", fold="0")
    assert (parts / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    answers = [dual.read_predictions(tmp_path / work / "fold_0" / dual.PREDICTIONS) for work in ("whole", "parts")]
    assert answers[0] == answers[1]


def write_encoder(folder, **changes):
    config = CONFIG | {"task": "pretrain", "architecture": "MaskedAutoencoder", "name": "encoder"}
    config["arguments"] = {"feature_size": 12, "depths": [1, 1, 1, 1], "window": 2, "head": 8} | changes
    torch.manual_seed(7)
    network = MaskedAutoencoder(**config["arguments"])
    save_bundle(folder, card(config, {"simulated": 3}), network, half=False)
    return network


def test_with_pretraining_the_encoder_differs_and_nothing_else(tmp_path):
    pretrained = write_encoder(tmp_path / "encoder").state_dict()
    plain = dual.start(CONFIG).state_dict()
    ours = dual.start(CONFIG | {"start_from": str(tmp_path / "encoder")}).state_dict()
    for name, value in ours.items():
        assert torch.equal(value, pretrained[name] if name.startswith("swinViT.") else plain[name]), name
    assert not torch.equal(ours["swinViT.patch_embed.proj.weight"], plain["swinViT.patch_embed.proj.weight"])


def test_an_encoder_of_another_shape_is_refused(tmp_path):
    write_encoder(tmp_path / "encoder", feature_size=24)
    with pytest.raises(InputError, match='encoder of the model encoder has another shape.*same "feature_size"'):
        dual.start(CONFIG | {"start_from": str(tmp_path / "encoder")})


def test_a_model_that_is_no_pretrained_encoder_is_refused(tmp_path):
    save_bundle(tmp_path / "other", card(CONFIG, {"simulated": 1}), dual.start(CONFIG), half=False)
    with pytest.raises(InputError, match="tiny to start from is not a pretrained encoder.*ece train pretrain"):
        dual.start(CONFIG | {"start_from": str(tmp_path / "other")})


def a_ct():
    """A neck of 120 mm; what lies to the patient's left of the contour is fat."""
    k, j, i = np.mgrid[:40, :60, :60]
    hu = np.where(np.hypot(j - 30, i - 30) < 20, 40, -1000).astype(np.int16)
    hu[:, :, 33:] = np.where(hu[:, :, 33:] > 0, -300, hu[:, :, 33:])
    return Volume(hu + 0 * k.astype(np.int16), affine_from((4.0, 3.0, 3.0)))


def a_contour(ct):
    mask = np.zeros(ct.shape, np.uint16)
    mask[18:23, 28:33, 28:33] = 1
    return ct.with_array(mask)


def a_case(number, pene="gross", with_contour=True, with_ct=True):
    ct = a_ct()
    outlines = Outlines(a_contour(ct) if with_contour else None)
    return Case(f"case-{number}", f"patient-{number}", labels=PatientLabels(pene=pene),
                read_scan=(lambda: Scan(ct, "nifti")) if with_ct else None,
                read_outlines=lambda scan: outlines)  # fmt: skip


def test_a_contour_grows_into_soft_tissue_only(tmp_path):
    ct = a_ct()
    contour = ct.with_array(a_contour(ct).array > 0)
    widths = []
    for distance in (0.0, 3.0):
        path = tmp_path / f"{distance}.npz"
        save_labeled(path, ct, contour, True, (24, 40, 40), (4.0, 3.0, 3.0), distance)
        with np.load(path) as archive:
            region = archive["region"]
            assert archive["has_ece"] and archive["mean_hu"] == 40.0
            assert archive["largest_mm"] == pytest.approx((6 * 125 * 36 / np.pi) ** (1 / 3))
        widths.append([len(np.unique(index)) for index in np.nonzero(region)])
    # 3 mm are one voxel in plane: on both sides along j, on one along i. Slices are 4 mm apart.
    assert np.subtract(widths[1], widths[0]).tolist() == [0, 2, 1]


def test_only_cases_with_all_that_is_needed_are_learned_from(tmp_path):
    cases = [a_case(0), a_case(1, pene=None), a_case(2, with_contour=False), a_case(3, pene="none")]
    found = prepare_cases(Dataset("ours", cases), 3.0, tmp_path, (24, 40, 40), (4.0, 3.0, 3.0))
    assert [name for name, _ in found] == ["patient-0", "patient-3"]
    assert [bool(np.load(path)["has_ece"]) for _, path in found] == [True, False]


def test_a_data_set_without_labels_or_contours_says_what_is_lacking(tmp_path):
    cases = [a_case(0, pene=None), a_case(1, pene=None), a_case(2, with_contour=False), a_case(3, with_ct=False)]
    words = "2 lack an ECE status, 1 lack a CT, 1 lack a contour of lymph nodes.*patient_table"
    with pytest.raises(InputError, match=words):
        prepare_cases(Dataset("ours", cases), 3.0, tmp_path, (24, 40, 40), (4.0, 3.0, 3.0))


def write_study(folder, seed):
    write_ct_series(a_ct(), folder / "ct", seed=seed)
    scan = read_ct(folder / "ct")
    write_rtstruct(folder / "rt.dcm", a_contour(scan.volume), {1: "GTVn"}, scan.headers)


@pytest.mark.slow
def test_rtstruct_contours_and_a_table_of_the_pathology_make_patients(tmp_path):
    for seed, name in enumerate(("one", "two", "three")):
        write_study(tmp_path / "studies" / name, seed)
    table = tmp_path / "pathology.csv"
    table.write_text("case_id,pene\none,gross\ntwo,none\n")
    config = {key: value for key, value in CONFIG.items() if key != "cases"}
    config |= {"dataset": str(tmp_path / "studies"), "layout": "dicom", "patient_table": str(table)}
    check(config)
    patients = load_patients(config, tmp_path / "work" / "data")
    assert sorted(patient.has_ece for patient in patients) == [False, True], "the third has no known status"
    # 20 x 15 x 15 mm and up to 3 mm around, in voxels of 6 x 6 x 3 mm
    assert all(30 <= patient.region.sum() <= 90 and patient.mean_hu == 40.0 for patient in patients)
    assert not any("one" in str(path.name) for path in (tmp_path / "work" / "data").iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dilation_mm": -1}, '"dilation_mm" in the config is -1, not a number of at least 0'),
        ({"arguments": {"feature_size": 10}}, "do not make a network 'DualSwinUNETR'"),
        ({"steps": 0}, '"steps" in the config is 0'),
    ],
)
def test_a_setting_that_cannot_be_is_named(changes, words):
    with pytest.raises(InputError, match=words):
        check(CONFIG | changes)


def test_folds_are_for_those_that_have_them(tmp_path):
    from ece_core.training.main import main

    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(json.dumps(CONFIG)) | {"architecture": "LymphNodeDenseNet"}))
    with pytest.raises(InputError, match="A classification has neither folds nor stages"):
        main("classification", path, tmp_path / "work", fold="1")


def test_several_processes_are_refused_before_they_write_over_each_other(tmp_path, monkeypatch):
    from ece_core.training.main import main

    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="2 processes were started.*without torchrun"):
        main("classification", path, tmp_path / "work")
    assert not (tmp_path / "work").exists()
