"""Patient and grid to HU, class map and instance map.

Structures are painted in order with a soft edge one voxel wide (their partial volume); lymph nodes come last, by
samples about 0.4 mm apart, so that a breach thinner than a voxel fills its share of it. Then point spread, slice
profile, streaks and noise. The truth maps are exact: the sign of the distance at voxel centers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.geometry import Volume
from ece_core.simulate.matte import box_of, compose, matte_of
from ece_core.simulate.patient import Patient
from ece_core.simulate.scanner import Scanner, add_metal_streaks, add_noise, blur, couch_hu
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
    hu = _anatomy(patient, shape, affine, scanner)
    instances = np.zeros(shape, np.uint16)
    _lymph_nodes(patient, hu, instances, affine)
    hu = blur(hu, spacing, scanner.psf_fwhm_mm, scanner.slice_width)
    add_metal_streaks(
        hu, affine, getattr(patient.anatomy, "metal", ()), scanner, np.random.default_rng((*patient.seed, 78))
    )
    add_noise(rng, hu, affine, spacing, scanner, patient.anatomy.levels_z()["clavicle"] + 18)
    np.clip(np.rint(hu, out=hu), -1024, 3071, out=hu)
    lut = np.array([0, *(CLASS_NAMES.index(node.class_name) + 1 for node in patient.lymph_nodes)], np.uint8)
    return Simulation(Volume(hu.astype(np.int16), affine), Volume(lut[instances], affine), Volume(instances, affine))


def _anatomy(patient: Patient, shape, affine: Array, scanner: Scanner) -> Array:
    """HU of everything but the lymph nodes; a slice of 2 mm or more is the mean of thinner ones."""
    thickness = float(affine[2, 2])
    parts = 1 if thickness < 2.0 else int(np.ceil(thickness / 1.3))
    fine = affine.copy()
    fine[2, 2] = thickness / parts
    fine[2, 3] -= thickness / 2 - fine[2, 2] / 2
    hu = _Painter(patient, (shape[0] * parts, *shape[1:]), fine, scanner).anatomy()
    return hu.reshape(shape[0], parts, *shape[1:]).mean(axis=1) if parts > 1 else hu


def _lymph_nodes(patient: Patient, hu: Array, instances: Array, affine: Array) -> None:
    """Insert all lymph nodes; where they meet, the first keeps its voxels in the truth map."""
    grid = Volume(hu, affine)
    texture = _soft_texture(patient)
    for label, node in enumerate(patient.lymph_nodes, 1):
        box = box_of(node, grid)
        if box is None:
            continue
        matte = matte_of(node, grid, box, lambda x, y, z: 4 * texture(x, y, z))
        hu[box] = compose(hu[box], matte)[0]
        block = instances[box]
        block[matte.inside & (block == 0)] = label


def _soft_texture(patient: Patient) -> WaveNoise:
    """Soft tissue is not uniform: the same few HU at the same place on every grid."""
    return WaveNoise.sample(np.random.default_rng((*patient.seed, 5)), 0.3, 1.6, 6)


class _Painter:
    """Paints one patient on one grid."""

    def __init__(self, patient: Patient, shape, affine: Array, scanner: Scanner) -> None:
        self.patient, self.shape, self.scanner = patient, shape, scanner
        spacing = (float(affine[2, 2]), float(affine[1, 1]), float(affine[0, 0]))
        self.x = (affine[0, 3] + np.arange(shape[2]) * spacing[2]).astype(np.float32)
        self.y = (affine[1, 3] + np.arange(shape[1]) * spacing[1]).astype(np.float32)
        self.z = (affine[2, 3] + np.arange(shape[0]) * spacing[0]).astype(np.float32)
        self.edge_mm = np.float32((spacing[1] + spacing[2]) / 2)
        self.texture = _soft_texture(patient)
        self.fat_texture = WaveNoise.sample(np.random.default_rng((*patient.seed, 6)), 0.6, 2.2, 6)

    def _spans(self, low: Array, high: Array) -> Array:
        """Index ranges (n, 3, 2) of n boxes (x, y, z) made 1.5 mm wider: k, j, i; start, stop."""
        axes = ((self.z, 2), (self.y, 1), (self.x, 0))
        ends = [(np.searchsorted(axis, low[:, n] - 1.5), np.searchsorted(axis, high[:, n] + 1.5)) for axis, n in axes]
        return np.array(ends).transpose(2, 0, 1)

    def _coordinates(self, box):
        k, j, i = box
        return self.x[i][None, None, :], self.y[j][None, :, None], self.z[k][:, None, None]

    def anatomy(self) -> Array:
        """HU of everything but the lymph nodes, before the scanner's blur."""
        hu = np.full(self.shape, -1000, np.float32)
        anatomy = self.patient.anatomy
        bounds = np.array([s.shape.bounds() for s in anatomy.structures], np.float64)
        spans = self._spans(bounds[:, 0], bounds[:, 1])
        seen = np.flatnonzero((spans[:, :, 0] < spans[:, :, 1]).all(axis=1))
        back = anatomy.frame.point(0, 134, -80)[1]
        for k0 in range(0, self.shape[0], CHUNK):
            k1 = min(k0 + CHUNK, self.shape[0])
            if self.scanner.couch:
                block = hu[k0:k1]
                np.maximum(block, couch_hu(self.x[None, None], self.y[None, :, None], back), out=block)
            inside = self._inside_skin(k0, k1)
            for n in seen[(spans[seen, 0, 0] < k1) & (spans[seen, 0, 1] > k0)]:
                structure, (k, j, i) = anatomy.structures[n], spans[n].tolist()
                box = slice(max(k[0], k0), min(k[1], k1)), slice(*j), slice(*i)
                cover = self._cover(structure.shape.distance(*self._coordinates(box)))
                if structure.name not in ("skin", "fat"):
                    cover *= inside[slice(box[0].start - k0, box[0].stop - k0), box[1], box[2]]
                target = hu[box]
                target += (np.float32(anatomy.hu[structure.tissue]) - target) * cover
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
