"""Euler characteristic profile of a heatmap: ours, a histogram of births, against GUDHI's cubical persistence."""

from __future__ import annotations

import time
import tracemalloc

from peak_memory import peak_memory_mib
from registry import NotMeasurable, Row, case
from timing import median, spread

THREADS, SEED, EDGE = 1, 20261122, 128


@case("euler_profile", threads=THREADS, goal="a hundredth of GUDHI's CPU seconds, a tenth of its memory")
def euler_profile(tiny: bool) -> list[Row]:
    """A smooth random map, 100 thresholds; both give the same integers, or nothing is reported."""
    from ece_core.explain.euler_profile import THRESHOLDS
    from ece_core.explain.euler_profile import euler_profile as ours

    try:
        import gudhi  # noqa: F401
    except ImportError:
        raise NotMeasurable("GUDHI is not installed: pip install gudhi") from None
    heatmap = _a_map(24 if tiny else EDGE)
    kept: dict[str, list[int]] = {}
    functions = {
        "ours": lambda: kept.update(ours=ours(heatmap).tolist()),
        "GUDHI": lambda: kept.update(GUDHI=_by_persistence(heatmap)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    memory = {}
    for name, function in functions.items():  # ours before the peer
        memory[name] = peak_memory_mib(lambda call=function, name=name: seconds[name].append(_cpu_seconds(call)))
    memory["ours"] = max(memory["ours"], _traced_mib(functions["ours"]))
    if kept["ours"] != kept["GUDHI"]:
        raise RuntimeError("GUDHI's profile is another one")
    for name, rounds in (("ours", 1 if tiny else 4), ("GUDHI", 1)):  # GUDHI takes so long that two calls must do
        seconds[name] += [_cpu_seconds(functions[name]) for _ in range(rounds)]
    settings = {
        "map": list(heatmap.shape), "thresholds": THRESHOLDS, "seed": SEED,
        "cpu_seconds": {name: spread(values) for name, values in seconds.items()},
    }  # fmt: skip
    return [
        Row(median(seconds["ours"]), "CPU s", median(seconds["GUDHI"]), "GUDHI", settings),
        Row(round(memory["ours"], 1), "MiB", round(memory["GUDHI"], 1), "GUDHI", settings),
    ]


def _a_map(edge: int):
    import numpy as np
    from ece_core.explain import to_heatmap
    from scipy import ndimage

    noise = np.random.default_rng(SEED).standard_normal((edge,) * 3)
    return to_heatmap(ndimage.gaussian_filter(noise, 2))


def _by_persistence(heatmap) -> list[int]:
    """Betti numbers at each threshold from the intervals of persistent homology, alternately added."""
    import gudhi
    import numpy as np
    from ece_core.explain.euler_profile import euler_thresholds

    cubes = gudhi.CubicalComplex(top_dimensional_cells=-heatmap.astype(np.float64))
    cubes.compute_persistence()
    levels = -euler_thresholds().astype(np.float64)[::-1]  # ascending, as births are
    profile = np.zeros(len(levels), int)
    for dimension in range(3):
        born, dies = cubes.persistence_intervals_in_dimension(dimension).reshape(-1, 2).T
        alive = np.searchsorted(np.sort(born), levels, "right") - np.searchsorted(np.sort(dies), levels, "right")
        profile += (-1) ** dimension * alive
    return profile[::-1].tolist()


def _traced_mib(function) -> float:
    """Peak of what numpy asks for: resident memory hides what making the map had left over for us."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def _cpu_seconds(function) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started
