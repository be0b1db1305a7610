"""Which explanation shall the product show? Attribution on the breach of simulated lymph nodes, method by method.

    python scripts/choose_explanation.py Resources/Models/lymph-node-densenet WORK --lymph-nodes 50 --seed 5002

Each simulated ENE lymph node (ENE is also ECE) of unseen patients has a twin that differs in nothing but its breach, so
it is known voxel by voxel where the breach shows. For every method: attribution per voxel there against that on the
intact capsule, and the pointing game; `--curves` adds deletion and insertion, `--repair` capsule repair against the
true twin, `--other BUNDLE` the correlation of the maps of two networks. WORK/SEED keeps everything: a killed run goes
on where it was, and a second run with more lymph nodes, methods or flags adds what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
from ece_core.errors import ECEError
from ece_core.evaluation.explanation_table import best_method, density_ratio, method_table, repair_table
from ece_core.explain.faithfulness.breach import breach_density, breach_regions
from ece_core.explain.faithfulness.correlation import map_correlation
from ece_core.explain.faithfulness.curves import deletion_and_insertion
from ece_core.explain.faithfulness.lymph_node import ENE, ene_probability, lymph_node_heatmaps, seen_of
from ece_core.explain.faithfulness.pointing_game import pointing_game
from ece_core.explain.faithfulness.shell import perinodal_shell, region_focus
from ece_core.explain.lymph_node import explain_lymph_node
from ece_core.explain.lymph_node_repair import repair_lymph_node
from ece_core.explain.methods import METHODS
from ece_core.explain.sectors import SECTORS, sectors
from ece_core.geometry import Volume, affine_from
from ece_core.models import load_bundle, node_classifier
from ece_core.models.bundle import Bundle
from ece_core.models.edited_crop import distance_mm_of, mask_of
from ece_core.models.node_classifier import Crop
from ece_core.preprocessing import tight_block
from ece_core.preprocessing.node_block import signed_distance
from ece_core.training.simulated_data import classification_crops

LEAST_BREACH_VOXELS = 10  # 7 mm3: what the scan shows less of cannot be pointed at
STEPS = 8  # of the deletion and insertion curves
LAYERS = ("evidence", "signs.0", "norms.0", "norms.1", "norms.2")  # for Grad-CAM
OTHER_CAMS = ("guided-gradcam", "gradcam-plus-plus", "guided-gradcam-plus-plus")  # at norms.1
BEFORE = "gradcam@norms.1, one logit"  # that of ENE: what the product showed before these figures were known


@dataclass(frozen=True, eq=False)
class Breached:
    """A simulated ENE lymph node and what is known of it."""

    patient: int
    number: int
    block: Crop
    twin: Crop
    signs: np.ndarray
    capsule_mm: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--lymph-nodes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=5002, help="of simulated patients that no training has seen")
    parser.add_argument("--methods", help="only these, separated by semicolons (default: all; slow ones take minutes)")
    parser.add_argument("--curves", action="store_true", help="deletion and insertion: 18 forward passes a map")
    parser.add_argument("--repair", action="store_true", help="capsule repair: some 24 forward passes a lymph node")
    parser.add_argument("--other", type=Path, help="a second bundle, whose maps are correlated with these")
    parser.add_argument("--out", type=Path, help="folder for the tables as CSV and Markdown")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # extensions of guided methods say so at every call
    bundle = load_bundle(asked.bundle)
    chosen = [name for name in candidates() if asked.methods is None or name in asked.methods.split(";")]
    found = []
    for node in at_most(asked.lymph_nodes, breached_lymph_nodes(bundle, asked.work, asked.seed)):
        found.append(judged(bundle, node, asked, chosen))
        print(f"{len(found)} of {asked.lymph_nodes} lymph nodes, patient {node.patient}", flush=True)
    report(found, asked, f"{bundle.name} {bundle.version}")


def candidates() -> list[str]:
    """Every method; class activation maps as `METHOD@LAYER`. The quick ones first."""
    slow = ("smoothgrad", "integrated-gradients", "occlusion")
    cams = [*(f"gradcam@{layer}" for layer in LAYERS), BEFORE, *(f"{name}@norms.1" for name in OTHER_CAMS)]
    return [*cams, *(name for name in METHODS if name not in ("gradcam", *OTHER_CAMS, *slow)), *slow]


def at_most(count: int, nodes: Iterator[Breached]) -> Iterator[Breached]:
    for _, node in zip(range(count), nodes, strict=False):
        yield node


def breached_lymph_nodes(bundle: Bundle, work: Path, seed: int) -> Iterator[Breached]:
    folder = work / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    inputs, difficulty = bundle.spec["input"], bundle.spec["training"]["difficulty"]
    shape, spacing = tuple(inputs["patch_size"]), tuple(inputs["spacing_mm"])
    for patient in range(1000):
        with np.load(classification_crops(folder, seed, patient, difficulty, shape, spacing)) as file:
            crops = {name: file[name] for name in ("hu", "mask", "signs", "twin")}
        for twin in np.flatnonzero(crops["twin"]).tolist():  # each follows its ENE
            own = twin - 1
            block, box = tight_block(
                crops["hu"][own], crops["mask"][own], spacing, inputs["windows_hu"], inputs["margin_mm"]
            )
            repaired, _ = tight_block(
                crops["hu"][twin], crops["mask"][twin], spacing, inputs["windows_hu"], inputs["margin_mm"]
            )
            signs = crops["signs"][own][box] > 0
            capsule_mm = signed_distance(crops["mask"][twin], spacing, 1e3)[box]
            if (signs & (block[-1] < 1)).sum() >= LEAST_BREACH_VOXELS:
                affine = affine_from(spacing)
                yield Breached(patient, own, Crop(block, affine), Crop(repaired, affine), signs, capsule_mm)


def judged(bundle: Bundle, node: Breached, asked: argparse.Namespace, chosen: list[str]) -> dict:
    """{patient, methods: {name: row}, repair: row} of one lymph node; what was done before is read, not done again."""
    folder = asked.work / str(asked.seed)
    stem = f"{node.patient:04d}_{node.number}"
    file = folder / f"judged_{stem}.json"
    done = json.loads(file.read_text()) if file.exists() else {"patient": node.patient, "methods": {}}
    for name in chosen:
        place = folder / f"map_{stem}_{file_name(name)}.npz"
        row = done["methods"].get(name) or judged_map(bundle, node, name, place)
        if "refused" not in row:
            with np.load(place) as stored:
                heatmap = stored["map"].astype(np.float32)
            if asked.curves and "deletion_area" not in row:
                row |= areas(bundle, node, heatmap)
            if asked.other and "other" not in row:
                row["other"] = with_other(asked.other, node, name, heatmap)
        done["methods"][name] = row
        save(file, done)
    if asked.repair and "repair" not in done:
        done["repair"] = judged_repair(bundle, node)
        save(file, done)
    return done


def judged_map(bundle: Bundle, node: Breached, name: str, place: Path) -> dict:
    started = time.process_time()
    try:
        heatmap = heatmap_of(bundle, node, name)
    except ECEError as error:
        return {"refused": error.problem}
    seconds, seen = time.process_time() - started, seen_of(bundle, node.block)
    np.savez_compressed(place, map=heatmap.astype(np.float16))
    spacing = tuple(bundle.spec["input"]["spacing_mm"])
    regions = breach_regions(node.signs, node.capsule_mm, seen, spacing)
    density = breach_density(heatmap, regions, seen)
    shell = region_focus(heatmap, perinodal_shell(distance_mm_of(bundle, node.block)), seen)
    return {
        "seconds": round(seconds, 3),
        "breach": density.breach if density else None,
        "intact": density.intact if density else None,
        "share": density.share if density else None,
        "hit": pointing_game(heatmap, regions.breach, spacing),
        "shell_focus": shell.focus if shell else None,
    }


def areas(bundle: Bundle, node: Breached, heatmap: np.ndarray) -> dict[str, float]:
    probability, seen = ene_probability(bundle, node.block, "cpu"), seen_of(bundle, node.block)
    blank = np.zeros_like(node.block.input)
    blank[-1] = node.block.input[-1]
    deletion, insertion = deletion_and_insertion(probability, node.block.input, blank, heatmap, seen, STEPS)
    return {"deletion_area": deletion.area, "insertion_area": insertion.area}


@cache
def loaded(path: Path) -> Bundle:
    return load_bundle(path)


def with_other(path: Path, node: Breached, name: str, heatmap: np.ndarray) -> float | None:
    other = loaded(path)
    try:
        return map_correlation(heatmap, heatmap_of(other, node, name), seen_of(other, node.block))
    except ECEError:
        return None  # the other network has no such layer, or nothing fitted


def heatmap_of(bundle: Bundle, node: Breached, name: str) -> np.ndarray:
    if name == BEFORE:
        seen = node_classifier.seen(bundle, node.block)
        (heatmap,) = explain_lymph_node(
            bundle.network, node.block.input, ENE, ("gradcam",), "cpu", "norms.1", seen
        ).values()
        return heatmap
    method, _, layer = name.partition("@")
    if layer:
        bundle = replace(bundle, spec={**bundle.spec, "gradcam_layer": layer})
    return lymph_node_heatmaps(bundle, node.block, (method,), "cpu")[method]


def judged_repair(bundle: Bundle, node: Breached) -> dict:
    repair, _ = repair_lymph_node(bundle, node.block)
    of_twin, _ = repair_lymph_node(bundle, node.twin)
    mask = mask_of(bundle, node.block)
    where = sectors(Volume(mask, node.block.affine))
    main = SECTORS[np.bincount(where[node.signs], minlength=len(SECTORS)).argmax()]
    most = max(SECTORS, key=repair.fall)
    return {
        "as_is": repair.as_is,
        "whole": repair.whole,
        "twin": of_twin.as_is,
        "twin_whole": of_twin.whole,
        "same_sector": float(most == main) if repair.fall(most) > 0 else None,
    }


def file_name(method: str) -> str:
    return method.replace(" ", "-").replace(",", "")


def save(file: Path, content: dict) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(json.dumps(content, indent=1))
    os.replace(part, file)


def report(found: list[dict], asked: argparse.Namespace, model: str) -> None:
    by_method: dict[str, list[dict]] = {}
    refused: dict[str, str] = {}
    for lymph_node in found:
        for name, row in lymph_node["methods"].items():
            if "refused" in row:
                refused[name] = row["refused"]
            elif row["breach"] is not None:
                by_method.setdefault(name, []).append({"patient": lymph_node["patient"], **row})
    shown = f"gradcam@{loaded(asked.bundle).spec.get('gradcam_layer', 'last')}"
    best = best_method({name: rows for name, rows in by_method.items() if name != BEFORE})
    ratio = density_ratio(by_method[best])
    patients = len({lymph_node["patient"] for lymph_node in found})
    tables = [method_table(by_method)]
    repaired = [{"patient": n["patient"], **n["repair"]} for n in found if "repair" in n]
    tables += [repair_table(repaired)] if repaired else []
    tables += correlations(found, asked)
    words = [
        f"{len(found)} simulated ENE lymph nodes of {patients} patients, seed {asked.seed}; {model}; "
        f"{platform.machine()}, {date.today().isoformat()}.",
        f"Best: {best}; its density on the breach over that on the intact capsule is {in_words(ratio)}.",
        f"The model's card shows {shown}" + ("." if shown == best else ", which should be changed."),
        *(f"Refused: {name}: {why}" for name, why in refused.items()),
    ]
    text = "\n\n".join([*filter(None, words), *("\n".join(table.markdown()) for table in tables)])
    print(text)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "tables.md").write_text(text + "\n", encoding="utf-8")
        for table in tables:
            (asked.out / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")


def in_words(figure: dict | None) -> str:
    if figure is None or figure["low"] is None:
        return "-" if figure is None else f"{figure['value']:.1f}"
    return f"{figure['value']:.1f} (95 % interval {figure['low']:.1f} to {figure['high']:.1f})"


def correlations(found: list[dict], asked: argparse.Namespace) -> list:
    """Pearson's of two networks, per method; of two methods: the best ones pairwise, averaged over the lymph nodes."""
    from ece_core.evaluation.figure_table import Table

    tables = []
    folder = asked.work / str(asked.seed)
    names = [name for name in candidates() if any("breach" in n["methods"].get(name, {}) for n in found)]
    pairs: dict[tuple[str, str], list[float]] = {}
    for file in sorted(folder.glob("judged_*.json")):
        stem = file.stem.removeprefix("judged")
        maps = {}
        for name in names:
            path = folder / f"map{stem}_{file_name(name)}.npz"
            if path.exists():
                with np.load(path) as stored:
                    maps[name] = stored["map"].astype(np.float32)
        for one in maps:
            for two in maps:
                value = map_correlation(maps[one], maps[two])
                if value is not None:
                    pairs.setdefault((one, two), []).append(value)
    if pairs:
        rows = [(one, *(_mean(pairs.get((one, two), [])) for two in names)) for one in names]
        tables.append(Table("methods_correlated", "Correlation of two methods", ("Method", *names), rows))
    others: dict[str, list[float]] = {}
    for lymph_node in found:
        for name, row in lymph_node["methods"].items():
            if row.get("other") is not None:
                others.setdefault(name, []).append(row["other"])
    if others:
        rows = [(name, len(values), _mean(values)) for name, values in others.items()]
        columns = ("Method", "lymph nodes", "correlation")
        tables.append(Table("networks_correlated", "Correlation of the maps of two networks", columns, rows))
    return tables


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


if __name__ == "__main__":
    main()
