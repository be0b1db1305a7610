"""Patient and grid to HU, class map and instance map.

Structures are painted in order with a soft edge one voxel wide (their partial volume), lymph nodes last;
then point spread, slice profile and noise. The truth maps are exact: the sign of the distance at voxel centers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.geometry import Volume
from ece_core.simulate.capsule import SimulatedLymphNode
from ece_core.simulate.patient import Patient
from ece_core.simulate.scanner import Scanner, add_noise, blur, couch_hu
from ece_core.simulate.shapes import WaveNoise

Array = np.ndarray
CHUNK = 8  # slices painted together: small enough for the processor's cache


@dataclass(frozen=True, eq=False)
class Simulation:
    """A scan and its truth, all on one grid. ``ct`` int16 HU; ``classes`` 0 to 3; ``instances`` 0..n."""

    ct: Volume
    classes: Volume
    instances: Volume


def render(
    patient: Patient, grid: tuple[tuple[int, int, int], Array], scanner: Scanner, noise_seed: int = 0
) -> Simulation:
    """Scan a patient.

    Parameters
    ----------
    grid
        (K, J, I) shape and an affine whose axes are those of LPS, as :func:`scanner.neck_grid` gives.
    noise_seed
        With the patient's seed, the seed of noise and texture.
    """
    shape, affine = grid
    rng = np.random.default_rng((*patient.seed, 77, noise_seed))
    spacing = (float(affine[2, 2]), float(affine[1, 1]), float(affine[0, 0]))
    hu, instances = _paint_thick(patient, shape, affine, scanner)
    hu = blur(hu, spacing, scanner.psf_fwhm_mm)
    add_noise(rng, hu, affine, spacing, scanner, patient.anatomy.levels_z()["clavicle"] + 18)
    np.clip(np.rint(hu, out=hu), -1024, 3071, out=hu)
    lut = np.array([0, *(CLASS_NAMES.index(node.class_name) + 1 for node in patient.lymph_nodes)], np.uint8)
    return Simulation(
        Volume(hu.astype(np.int16), affine), Volume(lut[instances], affine), Volume(instances, affine)
    )


def _paint_thick(patient: Patient, shape, affine: Array, scanner: Scanner) -> tuple[Array, Array]:
    """HU and instances; a slice of 2 mm or more is the mean of thinner ones (a box slice profile)."""
    thickness = float(affine[2, 2])
    parts = 1 if thickness < 2.0 else int(np.ceil(thickness / 1.3))
    fine = affine.copy()
    fine[2, 2] = thickness / parts
    fine[2, 3] -= thickness / 2 - fine[2, 2] / 2
    painter = _Painter(patient, (shape[0] * parts, *shape[1:]), fine, scanner)
    hu = painter.anatomy()
    for node in patient.lymph_nodes:
        painter.lymph_node(hu, node)
    if parts > 1:
        hu = hu.reshape(shape[0], parts, *shape[1:]).mean(axis=1)
    truth = _Painter(patient, shape, affine, scanner)
    instances = np.zeros(shape, np.uint16)
    for label, node in enumerate(patient.lymph_nodes, 1):
        truth.mark(instances, node, label)
    return hu, instances


class _Painter:
    """Paints one patient on one grid."""

    def __init__(self, patient: Patient, shape, affine: Array, scanner: Scanner) -> None:
        self.patient, self.shape, self.scanner = patient, shape, scanner
        spacing = (float(affine[2, 2]), float(affine[1, 1]), float(affine[0, 0]))
        self.x = (affine[0, 3] + np.arange(shape[2]) * spacing[2]).astype(np.float32)
        self.y = (affine[1, 3] + np.arange(shape[1]) * spacing[1]).astype(np.float32)
        self.z = (affine[2, 3] + np.arange(shape[0]) * spacing[0]).astype(np.float32)
        self.edge_mm = np.float32((spacing[1] + spacing[2]) / 2)
        self.texture = WaveNoise.sample(np.random.default_rng((*patient.seed, 5)), 0.3, 1.6, 6)
        self.fat_texture = WaveNoise.sample(np.random.default_rng((*patient.seed, 6)), 0.6, 2.2, 6)

    def _box(self, low: Array, high: Array, k0: int = 0, k1: int | None = None):
        """Slices (k, j, i) of the grid that a box touches within [k0, k1), or None."""
        k1 = self.shape[0] if k1 is None else k1
        spans = []
        for axis, lo, hi in ((self.z, low[2], high[2]), (self.y, low[1], high[1]), (self.x, low[0], high[0])):
            a, b = np.searchsorted(axis, lo - 1.5), np.searchsorted(axis, hi + 1.5)
            spans.append([int(a), int(b)])
        spans[0] = [max(spans[0][0], k0), min(spans[0][1], k1)]
        if any(a >= b for a, b in spans):
            return None
        return tuple(slice(a, b) for a, b in spans)

    def _coordinates(self, box):
        k, j, i = box
        return self.x[i][None, None, :], self.y[j][None, :, None], self.z[k][:, None, None]

    def anatomy(self) -> Array:
        """HU of everything but the lymph nodes, before the scanner's blur."""
        hu = np.full(self.shape, -1000, np.float32)
        structures = [(s, s.shape.bounds(), self.patient.anatomy.hu[s.tissue]) for s in self.patient.anatomy.structures]
        back = self.patient.anatomy.frame.point(0, 134, -80)[1]
        for k0 in range(0, self.shape[0], CHUNK):
            k1 = min(k0 + CHUNK, self.shape[0])
            if self.scanner.couch:
                block = hu[k0:k1]
                np.maximum(block, couch_hu(self.x[None, None], self.y[None, :, None], back), out=block)
            inside = self._inside_skin(k0, k1)
            for structure, (low, high), tissue_hu in structures:
                box = self._box(low, high, k0, k1)
                if box is None:
                    continue
                cover = self._cover(structure.shape.distance(*self._coordinates(box)))
                if structure.name not in ("skin", "fat"):
                    cover *= inside[slice(box[0].start - k0, box[0].stop - k0), box[1], box[2]]
                target = hu[box]
                target += (np.float32(tissue_hu) - target) * cover
            self._add_texture(hu[k0:k1], k0, k1)
        return hu

    def _inside_skin(self, k0: int, k1: int) -> Array:
        """0 to 1: nothing but skin lies outside of it."""
        box = (slice(k0, k1), slice(0, self.shape[1]), slice(0, self.shape[2]))
        return self._cover(self.patient.anatomy.outside_mm(*self._coordinates(box)))

    def _cover(self, distance: Array) -> Array:
        """Share of the voxel inside a surface at this signed distance."""
        return np.clip(np.float32(0.5) - distance.astype(np.float32) / self.edge_mm, 0, 1)

    def _add_texture(self, block: Array, k0: int, k1: int) -> None:
        """Soft tissue is not uniform: a few HU in muscle and glands, fine septa in fat."""
        x, y, z = self.x[None, None, ::2], self.y[None, ::2, None], self.z[k0:k1, None, None]
        coarse = self.texture(x, y, z).astype(np.float32)
        fine = np.abs(self.fat_texture(x, y, z)).astype(np.float32)
        rows, columns = block.shape[1:]
        soft = np.repeat(np.repeat(coarse, 2, 1), 2, 2)[:, :rows, :columns]
        septa = np.repeat(np.repeat(np.clip(1 - fine / 0.25, 0, 1), 2, 1), 2, 2)[:, :rows, :columns]
        is_fat = (block < -60) & (block > -140)
        is_soft = (block > -20) & (block < 250)
        block += np.where(is_soft, 4.0 * soft, 0) + np.where(is_fat, 6.0 * soft + 22.0 * septa, 0)

    def lymph_node(self, hu: Array, node: SimulatedLymphNode) -> None:
        """Paint one lymph node, its breach and its strands."""
        box = self._box(*node.bounds())
        if box is None:
            return
        x, y, z = self._coordinates(box)
        capsule, outer, unit = node.field(x, y, z)
        target = hu[box]
        offset = (x - node.center_lps[0], y - node.center_lps[1], z - node.center_lps[2])
        if node.stranding > 0:
            strands = node.strand_density(outer, unit, (x, y, z)) * np.clip((-30 - target) / 40, 0, 1)
            target += (np.float32(10.0) - target) * strands
        soft = np.clip(0.5 - outer / (self.edge_mm + node.margin_mm(unit)), 0, 1)
        target += (node.interior_hu(np.minimum(capsule, 0), offset) + 4 * self.texture(x, y, z) - target) * soft

    def mark(self, instances: Array, node: SimulatedLymphNode, label: int) -> None:
        """Voxels whose centers lie inside; where lymph nodes meet, the first keeps its voxels."""
        box = self._box(*node.bounds())
        if box is not None:
            outer = node.field(*self._coordinates(box))[1]
            block = instances[box]
            block[(outer < 0) & (block == 0)] = label
