"""What a reader waits for after the analysis: one edited lymph node anew, and each network that judges the patient."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from peak_memory import peak_memory_mib
from random_models import shipped_or_random
from registry import Row, case
from timing import median, spread, timed
from worker_client import Worker

SEED, NUMBER, THREADS, ROUNDS = 20261121, 0, 2, 5
CONFIGS = Path(__file__).parents[2] / "configs"


@case("reclassify_one", threads=THREADS, goal="at most 2 s with Grad-CAM, in a warm worker")
def reclassify_one(tiny: bool) -> list[Row]:
    """From the request to its answer: CT and mask read, one lymph node measured, classified, explained by Grad-CAM."""
    simulation, about = _simulated(tiny)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = shipped_or_random(folder / "models", tiny)
        ct, mask = _written(simulation, folder)
        options = {"device": "cpu", "explain": ["gradcam"], "models": str(models) if models else None}
        asked = {"ct": str(ct), "mask": str(mask), "label": 1, "heatmap_folder": name, "options": options}
        with Worker(THREADS) as worker:
            worker.ask("first", "classify", **asked)
            seconds = [worker.ask(f"run {n}", "classify", **asked) for n in range(ROUNDS)]
    return [Row(median(seconds), settings={**about, "rounds": ROUNDS, **spread(seconds)})]


@case("gmgenet_patient", threads=THREADS, goal="at most 20 s")
def gmgenet_patient(tiny: bool) -> list[Row]:
    """From a CT in memory to the probability and the box; random weights, which cost what trained ones do."""
    from ece_core.explain.gmgenet import judge_patient
    from ece_core.models.gmgenet import gmgenet_arguments
    from ece_core.models.registry import build

    config = json.loads((CONFIGS / "gmgenet.json").read_text(encoding="utf-8"))
    arguments = gmgenet_arguments(config["networks"]["extractor"], config["networks"]["classifier"], 5)
    network: Any = build("GMGENet", arguments).eval()
    simulation, about = _simulated(tiny)
    return _patient_row(lambda: judge_patient(network, simulation.ct, config, config["gradcam_layer"]), about)


@case("dual_swinunetr_patient", threads=THREADS, goal="at most 90 s, its memory bounded")
def dual_swinunetr_patient(tiny: bool) -> list[Row]:
    """From a CT in memory to the probability and the region; random weights, which cost what trained ones do."""
    from types import SimpleNamespace

    from ece_core.models.dual_swin_unetr import TASK, answer
    from ece_core.models.registry import build

    config = json.loads((CONFIGS / "dual_swin_unetr.json").read_text(encoding="utf-8"))
    network = build(config["architecture"], config["arguments"]).eval()
    bundle: Any = SimpleNamespace(task=TASK, name=config["name"], network=network, spec={"input": config})
    simulation, about = _simulated(tiny)
    return _patient_row(lambda: answer(bundle, simulation.ct), about)


def _patient_row(judge, about: dict[str, Any]) -> list[Row]:
    mib = peak_memory_mib(judge)
    seconds = [timed(judge) for _ in range(ROUNDS)]
    settings = {**about, "rounds": ROUNDS, "peak_memory_mib": round(mib), **spread(seconds)}
    return [Row(median(seconds), settings=settings)]


def _simulated(tiny: bool):
    from ece_core.simulate import simulate_case

    shape, spacing_mm = ((64, 72, 72), (4.0, 4.0, 4.0)) if tiny else ((160, 512, 512), (1.25, 0.49, 0.49))
    simulated = simulate_case(SEED, NUMBER, "medium", shape, spacing_mm)
    return simulated.simulation, {"seed": SEED, "case": NUMBER, "shape_kji": shape, "spacing_mm": spacing_mm}


def _written(simulation, folder: Path) -> tuple[Path, Path]:
    from ece_core.io import write_image

    ct, mask = folder / "ct.nrrd", folder / "mask.nrrd"
    write_image(simulation.ct, ct)
    write_image(simulation.instances, mask)
    return ct, mask
