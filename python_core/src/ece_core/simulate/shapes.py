"""Analytic solids with an approximate signed distance: below zero inside, in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SweptEllipse:
    """An elliptic section that changes along z: muscles, vessels, airway, the body itself.

    Parameters
    ----------
    knots
        (M, 6): z, center x, center y, semi-axis a, semi-axis b (mm), angle (rad); z ascending, LPS.
    power
        2 is an ellipse; above 2 the section becomes boxy.
    """

    knots: Array
    power: float = 2.0

    @cached_property
    def _section(self) -> PchipInterpolator:
        return PchipInterpolator(self.knots[:, 0], self.knots[:, 1:], axis=0)

    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper corner (x, y, z) in LPS mm."""
        reach = self.knots[:, 3:5].max(axis=1)
        low = np.array([(self.knots[:, 1] - reach).min(), (self.knots[:, 2] - reach).min(), self.knots[0, 0]])
        high = np.array([(self.knots[:, 1] + reach).max(), (self.knots[:, 2] + reach).max(), self.knots[-1, 0]])
        return low, high

    def center(self, z: float) -> Array:
        """(x, y) of the axis at height z."""
        return self._section(np.clip(z, self.knots[0, 0], self.knots[-1, 0]))[:2]

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed distance at broadcast coordinates; exact for circles, a lower bound elsewhere."""
        inside_z = np.clip(z, self.knots[0, 0], self.knots[-1, 0])
        section = self._section(inside_z).astype(np.float32)
        cx, cy, a, b, angle = (section[..., n] for n in range(5))
        dx, dy = x - cx, y - cy
        if np.any(angle):
            cosine, sine = np.cos(angle), np.sin(angle)
            u, v = dx * (cosine / a) + dy * (sine / a), dy * (cosine / b) - dx * (sine / b)
        else:  # on an open grid u and v stay a row and a column
            u, v = dx / a, dy / b
        if self.power == 2.0:
            radius = np.sqrt(u * u + v * v)
        elif self.power == 4.0:  # roots are much faster than powers
            radius = np.sqrt(np.sqrt((u * u) ** 2 + (v * v) ** 2))
        else:
            radius = (np.abs(u) ** self.power + np.abs(v) ** self.power) ** (1 / self.power)
        in_plane = (radius - 1) * np.minimum(a, b)
        beyond = np.abs(z - inside_z)
        return np.where(beyond > 0, np.hypot(np.maximum(in_plane, 0), beyond), in_plane)


@dataclass(frozen=True, eq=False)
class SweptArc:
    """A bent sheet: part of an elliptic ring that changes along z. Skull, jaw, cartilage, sheets of muscle.

    Parameters
    ----------
    knots
        (M, 8): z, center x, center y, semi-axis a, semi-axis b (of the middle of the sheet), half thickness (mm),
        first and last angle (rad, from +x towards +y, last > first, the span below 2 pi; pi or more each way is the
        whole ring); z ascending.
    """

    knots: Array

    @cached_property
    def _section(self) -> PchipInterpolator:
        return PchipInterpolator(self.knots[:, 0], self.knots[:, 1:], axis=0)

    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper corner (x, y, z) in LPS mm."""
        turns = np.linspace(self.knots[:, 6], self.knots[:, 7], 33)
        x, y, half = self.knots[:, 1], self.knots[:, 2], self.knots[:, 5].max() + 1.0
        across, along = x + self.knots[:, 3] * np.cos(turns), y + self.knots[:, 4] * np.sin(turns)
        low = np.array([across.min() - half, along.min() - half, self.knots[0, 0]])
        return low, np.array([across.max() + half, along.max() + half, self.knots[-1, 0]])

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed distance at broadcast coordinates, to first order: the ring's, and beyond its ends the ends'."""
        inside_z = np.clip(z, self.knots[0, 0], self.knots[-1, 0])
        section = self._section(inside_z).astype(np.float32)
        cx, cy, a, b, half, first, last = (section[..., n] for n in range(7))
        u, v = (x - cx) / a, (y - cy) / b
        radius = np.sqrt(u * u + v * v) + np.float32(1e-6)
        slope = np.sqrt((u / a) ** 2 + (v / b) ** 2) / radius  # change of radius per mm
        across = np.abs(radius - 1) / np.maximum(slope, np.float32(1e-6)) - half
        middle, reach = (first + last) / 2, (last - first) / 2
        off = np.abs(np.arctan2(v, u) - middle)
        off = np.minimum(off, np.abs(2 * np.float32(np.pi) - off))
        along = (off - reach) * np.sqrt(a * b)
        in_plane = np.where(along > 0, np.hypot(np.maximum(across, 0), along), np.maximum(across, along))
        beyond = np.abs(z - inside_z)
        return np.where(beyond > 0, np.hypot(np.maximum(in_plane, 0), beyond), in_plane)


@dataclass(frozen=True, eq=False)
class Tube:
    """One straight piece with round ends; ``stretch_z`` makes its section a standing ellipse.

    Bones are chains of these.
    """

    start: Array
    end: Array
    radius_mm: float
    stretch_z: float = 1.0

    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper corner (x, y, z) in LPS mm."""
        reach = self.radius_mm * np.array([1, 1, self.stretch_z])
        return np.minimum(self.start, self.end) - reach, np.maximum(self.start, self.end) + reach

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed distance to the surface (exact where ``stretch_z`` is 1)."""
        scale = np.array([1, 1, 1 / self.stretch_z])
        # Python floats, not numpy's: these would turn float32 coordinates into float64.
        ax, ay, az = ((self.end - self.start) * scale).tolist()
        sx, sy, sz = self.start.tolist()
        px, py, pz = x - sx, y - sy, (z - sz) * float(scale[2])
        along = np.clip((px * ax + py * ay + pz * az) / max(ax * ax + ay * ay + az * az, 1e-9), 0, 1)
        dx, dy, dz = px - along * ax, py - along * ay, pz - along * az
        return np.sqrt(dx * dx + dy * dy + dz * dz) - float(self.radius_mm)


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """Axis-aligned ellipsoid: glands, vertebral bodies, lungs."""

    center_lps: Array
    radii_mm: Array

    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper corner (x, y, z) in LPS mm."""
        return self.center_lps - self.radii_mm, self.center_lps + self.radii_mm

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed distance; exact for a sphere, scaled by the smallest radius elsewhere."""
        (cx, cy, cz), (rx, ry, rz) = self.center_lps.tolist(), self.radii_mm.tolist()
        return (np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2) - 1) * min(rx, ry, rz)


@dataclass(frozen=True, eq=False)
class WaveNoise:
    """Smooth noise as a sum of plane waves: seeded, band-limited, and the same on every grid.

    Parameters
    ----------
    waves
        (M, 3) wave vectors, rad per mm (or per unit of a direction).
    phases
        (M,) rad.
    """

    waves: Array
    phases: Array

    @classmethod
    def sample(cls, rng: np.random.Generator, low: float, high: float, count: int = 10) -> WaveNoise:
        """Waves whose length of wave vector is uniform between ``low`` and ``high``."""
        direction = rng.normal(size=(count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        return cls(direction * rng.uniform(low, high, (count, 1)), rng.uniform(0, 2 * np.pi, count))

    def __call__(self, x: Array, y: Array, z: Array) -> Array:
        """Noise of unit variance at broadcast coordinates."""
        total: Array | float = 0.0
        x, y, z = (np.asarray(v, np.float32) for v in (x, y, z))
        for (wx, wy, wz), phase in zip(self.waves.tolist(), self.phases.tolist(), strict=True):
            if max(x.ndim, y.ndim, z.ndim) == 3 and x.size + y.size + z.size < 4096:  # open grid
                ex, ey, ez = np.exp(1j * wx * x), np.exp(1j * wy * y), np.exp(1j * (wz * z + phase))
                plane = ez * ey
                total = total + (plane.real * ex.real - plane.imag * ex.imag)
            else:
                total = total + np.cos(wx * x + wy * y + wz * z + phase)
        return np.asarray(total * float(np.sqrt(2.0 / len(self.phases))))
