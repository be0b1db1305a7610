"""Train a network that finds lymph nodes: `ece train segmentation CONFIG`.

Without a plan: patches of simulated scans, mixed with patches of real CT into which simulated lymph nodes were
inserted. In real CT what is inside the target volumes is ignored (there may be real lymph nodes), all else is
background. With a plan: the cases of a data set, prepared as planned; of a plan with two stages the low resolution
first, whose answer is further channels of the full one's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ece_core.errors import InputError
from ece_core.models.bundle import Bundle, load_bundle
from ece_core.models.registry import build
from ece_core.training.deep_supervision import DeepSupervision, can_be_supervised
from ece_core.training.distributed import Processes, processes
from ece_core.training.earlier_answers import answer_for_next_stage
from ece_core.training.export import export_segmentation
from ece_core.training.folds import ALL, NUMBERED, split
from ece_core.training.labels import labels_of, network_arguments
from ece_core.training.loop import run
from ece_core.training.losses import deep_loss
from ece_core.training.patches import Patches
from ece_core.training.prepared_cases import Prepared, prepare
from ece_core.training.settings import stages_of
from ece_core.training.simulated_data import LEAST_TARGET_LABEL, inserted_case, make, segmentation_case
from ece_core.training.validation import validation

Config = dict[str, Any]


@dataclass(frozen=True)
class Files:
    """What a training reads: scans to learn from, real CT with inserted lymph nodes, and scans that are kept out."""

    learned: list[Path]
    real: list[Path]
    kept_out: list[Path]


def train(
    config: Config, work: Path, device: str = "cpu", real: Path | None = None, report=None, fold: str = ALL,
    stage: str | None = None,
) -> Path:
    """Train, or go on where a killed run stopped; returns the bundle's folder.

    Parameters
    ----------
    work
        Folder for data, checkpoints, curves and bundles; one per config.
    real
        Folder of real CT as OpenKBP arrays, or None. Not used with a plan.
    fold
        "0" to "4" keeps a fifth of the patients out; "all" none.
    stage
        Of a plan with two stages: only this one.

    With ``start_from``, the folder of a bundle, training begins with that bundle's weights.
    """
    stages = stages_of(config, stage)
    _expect_use_of_real_ct(config, real)
    with processes(device) as team:
        _expect_shareable(stages, team)
        training = _Training(work, team, real, report if team.is_first else None)
        if len(stages) == 2:
            return training.two(stages[0], stages[1], fold, stage)
        return training.one(stages[0], fold, Path(work))


def _expect_use_of_real_ct(config: Config, real: Path | None) -> None:
    needed = ("real_share", "real_cases", "real_least_target_ml")
    if real is not None and ("plan" in config or any(key not in config for key in needed)):
        raise InputError(
            "Real CT as background is given, but the config does not say what for.",
            f"Leave out --real-ct, or set {', '.join(needed)} in a config without a plan (configs/segmentation.json).",
        )


def _expect_shareable(stages: list[Config], team: Processes) -> None:
    least = min(stage["batch_size"] for stage in stages)
    if least < team.count:
        raise InputError(
            f"A batch of {least} cannot be shared by {team.count} processes.",
            f'Start at most {least} processes, or raise "batch_size" in the config.',
        )


class _Training:
    """One command: where things lie, and who takes part."""

    def __init__(self, work: Path, team: Processes, real: Path | None, report) -> None:
        self.work, self.team, self.real, self.report = Path(work), team, real, report

    def two(self, low: Config, full: Config, fold: str, only: str | None) -> Path:
        """The low resolution, then the full one, which learns from answers about cases that were kept out.

        So with a fold, the low resolution of all five has to be trained before the full one of any.
        """
        places = [self.work / stage["stage"] for stage in (low, full)]
        low = {**low, "name": f"{low['name']}-low-resolution"}
        if only == low["stage"]:
            return self.one(low, fold, places[0])
        cases = self._cases(full)
        bundles = {each: self.one(low, each, places[0]) for each in ([ALL] if fold == ALL else NUMBERED)}
        if self.team.is_first:
            for each, bundle in bundles.items():
                _, kept_out = split(cases, [case.patient for case in cases], each)
                answer_for_next_stage(bundle, kept_out or cases, _of(fold), self.team.device, self.report)
        self.team.wait()
        arguments = {**full["arguments"], "in_channels": 1 + len(labels_of(full))}
        return self.one({**full, "arguments": arguments, "earlier": _of(fold)}, fold, places[1], bundles[fold])

    def one(self, config: Config, fold: str, place: Path, earlier: Path | None = None) -> Path:
        """Train one network; returns its bundle."""
        if fold != ALL:
            config = {**config, "fold": fold, "name": f"{config['name']}-fold-{fold}"}
            place = place / f"fold_{fold}"
        place.mkdir(parents=True, exist_ok=True)
        files = self._files(config, fold)
        network = self._network(config)
        trained: Any = network
        if config["deep_supervision"] and can_be_supervised(network):
            trained = DeepSupervision(network).to(self.team.device)
        trained = trained.to(memory_format=torch.channels_last_3d)
        optimizer, schedule = optimizer_of(config, trained)
        parallel = self.team.parallel(trained)
        patches = Patches(config, files.learned, files.real, (self.team.rank, self.team.count))

        def loss_of(images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return deep_loss(parallel(images), target, config["loss"])

        check = validation(config, files.kept_out, network, self.team.device)
        checkpoint = run(config, place, trained, optimizer, schedule, patches.batch, loss_of, self.team.device,
                         self.report, check, self.team.is_first)  # fmt: skip
        bundle = place / config["name"]
        if self.team.is_first:
            export_segmentation(config, checkpoint, bundle, self.real is not None, earlier)
        self.team.wait()
        return bundle

    def _network(self, config: Config) -> nn.Module:
        torch.manual_seed(config["seed"])
        network = build(config["architecture"], network_arguments(config)).to(self.team.device)
        if "start_from" in config:
            network.load_state_dict(_start(config).network.state_dict())
        return network

    def _files(self, config: Config, fold: str) -> Files:
        if "plan" in config:
            cases = self._cases(config)
            learned, kept_out = split([case.folder for case in cases], [case.patient for case in cases], fold)
            return Files(learned, [], kept_out)
        simulated, inserted = self._by_first(partial(_simulate, config, self.work / "data", self.real))
        learned, kept_out = split(simulated, [path.name for path in simulated], fold)
        real, _ = split(inserted, [path.name for path in inserted], fold) if inserted else ([], [])
        return Files(learned, real, kept_out)

    def _cases(self, config: Config) -> list[Prepared]:
        folder = self.work / "data" / config["stage"]
        return self._by_first(lambda: prepare(config, folder, self.report))

    def _by_first(self, work):
        """Done by the first process; the others wait, and then find everything there."""
        if self.team.is_first:
            done = work()
        self.team.wait()
        return done if self.team.is_first else work()


def _of(fold: str) -> str:
    """Which answers of the earlier stage: of a network that has seen all cases, or of five that had not."""
    return fold if fold == ALL else "folds"


def _simulate(config: Config, data: Path, real: Path | None) -> tuple[list[Path], list[Path]]:
    data.mkdir(parents=True, exist_ok=True)
    settings = (config["difficulty"], config["spacing_mm"])
    arguments = [(data, config["data_seed"], n, *settings) for n in range(config["cases"])]
    sources = [(data, source, config["data_seed"], n, *settings) for n, source in enumerate(_real_files(real, config))]
    return make(segmentation_case, arguments, config["jobs"]), make(inserted_case, sources, config["jobs"])


def _real_files(folder: Path | None, config: Config) -> list[Path]:
    """Real scans whose targets are large enough to cover the lymph nodes of both sides."""
    if folder is None:
        return []
    chosen = []
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            volume = float((archive["labels"] >= LEAST_TARGET_LABEL).sum() * np.prod(archive["spacing_zyx_mm"]) / 1000)
        if volume >= config["real_least_target_ml"]:
            chosen.append(path)
        if len(chosen) == config["real_cases"]:
            break
    return chosen


def _start(config: Config) -> Bundle:
    bundle = load_bundle(Path(config["start_from"]), fold=False)
    if tuple(bundle.spec["labels"]) != labels_of(config):
        raise InputError(
            f"The model to start from tells {', '.join(bundle.spec['labels'])} apart, "
            f"this config {', '.join(labels_of(config))}.",
            'Set "labels" to those of the model, or train without "start_from".',
        )
    return bundle


def optimizer_of(config: Config, network: nn.Module) -> tuple[torch.optim.Optimizer, Any]:
    """The optimizer, and its learning rate step by step.

    ``sgd_polynomial``: SGD with Nesterov momentum 0.99, the rate falls with (1 - step / steps) to the power of 0.9
    (nnU-Net, which lowers it once per epoch of 250 steps). ``adamw_one_cycle``: up for 15 % of the steps, then down.
    """
    rate, steps = config["learning_rate"], config["steps"]
    parameters = network.parameters()
    if config["optimizer"] == "sgd_polynomial":
        sgd = torch.optim.SGD(parameters, rate, momentum=0.99, nesterov=True, weight_decay=3e-5)
        return sgd, torch.optim.lr_scheduler.LambdaLR(sgd, lambda step: max(0.0, 1 - step / steps) ** 0.9)
    adamw = torch.optim.AdamW(parameters, rate, weight_decay=1e-2)
    return adamw, torch.optim.lr_scheduler.OneCycleLR(adamw, rate, total_steps=steps, pct_start=0.15)
