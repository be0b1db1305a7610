"""Fits what PatternNet and HR-CAM need, on simulated lymph nodes, and saves it beside a classifier's weights.

    .venv/bin/python scripts/fit_explanations.py Resources/Models/lymph-node-densenet --patients 12 --seed 6

`patterns.safetensors` and `hr_cam.safetensors` hold for these very weights: fit again after every training. The
simulated patients are not those of the training (another seed), but they come from the same simulator.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from ece_core.explain import explain, fit_hr_cam, fit_patterns
from ece_core.explain.settings import Settings
from ece_core.models import node_classifier
from ece_core.models.bundle import Bundle, load_bundle
from ece_core.simulate import simulate_case

SHAPE, SPACING_MM = (160, 320, 320), (1.25, 0.78, 0.78)  # the classifier sees 1.25 x 0.75 x 0.75 mm


def blocks(bundle: Bundle, patients: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(1, c, k, j, i) and the class (1,) of every simulated lymph node; their shapes differ."""
    for number in range(patients):
        simulated = simulate_case(seed, number, "medium", SHAPE, SPACING_MM).simulation
        for label in np.unique(simulated.instances.array)[1:]:
            crop = node_classifier.crop(bundle, simulated.ct, simulated.instances, int(label))
            label_value = int(simulated.classes.array[simulated.instances.array == label][0])
            yield torch.from_numpy(crop.input)[None], torch.tensor([label_value - 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--out", type=Path, metavar="DIR", help="save there instead of beside the weights")
    parser.add_argument("--layers", nargs="*", help="of HR-CAM (default: the classifier's maps at every resolution)")
    asked = parser.parse_args()
    bundle = load_bundle(asked.bundle)
    layers = asked.layers or [name for name, _ in bundle.network.named_modules() if name.startswith("norms.")]
    layers = [name for name in layers if name.count(".") == 1]
    found = list(blocks(bundle, asked.patients, asked.seed))
    images = [image for image, _ in found]
    print(f"{len(found)} simulated lymph nodes")
    patterns = fit_patterns(bundle.network, images)
    top = fit_hr_cam(bundle.network, layers, found, classes=3)
    settings = Settings(patterns=patterns, hr_cam=top)
    for method in ("pattern-signal", "pattern-attribution", "hr-cam"):  # a map that cannot be made is not saved
        explain(bundle.network, images[0], 2, method, settings)
    folder = asked.out or asked.bundle
    folder.mkdir(parents=True, exist_ok=True)
    print("wrote", patterns.save(folder).name, "and", top.save(folder).name)


if __name__ == "__main__":
    main()
