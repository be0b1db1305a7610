"""Folders as nnU-Net v2 writes them, drawn by the test; test_nnunet_itself.py asks nnU-Net."""

import json
import os

import nnunet_plans
import numpy as np
import pytest
import torch
from ece_core.cli.main import main
from ece_core.errors import ModelError
from ece_core.models import load_bundle
from ece_core.models.import_nnunet import TRAINERS, Choice, import_nnunet
from ece_core.models.nnunet_unet import NnunetUNet
from ece_core.preprocessing.spline import resample_cubic, thick_axis


def a_checkpoint(**changes):
    """The weights as nnU-Net names them, each of a block twice, and the head of deep supervision."""
    torch.manual_seed(0)
    network = NnunetUNet(
        4, False, [4, 8, 8], [[1, 3, 3], [3, 3, 3], [3, 3, 3]], [[1, 1, 1], [1, 2, 2], [2, 2, 2]], [1, 2, 2], [2, 1],
        bias=True,
    )  # fmt: skip
    weights = {}
    for key, value in network.state_dict().items():
        name = key.replace("decoder.head", "decoder.seg_layers.1")
        weights |= {name: value, name.replace(".conv.", ".all_modules.0."): value}
        if name.startswith("encoder."):
            weights["decoder." + name] = value
    weights |= {"decoder.seg_layers.0.weight": torch.ones(4, 8, 1, 1, 1), "decoder.seg_layers.0.bias": torch.ones(4)}
    return {
        "network_weights": weights, "optimizer_state": {}, "logging": {"ema_fg_dice": [np.float64(0.5)]},
        "_best_ema": np.float32(0.5), "current_epoch": 1, "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres", "fold": 0, "device": torch.device("cpu")},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    } | changes  # fmt: skip


def write(folder, plans=None, dataset=None, checkpoint=None, folds=("0",)):
    for fold in folds:
        (folder / f"fold_{fold}").mkdir(parents=True)
        torch.save(checkpoint or a_checkpoint(), folder / f"fold_{fold}" / "checkpoint_final.pth")
    (folder / "plans.json").write_text(json.dumps(plans or nnunet_plans.plans()))
    (folder / "dataset.json").write_text(json.dumps(dataset or nnunet_plans.dataset()))
    return folder


def imported(folder, tmp_path, **choice):
    import_nnunet(folder, tmp_path / "bundle", Choice(**choice))
    return load_bundle(tmp_path / "bundle")


def plans_with(**changes):
    plans = nnunet_plans.plans()
    plans["configurations"]["3d_fullres"] |= changes
    return plans


def test_the_card_holds_what_the_plans_say(tmp_path):
    spec = imported(write(tmp_path / "trained"), tmp_path).spec
    assert spec["name"] == "Dataset501_Neck-3d_fullres"
    assert spec["input"]["spacing_mm"] == [2.5, 1.0, 1.1]
    assert spec["input"]["tile_size"] == [12, 24, 28]
    assert spec["input"]["tile_multiple"] == [2, 4, 4]
    assert spec["input"]["normalization"] == {"clip_hu": [-120.0, 260.0], "subtract_hu": 40.0, "divide_hu": 80.0}
    assert spec["input"]["mirror_axes"] == [0, 1, 2], "for whoever asks for mirroring at test time"


def test_classes_in_another_order_are_put_into_ours(tmp_path):
    x = torch.randn(1, 1, 12, 24, 28)
    ours = imported(write(tmp_path / "a"), tmp_path / "a").network(x)
    other = nnunet_plans.dataset({"background": 0, "extranodal": 1, "healthy": 2, "P": 3})
    names = (("N", "healthy"), ("P", "P"), ("ENE", "extranodal"))
    turned = imported(write(tmp_path / "b", dataset=other), tmp_path / "b", labels=names).network(x)
    torch.testing.assert_close(turned, ours[:, [0, 2, 3, 1]])


def test_a_class_that_the_model_does_not_know_is_never_the_answer(tmp_path):
    two = nnunet_plans.dataset({"background": 0, "a": 1, "b": 2, "c": 3})
    with pytest.raises(ModelError, match="labels are a, b, c.*--labels N=a,P=b,ENE=c"):
        imported(write(tmp_path / "trained", dataset=two), tmp_path)
    checkpoint = a_checkpoint()
    for part in ("weight", "bias"):
        key = f"decoder.seg_layers.1.{part}"
        checkpoint["network_weights"][key] = checkpoint["network_weights"][key][:2]
    one = nnunet_plans.dataset({"background": 0, "lymph node": 1})
    folder = write(tmp_path / "one", dataset=one, checkpoint=checkpoint)
    answer = imported(folder, tmp_path, labels=(("P", "lymph node"),)).network(torch.randn(1, 1, 12, 24, 28))
    assert set(answer.argmax(1).unique().tolist()) <= {0, 2}


def test_folds_are_averaged_and_mirroring_changes_nothing_for_a_mirrored_image(tmp_path):
    x = torch.randn(1, 1, 12, 24, 28)
    folder = write(tmp_path / "trained", folds=("0", "1"))
    torch.testing.assert_close(
        imported(folder, tmp_path / "two").network(x), imported(folder, tmp_path / "one", folds=["1"]).network(x)
    )
    network = imported(folder, tmp_path / "mirrored", mirror=True, folds=["0"]).network
    torch.testing.assert_close(network(x.flip(3)).flip(3), network(x), atol=1e-4, rtol=1e-4)


class Evil:
    def __reduce__(self):
        return os.system, ("echo run > evil.txt",)


REFUSED = [
    pytest.param({"plans": plans_with(patch_size=[24, 28])}, "two-dimensional.*3d_fullres", id="2d"),
    pytest.param({"plans": plans_with(previous_stage="3d_lowres")}, "second stage of a cascade", id="cascade"),
    pytest.param(
        {"plans": plans_with(architecture={"network_class_name": "a.b.Primus", "arch_kwargs": {}})},
        "is a Primus.*PlainConvUNet and ResidualEncoderUNet", id="network",
    ),
    pytest.param({"plans": plans_with(normalization_schemes=["ZScoreNormalization"])}, "not one CT", id="no CT"),
    pytest.param({"plans": plans_with(resampling_fn_data="other")}, "resample by other", id="resampling"),
    pytest.param({"plans": {"configurations": {}}}, "does not have.*same training", id="no configuration"),
    pytest.param({"plans": {"a": 1}}, "not as nnU-Net v2 writes it", id="strange plans"),
    pytest.param({"checkpoint": a_checkpoint(trainer_name="nnUNetTrainerBN")}, "nnUNetTrainerBN.*--any", id="trainer"),
    pytest.param({"checkpoint": {"state_dict": {}}}, "not of nnU-Net v2: it lacks network_weights", id="version 1"),
    pytest.param({"checkpoint": a_checkpoint(network_weights={})}, "weights do not fit the network", id="no weights"),
    pytest.param({"checkpoint": a_checkpoint(logging=Evil())}, "asks for.*system.*Nothing of it was run", id="code"),
    pytest.param({"dataset": nnunet_plans.dataset({"background": 0, "N": [1, 2]})}, "regions", id="regions"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "words"), REFUSED)
def test_what_we_cannot_run_as_nnunet_does_is_refused(parts, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write(tmp_path / "trained", **parts)
    with pytest.raises(ModelError, match=words):
        import_nnunet(folder, tmp_path / "bundle", Choice())
    assert not (tmp_path / "bundle").exists() and not (tmp_path / "evil.txt").exists()


def test_trainers_that_only_train_otherwise_are_known():
    known = ("nnUNetTrainer", "nnUNetTrainer_250epochs_NoMirroring", "nnUNetTrainerDA5", "nnUNetTrainerAdam3en4")
    assert all(TRAINERS.fullmatch(name) for name in known)
    assert not any(TRAINERS.fullmatch(name) for name in ("nnUNetTrainerBN", "nnUNetTrainerMine", "Trainer"))


def test_by_the_command_it_ends_among_the_users_models(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ECE_MODELS", str(tmp_path / "mine"))
    folder = write(tmp_path / "trained")
    assert main(["models", "import", str(folder), "--name", "neck"]) == 0
    assert {path.name for path in (tmp_path / "mine" / "neck").iterdir()} == {"model.json", "weights.safetensors"}
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"half a file")
    assert main(["models", "import", str(folder), "--name", "other"]) == 2
    assert "damaged" in capsys.readouterr().err
    (folder / "dataset.json").unlink()
    assert main(["models", "import", str(folder), "--name", "other"]) == 2
    assert "no dataset.json" in capsys.readouterr().err
    assert main(["models", "import", str(folder), "--fold", "3"]) == 2
    assert not (tmp_path / "mine" / "other").exists()


def test_the_thick_axis_is_the_one_that_nnunet_resamples_apart():
    assert thick_axis((3.3, 0.9, 0.8), (2.5, 1.0, 1.1)) == 0
    assert thick_axis((2.0, 1.0, 1.0), (1.0, 4.0, 1.0)) == 1
    assert thick_axis((0.2, 1.0, 1.0), (1.0, 1.0, 1.0)) is None  # two thick axes: neither
    assert thick_axis((3.0, 1.0, 1.0), (1.0, 1.0, 1.0)) is None  # three times is not more than three times
    steps = np.broadcast_to(np.arange(3.0)[:, None, None] * 10, (3, 6, 6))
    assert resample_cubic(steps, (4.0, 1.0, 1.0), (2.0, 1.0, 1.0))[:, 0, 0].tolist() == [0, 0, 10, 10, 20, 20]
