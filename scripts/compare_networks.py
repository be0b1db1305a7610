"""Which network learns more in the same time: python scripts/compare_networks.py --minutes 30

Trains the nnU-Net-like network of the shipped weights, and our own (`models/light_unet.py`), on the same simulated
scans for the same time on this computer, then lets both find lymph nodes in simulated patients that neither has seen.
Each learns with the same loss, patches, augmentation and kind of schedule; as a step costs them different times, they
take different numbers of steps. Prints the table and writes it to OUT/networks.json; nothing is kept in the repository.
Figures on simulated patients say nothing about real ones.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ece_core.models.folding import with_folded_norms
from ece_core.models.registry import build
from ece_core.training.deep_supervision import weights_of_network
from ece_core.training.labels import network_arguments
from ece_core.training.loop import run
from ece_core.training.losses import deep_loss
from ece_core.training.patches import Patches
from ece_core.training.segmentation import optimizer_of
from ece_core.training.settings import stages_of
from ece_core.training.simulated_data import make, segmentation_case

CONFIG = Path(__file__).parents[1] / "configs" / "segmentation.json"
NETWORKS: dict[str, dict[str, Any]] = {
    "nnU-Net-like": {},  # of the config
    "light": {
        "architecture": "LightUNet",
        "arguments": {
            "in_channels": 1, "out_channels": 4, "features": [8, 32, 64, 128],
            "kernel_sizes": [[3, 3, 3]] * 4, "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]],
        },
    },
}  # fmt: skip
TIMED_STEPS, WARM_STEPS = 4, 2
HELD_OUT_SEED = 6001  # of neither training nor test


def main() -> None:
    asked = arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    base = json.loads(CONFIG.read_text(encoding="utf-8"))
    base |= {"cases": asked.cases, "jobs": asked.jobs, "real_share": 0.0, "seed": asked.seed, "loaders": 1}
    base |= {"log_every": 10, "checkpoint_every": 100}
    learned = scans(base, asked.out / "learned", base["data_seed"], asked.cases)
    kept_out = scans(base, asked.out / "kept_out", HELD_OUT_SEED, asked.held_out)
    networks = {name: {**base, **changes} for name, changes in NETWORKS.items()}
    times = seconds_per_step(networks, learned)  # alternating, so that other load meets both alike
    rows = []
    for name, config in networks.items():
        steps = max(1, int(asked.minutes * 60 / times[name]))
        began = time.monotonic()
        network = trained({**config, "steps": steps}, asked.out / name, learned)
        minutes = (time.monotonic() - began) / 60  # other load may have changed what was meant
        rows.append({"network": name, "steps": steps, "seconds_per_step": times[name], "minutes": minutes,
                     **figures(config, network, kept_out)})  # fmt: skip
    seconds = seconds_per_patch({row["network"]: build_and_load(networks[row["network"]], asked.out / row["network"])
                                 for row in rows}, base["tile_size"])  # fmt: skip
    for row in rows:
        row["seconds_per_tile"] = seconds[row["network"]]
    about = {"minutes": asked.minutes, "cases": asked.cases, "held_out": asked.held_out, "seed": asked.seed,
             "machine": platform.processor() or platform.machine(), "threads": torch.get_num_threads(),
             "date": date.today().isoformat()}  # fmt: skip
    (asked.out / "networks.json").write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    print(table(rows))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="of training for each network (default: 30)")
    parser.add_argument("--cases", type=int, default=60, help="simulated scans to learn from (default: 60)")
    parser.add_argument("--held-out", type=int, default=10, help="simulated scans to judge by (default: 10)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that simulate (default: 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/compare_networks"))
    return parser.parse_args()


def scans(config: dict[str, Any], folder: Path, seed: int, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(folder, seed, number, config["difficulty"], config["spacing_mm"]) for number in range(count)]
    return make(segmentation_case, rows, config["jobs"])


def prepared(config: dict[str, Any], files: list[Path]):
    """Network, optimizer, schedule, patches and loss of one training."""
    (config,) = stages_of(config)
    torch.manual_seed(config["seed"])
    network: Any = build(config["architecture"], network_arguments(config))
    network = network.train().to(memory_format=torch.channels_last_3d)
    optimizer, schedule = optimizer_of(config, network)
    patches = Patches(config, files, [])

    def loss_of(images, target):
        return deep_loss(network(images), target, config["loss"])

    return config, network, optimizer, schedule, patches, loss_of


def seconds_per_step(networks: dict[str, dict[str, Any]], files: list[Path]) -> dict[str, float]:
    ready = {name: prepared({**config, "steps": 100}, files) for name, config in networks.items()}
    seen: dict[str, list[float]] = {name: [] for name in networks}
    for step in range(WARM_STEPS + TIMED_STEPS):
        for name, (config, _, optimizer, _, patches, loss_of) in ready.items():
            images, target = patches.batch(step)
            images = images.to(memory_format=torch.channels_last_3d)
            began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=config["bf16"]):
                loss = loss_of(images, target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if step >= WARM_STEPS:
                seen[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in seen.items()}


def trained(config: dict[str, Any], work: Path, files: list[Path]):
    work.mkdir(parents=True, exist_ok=True)
    config, network, optimizer, schedule, patches, loss_of = prepared(config, files)
    run(config, work, network, optimizer, schedule, patches.batch, loss_of, "cpu", None)
    return network.eval()


def build_and_load(config: dict[str, Any], work: Path):
    """For inference: eval mode, its normalization folded where it can be."""
    network = build(config["architecture"], network_arguments(config))
    state = torch.load(work / "checkpoint.pt", weights_only=True)["network"]
    network.load_state_dict(weights_of_network(state))
    return with_folded_norms(network.eval())


def figures(config: dict[str, Any], network, kept_out: list[Path]) -> dict[str, float]:
    """Dice of lymph nodes against background over all scans as one, and the share of lymph nodes found at all."""
    from ece_core.preprocessing import window
    from scipy import ndimage

    overlap = total = found_nodes = nodes = 0
    edge = np.array(config["tile_size"])
    for path in kept_out:
        with np.load(path) as archive:
            hu, truth = archive["hu"], archive["classes"] > 0
        predicted = np.zeros(truth.shape, bool)
        padded = np.pad(window(hu), [(0, int(-n % e)) for n, e in zip(hu.shape, edge, strict=True)])
        for k, j, i in np.ndindex(*(padded.shape // edge)):
            box = tuple(slice(int(a * e), int((a + 1) * e)) for a, e in zip((k, j, i), edge, strict=True))
            with torch.inference_mode():
                label = network(torch.from_numpy(padded[box])[None, None]).argmax(1)[0].numpy() > 0
            inside = tuple(slice(b.start, min(b.stop, n)) for b, n in zip(box, truth.shape, strict=True))
            predicted[inside] = label[tuple(slice(0, s.stop - s.start) for s in inside)]
        overlap, total = overlap + int((predicted & truth).sum()), total + int(predicted.sum() + truth.sum())
        components, count = ndimage.label(truth)
        touched = np.unique(components[predicted & truth])
        nodes, found_nodes = nodes + count, found_nodes + int((touched > 0).sum())
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"dice": 2 * overlap / max(total, 1), "found": found_nodes / max(nodes, 1), "parameters": parameters,
            "gigaflop": gigaflop(config)}  # fmt: skip


def gigaflop(config: dict[str, Any]) -> float:
    """Of a tile of 64 x 64 x 64 voxels, two per multiply-add."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.inference_mode():
        build(config["architecture"], network_arguments(config)).eval()(torch.zeros(1, 1, 64, 64, 64))
    return counter.get_total_flops() / 1e9


def seconds_per_patch(networks: dict[str, Any], edges: list[int]) -> dict[str, float]:
    tile = torch.zeros(1, 1, *edges)
    seen: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(4):
        for name, network in networks.items():
            began = time.perf_counter()
            with torch.inference_mode():
                network(tile)
            if turn:
                seen[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in seen.items()}


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["network        minutes  steps  s/step  parameters    GF  Dice   found  s/tile"]
    for row in rows:
        lines.append(
            f"{row['network']:14s} {row['minutes']:7.1f}  {row['steps']:5d}  {row['seconds_per_step']:6.2f}  "
            f"{row['parameters']:10,d}  {row['gigaflop']:4.1f}  {row['dice']:.3f}  "
            f"{row['found']:.3f}  {row['seconds_per_tile']:.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
