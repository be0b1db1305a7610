"""Two processes that share every batch end where one process ends (CPU, gloo, started by torchrun)."""

import os
import subprocess
import sys

import pytest
import torch
from ece_core.errors import InputError
from ece_core.models import load_bundle
from ece_core.training.distributed import Processes
from ece_core.training.main import main
from ece_core.training.segmentation import _expect_shareable
from safetensors.torch import load_file

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.slow
def test_two_processes_train_what_one_trains(a_training, tmp_path):
    config = a_training(steps=6, batch_size=3, checkpoint_every=3)
    alone = main("segmentation", config, tmp_path / "alone")
    arguments = ["train", "segmentation", str(config), "--out", str(tmp_path / "shared"), "--device", "cpu"]
    command, one_thread = [*TORCHRUN, "-m", "ece_core.cli", *arguments], {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, env=one_thread, timeout=600)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.count("Model bundle") == 1, "one process speaks"
    one, two = (load_file(bundle / "weights.safetensors") for bundle in (alone, tmp_path / "shared" / "tiny"))
    start = load_file(main("segmentation", a_training(steps=1, batch_size=3, learning_rate=1e-9), tmp_path / "start")
                      / "weights.safetensors")  # fmt: skip
    for name, tensor in one.items():
        moved = (tensor - start[name]).abs().max()
        assert (two[name] - tensor).abs().max() <= 1e-3 * moved + 1e-6, name
    assert load_bundle(tmp_path / "shared" / "tiny").spec["name"] == "tiny"
    rows = [(tmp_path / name / "curve.csv").read_text().splitlines() for name in ("alone", "shared")]
    for a, b in zip(*rows, strict=True):
        assert float(a.split(",")[1]) == pytest.approx(float(b.split(",")[1]), abs=1e-3), "the loss of the whole batch"


def test_a_batch_too_small_to_share_is_said():
    with pytest.raises(InputError, match='batch of 2 cannot be shared by 3 processes.*at most 2.*"batch_size"'):
        _expect_shareable([{"batch_size": 2}, {"batch_size": 5}], Processes(0, 3, "cpu"))


def test_one_process_alone_waits_for_nobody_and_trains_its_own_network():
    network = torch.nn.Linear(1, 1)
    alone = Processes(0, 1, "cpu")
    alone.wait()
    assert alone.parallel(network) is network
