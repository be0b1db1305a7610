"""The parts of inference and the whole of it, against nnU-Net's own functions and MONAI's sliding window.

Sizes of a diagnostic neck CT: 512 x 512 x 200 voxels of 0.49 x 0.49 x 1.25 mm. What differs between the answers stands
in each row; an answer that differs too much is no answer, and raises.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from peak_memory import peak_memory_mib
from registry import Row, case
from timing import in_turns, median, spread

SEED, THREADS = 20261121, 2
SHAPE, SPACING = (200, 512, 512), (1.25, 0.49, 0.49)
TINY, TINY_SPACING = (24, 48, 48), (3.0, 4.0, 4.0)
WINDOW_HU = (-400.0, 400.0)


def _memory(functions: dict[str, Callable[[], object]]) -> dict[str, int]:
    """MiB at the peak of each, ours first; to be asked before any of them has run."""
    return {name: round(peak_memory_mib(function)) for name, function in functions.items()}


def _compared(
    functions: dict[str, Callable[[], object]], memory: dict[str, int], peer: str, peer_name: str, rounds: int,
    settings: dict[str, Any], less: float = 0.0,
) -> Row:
    """Medians of calls in turns; ``less``: seconds of both that do not count."""
    seconds = in_turns(functions, rounds)
    settings = {**settings, "seconds": {name: spread(s) for name, s in seconds.items()}, "peak_memory_mib": memory}
    settings["memory_ratio"] = {name: round(memory["ours"] / max(1, mib), 2) for name, mib in memory.items()}
    settings["ratio_to"] = {name: round(median(s) / median(seconds["ours"]), 2) for name, s in seconds.items()}
    ours, theirs = median(seconds["ours"]) - less, median(seconds[peer]) - less
    return Row(ours, peer=theirs, peer_name=peer_name, settings=settings)


def _torch_threads() -> None:
    import torch

    torch.set_num_threads(THREADS)


@case("resample_ct", threads=THREADS, goal="at least 15 times, within 0.01 HU", with_nnunet=True)
def resample_ct(tiny: bool) -> list[Row]:
    """int16 HU to 1 mm, cubic."""
    import numpy as np
    from ece_core.preprocessing.spline import resample_cubic
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape
    from scipy import ndimage

    shape, spacing = (TINY, TINY_SPACING) if tiny else (SHAPE, SPACING)
    wanted = (2.0, 3.0, 3.0) if tiny else (1.0, 1.0, 1.0)
    noise = np.random.default_rng(SEED).normal(0, 400, shape)
    hu = np.clip(ndimage.gaussian_filter(noise, 0.6), -1024, 1200).astype(np.int16)
    data = hu[None].astype(np.float32)
    new = [round(n * a / b) for n, a, b in zip(shape, spacing, wanted, strict=True)]

    def theirs():
        return resample_data_or_seg_to_shape(data, new, spacing, wanted, False, 3, 0, None)

    functions = {"ours": lambda: resample_cubic(hu, spacing, wanted), "nnunet": theirs}
    memory = _memory(functions)
    difference = float(np.abs(resample_cubic(hu, spacing, wanted) - theirs()[0]).max())
    if difference > 0.01:
        raise RuntimeError(f"the resampled CT differ by {difference:.4f} HU")
    settings = {"seed": SEED, "shape_kji": shape, "new_shape_kji": new, "most_hu_apart": difference}
    name = "nnU-Net resample_data_or_seg_to_shape"
    return [_compared(functions, memory, "nnunet", name, 1 if tiny else 3, settings)]


@case("logits_to_labels", threads=THREADS, goal="at least 30 times, 0 voxels different", with_nnunet=True)
def logits_to_labels(tiny: bool) -> list[Row]:
    """Four classes at 1 mm with 14 lymph nodes to the labels of the scan."""
    import numpy as np
    import torch
    from ece_core.models.label_boxes import LabelWriter
    from ece_core.preprocessing.spline import spline_matrices
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape
    from nnunetv2.preprocessing.resampling.resample_torch import resample_torch_fornnunet

    _torch_threads()
    shape, new = ((24, 32, 32), (30, 60, 60)) if tiny else ((250, 251, 251), SHAPE)
    spacing, wanted = (1.0, 1.0, 1.0), tuple(n / m for n, m in zip(shape, new, strict=True))
    logits = _lymph_node_logits(shape, 2 if tiny else 14)
    tensor = torch.from_numpy(logits)

    def ours():
        writer = LabelWriter(spline_matrices(shape, new, 1, None), "cpu")
        for start in range(0, shape[0], 16):
            writer.add(tensor[:, start : start + 16])
        return writer.labels()

    def theirs():
        return resample_data_or_seg_to_shape(logits, new, spacing, wanted, False, 1, 0, None).argmax(0)

    def their_torch():
        resampled = resample_torch_fornnunet(logits, new, spacing, wanted, False, num_threads=THREADS)
        return np.asarray(resampled).argmax(0)

    functions = {"ours": ours, "nnunet": theirs, "nnunet_torch": their_torch}
    memory = _memory(functions)
    labels = ours()
    different = {"nnunet": int((labels != theirs()).sum()), "nnunet_torch": int((labels != their_torch()).sum())}
    if different["nnunet"]:
        raise RuntimeError(f"{different['nnunet']} voxels differ from nnU-Net's")
    settings = {"seed": SEED, "shape_kji": shape, "new_shape_kji": new, "voxels_different": different}
    settings["foreground_voxels"] = int((labels > 0).sum())
    return [_compared(functions, memory, "nnunet", "nnU-Net resampling and argmax", 1 if tiny else 3, settings)]


def _lymph_node_logits(shape, count: int):
    """(4, K, J, I) float32: background but for balls of 3 to 10 voxels' radius."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    logits = rng.normal(0, 0.3, (4, *shape)).astype(np.float32)
    logits[0] += 4
    grid = np.ogrid[: shape[0], : shape[1], : shape[2]]
    for number in range(count):
        radius = rng.uniform(3, min(10, min(shape) / 4))
        center = [rng.uniform(radius, n - radius) for n in shape]
        distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(grid, center, strict=True)))
        logits[1 + number % 3] += np.where(distance < radius + 4, 8 * (radius - distance) / radius + 4, 0).astype("f4")
    return logits


@case("tile_loop", threads=THREADS, goal="at least 4 times nnU-Net's and 2 times MONAI's, half the memory",
      with_nnunet=True)  # fmt: skip
def tile_loop(tiny: bool) -> list[Row]:
    """Image to labels on the network's grid by a network that costs next to nothing; its own seconds left out."""
    import numpy as np
    import torch
    from ece_core.models.label_boxes import highest
    from ece_core.models.recipe import NnunetRecipe
    from ece_core.models.scan_tiles import planes_of
    from ece_core.models.tile_network import TorchNetwork
    from ece_core.models.tiles import every_tile
    from monai.inferers import sliding_window_inference
    from nnunet_side import predictor

    _torch_threads()
    shape, tile = ((20, 40, 40), (8, 16, 16)) if tiny else (SHAPE, (96, 160, 160))
    torch.manual_seed(SEED)
    network = torch.nn.Conv3d(1, 4, 1).eval()
    image = np.random.default_rng(SEED).normal(0, 1, shape).astype(np.float32)
    tensor = torch.from_numpy(image)
    recipe = NnunetRecipe({"spacing_mm": 1.0, "window_hu": WINDOW_HU})
    tiles = every_tile(shape, tile, recipe.overlap)
    made = predictor(network, 1.0, list(tile), WINDOW_HU)

    def ours():
        planes = planes_of(TorchNetwork(network, "cpu"), recipe, image, tiles, 4)
        return torch.cat([highest(some) for some in planes]).numpy()

    def nnunet():
        return made.predict_sliding_window_return_logits(tensor[None]).numpy().argmax(0)

    def monai():
        with torch.inference_mode():
            logits = sliding_window_inference(
                tensor[None, None], tile, 1, network, overlap=0.5, mode="gaussian", sigma_scale=0.125
            )
        return logits[0].numpy().argmax(0)

    def network_alone():
        with torch.inference_mode():
            for each in tiles:
                network(tensor[each.box][None, None])

    functions = {"ours": ours, "nnunet": nnunet, "monai": monai}
    memory = _memory(functions)
    labels = ours()
    different = {"nnunet": float((labels != nnunet()).mean()), "monai": float((labels != monai()).mean())}
    if different["nnunet"] > 1e-3 or different["monai"] > 1e-5:
        raise RuntimeError(f"the labels differ: {different}")
    alone = median(in_turns({"network": network_alone}, 2)["network"])
    settings = {"seed": SEED, "shape_kji": shape, "tile_kji": tile, "tiles": len(tiles), "network_seconds": alone}
    settings["share_of_voxels_different"] = different
    row = _compared(functions, memory, "nnunet", "nnU-Net's tile loop and argmax, network left out", 1 if tiny else 3,
                    settings, alone)  # fmt: skip
    theirs = row.settings["seconds"]["monai"]["median"] - alone
    other = "MONAI sliding_window_inference and argmax, network left out"
    return [row, replace(row, peer=theirs, peer_name=other)]


@case("segment_vs_nnunet", threads=THREADS, goal="at least 2.2 times in f32, Dice >= 0.999, half the memory",
      with_nnunet=True)  # fmt: skip
def segment_vs_nnunet(tiny: bool) -> list[Row]:
    """Exact mode, OpenVINO f32: CT to labels."""
    return [_segment(tiny, "openvino-f32", fast=False, least_dice=0.999)]


@case("segment_vs_nnunet_bf16", threads=THREADS, goal="at least 4 times in bf16, Dice >= 0.995", with_nnunet=True)
def segment_vs_nnunet_bf16(tiny: bool) -> list[Row]:
    """Exact mode, OpenVINO bf16: CT to labels."""
    return [_segment(tiny, "openvino-bf16", fast=False, least_dice=0.995)]


@case("segment_fast_vs_nnunet", threads=THREADS, goal="at least 25 times", with_nnunet=True)
def segment_fast_vs_nnunet(tiny: bool) -> list[Row]:
    """Fast mode as the pipeline runs it, the search for the neck included."""
    return [_segment(tiny, "auto", fast=True, least_dice=0.0)]


def _segment(tiny: bool, engine: str, fast: bool, least_dice: float) -> Row:
    """The shipped network in nnU-Net's recipe, so that both sides prepare the scan alike, and lay the same tiles."""
    import numpy as np
    import torch
    from ece_core.models import find_bundle, load_bundle
    from ece_core.models.segmentation import segment
    from ece_core.models.tile_network import cpu_engine
    from ece_core.preprocessing import neck_region
    from ece_core.simulate import simulate_case
    from nnunet_side import labels as nnunet_labels
    from nnunet_side import predictor

    _torch_threads()
    os.environ["ECE_CPU_ENGINE"] = engine
    shape, spacing = ((40, 64, 64), (5.0, 4.0, 4.0)) if tiny else (SHAPE, SPACING)
    ct = simulate_case(SEED, 0, "medium", shape, spacing).simulation.ct
    if tiny:
        ct = ct.crop((8, 16, 16), (32, 48, 48))  # one tile
    bundle = load_bundle(find_bundle("lymph_node_segmentation"))
    spacing_mm, tile = float(bundle.spec["input"]["spacing_mm"]), list(bundle.spec["input"]["tile_size"])
    low, high = bundle.spec["input"]["window_hu"]
    normalization = {"clip_hu": [low, high], "subtract_hu": low, "divide_hu": high - low}
    seen = {**bundle.spec["input"], "recipe": "nnunet", "normalization": normalization}
    bundle = replace(bundle, spec={**bundle.spec, "input": seen})
    made = predictor(bundle.network, spacing_mm, tile, (low, high))

    def ours():
        if not fast:
            return segment(bundle, ct, "cpu").class_map.array
        start, stop = neck_region(ct)
        found = segment(bundle, ct.crop(start, stop), "cpu", fast=True).class_map.array
        labels = np.zeros(ct.shape, np.uint8)
        labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = found
        return labels

    def theirs():
        return nnunet_labels(made, ct.array, ct.spacing_mm)

    functions = {"ours": ours, "nnunet": theirs}
    memory = _memory(functions)
    found, expected = ours(), np.asarray(theirs())
    dice = _dice(found > 0, expected > 0)
    if dice < least_dice and not tiny:
        raise RuntimeError(f"Dice to nnU-Net's labels is {dice:.4f}")
    settings = {
        "seed": SEED, "case": 0, "shape_kji": shape, "spacing_mm": spacing, "network_spacing_mm": spacing_mm,
        "tile": tile, "model": f"{bundle.name} {bundle.version}", "engine": cpu_engine(), "fast": fast,
        "dice_to_nnunet": dice, "voxels_different": int((found != expected).sum()),
        "dice_per_class": {name: _dice(found == n, expected == n) for n, name in enumerate(bundle.spec["labels"], 1)},
        "foreground_voxels": int((expected > 0).sum()), "torch_threads": torch.get_num_threads(),
    }  # fmt: skip
    name = "nnU-Net predictor without mirroring"
    return _compared(functions, memory, "nnunet", name, 1 if tiny else 3, settings)


def _dice(a, b) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
