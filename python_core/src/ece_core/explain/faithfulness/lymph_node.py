"""The faithfulness of a lymph node's heatmaps, from the model bundle and the block that its classifier sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ece_core.classes import CLASS_NAMES
from ece_core.explain.faithfulness.figures import Experiment, Faithfulness, map_figures, with_experiments
from ece_core.explain.lymph_node import explain_lymph_node, without_ct
from ece_core.explain.target import log_odds
from ece_core.models import edited_crop, node_classifier
from ece_core.models.bundle import Bundle
from ece_core.models.calibration import calibrated
from ece_core.models.node_classifier import Crop

Array = np.ndarray


@dataclass(frozen=True)
class View:
    """Another map of the same method: of ``layer`` instead of the one that the model's card names, or ``signed``."""

    layer: str | None = None
    signed: bool = False


ENE = CLASS_NAMES.index("ENE")


def seen_of(bundle: Bundle, block: Crop) -> Array:
    """(K, J, I) bool: where the block shows tissue."""
    seen = node_classifier.seen(bundle, block)
    return np.ones(block.input.shape[1:], bool) if seen is None else seen


def lymph_node_heatmaps(
    bundle: Bundle,
    block: Crop,
    methods: tuple[str, ...],
    device: str,
    network: nn.Module | None = None,
    view: View | None = None,
) -> dict[str, Array]:
    """The product's heatmaps of one lymph node: what speaks for ENE against N and P, (K, J, I) in [0, 1] per method.

    Parameters
    ----------
    view
        Another layer, or signed: then in [-1, 1].
    network
        Instead of the bundle's own.
    """
    view = view or View()
    return explain_lymph_node(
        network or bundle.network,
        block.input,
        log_odds(ENE),
        methods,
        device,
        view.layer or bundle.spec.get("gradcam_layer"),  # absent: the last layer that has feature maps
        node_classifier.seen(bundle, block),
        bundle.folder,
        view.signed,
    )


def faithfulness(
    bundle: Bundle,
    block: Crop,
    heatmaps: Mapping[str, Array],
    device: str,
    with_network: bool = False,
    view: View | None = None,
) -> dict[str, Faithfulness]:
    """Figures per method.

    Parameters
    ----------
    heatmaps
        As :func:`lymph_node_heatmaps` gives them for ``view``; of signed ones what is positive is judged.
    with_network
        Also those for which the network runs: about a minute per lymph node and method on one core for the slowest.
    """
    seen, distance_mm = seen_of(bundle, block), edited_crop.distance_mm_of(bundle, block)
    spacing_mm = tuple(bundle.spec["input"]["spacing_mm"])
    found = {}
    for method, heatmap in heatmaps.items():
        heatmap = np.maximum(heatmap, 0)
        figures = map_figures(heatmap, distance_mm, seen, spacing_mm)
        if with_network:
            experiment = _experiment(bundle, block, method, device, view)
            figures = with_experiments(figures, heatmap, seen, bundle.network, experiment)
        found[method] = figures
    return found


def ene_probability(bundle: Bundle, block: Crop, device: str) -> Callable[[Array], Array]:
    """The product's probability of ENE (also ECE), (n,) of inputs (n, c, K, J, I) for this lymph node."""
    diameter, calibration = node_classifier.diameter_mm(block), bundle.spec.get("calibration")

    def probability(inputs: Array) -> Array:
        with torch.inference_mode():
            logits = bundle.network.to(device)(torch.from_numpy(inputs).to(device)).double().cpu().numpy()
        return np.array([calibrated(each, diameter, calibration)[ENE] for each in logits])

    return probability


def _experiment(bundle: Bundle, block: Crop, method: str, device: str, view: View | None) -> Experiment:
    def of_network(network: nn.Module) -> Array:
        return np.maximum(lymph_node_heatmaps(bundle, block, (method,), device, network, view)[method], 0)

    def of_hu(hu: Array) -> Array:
        again = edited_crop.with_hu(bundle, block, hu)
        return np.maximum(lymph_node_heatmaps(bundle, again, (method,), device, view=view)[method], 0)

    blank = without_ct(torch.from_numpy(block.input)[None])[0].numpy()
    hu = edited_crop.hu_of(bundle, block)
    return Experiment(ene_probability(bundle, block, device), block.input, blank, hu, of_network, of_hu)
