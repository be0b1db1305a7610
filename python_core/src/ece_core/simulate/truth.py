"""What is true of each simulated lymph node: class, size, extent, visibility and HNCIG grade, kept apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ece_core.simulate.patient import Patient
from ece_core.simulate.render import Simulation, render
from ece_core.simulate.scanner import Scanner, patch_grid

Array = np.ndarray

VISIBLE_CONTRAST_TO_NOISE = 5.0  # Rose's criterion, over the breach's voxels
VISIBLE_VOXELS = 5


def truth_of(patient: Patient, simulation: Simulation, scanner: Scanner) -> list[dict]:
    """One row per lymph node, ``label`` as in the instance map. A node outside the scan is left out."""
    rows = []
    present = np.bincount(simulation.instances.array.ravel(), minlength=len(patient.lymph_nodes) + 1)
    boxes = _boxes(simulation)
    for label, node in enumerate(patient.lymph_nodes, 1):
        if present[label] == 0:
            continue
        box = boxes[label - 1]
        values = simulation.ct.array[box][simulation.instances.array[box] == label]
        visible = is_visible(patient, label, simulation, scanner)
        rows.append(
            {
                "label": label,
                "class": node.class_name,
                "level": node.level,
                "side": node.side,
                "short_axis_mm": round(node.short_axis_mm, 2),
                "volume_mm3": round(float(present[label] * simulation.ct.voxel_volume_mm3), 1),
                "mean_hu": round(float(values.mean()), 1),
                "extent_mm": round(node.extent_mm, 2),
                "visible": visible,
                "iene_grade": _iene_grade(patient, label, visible),
                "necrotic": node.rim_mm is not None,
                "stranding": round(node.stranding, 2),
                "center_lps_mm": [round(float(c), 2) for c in node.center_lps],
            }
        )
    return rows


def _boxes(simulation: Simulation) -> list:
    from scipy import ndimage

    return ndimage.find_objects(simulation.instances.array)


def is_visible(patient: Patient, label: int, simulation: Simulation, scanner: Scanner) -> bool:
    """Whether the breach stands out of the noise on this grid.

    The lymph node is rendered without noise with its breach and with its capsule whole; visible means that the
    mean difference over the breach's voxels is at least five noise SDs, in at least five voxels.
    """
    node = patient.lymph_nodes[label - 1]
    if node.breach is None:
        return False
    spacing = simulation.ct.spacing_mm
    low, high = node.bounds()
    shape = tuple(int(n) for n in np.ceil((high - low)[::-1] / spacing))
    quiet = replace(scanner, noise_hu=0.0, streak_hu=0.0, couch=False)
    twin = replace(patient, lymph_nodes=(node.repaired(),))
    alone = replace(patient, lymph_nodes=(node,))
    grid = patch_grid(node.center_lps, shape, spacing)
    with_breach, without = render(alone, grid, quiet), render(twin, grid, quiet)
    breach = (with_breach.instances.array > 0) & (without.instances.array == 0)
    if breach.sum() < VISIBLE_VOXELS:
        return False
    contrast = np.abs(with_breach.ct.array.astype(float) - without.ct.array)[breach].mean()
    return bool(contrast / scanner.noise_hu >= VISIBLE_CONTRAST_TO_NOISE)


def _iene_grade(patient: Patient, label: int, visible: bool) -> int:
    """HNCIG: 0 none seen, 1 into perinodal fat, 2 coalescent, 3 into an adjacent structure. Not visible: 0."""
    node = patient.lymph_nodes[label - 1]
    if not visible or node.breach is None:
        return 0
    tips = node.center_lps + node.breach.directions * (node.radii_mm.mean() + node.extent_mm)
    invaded = any(
        (structure.shape.distance(*tips.T) < 0).any()
        for structure in patient.anatomy.structures
        if structure.tissue in ("muscle", "jugular", "submandibular", "parotid")
    ) or bool((patient.anatomy.outside_mm(*tips.T) > 0).any())
    if invaded:
        return 3
    return 2 if _coalescent(patient, label) else 1


def _coalescent(patient: Patient, label: int) -> bool:
    node = patient.lymph_nodes[label - 1]
    for other in patient.lymph_nodes:
        if other is node or other.class_name == "N":
            continue
        toward = other.center_lps - node.center_lps
        gap = np.linalg.norm(toward) - node.radii_mm.mean() - other.radii_mm.mean()
        if gap < 1.0:
            return True
    return False


def auc(score: Array, positive: Array) -> float | None:
    """Area under the ROC curve by ranks (ties count half); None with one class only."""
    from scipy.stats import rankdata

    positives, negatives = int(positive.sum()), int((~positive).sum())
    if positives == 0 or negatives == 0:
        return None
    ranks = rankdata(score)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
