"""Masked-autoencoder pretraining: what counts, what is hidden, and that it goes on where it stopped."""

import json

import numpy as np
import pytest
import torch
from ece_core.errors import InputError
from ece_core.training.main import main
from ece_core.training.swin.pretraining import MaskedBatches, hidden_blocks, masked_loss, scans
from ece_core.training.swin.settings import check
from ece_core.training.swin.volumes import MARGIN, expect_made_for, real_scan

CONFIG = {
    "task": "pretrain", "name": "tiny", "version": "0.1", "seed": 1, "data_seed": 2, "difficulty": "medium",
    "cases": 0, "real_cases": 3, "jobs": 1, "spacing_mm": [6.0, 6.0, 3.0], "patch_size": [32, 32, 64],
    "window_hu": [-200, 300], "mask_edge": 8, "mask_ratio": 0.6, "architecture": "MaskedAutoencoder",
    "arguments": {"feature_size": 12, "depths": [1, 1, 1, 1], "window": 2, "head": 8},
    "batch_size": 2, "steps": 4, "learning_rate": 0.003, "log_every": 1, "checkpoint_every": 2, "validate_every": 4,
    "loaders": 0,
}  # fmt: skip


def test_only_hidden_voxels_count():
    image, answer = torch.zeros(1, 1, 1, 2, 4), torch.zeros(1, 1, 1, 2, 4)
    hidden = torch.zeros(1, 1, 1, 2, 4, dtype=torch.bool)
    hidden[..., 0, :2] = True
    answer[..., 0, 0] = 3.0  # hidden: errors 3 and 0, mean 1.5
    answer[..., 1, :] = 100.0  # seen
    assert masked_loss(answer, image, hidden).item() == pytest.approx(1.5)
    answer.requires_grad_()
    masked_loss(answer, image, hidden).backward()
    assert not answer.grad[~hidden].any() and answer.grad[..., 0, 0] == 0.5


def test_the_share_that_is_hidden_is_the_one_that_was_asked_for():
    hidden = hidden_blocks(np.random.default_rng(0), (32, 32, 64), 8, 0.6)
    blocks = hidden.reshape(4, 8, 4, 8, 8, 8).transpose(0, 2, 4, 1, 3, 5).reshape(128, -1)
    assert (blocks.all(axis=1) | ~blocks.any(axis=1)).all(), "a block is hidden as a whole"
    assert blocks.all(axis=1).sum() == round(0.6 * 128)
    assert hidden_blocks(np.random.default_rng(0), (8, 8, 16), 8, 0.99).mean() == 0.5, "something is always seen"


@pytest.fixture
def real_ct(tmp_path):
    """Three necks as OpenKBP gives them: cylinders of their own width."""
    folder = tmp_path / "openkbp"
    folder.mkdir()
    j, i = np.mgrid[:64, :64]
    for number in range(3):
        section = np.where(np.hypot(j - 32, i - 32) < 17 + 2 * number, 40, -1000).astype(np.int16)
        np.savez(folder / f"pt_{number}.npz", hu=np.broadcast_to(section, (50, 64, 64)),
                 labels=np.zeros((50, 64, 64), np.uint8), spacing_zyx_mm=np.array([3.0, 3.9, 3.9]))  # fmt: skip
    return folder


def test_a_real_scan_lies_with_its_neck_in_the_middle(real_ct, tmp_path):
    with np.load(real_scan(tmp_path, real_ct / "pt_1.npz", 0, (8, 32, 32), (6.0, 6.0, 6.0))) as archive:
        body = np.argwhere(archive["hu"] > 0)
    assert np.abs(body.mean(axis=0) - (3.5, 15.5, 15.5)).max() < 0.7


def test_a_draw_follows_from_its_step_alone(real_ct, tmp_path):
    files, count = scans(CONFIG, tmp_path / "data", real_ct)
    assert count == {"simulated": 0, "real": 3}
    first, again = MaskedBatches(CONFIG, files), MaskedBatches(CONFIG, files)
    first.batch(0)
    for one, two in zip(first.batch(5), again.batch(5), strict=True):
        assert torch.equal(one, two)
    image, hidden = again.batch(5)
    assert image.shape == hidden.shape == (2, 1, 32, 32, 64) and hidden.dtype == torch.bool
    assert not torch.equal(image, again.batch(6)[0])


@pytest.mark.slow
def test_pretraining_learns_goes_on_where_it_stopped_and_says_what_it_has_seen(real_ct, tmp_path):
    def train(work, **changes):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(CONFIG | changes))
        return main("pretrain", path, tmp_path / work, real_ct)

    whole = train("whole")
    card = json.loads((whole / "model.json").read_text())
    assert card["training_data"] == "3 real planning CT of OpenKBP (Babier et al. 2021) without any label."
    checkpoint = tmp_path / "parts" / "checkpoint.pt"
    stopped = _stopped_after(2, lambda: train("parts"))
    assert stopped and torch.load(checkpoint, weights_only=True)["step"] == 2
    parts = train("parts")
    assert (whole / "weights.safetensors").read_bytes() == (parts / "weights.safetensors").read_bytes()
    rows = (tmp_path / "whole" / "validation.csv").read_text().splitlines()
    assert rows[0] == "step,masked_error,of_the_mean_image" and len(rows) == 2
    train("longer", steps=60, validate_every=1000)
    curve = [float(row.split(",")[1]) for row in (tmp_path / "longer" / "curve.csv").read_text().splitlines()]
    assert np.mean(curve[-10:]) < 0.8 * np.mean(curve[:5])


def _stopped_after(step, train):
    """Killed when it asks for that step's batch."""
    ask = MaskedBatches.batch

    def batch(self, number):
        if number == step:
            raise KeyboardInterrupt
        return ask(self, number)

    MaskedBatches.batch = batch
    try:
        train()
    except KeyboardInterrupt:
        return True
    finally:
        MaskedBatches.batch = ask
    return False


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mask_ratio": 1.0}, '"mask_ratio" in the config is 1.0, not a share above 0 and below 1'),
        ({"mask_edge": 3}, '"mask_edge" in the config is 3, not an even number'),
        ({"mask_edge": 12}, 'no multiple of "mask_edge".*Choose a mask_edge that divides every edge'),
        ({"patch_size": [32, 48, 64]}, "cannot halve five times.*multiples of 32"),
        ({"patch_size": [32, 32, 32]}, "of which one token is left.*at least 64"),
        ({"window_hu": [300, -200]}, "not the lowest and the highest HU"),
        ({"mask_rate": 0.5}, 'has "mask_rate", which this training does not know'),
        ({"architecture": "DynUNet"}, "do not make a network 'MaskedAutoencoder'"),
        ({"arguments": {"feature_size": 12, "depth": 2}}, "do not make a network 'MaskedAutoencoder'"),
    ],
)
def test_a_setting_that_cannot_be_is_named(changes, words):
    with pytest.raises(InputError, match=words):
        check(CONFIG | changes)


def test_a_config_that_lacks_a_setting_says_which():
    with pytest.raises(InputError, match='lacks "mask_ratio", "mask_edge"'):
        check({key: value for key, value in CONFIG.items() if not key.startswith("mask")})


def test_too_few_scans_are_refused(real_ct, tmp_path):
    with pytest.raises(InputError, match='holds 3 arrays, and the config asks for 5.*lower "real_cases"'):
        scans(CONFIG | {"real_cases": 5}, tmp_path / "data", real_ct)
    with pytest.raises(InputError, match='There are 0 scans to learn from.*Raise "cases"'):
        scans(CONFIG, tmp_path / "data", None)


def test_scans_of_another_config_are_not_mixed_in(tmp_path):
    expect_made_for(tmp_path, {"shape": (1, 2, 3)})
    expect_made_for(tmp_path, {"shape": (1, 2, 3)})
    with pytest.raises(InputError, match="made for another config.*another folder"):
        expect_made_for(tmp_path, {"shape": (1, 2, 4)})


def test_the_shipped_configs_are_in_order():
    from pathlib import Path

    folder = Path(__file__).resolve().parents[3] / "configs"
    encoders = []
    for name in ("pretrain", "dual_swin_unetr"):
        config = json.loads((folder / f"{name}.json").read_text())
        check(config)
        encoders.append({key: config["arguments"][key] for key in ("in_channels", "feature_size", "depths", "heads")})
    assert encoders[0] == encoders[1] and MARGIN == 8
