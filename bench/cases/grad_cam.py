"""Grad-CAM of one lymph node: ours against captum's and MONAI's, same DenseNet, same layer, map on the input's grid."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

from registry import Row, case
from timing import in_turns, median, spread

THREADS, SEED, TARGET = 1, 20261121, 2
LAYER = "norms.1"  # the coarsest feature maps, as the last layer is in other networks
CONFIG = Path(__file__).parents[2] / "configs" / "classification.json"


@case("gradcam_plain", threads=THREADS, goal="no slower than captum, half of MONAI's time")
def gradcam_plain(tiny: bool) -> list[Row]:
    """The lymph node classifier's architecture with random weights; one input, its last feature maps."""
    import torch

    torch.set_num_threads(THREADS)
    network, x, layer = _network_and_input(tiny)
    methods = {
        "ours": _ours(network, x, layer),
        "captum": _captum(network, x, layer),
        "MONAI": _monai(network, x, layer),
    }
    reference = methods["ours"]()
    agreement = {}
    for name in ("captum", "MONAI"):
        agreement[name] = float((methods[name]() - reference).abs().max() / reference.max())
        if agreement[name] > 1e-3:
            raise RuntimeError(f"{name} gives another map: {agreement[name]:.1e} of the maximum")
    seconds = in_turns(methods, 2 if tiny else 21, time.process_time)
    settings = {
        "network": json.loads(CONFIG.read_text())["arguments"],
        "input": list(x.shape),
        "layer": layer,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "largest_difference_of_maximum": agreement,
    }
    ours = median(seconds["ours"])
    return [Row(ours, "CPU s", median(seconds[name]), name, settings) for name in ("captum", "MONAI")]


def _network_and_input(tiny: bool):
    import torch
    from ece_core.models.registry import build

    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    torch.manual_seed(SEED)
    network = build(config["architecture"], config["arguments"]).eval()
    with torch.no_grad():  # of both signs, and small: the map of a fresh network may be empty
        network.head[-1].weight.uniform_(-0.1, 0.2)
    size = (32, 32, 32) if tiny else tuple(config["patch_size"])
    return network, torch.randn(1, config["arguments"]["in_channels"], *size), LAYER


def _ours(network, x, layer):
    from ece_core.explain import grad_cam

    return lambda: grad_cam(network, x, TARGET, layer)


def _captum(network, x, layer):
    from captum.attr import LayerAttribution, LayerGradCam

    own = copy.deepcopy(network)
    method = LayerGradCam(own, own.get_submodule(layer))

    def explain():
        cam = method.attribute(x, target=TARGET, relu_attributions=True)
        return LayerAttribution.interpolate(cam, x.shape[2:], "trilinear").detach()

    return explain


def _monai(network, x, layer):
    import torch
    from monai.visualize import GradCAM

    # Without its normalisation to 0..1, which needs the map's range, so that the maps can be compared.
    method = GradCAM(copy.deepcopy(network), layer, postprocessing=lambda cam: cam)
    return lambda: torch.as_tensor(method(x, class_idx=TARGET)).detach()
