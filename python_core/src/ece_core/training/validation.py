"""Dice of patches of cases that are kept out of training, to see whether it still learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ece_core.training.labels import UNKNOWN, labels_of
from ece_core.training.patches import Patches

PATCHES = 16  # the same ones each time, half of them with a lymph node


def validation(
    config: dict[str, Any], kept_out: list[Path], network: nn.Module, device: str
) -> Callable[[], dict[str, float]] | None:
    """Dice per label over all these patches as one; None where no case is kept out.

    It guides; it does not measure. Figures come from whole scans: `ece evaluate segmentation`.
    """
    if not kept_out or "validate_every" not in config:
        return None
    changed = {"augmentation": "none", "foreground_share": 0.5, "batch_size": 1, "real_share": 0.0, "seed": 0}
    patches = Patches({**config, **changed}, kept_out, [])
    labels = labels_of(config)

    def dice() -> dict[str, float]:
        network.eval()
        overlap, total = torch.zeros(len(labels)), torch.zeros(len(labels))
        with torch.inference_mode():
            for number in range(PATCHES):
                image, target = patches.patch(number)
                found = network(image[None].to(device)).argmax(1)[0].cpu()
                for n in range(len(labels)):
                    a, b = (found == n + 1) & (target != UNKNOWN), target == n + 1
                    overlap[n] += (a & b).sum()
                    total[n] += a.sum() + b.sum()
        network.train()
        return {f"dice_{name}": float(2 * o / t) for name, o, t in zip(labels, overlap, total, strict=True)}

    return dice
