"""A lymph node: capsule, content, and, in class ENE, the breach of the capsule."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.simulate.shapes import WaveNoise

Array = np.ndarray

STRANDING_REACH_MM = 8.0  # perinodal shell in which strands are looked for (clinical reference, 5.5)


@dataclass(frozen=True, eq=False)
class Breach:
    """Where and how far tumor grows through the capsule.

    Parameters
    ----------
    directions
        (M, 3) unit vectors from the center, LPS: one cap each.
    half_angles
        (M,) rad.
    extent_mm
        Largest distance beyond the capsule. Log-normal, median 1.6 mm (Apisarnthanarax 2006).
    """

    directions: Array
    half_angles: Array
    extent_mm: float
    ridges: WaveNoise

    def height(self, direction: tuple[Array, Array, Array]) -> Array:
        """Growth beyond the capsule (mm) in unit directions; zero away from the caps."""
        x, y, z = direction
        tallest: Array = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
        for axis, half_angle in zip(self.directions.tolist(), self.half_angles.tolist(), strict=True):
            angle = np.arccos(np.clip(axis[0] * x + axis[1] * y + axis[2] * z, -1, 1))
            tallest = np.maximum(tallest, np.clip(1.5 * (1 - angle / half_angle), 0, 1))
        rough = np.clip(0.75 + 0.45 * self.ridges(x, y, z), 0.15, 1.3) / 1.3
        return self.extent_mm * tallest * (3 - 2 * tallest) * tallest * np.where(tallest > 0, rough, 0) ** 0.7

    def nearness(self, direction: tuple[Array, Array, Array]) -> Array:
        """1 over a cap, falling to 0 at twice its half angle: where strands and blur sit."""
        x, y, z = direction
        near: Array = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
        for axis, half_angle in zip(self.directions.tolist(), self.half_angles.tolist(), strict=True):
            angle = np.arccos(np.clip(axis[0] * x + axis[1] * y + axis[2] * z, -1, 1))
            near = np.maximum(near, np.clip(2 - angle / half_angle, 0, 1))
        return near


@dataclass(frozen=True, eq=False)
class SimulatedLymphNode:
    """Geometry, content and truth of one lymph node.

    Parameters
    ----------
    center_lps, radii_mm, axes
        Ellipsoid; ``axes`` (3, 3) has the unit directions of the radii as columns. ``radii_mm[0]`` is half
        the short axis.
    shape_noise, lobulation
        Smooth relative change of the radius with direction.
    solid_hu, core_hu, rim_mm
        Attenuation of the solid part and of the necrotic core, which lies ``rim_mm`` below the capsule
        (``None``: no necrosis).
    hilum
        Center and radius of a fatty hilum relative to the radii, or ``None``.
    stranding
        0 to 1, density of strands in the fat around the node (over the caps, or all around without a breach).
    blur_mm
        Softness of the margin beyond the scanner's own.
    """

    class_name: str
    level: str
    side: str
    center_lps: Array
    radii_mm: Array
    axes: Array
    shape_noise: WaveNoise
    lobulation: float
    solid_hu: float
    strands: WaveNoise
    core_hu: float = 20.0
    rim_mm: float | None = None
    hilum: tuple[Array, float] | None = None
    stranding: float = 0.0
    blur_mm: float = 0.2
    breach: Breach | None = None

    @property
    def short_axis_mm(self) -> float:
        """Diameter along the smallest radius, without breach."""
        return float(2 * self.radii_mm.min())

    @property
    def extent_mm(self) -> float:
        return self.breach.extent_mm if self.breach else 0.0

    def bounds(self) -> tuple[Array, Array]:
        """Box that holds the node, its breach and its strands."""
        reach = np.sqrt(((self.axes * self.radii_mm) ** 2).sum(axis=1)) * (1 + 2.2 * self.lobulation)
        reach = reach + self.extent_mm + STRANDING_REACH_MM
        return self.center_lps - reach, self.center_lps + reach

    def repaired(self) -> SimulatedLymphNode:
        """The counterfactual twin: the same lymph node with its capsule whole."""
        return replace(self, breach=None)

    def moved_to(self, center_lps: Array) -> SimulatedLymphNode:
        return replace(self, center_lps=np.asarray(center_lps, float))

    def field(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, tuple[Array, Array, Array]]:
        """Distance to the intact capsule, distance to the outer surface with breach, and unit directions."""
        dx, dy, dz = (np.asarray(v - c, np.float32) for v, c in zip((x, y, z), self.center_lps.tolist(), strict=True))
        distance = np.sqrt(dx * dx + dy * dy + dz * dz) + np.float32(1e-3)
        unit = (dx / distance, dy / distance, dz / distance)
        turned = (self.axes / self.radii_mm).T.tolist()
        scaled = sum((dx * ax + dy * ay + dz * az) ** 2 for ax, ay, az in turned)
        lobes = 1 + float(self.lobulation) * np.clip(self.shape_noise(*unit), -2, 2)
        surface = distance / np.sqrt(scaled + np.float32(1e-12)) * lobes
        capsule = distance - surface
        outer = capsule - self.breach.height(unit) if self.breach else capsule
        return capsule, outer, unit

    def interior_hu(self, capsule: Array, offset: tuple[Array, Array, Array]) -> Array:
        """Attenuation inside: solid tissue, necrotic core, fatty hilum.

        Parameters
        ----------
        capsule
            Distance to the intact capsule, mm, negative inside.
        offset
            Coordinates relative to the center, mm.
        """
        hu = np.full(capsule.shape, self.solid_hu, np.float32)
        if self.rim_mm is not None:
            ragged = self.rim_mm + 0.35 * self.rim_mm * self.shape_noise(*(v / 4.0 for v in offset))
            core = np.clip(0.5 + (-capsule - ragged) / 1.2, 0, 1)
            hu += (self.core_hu - self.solid_hu) * core
        if self.hilum is not None:
            center, radius = self.hilum
            away = np.sqrt(sum((v - c) ** 2 for v, c in zip(offset, center.tolist(), strict=True))) - radius
            hu += (-40 - self.solid_hu) * np.clip(0.5 - away / 1.0, 0, 1)
        return hu

    def margin_mm(self, unit: tuple[Array, Array, Array]) -> Array | float:
        """Softness of the margin, larger over a breach."""
        return self.blur_mm + (0.8 * self.breach.nearness(unit) if self.breach else 0.0)

    def strand_density(self, outer: Array, unit: tuple[Array, Array, Array], points: tuple) -> Array:
        """0 to 1: how much of the perinodal fat a strand replaces here."""
        if self.stranding <= 0:
            return np.zeros(outer.shape, np.float32)
        where = np.clip(1.6 * self.breach.nearness(unit), 0, 1) if self.breach else 1.0
        sheet = np.clip(1.4 - np.abs(self.strands(*points)) / 0.45, 0, 1)
        reach = STRANDING_REACH_MM * (0.5 + 0.5 * self.stranding)
        fade = np.clip(1.8 * (1 - outer / reach), 0, 1) * (outer > 0)
        return np.asarray(self.stranding * where * sheet * fade, np.float32)
