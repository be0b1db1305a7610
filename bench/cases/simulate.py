"""The simulator: a whole case with its truth, and one training patch, each on one core."""

from __future__ import annotations

from registry import Row, case
from timing import in_turns, median, spread, timed

SEED, LYMPH_NODES = 20261121, 25


@case("simulate_case", threads=1, goal="at most 20 s on one core")
def simulate_case(tiny: bool) -> list[Row]:
    """Patient, scan and truth of a 512x512x160 case with at least 25 lymph nodes, in memory."""
    from ece_core.simulate import simulate_case as simulate

    number = _case_with_lymph_nodes(1 if tiny else LYMPH_NODES)
    shape, spacing_mm = ((20, 48, 48), (10.0, 5.0, 5.0)) if tiny else ((160, 512, 512), (1.25, 0.49, 0.49))
    made = []
    seconds = [
        timed(lambda: made.append(simulate(SEED, number, "medium", shape, spacing_mm))) for _ in range(1 if tiny else 3)
    ]
    settings = {"seed": SEED, "case": number, "shape_kji": shape, "spacing_mm": spacing_mm}
    settings |= {"lymph_nodes": len(made[0].truth), "seconds": spread(seconds)}
    return [Row(median(seconds), settings=settings)]


@case("simulate_patch", threads=1, goal="at most 1.5 s")
def simulate_patch(tiny: bool) -> list[Row]:
    """A 96x96x96 patch at 1 mm around a lymph node, with class map and instance map; the patient is drawn anew."""
    import numpy as np
    from ece_core.simulate import patch_grid, render, sample_patient, sample_scanner

    size = (24, 24, 24) if tiny else (96, 96, 96)
    scanner = sample_scanner(np.random.default_rng(SEED))
    number = _case_with_lymph_nodes(1 if tiny else LYMPH_NODES)

    def patch_of(patient):
        return render(patient, patch_grid(patient.lymph_nodes[0].center_lps, size, (1.0, 1.0, 1.0)), scanner)

    drawn = sample_patient((SEED, number))
    seconds = in_turns(
        {"patient and patch": lambda: patch_of(sample_patient((SEED, number))), "patch alone": lambda: patch_of(drawn)},
        rounds=1 if tiny else 5,
    )
    settings = {"seed": SEED, "case": number, "shape_kji": size, "spacing_mm": (1.0, 1.0, 1.0)}
    settings |= {"lymph_nodes": len(drawn.lymph_nodes), "seconds": {name: spread(v) for name, v in seconds.items()}}
    return [Row(median(seconds["patient and patch"]), settings=settings)]


def _case_with_lymph_nodes(least: int) -> int:
    """The first case of the seed's cohort with that many lymph nodes."""
    from ece_core.simulate import sample_patient

    for number in range(200):
        if len(sample_patient((SEED, number)).lymph_nodes) >= least:
            return number
    raise RuntimeError(f"no case with {least} lymph nodes")
