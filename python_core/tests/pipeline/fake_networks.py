"""Networks that need no torch: bright blobs are lymph nodes, brightness is the ECE probability.

Everything around the networks is the real thing, but for the pictures in the report, which take seconds.
"""

import time
from types import SimpleNamespace

import numpy as np
from ece_core.export import report
from ece_core.geometry import Volume, affine_from
from ece_core.pipeline import networks
from ece_core.pipeline.heatmaps import Heatmap

BRIGHT_HU = 150


def a_bundle(task, **spec):
    summary = {"name": f"fake_{task}", "version": "0.0.1", "task": task, "sha256": "0" * 64}
    return SimpleNamespace(**summary, spec=spec, summary=lambda: summary)


def segment(bundle, region, device, tell, patch_scale, search):
    """Class P where it is bright, with all its probability; ten tiles."""
    for tile in range(10):
        tell(tile / 10)
    class_map = np.where(region.array >= BRIGHT_HU, 2, 0).astype(np.uint8)
    voxels = np.flatnonzero(class_map)
    probabilities = np.zeros((3, len(voxels)), np.float32)
    probabilities[1] = 1
    return SimpleNamespace(
        class_map=region.with_array(class_map), voxels=voxels, class_probabilities=probabilities, engine="fake"
    )


def slow_segment(seconds, step_s=0.02):
    """Reports all the time, as a network over many small tiles does."""

    def segment_slowly(bundle, region, device, tell, patch_scale, search):
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            tell(elapsed / seconds)
            time.sleep(step_s)
        return segment(bundle, region, device, tell, patch_scale, search)

    return segment_slowly


def classify(bundle, ct, instances, label, device):
    """ECE probability: mean HU / 1000."""
    ene = float(ct.array[instances.array == label].mean()) / 1000
    return {"class_probabilities": {"N": 0.0, "P": 1 - ene, "ENE": ene}, "ece_probability": ene}


def heatmaps(bundle, ct, instances, label, methods, device, with_network=False):
    """A block one voxel wider than the lymph node: 1 inside, 0 around; half of it is said to lie on the shell."""
    where = np.argwhere(instances.array == label)
    start, stop = where.min(axis=0) - 1, where.max(axis=0) + 2
    block = Volume((instances.array == label).astype(np.float32), ct.affine).crop(tuple(start), tuple(stop))
    figures = {"hottest_in_shell": 1.0, "shell_share": 0.5, "shell_focus": 2.0}
    figures |= {"deletion_area": 0.2, "insertion_area": 0.8} if with_network else {}
    return {method: Heatmap(block, {"faithfulness": figures}) for method in methods}


def contour_quality(bundle, ct, instances, label, device):
    """Good where it is bright: the mean HU decides."""
    bright = float(ct.array[instances.array == label].mean())
    return {"risk": "low" if bright > 300 else "high", "score": bright / 1000}


def install(patch=setattr, **changes):
    """Puts the fakes into `ece_core.pipeline.networks`; ``patch`` is `setattr` or monkeypatch.setattr."""
    fakes = {
        "choose_device": lambda name: "cpu",
        "load": lambda task, folder: a_bundle(task),
        "load_patient_networks": lambda folder, wanted: {},
        "fast_by_default": lambda bundle: True,
        "can_mirror": lambda bundle: False,
        "segment": segment,
        "classify": classify,
        "block_mm": lambda bundle: (50.0, 48.0, 48.0),
        "heatmaps": heatmaps,
        "contour_quality": contour_quality,
        **changes,
    }
    for name, fake in fakes.items():
        patch(networks, name, fake)
    patch(report, "write_report", lambda path, *content: path.write_text("<html></html>"))  # key images take seconds


def a_neck_ct(*, lymph_nodes=((8, 30, 14, 400), (16, 30, 34, 200))) -> Volume:
    """A column of soft tissue in air, 28 x 56 x 48 voxels of 3 x 2 x 2 mm, with bright balls (k, j, i, HU)."""
    k, j, i = np.mgrid[:28, :56, :48]
    ct = np.where(np.hypot((j - 28) / 24, (i - 24) / 20) < 1, 40, -1000).astype(np.int16)
    for centre_k, centre_j, centre_i, hu in lymph_nodes:
        distance_mm = np.sqrt((3 * (k - centre_k)) ** 2 + (2 * (j - centre_j)) ** 2 + (2 * (i - centre_i)) ** 2)
        ct[distance_mm <= 7] = hu
    return Volume(ct, affine_from((3.0, 2.0, 2.0), (-48.0, -56.0, 100.0)))
