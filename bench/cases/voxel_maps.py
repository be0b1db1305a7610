"""Maps of all voxels that a 3D U-Net predicts: ours against a pass for each voxel, as medcam and captum make it.

CPU seconds of one thread. The peers would take hours: of them a few voxels are measured, each with the same map as ours
has, and the rest is those seconds times the voxels; the row says so.
"""

from __future__ import annotations

import copy
import time
import warnings

from registry import NotMeasurable, Row, case
from timing import in_turns, median, spread, timed

THREADS, SEED, EDGE, CLASS = 1, 20261122, 64, 0
VOXELS, MEASURED = 5000, 3
SAMPLE_SHARE = 25  # one voxel of so many
ALIKE = 1e-3  # of the map's maximum


@case("gbp_exact", threads=THREADS, goal="2.5 times less than medcam-style passes; more where normalization is local")
def gbp_exact(tiny: bool) -> list[Row]:
    """Guided backpropagation of every voxel, summed: the parotid paper's U-Net with group, then batch normalization."""
    from ece_core.explain import Settings
    from ece_core.explain.methods import METHODS

    rows = []
    for norm in ("group", "batch"):
        network, x, mask = _unet(norm, tiny)
        seeds = _some_seeds(mask)
        opened = METHODS["guided-backprop"].open_voxels(network, x, Settings())
        begun = time.process_time()
        with opened as explainer:
            run = time.process_time() - begun
            ours = {"ours": lambda seed: explainer.of(seed)}
            peers = {"medcam-style": _medcam_style(network, x), "captum": _captum(network, x)}
            per_voxel, apart = _measured({**ours, **peers}, seeds)
        settings = _settings(norm, x, mask, per_voxel, apart)
        settings["cpu_seconds_before_the_first_voxel"] = round(run, 3)
        total = run + median(per_voxel["ours"]) * int(mask.sum())
        rows += [Row(total, "CPU s", median(per_voxel[name]) * int(mask.sum()), name, settings) for name in peers]
    return rows


@case("gradcam_voxel", threads=THREADS, goal="a twentieth of a backward pass per voxel")
def gradcam_voxel(tiny: bool) -> list[Row]:
    """Exact Grad-CAM of every voxel at the bottleneck; ours is done whole, all of it."""
    import torch
    from captum.attr import LayerGradCam
    from ece_core.explain import Voxels
    from ece_core.explain.trace import traced
    from ece_core.explain.voxel_grad_cam import summed_maps, voxel_weights

    network, x, mask = _unet("group", tiny)
    layer = "bottleneck.5"  # after the last normalization there
    module, voxels, kept = network.get_submodule(layer), Voxels(mask, CLASS), {}

    def ours() -> None:  # explain_voxels(..., "gradcam") in its three steps, to look at single voxels afterwards
        trace = traced(network, x, [module])
        node = trace.layers[module]
        with torch.no_grad():
            values = trace.run(x)
            weights, passes = voxel_weights(trace, node, values, voxels.seed(trace.logits(values)))
            summed_maps(weights, values[node])
        kept.update(behind=trace.after(node, values), maps=values[node], weights=weights, passes=passes)

    total = timed(ours, time.process_time)
    maps, leaf = kept["maps"], kept["maps"].clone().requires_grad_(True)
    logits = kept["behind"](leaf)  # once, and kept for all voxels
    own = copy.deepcopy(network)
    captum = LayerGradCam(own, own.get_submodule(layer))
    numbers = torch.cumsum(mask.flatten().long(), 0).reshape(mask.shape) - 1

    def of_ours(seed):
        row = kept["weights"][numbers[tuple(seed[0, CLASS].nonzero()[0])]]
        return (row @ maps[0].flatten(1)).relu().reshape(1, 1, *maps.shape[2:])

    functions = {
        "ours": of_ours,
        "one kept graph, a backward pass per voxel": lambda seed: _cam(
            maps, torch.autograd.grad(logits, leaf, seed, retain_graph=True)[0]
        ),
        "captum": lambda seed: captum.attribute(
            x, target=tuple(seed[0].nonzero()[0].tolist()), relu_attributions=True
        ).detach(),
    }
    per_voxel, apart = _measured(functions, _some_seeds(mask))
    del per_voxel["ours"]
    settings = {**_settings("group", x, mask, per_voxel, apart), "layer": layer, "our_passes": kept["passes"]}
    return [Row(total, "CPU s", median(per_voxel[name]) * int(mask.sum()), name, settings) for name in per_voxel]


@case("gbp_sample", threads=THREADS, goal="a twentieth of every voxel; correlation with the exact map at least 0.99")
def gbp_sample(tiny: bool) -> list[Row]:
    """The shipped network on a simulated neck: a sample of the voxels against all, both done whole."""
    from ece_core.explain import Sample, Settings, Voxels, explain_voxels
    from ece_core.explain.accumulation import correlation_of

    network, x, mask, class_index = _a_neck(tiny)
    voxels = Voxels(mask, class_index)
    count = int(mask.sum())
    sample = Sample(max(8, count // SAMPLE_SHARE), SEED)
    found = {}

    def run(name: str, way) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # leaky ReLU: the extension; the same on both sides
            found[name] = explain_voxels(network, x, voxels, "guided-backprop", Settings(), way)

    seconds = {name: timed(lambda n=name, w=way: run(n, w), time.process_time) for name, way in
               (("sample", sample), ("every voxel", None))}  # fmt: skip
    verified = correlation_of(found["sample"].map, found["every voxel"].map)
    if not tiny and verified < 0.99:
        raise RuntimeError(f"the sample's map has a correlation of {verified:.4f} with the exact one")
    settings = {
        "network": "lymph-node-unet" if not tiny else "random weights", "input": list(x.shape), "voxels": count,
        "sampled": sample.voxels, "seed": SEED, "correlation_reported": round(found["sample"].correlation, 4),
        "correlation_with_the_exact_map": round(verified, 4),
    }  # fmt: skip
    return [Row(seconds["sample"], "CPU s", seconds["every voxel"], "ours, every voxel", settings)]


def _unet(norm: str, tiny: bool):
    """Network, image and a ball of voxels to explain."""
    import torch
    from ece_core.training.parotid.unet import ParotidUNet

    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    network = ParotidUNet(8 if tiny else 32)
    if norm == "batch":
        for level in network.modules():
            for name, child in list(level.named_children()):
                if isinstance(child, torch.nn.GroupNorm):
                    setattr(level, name, torch.nn.BatchNorm3d(child.num_channels))
    edge = 16 if tiny else EDGE
    place = torch.stack(torch.meshgrid(*[torch.arange(edge) - edge // 2] * 3, indexing="ij"))
    order = (place**2).sum(0).flatten().argsort(stable=True)
    mask = torch.zeros(edge**3, dtype=torch.bool)
    mask[order[: 100 if tiny else VOXELS]] = True
    return network.eval(), torch.randn(1, 1, edge, edge, edge), mask.reshape(edge, edge, edge)


def _some_seeds(mask):
    import torch

    places = mask.nonzero()
    drawn = torch.randperm(len(places), generator=torch.Generator().manual_seed(SEED))[:MEASURED]
    seeds = []
    for k, j, i in places[drawn].tolist():
        seed = torch.zeros(1, 1, *mask.shape)
        seed[0, CLASS, k, j, i] = 1
        seeds.append(seed)
    return seeds


def _measured(functions, seeds):
    """CPU seconds per voxel, by name, and how far each peer's maps are from the first's, of the maximum."""
    maps: dict[str, list] = {name: [] for name in functions}
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for seed in seeds:
        calls = {name: lambda f=function, n=name, s=seed: maps[n].append(f(s)) for name, function in functions.items()}
        for name, values in in_turns(calls, 1, time.process_time).items():
            seconds[name] += values
    first, *others = functions
    apart = {}
    for name in others:
        pairs = zip(maps[name], maps[first], strict=True)
        apart[name] = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
        if apart[name] > ALIKE:
            raise RuntimeError(f"{name} gives another map: {apart[name]:.1e} of the maximum")
    return seconds, apart


def _settings(norm: str, x, mask, per_voxel, apart) -> dict:
    return {
        "network": f"3D U-Net of 4 levels, {norm} normalization, random weights", "input": list(x.shape), "seed": SEED,
        "voxels": int(mask.sum()), "cpu_seconds_per_voxel": {name: spread(each) for name, each in per_voxel.items()},
        "extrapolated": f"per voxel from {MEASURED} voxels, each measured once after a warm-up",
        "largest_difference_of_maximum": dict(apart),
    }  # fmt: skip


def _medcam_style(network, x):
    """medcam 0.1.22, backends/guided_backpropagation.py: a forward pass and a backward pass down to all weights."""
    import torch

    own = copy.deepcopy(network)
    for module in own.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_full_backward_hook(lambda _module, below, _above: (below[0].clamp(min=0.0),))

    def explain(seed):
        own.zero_grad()
        image = x.clone().requires_grad_()
        own(image).backward(gradient=seed)
        return image.grad.clone()

    return explain


def _captum(network, x):
    try:
        from captum.attr import GuidedBackprop
    except ImportError:
        raise NotMeasurable("captum is not installed: pip install captum") from None
    method = GuidedBackprop(copy.deepcopy(network))

    def explain(seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return method.attribute(x.clone().requires_grad_(), target=tuple(seed[0].nonzero()[0].tolist())).detach()

    return explain


def _cam(maps, gradient):
    return (gradient.mean((2, 3, 4), keepdim=True) * maps).sum(1, keepdim=True).relu()


def _a_neck(tiny: bool):
    """The shipped network, what it sees around the largest lymph node of a simulated patient, its commonest class."""
    import numpy as np
    import torch
    from ece_core.models import find_bundle
    from ece_core.models.bundle import load_bundle
    from ece_core.models.recipe import AIR_HU, recipe_of
    from ece_core.preprocessing import to_axial
    from ece_core.preprocessing.resample import sample_block
    from ece_core.simulate import simulate_case

    torch.set_num_threads(THREADS)
    if tiny:
        network, x, mask = _unet("batch", tiny)
        return network, x, mask, CLASS
    bundle = load_bundle(find_bundle("lymph_node_segmentation"))
    recipe = recipe_of(bundle.spec["input"])
    simulated = simulate_case(SEED, 0, "medium", (120, 240, 240), (1.5, 1.0, 1.0)).simulation
    labels, sizes = np.unique(simulated.instances.array, return_counts=True)
    center = np.argwhere(simulated.instances.array == labels[1:][sizes[1:].argmax()]).mean(0)
    axial, _ = to_axial(simulated.ct, recipe.toward)
    lps = simulated.ct.to_lps(center[None])[0]
    block = sample_block(axial, lps, (EDGE, EDGE, EDGE), recipe.spacing_mm, AIR_HU)
    x = torch.from_numpy(recipe.normalization(block.array).astype(np.float32))[None, None]
    with torch.no_grad():
        classes = bundle.network(x)[0].argmax(0)
    class_index = int(torch.bincount(classes[classes > 0]).argmax())
    return bundle.network, x, classes == class_index, class_index
