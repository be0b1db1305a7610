"""What is true of each simulated lymph node: class, size, extent, visibility and HNCIG grade, kept apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.simulate.capsule import STRANDING_REACH_MM, SimulatedLymphNode
from ece_core.simulate.patient import Patient
from ece_core.simulate.render import Simulation, render
from ece_core.simulate.scanner import Scanner, patch_grid

Array = np.ndarray

VISIBLE_CONTRAST_TO_NOISE = 5.0  # Rose's criterion, over the breach's voxels
# What sticks out by less than one resolution element looks like margin. The volume is set so that about as many
# breaches are visible as readers find: 37 % (OCSCC 2022, PMID 35315548). [own choice]
VISIBLE_VOLUME_MM3 = 5.0
INVADED_MM3 = 2.0  # of breach inside another structure, for grade 3 [own choice]
INVADED_TISSUES = ("muscle", "tongue", "jugular", "carotid", "vessel", "submandibular", "parotid", "thyroid")


@dataclass(frozen=True)
class BreachSigns:
    """What a scan shows of a breach: contrast to noise over its voxels, and how much sticks out beyond the blur."""

    contrast_to_noise: float = 0.0
    beyond_mm3: float = 0.0

    @property
    def visible(self) -> bool:
        return self.contrast_to_noise >= VISIBLE_CONTRAST_TO_NOISE and self.beyond_mm3 >= VISIBLE_VOLUME_MM3


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
        signs = breach_signs(patient, label, simulation.ct.spacing_mm, scanner)
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
                "visible": signs.visible,
                "breach_cnr": round(signs.contrast_to_noise, 1),
                "iene_grade": _iene_grade(patient, label, signs.visible),
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
    """Whether the breach stands out of the noise and of the blurred margin on this grid."""
    return breach_signs(patient, label, simulation.ct.spacing_mm, scanner).visible


def breach_signs(
    patient: Patient, label: int, spacing_mm: tuple[float, float, float], scanner: Scanner
) -> BreachSigns:
    """What a scan of this spacing shows of the breach of lymph node ``label``.

    The lymph node alone in fat is rendered without noise with its breach and with its capsule whole. Contrast is the
    mean difference over the voxels of the breach that lie at least one resolution element (point spread, pixel and
    slice in quadrature) beyond the capsule; noise is that of mid-neck.
    """
    node = patient.lymph_nodes[label - 1]
    if node.breach is None:
        return BreachSigns()
    low, high = node.bounds()
    shape = tuple(int(n) for n in np.ceil((high - low)[::-1] / spacing_mm))
    quiet = replace(scanner, noise_hu=0.0, streak_hu=0.0, couch=False)
    grid = patch_grid(node.center_lps, shape, spacing_mm)
    alone, twin = (replace(patient, lymph_nodes=(n,)) for n in (node, node.repaired()))
    with_breach, without = render(alone, grid, quiet), render(twin, grid, quiet)
    voxels = np.argwhere((with_breach.instances.array > 0) & (without.instances.array == 0))
    if len(voxels) == 0:
        return BreachSigns()
    points = with_breach.ct.to_lps(voxels)
    capsule, _, unit = node.field(*points.T)
    in_plane = scanner.psf_fwhm_mm**2 + spacing_mm[1] * spacing_mm[2]
    resolution = np.sqrt(in_plane * (unit[0] ** 2 + unit[1] ** 2) + (spacing_mm[0] * unit[2]) ** 2)
    beyond = voxels[capsule > resolution]
    if len(beyond) == 0:
        return BreachSigns()
    difference = np.abs(with_breach.ct.array.astype(float) - without.ct.array)[tuple(beyond.T)].mean()
    volume = len(beyond) * with_breach.ct.voxel_volume_mm3
    return BreachSigns(float(difference / max(scanner.noise_hu, 1e-6)), float(volume))


def _iene_grade(patient: Patient, label: int, visible: bool) -> int:
    """HNCIG: 0 none seen, 1 into perinodal fat, 2 coalescent, 3 into an adjacent structure. Not visible: 0."""
    node = patient.lymph_nodes[label - 1]
    if not visible or node.breach is None:
        return 0
    if invaded_tissues(patient, node):
        return 3
    return 2 if _coalescent(patient, label) else 1


def invaded_tissues(patient: Patient, node: SimulatedLymphNode) -> list[str]:
    """Tissues that the breach grows into, by overlap of the solids: what lies beyond the capsule and inside another."""
    points, volume = _breach_points(node)
    if len(points) == 0:
        return []
    found = []
    low, high = points.min(axis=0), points.max(axis=0)
    for structure in patient.anatomy.structures:
        if structure.tissue not in INVADED_TISSUES or structure.tissue in found:
            continue
        below, above = structure.shape.bounds()
        if (below > high).any() or (above < low).any():
            continue
        if (structure.shape.distance(*points.T) < 0).sum() * volume >= INVADED_MM3:
            found.append(structure.tissue)
    if (patient.anatomy.outside_mm(*points.T) > 0).sum() * volume >= INVADED_MM3:
        found.append("skin")
    return found


def _breach_points(node: SimulatedLymphNode, step_mm: float = 0.7) -> tuple[Array, float]:
    """Points of a fine grid inside the breach, (n, 3) LPS, and the volume each stands for."""
    low, high = (edge + sign * (STRANDING_REACH_MM - 1) for edge, sign in zip(node.bounds(), (1, -1), strict=True))
    x, y, z = (np.arange(a, b, step_mm) for a, b in zip(low, high, strict=True))
    capsule, outer, _ = node.field(x[None, None], y[None, :, None], z[:, None, None])
    k, j, i = np.nonzero((capsule > 0) & (outer < 0))
    return np.stack([x[i], y[j], z[k]], axis=1), step_mm**3


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
