"""Batches of volumes, or of volumes of interest, half of them positive."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ece_core.errors import Cancelled, InputError
from ece_core.training.gmgenet.patients import Patient

Array = np.ndarray
Start = tuple[int, int, int]

SHIFT = (3, 6, 6)  # voxels (k, j, i), at most: about 6 to 12 mm [own choice]
GAIN, OFFSET = 0.05, 0.02  # 16 HU [own choice]


class Batches:
    """Every draw is determined by (seed, step); patients are mirrored, moved a little, and changed in brightness.

    Parameters
    ----------
    config
        ``seed`` and ``batch_size``.
    starts, shape
        Volume of interest of each patient; without them the whole volume is shown.

    Raises
    ------
    InputError
        All patients have the same label.
    """

    def __init__(
        self,
        config: dict[str, Any],
        patients: Sequence[Patient],
        starts: Mapping[str, Start] | None = None,
        shape: tuple[int, int, int] | None = None,
    ) -> None:
        self.config, self.starts, self.shape = config, starts, shape
        self.by_label = [[p for p in patients if p.has_ene is label] for label in (False, True)]
        if not all(self.by_label):
            raise InputError(
                f"All {len(patients)} patients to learn from have the same label.", 'Give more patients ("patients").'
            )

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """(n, 1, k, j, i) float32 and (n,) int64: negative, positive, negative and so on."""
        starter = multiprocessing.parent_process()
        if starter is not None and not starter.is_alive():  # killed: its next start must be alone with the checkpoint
            raise Cancelled
        rng = np.random.default_rng((self.config["seed"], step, 3))
        labels = [n % 2 for n in range(self.config["batch_size"])]
        images = []
        for label in labels:
            among = self.by_label[label]
            images.append(self._drawn(among[int(rng.integers(len(among)))], rng))
        return torch.from_numpy(np.stack(images)[:, None]), torch.tensor(labels)

    def _drawn(self, patient: Patient, rng: np.random.Generator) -> Array:
        shift = tuple(int(rng.integers(-most, most + 1)) for most in SHIFT)
        mirror, gain, offset = rng.random() < 0.5, rng.uniform(1 - GAIN, 1 + GAIN), rng.uniform(-OFFSET, OFFSET)
        block = shown(patient, self.starts, self.shape, shift)
        block = np.clip(block * np.float32(gain) + np.float32(offset), 0, 1)
        return np.ascontiguousarray(block[:, :, ::-1] if mirror else block)


def shown(
    patient: Patient,
    starts: Mapping[str, Start] | None = None,
    shape: tuple[int, int, int] | None = None,
    shift: tuple[int, ...] = (0, 0, 0),
) -> Array:
    """What a network sees of a patient, (k, j, i) float32, moved by ``shift`` voxels; air beyond the volume."""
    volume = patient.volume().array
    start = (0, 0, 0) if starts is None else starts[patient.name]
    size = volume.shape if shape is None else shape
    low = np.array(start) + shift
    inside = [slice(max(a, 0), max(min(a + n, e), 0)) for a, n, e in zip(low, size, volume.shape, strict=True)]
    pad = [(s.start - a, a + n - s.stop) for s, a, n in zip(inside, low, size, strict=True)]
    return np.asarray(np.pad(volume[tuple(inside)], pad), np.float32)
