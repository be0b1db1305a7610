"""How exact short axis, long axis and volume are, on ellipsoids known in closed form: docs/measures.md.

    python scripts/measures_check.py [--positions 12] [--page docs/measures.md]

Five orientations, three voxel spacings, three sizes, positions drawn anywhere between the grid's lines.
"""

from __future__ import annotations

import argparse
import platform
import sys
from datetime import date
from pathlib import Path

import numpy as np
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.page import Picture
from ece_core.evaluation.plots import error_plot
from ece_core.evaluation.short_axis import LIMITS_95, REPEATABILITY_CV
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.feret import maximum_feret_mm
from ece_core.lymph_nodes.long_axis import long_axis_mm
from ece_core.lymph_nodes.measures import short_axis_mm

Array = np.ndarray
PAGE = Path(__file__).resolve().parents[1] / "docs" / "measures.md"
SEED = 11
SPACINGS_MM = ((0.6, 0.6, 0.6), (1.25, 0.47, 0.47), (3.0, 0.9, 0.9))
SHORTEST_MM = (5.0, 8.0, 16.0)  # the ellipsoid's smallest diameter; the others are 1.3 and 1.8 times as long
MEASURES = ("short", "long", "faces", "volume")
ASPECT = np.array([1.0, 1.3, 1.8])


def about(axis: int, degrees: float) -> Array:
    """Rotation about x, y or z of the patient."""
    a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    one, other = ((axis + n) % 3 for n in (1, 2))
    matrix = np.eye(3)
    matrix[one, one], matrix[one, other], matrix[other, one], matrix[other, other] = a, -b, b, a
    return matrix


ORIENTATIONS = {
    "upright": np.eye(3),
    "nodding by 30°": about(0, 30),
    "leaning by 60°": about(1, 60),
    "turned by 45° in plane": about(2, 45),
    "oblique, 40° about each axis": about(0, 40) @ about(1, 40) @ about(2, 40),
}


def ellipsoid(semi_axes_mm: Array, rotation: Array, center_mm: Array, spacing_mm: tuple) -> Volume:
    """Its mask on an axial grid: a voxel is inside when its centre is."""
    reach = float(semi_axes_mm.max()) + 3 + 2 * max(spacing_mm)
    shape = tuple(int(np.ceil(2 * reach / step)) for step in spacing_mm)
    grid = Volume(np.zeros(shape, bool), affine_from(spacing_mm, (-reach,) * 3))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    points = (grid.to_lps(index) - center_mm) @ rotation / semi_axes_mm
    return grid.with_array((points**2).sum(axis=-1) <= 1)


def true_short_axis_mm(semi_axes_mm: Array, rotation: Array) -> float:
    """x^T A x = 1 cut by the plane through its centre is the ellipse of A's upper block; no axial section is wider."""
    matrix = rotation @ np.diag(1 / semi_axes_mm**2) @ rotation.T
    return float(2 / np.sqrt(np.linalg.eigvalsh(matrix[:2, :2]).max()))


def measured(positions: int) -> list[dict]:
    """One row per ellipsoid: what is true, and the errors."""
    rng = np.random.default_rng(SEED)
    rows = []
    for spacing in SPACINGS_MM:
        for name, rotation in ORIENTATIONS.items():
            for shortest in SHORTEST_MM:
                semi = ASPECT * shortest / 2
                short, volume = true_short_axis_mm(semi, rotation), 4 / 3 * np.pi * semi.prod()
                for _ in range(positions):
                    mask = ellipsoid(semi, rotation, rng.uniform(0, 1, 3) * spacing[::-1], spacing)
                    counted = np.count_nonzero(mask.array) * mask.voxel_volume_mm3
                    rows.append(
                        {
                            "spacing": spacing,
                            "orientation": name,
                            "shortest": shortest,
                            "short": short,
                            "short_error": short_axis_mm(mask) - short,
                            "long_error": long_axis_mm(mask) - 2 * semi.max(),
                            "faces_error": maximum_feret_mm(mask.array, mask.spacing_mm) - 2 * semi.max(),
                            "volume_error": counted / volume - 1,
                        }
                    )
    return rows


def table(rows: list[dict], of: str, title: str) -> Table:
    """Mean error (SD) of each measure, a row per value of one key."""
    lines = []
    for value in dict.fromkeys(row[of] for row in rows):
        chosen = [row for row in rows if row[of] == value]
        errors = {key: np.array([row[f"{key}_error"] for row in chosen]) for key in MEASURES}
        relative = errors["short"] / [row["short"] for row in chosen]
        lines.append(
            (
                " x ".join(f"{v:g}" for v in value) + " mm" if of == "spacing" else f"{value}",
                *(f"{e.mean():+.2f} ({e.std():.2f})" for e in (errors["short"], errors["long"], errors["faces"])),
                f"{100 * errors['volume'].mean():+.2f} ({100 * errors['volume'].std():.2f})",
                f"{100 * np.sqrt((relative**2).mean()):.1f}",
                f"{100 * (np.abs(relative) <= LIMITS_95 * REPEATABILITY_CV).mean():.0f}",
            )
        )
    columns = (title, "Short axis mm", "Long axis mm", "Long axis by voxel faces mm", "Volume %",
               "Short axis, RMS %", "Within repeatability %")  # fmt: skip
    return Table(of, title, columns, lines)


def picture(rows: list[dict], spacing: tuple) -> Picture:
    errors = np.array([(row["short"], row["short_error"]) for row in rows if row["spacing"] == spacing])
    words = " x ".join(f"{v:g}" for v in spacing)
    image = error_plot(errors, ("True short axis, mm", "Measured minus true, mm"), f"ellipsoids, {words} mm")
    return Picture(f"short_axis_{spacing[0]:g}mm", f"Short axis at {words} mm", image)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=12)
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    rows = measured(asked.positions)
    pictures = [picture(rows, spacing) for spacing in SPACINGS_MM]
    folder = asked.page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for each in pictures:
        (folder / f"{each.name}.png").write_bytes(each.png)
    asked.page.write_text(page(rows, pictures, asked.page.stem), encoding="utf-8")
    return 0


INTRO = """# How exact the measures are

Written by `python scripts/measures_check.py`; do not edit.

{number} ellipsoids with diameters in the ratio 1 : 1.3 : 1.8, in five orientations, three spacings and three sizes, at
positions drawn anywhere between the grid's lines (seed {seed}); {machine}.

- **Short axis**: the largest, over the axial slices, of the smallest Feret (caliper) diameter of the section. Truth:
  the minor axis of the ellipsoid's central axial section.
- **Long axis**: the largest Feret diameter in 3D, from the zero surface of the mask's signed distance. Beside it what
  calipers on the voxels' faces give: half a slice too long or more wherever the body is tilted.
- **Volume**: voxels times voxel volume; unbiased, since as many voxels are half in as half out.

Mean error (SD). Readers who measure one lymph node's smallest axial diameter again and again have a coefficient of
variation of {cv} % (PMID 27569854); 95 % of their readings lie within {times} of it, {limit} %. That is the pale band
of the figures, the darker one is one CV.
"""


def page(rows: list[dict], pictures: list[Picture], stem: str) -> str:
    intro = INTRO.format(
        number=len(rows),
        seed=SEED,
        machine=f"{date.today().isoformat()}, {platform.system()} {platform.machine()}",
        cv=f"{100 * REPEATABILITY_CV:.1f}",
        times=LIMITS_95,
        limit=f"{100 * LIMITS_95 * REPEATABILITY_CV:.1f}",
    )
    parts = [intro.rstrip()]
    for of, title in (("spacing", "Spacing (k x j x i)"), ("orientation", "Orientation"), ("shortest", "Smallest mm")):
        parts += ["", *table(rows, of, title).markdown()]
    parts += ["", " ".join(f"![{each.title}]({stem}/{each.name}.png)" for each in pictures)]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
