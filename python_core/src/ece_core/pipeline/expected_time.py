"""About how long a run takes: from a measured run, scaled by how much of the scan there is to look at.

A guess, and to be shown as one ("about"): how many lymph nodes there are is not known before.
"""

from __future__ import annotations

from math import prod

from ece_core.pipeline.segment import SEGMENT_STAGES
from ece_core.preprocessing.precheck import NECK_MM

# `make bench`, row analyze_cpu of 2026-11-21 21:02: simulated case of 512 x 512 x 160 voxels of 0.49 x 0.49 x 1.25 mm,
# cold start, both heatmaps, 2 CPU cores.
BENCH_LITERS = 12.6
START_AND_LOAD_S = 7.9  # takes as long for any scan
STAGE_SECONDS = {
    "read": 0.247, "neck_region": 0.316, "segment": 6.426, "instances": 0.937, "measure": 1.129, "classify": 1.729,
    "explain": 2.41, "write": 2.481,
}  # fmt: skip


def liters(shape_kji: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> float:
    """How much of the scan is looked at: at most the length of a neck."""
    k, j, i = (float(n) * float(mm) for n, mm in zip(shape_kji, spacing_mm, strict=True))
    return prod((min(k, NECK_MM), j, i)) / 1e6


def expected_seconds(request: str, device: str, scan_liters: float, measured: float | None = None) -> float | None:
    """Seconds that a run will take; None: nobody has measured this device.

    Parameters
    ----------
    request
        ``"analyze"`` or ``"segment"``.
    device
        ``"cpu"`` or ``"cuda:N"``.
    scan_liters
        As :func:`liters` gives them.
    measured
        Seconds per liter of an earlier run of this request on this computer and device; None: there was none. Then
        the bench's figures are taken, which hold for a CPU only.
    """
    if measured is not None:
        return measured * scan_liters
    if device != "cpu":
        return None
    stages = STAGE_SECONDS if request == "analyze" else SEGMENT_STAGES
    seconds = sum(STAGE_SECONDS.get(name, 0.0) for name in stages)
    return START_AND_LOAD_S + seconds * scan_liters / BENCH_LITERS
