"""A lymph node: capsule, content, and, in class ENE, the breach of the capsule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ece_core.simulate.shapes import WaveNoise

Array = np.ndarray

STRANDING_REACH_MM = 8.0  # perinodal shell in which strands are looked for (clinical reference, 5.5)
JOIN_MM = 0.6  # radius of the fillet where a tongue leaves the capsule [own choice]
FUSE_MM = 5.0  # radius of the fillet between two coalescent lymph nodes [own choice]
SHARED_MM = 0.5  # how far coalescent lymph nodes reach over the surface between them, so that no seam shows


@dataclass(frozen=True, eq=False)
class Tongue:
    """A finger of tumor that leaves the capsule, tapers and bends.

    Parameters
    ----------
    root, tip
        Unit directions from the center (LPS) in which it leaves the capsule and in which it ends.
    reach
        0 to 1, share of the breach's extent.
    radius_mm
        At its root; half of that at its tip.
    """

    root: Array
    tip: Array
    reach: float
    radius_mm: float


@dataclass(frozen=True, eq=False)
class Breach:
    """Where and how far tumor grows through the capsule, and the strands and soft margin that it causes.

    All of it lies where :meth:`nearness` is above zero, so that repairing the capsule changes nothing elsewhere.

    Parameters
    ----------
    directions
        (M, 3) unit vectors from the center, LPS: one site each.
    half_angles
        (M,) rad.
    extent_mm
        Largest distance beyond the capsule. Log-normal, median 1.6 mm (Apisarnthanarax 2006).
    ridges
        Roughness of the caps over directions.
    caps
        (M,) height of the broad cap at each site, 0 to 1 of ``extent_mm``.
    tongues
        Fingers into the fat.
    stranding, strands
        0 to 1, density of strands in the fat over the breach, and where they run.
    blur_mm
        How much softer the margin is over the breach.
    """

    directions: Array
    half_angles: Array
    extent_mm: float
    ridges: WaveNoise
    caps: Array
    tongues: tuple[Tongue, ...] = ()
    stranding: float = 0.0
    strands: WaveNoise | None = None
    blur_mm: float = 0.0

    def turned(self, rotation: Array) -> Breach:
        """The same breach elsewhere on the capsule; ``rotation`` (3, 3) turns its directions."""
        tongues = tuple(replace(t, root=rotation @ t.root, tip=rotation @ t.tip) for t in self.tongues)
        return replace(self, directions=self.directions @ rotation.T, tongues=tongues)

    def _angles(self, direction: tuple[Array, Array, Array]):
        """Angle to each site over its half angle."""
        x, y, z = direction
        for axis, half_angle in zip(self.directions.tolist(), self.half_angles.tolist(), strict=True):
            yield np.arccos(np.clip(axis[0] * x + axis[1] * y + axis[2] * z, -1, 1)) / half_angle

    def cap_height(self, direction: tuple[Array, Array, Array]) -> Array:
        """Height of the caps (mm) in unit directions; zero away from them, their share of the extent on their axes."""
        x, y, z = direction
        rough = np.clip(0.65 + 0.5 * self.ridges(x, y, z), 0.1, 1.0)
        tallest: Array = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
        for angle, share in zip(self._angles(direction), self.caps.tolist(), strict=True):
            flank = np.clip(1.5 * (1 - angle), 0, 1)
            peak = np.clip(1 - angle / 0.4, 0, 1)
            tallest = np.maximum(tallest, share * flank * flank * (3 - 2 * flank) * (rough + (1 - rough) * peak))
        return tallest * np.float32(self.extent_mm)

    def nearness(self, direction: tuple[Array, Array, Array]) -> Array:
        """1 over a site, falling to 0 at twice its half angle: the sector of the breach."""
        x, y, z = direction
        near: Array = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
        for angle in self._angles(direction):
            near = np.maximum(near, np.clip(2 - angle, 0, 1))
        return near


def _tapered(points: tuple[Array, Array, Array], start: Array, end: Array, radius_mm: float) -> Array:
    """Distance to a finger from ``start`` to ``end`` that is half as thick at its end."""
    (sx, sy, sz), (ax, ay, az) = start.tolist(), (end - start).tolist()
    px, py, pz = points[0] - sx, points[1] - sy, points[2] - sz
    along = np.clip((px * ax + py * ay + pz * az) / max(ax * ax + ay * ay + az * az, 1e-9), 0, 1)
    dx, dy, dz = px - along * ax, py - along * ay, pz - along * az
    return np.asarray(np.sqrt(dx * dx + dy * dy + dz * dz) - radius_mm * (1 - 0.5 * along))


def smooth_minimum(a: Array, b: Array, radius_mm: float) -> Array:
    """Union of two distances with a fillet; never above the smaller one, never more than a quarter radius below it."""
    near = np.maximum(radius_mm - np.abs(a - b), 0) / radius_mm
    return np.minimum(a, b) - near * near * np.float32(radius_mm / 4)


def _half_of_union(own: Array, other: Array) -> Array:
    """Distance to this lymph node's half of two that have grown together, a little more than half."""
    return np.maximum(smooth_minimum(own, other, FUSE_MM), (own - other) / 2 - np.float32(SHARED_MM))


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
    core_roughness
        How ragged the border of the core is, relative to ``rim_mm``; near 0 for a cyst.
    hilum, hilum_hu
        Center (mm from that of the node) and radius of a fatty hilum, or ``None``, and its attenuation.
    inflammation, strands, inflamed_side
        0 to 1, density of strands in the fat that no breach caused, where they run, and the unit direction they
        lie towards (``None``: all around).
    inflamed_blur_mm
        How much softer the margin is on that side, without any breach.
    needle
        Unit direction in which a biopsy needle came: a straight track through the fat, or ``None``.
    blur_mm
        Softness of the margin beyond the scanner's own.
    fused
        The lymph nodes (intact) that this one is coalescent with: no fat plane between them, each keeps its half.
    hard_negative
        What makes a lymph node without a breach look as if it had one, by name; empty: nothing does.
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
    core_roughness: float = 0.35
    hilum: tuple[Array, float] | None = None
    hilum_hu: float = -40.0
    inflammation: float = 0.0
    inflamed_side: Array | None = None
    inflamed_blur_mm: float = 0.0
    needle: Array | None = None
    blur_mm: float = 0.2
    breach: Breach | None = None
    fused: tuple[SimulatedLymphNode, ...] = ()
    hard_negative: str = ""

    @property
    def short_axis_mm(self) -> float:
        """Diameter along the smallest radius, without breach."""
        return float(2 * self.radii_mm.min())

    @property
    def softest_mm(self) -> float:
        """Softness of the margin where it is softest."""
        return self.blur_mm + max(self.inflamed_blur_mm, self.breach.blur_mm if self.breach else 0.0)

    @property
    def extent_mm(self) -> float:
        return self.breach.extent_mm if self.breach else 0.0

    @property
    def cystic(self) -> bool:
        """Necrosis with a smooth border: a thin wall and homogeneous content."""
        return self.rim_mm is not None and self.core_roughness < 0.1

    @property
    def stranding(self) -> float:
        """0 to 1, density of the strands around the node, of whatever cause."""
        return max(self.inflammation, self.breach.stranding if self.breach else 0.0)

    def bounds(self) -> tuple[Array, Array]:
        """Box that holds the node, its breach and its strands."""
        reach = np.sqrt(((self.axes * self.radii_mm) ** 2).sum(axis=1)) * (1 + 2.2 * self.lobulation)
        reach = reach + self.extent_mm + STRANDING_REACH_MM
        return self.center_lps - reach, self.center_lps + reach

    def repaired(self) -> SimulatedLymphNode:
        """The counterfactual twin: the same lymph node, its capsule whole, without the breach's strands and blur."""
        return replace(self, breach=None)

    def moved_to(self, center_lps: Array) -> SimulatedLymphNode:
        return replace(self, center_lps=np.asarray(center_lps, float))

    def field(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, tuple[Array, Array, Array]]:
        """Distance to the intact capsule, distance to the outer surface with breach, and unit directions."""
        dx, dy, dz = (np.asarray(v - c, np.float32) for v, c in zip((x, y, z), self.center_lps.tolist(), strict=True))
        distance = np.sqrt(dx * dx + dy * dy + dz * dz) + np.float32(1e-3)
        unit = (dx / distance, dy / distance, dz / distance)
        capsule = distance - self._surface_mm(unit)
        for other in self.fused:
            capsule = _half_of_union(capsule, other.field(x, y, z)[0])
        return capsule, self._breached(self.breach, capsule, unit, distance) if self.breach else capsule, unit

    def _surface_mm(self, unit: tuple[Array, Array, Array]) -> Array:
        """Distance from the center to the intact capsule in unit directions."""
        turned = (self.axes / self.radii_mm).T.tolist()
        scaled = sum((unit[0] * ax + unit[1] * ay + unit[2] * az) ** 2 for ax, ay, az in turned)
        lobes = 1 + float(self.lobulation) * np.clip(self.shape_noise(*unit), -2, 2)
        return np.asarray(lobes / np.sqrt(scaled + np.float32(1e-12)))

    def _breached(self, breach: Breach, capsule: Array, unit: tuple, distance: Array) -> Array:
        """Distance to the surface with caps and tongues; the same as ``capsule`` outside of the breach's sector."""
        reach = self.extent_mm + STRANDING_REACH_MM
        sector = (breach.nearness(unit) > 0) & (capsule > -3.0) & (capsule < reach)
        outer = capsule.copy()
        if not sector.any():
            return outer
        direction = (unit[0][sector], unit[1][sector], unit[2][sector])
        away = distance[sector]
        points = (direction[0] * away, direction[1] * away, direction[2] * away)
        surface = capsule[sector] - breach.cap_height(direction)
        for tongue, (start, end) in zip(breach.tongues, self._tongue_ends, strict=True):
            surface = smooth_minimum(surface, _tapered(points, start, end, tongue.radius_mm), JOIN_MM)
        outer[sector] = surface
        return outer

    @cached_property
    def _tongue_ends(self) -> list[tuple[Array, Array]]:
        """Root (below the capsule) and tip of each tongue relative to the center; the tip's end is at its reach."""
        ends = []
        for tongue in self.breach.tongues if self.breach else ():
            root, tip = (np.asarray(v, float) for v in (tongue.root, tongue.tip))
            root_mm, tip_mm = (float(self._surface_mm((v[:1], v[1:2], v[2:]))[0]) for v in (root, tip))
            beyond = tongue.reach * self.extent_mm - tongue.radius_mm / 2
            ends.append((root * max(root_mm - 1.0, 0.3 * root_mm), tip * (tip_mm + beyond)))
        return ends

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
            ragged = self.rim_mm + self.core_roughness * self.rim_mm * self.shape_noise(*(v / 4.0 for v in offset))
            core = np.clip(0.5 + (-capsule - ragged) / 1.2, 0, 1)
            hu += (self.core_hu - self.solid_hu) * core
        if self.hilum is not None:
            center, radius = self.hilum
            away = np.sqrt(sum((v - c) ** 2 for v, c in zip(offset, center.tolist(), strict=True))) - radius
            hu += (self.hilum_hu - self.solid_hu) * np.clip(0.5 - away / 1.0, 0, 1)
        return hu

    def margin_mm(self, unit: tuple[Array, Array, Array]) -> Array | float:
        """Softness of the margin, larger over a breach."""
        soft: Array | float = self.blur_mm
        if self.inflamed_blur_mm > 0:
            soft = soft + self.inflamed_blur_mm * self._inflamed(unit)
        return soft + self.breach.blur_mm * self.breach.nearness(unit) if self.breach else soft

    def _inflamed(self, unit: tuple[Array, Array, Array]) -> Array | float:
        """1 on the inflamed side, falling to 0 across from it; 1 everywhere where there is no such side."""
        if self.inflamed_side is None:
            return 1.0
        ax, ay, az = self.inflamed_side.tolist()
        return np.asarray(np.clip(1.6 * (unit[0] * ax + unit[1] * ay + unit[2] * az), 0, 1))

    def strand_density(self, outer: Array, unit: tuple[Array, Array, Array], points: tuple) -> Array:
        """0 to 1: how much of the perinodal fat a strand replaces here.

        Strands of inflammation lie all around, those of a breach over the breach alone.
        """
        density = np.zeros(outer.shape, np.float32)
        if self.inflammation > 0:
            where = self._inflamed(unit)
            density = self._strands(self.strands, self.inflammation, outer, unit, points, where)
        if self.breach and self.breach.stranding > 0 and self.breach.strands:
            over = np.clip(1.5 * self.breach.nearness(unit), 0, 1)
            of_breach = self._strands(self.breach.strands, self.breach.stranding, outer, unit, points, over)
            density = np.maximum(density, of_breach)
        if self.needle is not None:
            density = np.maximum(density, self._needle_track(self.needle, outer, points))
        return density

    def _needle_track(self, needle: Array, outer: Array, points: tuple) -> Array:
        """A straight line of blood about 1.4 mm wide from the capsule outwards, as far as strands reach."""
        away = [np.asarray(p - c, np.float32) for p, c in zip(points, self.center_lps.tolist(), strict=True)]
        along = sum(v * n for v, n in zip(away, needle.tolist(), strict=True))
        aside = np.sqrt(np.maximum(sum(v * v for v in away) - along * along, 0))
        here = (along > 0) & (outer > 0) & (outer < STRANDING_REACH_MM)
        return np.asarray(np.clip(1.2 - aside / 0.7, 0, 1) * here, np.float32)

    def _strands(self, noise: WaveNoise, amount: float, outer: Array, unit: tuple, points: tuple, over) -> Array:
        """Sheets about 0.8 mm thick that run outwards from the capsule, thinning out with distance, over a faint haze.

        Fat septa thickened by edema or tumor: lines in a slice, at -60 to 0 HU.
        """
        reach = STRANDING_REACH_MM * (0.55 + 0.45 * amount)
        fade = np.clip(1.6 * (1 - outer / reach), 0, 1) * (outer > 0) * over
        density = np.zeros(outer.shape, np.float32)
        here = fade > 0
        if not here.any():
            return density
        # Waves along directions, at the scale of the capsule, make radial sheets; a quarter of the true position
        # bends them and lets them branch.
        shell = float(self.radii_mm.mean()) + 3.0
        places = [
            0.75 * shell * u[here] + 0.4 * np.broadcast_to(np.asarray(p - c, np.float32), outer.shape)[here]
            for u, p, c in zip(unit, points, self.center_lps.tolist(), strict=True)
        ]
        sheet = np.clip(1.35 - np.abs(noise(*places)) / 0.42, 0, 1)
        haze = 0.22 * np.clip(1 - outer[here] / 3.0, 0, 1)
        density[here] = amount * fade[here] * np.maximum(sheet, haze)
        return density
