"""What is true of each simulated lymph node: class, size, extent, visibility and HNCIG grade, kept apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.geometry import Volume
from ece_core.simulate.capsule import STRANDING_REACH_MM, SimulatedLymphNode
from ece_core.simulate.patient import Patient
from ece_core.simulate.placement import INVADED
from ece_core.simulate.render import Simulation, render
from ece_core.simulate.scanner import Scanner, patch_grid

Array = np.ndarray

# Rose's criterion asks for 5 over an object; this one covers at least three resolution elements, so 3 per voxel.
VISIBLE_CONTRAST_TO_NOISE = 3.0
# What sticks out by less than one resolution element looks like margin. The volume is set so that about as many
# breaches are visible as readers find: 37 % (OCSCC 2022, PMID 35315548). [own choice]
VISIBLE_VOLUME_MM3 = 4.0
INVADED_MM3, INVADED_SHARE = 5.0, 0.25  # of the breach inside another structure, for grade 3 [own choice]
PROBES = 4000  # points whose mean stands for the drawn attenuation: good to 1 HU
BORDER_MM = 3.0  # around the breach: as far as the point spread reaches


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
        row = {
            "label": label,
            "class": node.class_name,
            "level": node.level,
            "side": node.side,
            "short_axis_mm": round(node.short_axis_mm, 2),
            "volume_mm3": round(float(present[label] * simulation.ct.voxel_volume_mm3), 1),
            "mean_hu": round(float(values.mean()), 1),
            "attenuation_hu": round(attenuation_hu(node), 1),
            "extent_mm": round(node.extent_mm, 2),
            "visible": signs.visible,
            "breach_cnr": round(signs.contrast_to_noise, 1),
            "iene_grade": _iene_grade(patient, label, signs.visible),
            "necrotic": node.rim_mm is not None,
            "necrosis_fraction": round(necrosis_fraction(node), 3),
            "cystic": node.cystic,
            "hilum": node.hilum is not None,
            "stranding": round(node.stranding, 2),
            "coalescent_with": coalescent_with(patient, label),
            "center_lps_mm": [round(float(c), 2) for c in node.center_lps],
        }
        if node.breach:
            row["invades"] = invaded_tissues(patient, node)
        if node.hard_negative:
            row["hard_negative"] = node.hard_negative
        rows.append(row)
    return rows


def attenuation_hu(node: SimulatedLymphNode) -> float:
    """Mean drawn attenuation of points spread evenly through a lymph node: no noise, no blur, no partial volume."""
    rng = np.random.default_rng(0)  # the same points for all: nothing of it is drawn
    unit = rng.normal(size=(PROBES, 3))
    unit *= (rng.random((PROBES, 1)) ** (1 / 3)) / np.linalg.norm(unit, axis=1, keepdims=True)
    points = (unit * node.radii_mm) @ node.axes.T
    capsule = node.field(*(points + node.center_lps).T)[0]
    inside = capsule < 0
    hu = node.interior_hu(capsule[inside], tuple(points[inside].T.astype(np.float32)))
    return float(np.mean(hu))


def lookalikes_of(patient: Patient) -> list[dict]:
    """Structures that could be taken for lymph nodes, one row each: ``name``, ``side``, ``center_lps_mm``."""
    return [
        {"name": one.name, "side": one.side, "center_lps_mm": [round(float(c), 2) for c in one.center_lps]}
        for one in patient.lookalikes
    ]


def _boxes(simulation: Simulation) -> list:
    from scipy import ndimage

    return ndimage.find_objects(simulation.instances.array)


def is_visible(patient: Patient, label: int, simulation: Simulation, scanner: Scanner) -> bool:
    """Whether the breach stands out of the noise and of the blurred margin on this grid."""
    return breach_signs(patient, label, simulation.ct.spacing_mm, scanner).visible


def breach_signs(patient: Patient, label: int, spacing_mm: tuple[float, float, float], scanner: Scanner) -> BreachSigns:
    """What a scan of this spacing shows of the breach of lymph node ``label``.

    The lymph node is rendered without noise and neighbors, with its breach and with its capsule whole. Contrast is
    the mean difference over the voxels of the breach that lie at least one resolution element (point spread, pixel
    and slice in quadrature) beyond the capsule; noise is that of mid-neck.
    """
    node = patient.lymph_nodes[label - 1]
    if node.breach is None:
        return BreachSigns()
    low, high = node.bounds()
    shape = tuple(int(n) for n in np.ceil((high - low)[::-1] / spacing_mm))
    whole = Volume(np.zeros(shape, bool), patch_grid(node.center_lps, shape, spacing_mm)[1])
    beyond = _beyond_the_blur(node, whole, scanner.psf_fwhm_mm)
    if len(beyond) == 0:  # nothing to look at, so nothing to scan
        return BreachSigns()
    border = np.ceil(BORDER_MM / np.array(spacing_mm)).astype(int)
    first, last = beyond.min(axis=0) - border, beyond.max(axis=0) + border
    affine = whole.affine.copy()
    affine[:3, 3] = whole.to_lps(first)
    depth, rows, columns = (last - first + 1).tolist()
    quiet = replace(scanner, noise_hu=0.0, streak_hu=0.0, couch=False)
    with_breach, without = (
        render(replace(patient, lymph_nodes=(n,)), ((depth, rows, columns), affine), quiet).ct.array.astype(float)
        for n in (node, node.repaired())
    )
    difference = np.abs(with_breach - without)[tuple((beyond - first).T)].mean()
    volume = len(beyond) * whole.voxel_volume_mm3
    return BreachSigns(float(difference / max(scanner.noise_hu, 1e-6)), float(volume))


def _beyond_the_blur(node: SimulatedLymphNode, grid: Volume, psf_fwhm_mm: float) -> Array:
    """(n, 3) voxels of the breach at least one resolution element (point spread, pixel, slice) beyond the capsule."""
    slice_mm, row_mm, column_mm = grid.spacing_mm
    (x0, y0, z0), (depth, rows, columns) = grid.affine[:3, 3], grid.shape
    x, y, z = (start + np.arange(n) * step for start, n, step in (
        (x0, columns, column_mm), (y0, rows, row_mm), (z0, depth, slice_mm)))  # fmt: skip
    capsule, outer, unit = node.field(x[None, None], y[None, :, None], z[:, None, None])
    in_plane = psf_fwhm_mm**2 + row_mm * column_mm
    resolution = np.sqrt(in_plane * (unit[0] ** 2 + unit[1] ** 2) + (slice_mm * unit[2]) ** 2)
    return np.argwhere((outer < 0) & (capsule > resolution))


def _iene_grade(patient: Patient, label: int, visible: bool) -> int:
    """HNCIG: 0 none seen, 1 into perinodal fat, 2 coalescent, 3 into an adjacent structure. Not visible: 0."""
    node = patient.lymph_nodes[label - 1]
    if not visible or node.breach is None:
        return 0
    if invaded_tissues(patient, node):
        return 3
    return 2 if node.fused else 1


def coalescent_with(patient: Patient, label: int) -> list[int]:
    """Labels of the lymph nodes that this one has grown together with."""
    fused = patient.lymph_nodes[label - 1].fused
    return [
        n
        for n, other in enumerate(patient.lymph_nodes, 1)
        if any(np.array_equal(other.center_lps, partner.center_lps) for partner in fused)
    ]


def necrosis_fraction(node: SimulatedLymphNode, points: int = 2000) -> float:
    """Share of the lymph node's volume whose attenuation is nearer to the core's than to the rim's."""
    if node.rim_mm is None:
        return 0.0
    rng = np.random.default_rng(0)  # the same points for all: nothing of the patient is drawn here
    unit = rng.normal(size=(points, 3))
    unit *= rng.random((points, 1)) ** (1 / 3) / np.linalg.norm(unit, axis=1, keepdims=True)
    offset = (unit * node.radii_mm) @ node.axes.T
    capsule = node.field(*(offset + node.center_lps).T)[0]
    inside = capsule < 0
    hu = node.interior_hu(capsule[inside], tuple(offset[inside].T.astype(np.float32)))
    return float((hu < (node.core_hu + node.solid_hu) / 2).mean())


def invaded_tissues(patient: Patient, node: SimulatedLymphNode) -> list[str]:
    """Tissues that the breach grows into, by overlap of the solids: what lies beyond the capsule and inside another."""
    points, volume = _breach_points(node)
    if len(points) == 0:
        return []
    least = max(INVADED_MM3 / volume, INVADED_SHARE * len(points))
    found: list[str] = []
    low, high = points.min(axis=0), points.max(axis=0)
    for structure in patient.anatomy.structures:
        if structure.tissue not in (*INVADED, "carotid") or structure.tissue in found:
            continue
        below, above = structure.shape.bounds()
        if (below > high).any() or (above < low).any():
            continue
        if (structure.shape.distance(*points.T) < 0).sum() >= least:
            found.append(structure.tissue)
    if (patient.anatomy.outside_mm(*points.T) > 0).sum() >= least:
        found.append("skin")
    return found


def _breach_points(node: SimulatedLymphNode, step_mm: float = 0.7) -> tuple[Array, float]:
    """Points of a fine grid inside the breach, (n, 3) LPS, and the volume each stands for."""
    low, high = (edge + sign * (STRANDING_REACH_MM - 1) for edge, sign in zip(node.bounds(), (1, -1), strict=True))
    x, y, z = (np.arange(a, b, step_mm) for a, b in zip(low, high, strict=True))
    capsule, outer, _ = node.field(x[None, None], y[None, :, None], z[:, None, None])
    k, j, i = np.nonzero((capsule > 0) & (outer < 0))
    return np.stack([x[i], y[j], z[k]], axis=1), step_mm**3


def auc(score: Array, positive: Array) -> float | None:
    """Area under the ROC curve by ranks (ties count half); None with one class only."""
    from scipy.stats import rankdata

    positives, negatives = int(positive.sum()), int((~positive).sum())
    if positives == 0 or negatives == 0:
        return None
    ranks = rankdata(score)
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
