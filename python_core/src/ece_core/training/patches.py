"""Which patches a training sees: how many hold lymph nodes, and where in the patch these lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ece_core.preprocessing.normalization import Normalization
from ece_core.training.augmentation import Augmentation
from ece_core.training.earlier_stage import as_channels, disturbed
from ece_core.training.labels import UNKNOWN, labels_of, value_of_class
from ece_core.training.model_input import model_input
from ece_core.training.training_case import TrainingCase, load_case

Array = np.ndarray

TRIES = 20  # to find a case with a lymph node before a patch does without


class Patches:
    """Draws training patches. The number of a patch alone decides what it is: (seed, number).

    So a resumed training sees what an unbroken one would have seen, and processes that share a batch see together
    what one process would see.

    Parameters
    ----------
    config
        One stage's settings.
    files, real
        Prepared cases, and of simulated lymph nodes in real CT, of which a ``real_share`` is drawn.
    share
        This process's number and how many there are.
    """

    def __init__(
        self, config: dict[str, Any], files: list[Path], real: list[Path], share: tuple[int, int] = (0, 1)
    ) -> None:
        self.config, self.files, self.real = config, files, real
        self.rank, self.processes = share
        self.size = np.array(config["patch_size"])
        self.labels = labels_of(config)
        self.values = value_of_class(self.labels)
        self.normalization = Normalization.of(model_input(config))
        self.earlier = config.get("earlier", "")
        spacing = np.broadcast_to(config["spacing_mm"], 3)
        self.augment = Augmentation(config["augmentation"], config["patch_size"], spacing)
        self.cases: dict[Path, TrainingCase] = {}

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, channels, k, j, i) float32 and (n, k, j, i) int64: this process's part of the step's batch."""
        first = step * self.config["batch_size"]
        numbers = range(first, first + self.config["batch_size"])[self.rank :: self.processes]
        rows = [self.patch(number) for number in numbers]
        return torch.stack([image for image, _ in rows]), torch.stack([target for _, target in rows])

    def patch(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(channels, k, j, i) float32 and (k, j, i) int64."""
        rng = np.random.default_rng((self.config["seed"], number))
        share = self.config["foreground_share"]
        # Exactly this share of any run of patches, however they are grouped to batches.
        with_lymph_node = int((number + 1) * share + 1e-9) > int(number * share + 1e-9)
        turn = self.augment.draw_turn(rng)
        case, voxel = self._case(rng, with_lymph_node)
        size = self.augment.block_size(turn)
        block, labels = case.block(self._center(rng, case, voxel, turn) - size // 2, size)
        labels[0] = self.values[labels[0]]
        image, moved = self.augment.apply(block, labels, turn, rng)
        if self.earlier:
            found = disturbed(moved[1].numpy(), len(self.labels), rng)
            image = torch.cat((image, torch.from_numpy(as_channels(found, len(self.labels)))))
        return image, moved[0]

    def _case(self, rng: np.random.Generator, with_lymph_node: bool) -> tuple[TrainingCase, Array | None]:
        """A case, and the voxel of a lymph node that the patch must hold."""
        for _ in range(TRIES):
            files = self.real if self.real and rng.random() < self.config["real_share"] else self.files
            case = self._load(files[int(rng.integers(len(files)))])
            if not with_lymph_node:
                return case, None
            pools = [pool for pool in self._pools(case) if pool]
            if pools:
                parts = pools[int(rng.integers(len(pools)))]
                at = int(rng.integers(sum(map(len, parts))))
                for part in parts:
                    if at < len(part):
                        return case, part[at].astype(int)
                    at -= len(part)
        return case, None

    def _load(self, path: Path) -> TrainingCase:
        if path.is_dir():  # stays on disk; hundreds of files left open would be more than a computer allows
            return load_case(path, self.normalization, self.earlier)
        if path not in self.cases:
            self.cases[path] = load_case(path, self.normalization, self.earlier)
        return self.cases[path]

    def _pools(self, case: TrainingCase) -> list[list[Array]]:
        """Groups of voxels that are drawn equally often: each label; or any lymph node, and metastatic ones."""
        outputs = {value: int(self.values[value]) for value, voxels in case.voxels.items() if len(voxels)}
        known = {value: output for value, output in outputs.items() if output not in (0, UNKNOWN)}
        if self.config["focus"] == "metastatic":
            return [[case.voxels[value] for value in known], [case.voxels[value] for value in known if value > 1]]
        return [
            [case.voxels[value] for value, found in known.items() if found == output]
            for output in range(1, len(self.labels) + 1)
        ]

    def _center(self, rng: np.random.Generator, case: TrainingCase, voxel: Array | None, turn: Array | None) -> Array:
        """Where in the scan the patch's middle voxel (edge // 2) lies."""
        half, shape = self.size // 2, np.array(case.image.shape)
        room = np.maximum(shape - self.size, 0)
        if voxel is None:
            return rng.integers(0, room + 1) + half
        place = np.floor((rng.random(3) - 0.5) * self.config["translation"] * self.size).astype(int)
        center = voxel - (place if turn is None else np.rint(turn @ place).astype(int))
        # A turned patch must not be pushed: the lymph node could leave it.
        return center if turn is not None else np.clip(center - half, 0, room) + half
