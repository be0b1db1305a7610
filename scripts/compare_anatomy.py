"""Where organs lie and how large they are: real heads and necks beside simulated ones.

    python scripts/compare_anatomy.py DATA_FOLDER [--patients 16]

DATA_FOLDER holds spl_hn_atlas/, deepmind_hn_labels/ and openkbp/; what is absent is left out. Prints, for each organ,
its centroid and extent in millimetres, real and simulated (mean +- SD between patients), in two frames of reference:
``hyoid`` (atlas: height of the hyoid's body, front of the spine, midline) and ``cord`` (contours: lower edge of the
mandible, middle of the spinal cord). ``off`` is the distance between the means in units of both spreads together.
Then the outline: width, depth, share of fat, soft tissue and bone in axial slices. Only statistics leave the data.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ece_core.geometry import affine_from
from ece_core.io.image_files import read_labelmap
from ece_core.simulate.anatomy import Anatomy
from ece_core.simulate.patient import Patient, sample_patient
from ece_core.simulate.render import render
from ece_core.simulate.scanner import Scanner
from scipy import ndimage

Array = np.ndarray
SEED = 606
STEP_MM = 2.0
SHORT = {"left": "Lt", "right": "Rt"}
KEYS = ("aside", "y", "z", "dx", "dy", "dz")
FLOOR_MM = 4.0  # contours of two readers differ by about this much
OUTLINE_MM = (-20.0, 0.0, 20.0, 40.0)  # above the lower edge of the mandible
OUTLINE_KEYS = ("width", "depth", "fat", "soft", "bone")

# Ours: the name in the atlas, in DeepMind's contours, in OpenKBP's; {side} where there is one on each side.
ORGANS = {
    "mandible": ("mandible", "Mandible", "Mandible"),
    "parotid": ("{side}_parotid_gland", "Parotid-{side_short}", "{Side}Parotid"),
    "submandibular": ("", "Submandibular-{side_short}", ""),
    "eye": ("", "Orbit-{side_short}", ""),
    "sternocleidomastoid": ("{side}_sternocleidomastoideus_muscle", "", ""),
    "jugular": ("{side}_internal_jugular_vein", "", ""),
    "common carotid": ("{side}_common_carotid", "", ""),
    "internal carotid": ("{side}_internal_carotid", "", ""),
    "levator scapulae": ("{side}_levator_scapulae_muscle", "", ""),
    "masseter": ("{side}_masseter_muscle", "", ""),
    "clavicle": ("{side}_clavicle", "", ""),
    "thyroid": ("thyroid_gland", "", ""),
    "thyroid cartilage": ("thyroid_cartilage", "", ""),
    "cricoid": ("cricoid_cartilage", "", ""),
}


def points_of(anatomy: Anatomy, organ: str, step_mm: float = STEP_MM) -> Array:
    """(n, 3) LPS: lattice points inside the structures of that name, both sides."""
    found = []
    for structure in anatomy.structures:
        if structure.name != organ:
            continue
        low, high = structure.shape.bounds()
        axes = [np.arange(np.floor(a / step_mm), np.ceil(b / step_mm) + 1) for a, b in zip(low, high, strict=True)]
        x, y, z = np.meshgrid(*axes, indexing="ij")
        inside = structure.shape.distance(x * step_mm, y * step_mm, z * step_mm) < 0
        found.append(np.stack([x[inside], y[inside], z[inside]], axis=1))
    return np.unique(np.concatenate(found), axis=0) * step_mm if found else np.zeros((0, 3))


def measures(points: Array, origin: Array, paired: bool) -> Array | None:
    """(6,) mm: distance from the midline, y, z of the centroid, and extents; the mean of both sides where paired."""
    points = points - origin
    if not paired:
        return None if len(points) < 20 else _measure(points)
    sides = [points[points[:, 0] > 0], points[points[:, 0] < 0]]
    rows = [_measure(side) for side in sides if len(side) >= 20]
    return np.mean(rows, axis=0) if rows else None


def _measure(points: Array) -> Array:
    center, extent = points.mean(axis=0), np.ptp(np.percentile(points, (1, 99), axis=0), axis=0)
    return np.array([abs(center[0]), center[1], center[2], *extent])


def hyoid_frame(hyoid: Array, spine: Array) -> Array:
    """Midline and height of the hyoid's body, front of the spine behind it."""
    middle = hyoid[:, 0].mean()
    body = hyoid[np.abs(hyoid[:, 0] - middle) < 6]
    behind = spine[(np.abs(spine[:, 0] - middle) < 5) & (np.abs(spine[:, 2] - body[:, 2].mean()) < 20)]
    return np.array([middle, np.percentile(behind[:, 1], 2), body[:, 2].mean()])


def cord_frame(mandible: Array, cord: Array) -> Array:
    """Lower edge of the mandible and the cord at that height."""
    bottom = np.percentile(mandible[:, 2], 1)
    there = cord[np.abs(cord[:, 2] - bottom - 10) < 12]
    return np.array([there[:, 0].mean(), there[:, 1].mean(), bottom])


def simulated(patients: list[Patient]) -> dict[str, dict[str, list[Array]]]:
    """Measures of simulated patients, by frame and organ."""
    rows: dict[str, dict[str, list[Array]]] = {"hyoid": {}, "cord": {}}
    for patient in patients:
        points = {organ: points_of(patient.anatomy, organ) for organ in (*ORGANS, "hyoid", "vertebra", "cord")}
        frames = {"hyoid": hyoid_frame(points["hyoid"], points["vertebra"]),
                  "cord": cord_frame(points["mandible"], points["cord"])}  # fmt: skip
        for frame, origin in frames.items():
            _collect(rows[frame], points, origin)
    return rows


def _collect(rows: dict[str, list[Array]], points: dict[str, Array], origin: Array) -> None:
    for organ, names in ORGANS.items():
        found = measures(points.get(organ, np.zeros((0, 3))), origin, any("{" in name for name in names))
        if found is not None:
            rows.setdefault(organ, []).append(found)


def _organs(labels: Array, lookup: dict[str, int], source: int, to_lps) -> dict[str, Array]:
    """Points (n, 3) of each of our organs that this source names."""
    points = {}
    for organ, names in ORGANS.items():
        wanted = {names[source].format(side=s, Side=s.capitalize(), side_short=SHORT[s]) for s in SHORT} - {""}
        values = [lookup[name] for name in wanted if name in lookup]
        index = np.argwhere(np.isin(labels, values)) if values else np.zeros((0, 3))
        points[organ] = to_lps(index)
    return points


def atlas(folder: Path) -> dict[str, list[Array]]:
    """Measures of the SPL atlas in the hyoid's frame."""
    volume = read_labelmap(folder / "labels_LPS.nii.gz")
    lookup = {name: int(value) for value, name in json.loads((folder / "labels.json").read_text()).items()}
    points = _organs(volume.array, lookup, 0, volume.to_lps)
    spine = volume.to_lps(np.argwhere(np.isin(volume.array, [lookup[f"cervical{n}"] for n in (3, 4, 5, 6)])))
    hyoid = volume.to_lps(np.argwhere(volume.array == lookup["hyoid"]))
    rows: dict[str, list[Array]] = {}
    _collect(rows, points, hyoid_frame(hyoid, spine))
    return rows


def contours(folder: Path) -> dict[str, list[Array]]:
    """Measures of the DeepMind contours in the cord's frame. Absolute positions are wrong there and not used."""
    lookup = {name: int(value) for value, name in json.loads((folder / "labels.json").read_text()).items()}
    rows: dict[str, list[Array]] = {}
    for path in sorted(folder.glob("*.nii.gz")):
        volume = read_labelmap(path)
        points = _organs(volume.array, lookup, 1, volume.to_lps)
        cord = volume.to_lps(np.argwhere(volume.array == lookup["Spinal-Cord"]))
        if len(points["mandible"]) and len(cord):
            _collect(rows, points, cord_frame(points["mandible"], cord))
    return rows


def planning(folder: Path, most: int) -> tuple[dict[str, list[Array]], dict[float, list[Array]]]:
    """Measures of OpenKBP contours in the cord's frame, and the outline by height above the mandible's lower edge."""
    lookup = {name: int(value) for value, name in json.loads((folder / "labels.json").read_text()).items()}
    rows: dict[str, list[Array]] = {}
    outline: dict[float, list[Array]] = {height: [] for height in OUTLINE_MM}
    used = 0
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as data:
            labels, hu, spacing = data["labels"], data["hu"], data["spacing_zyx_mm"].astype(float)
        if used == most or (labels == lookup["Mandible"]).sum() < 100:
            continue
        used += 1
        to_lps = lambda index, s=spacing: (index * s)[:, ::-1]  # noqa: E731
        points = _organs(labels, lookup, 2, to_lps)
        cord = to_lps(np.argwhere(labels == lookup["SpinalCord"]))
        origin = cord_frame(points["mandible"], cord)
        _collect(rows, points, origin)
        for height, found in outline.items():
            k = round((origin[2] + height) / spacing[0])
            shares = outline_of(hu[k], spacing[1:]) if 0 <= k < len(hu) else None
            if shares is not None:
                found.append(shares)
    return rows, outline


def outline_of(section: Array, spacing_mm: Array) -> Array | None:
    """(5,): width and depth of the body in mm; shares of fat, soft tissue and bone within its skin."""
    labels, count = ndimage.label(ndimage.binary_fill_holes(section > -350))
    if not count:
        return None
    body = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    inner = ndimage.binary_erosion(body)
    if inner.sum() < 200:
        return None
    rows, columns = np.nonzero(body)
    hu = section[inner]
    shares = [((hu > -150) & (hu < -30)).mean(), ((hu > 0) & (hu < 130)).mean(), (hu > 200).mean()]
    return np.array([np.ptp(columns) * spacing_mm[1], np.ptp(rows) * spacing_mm[0], *shares])


def simulated_outline(patients: list[Patient], spacing_mm: float = 3.9) -> dict[float, list[Array]]:
    """The same of simulated patients, one slice at a time at the resolution of the planning scans."""
    outline: dict[float, list[Array]] = {height: [] for height in OUTLINE_MM}
    scanner = Scanner(psf_fwhm_mm=spacing_mm, noise_hu=5.0, couch=False)
    for patient in patients:
        bottom = np.percentile(points_of(patient.anatomy, "mandible")[:, 2], 1)
        for height, found in outline.items():
            origin = (-127 * spacing_mm / 2, 30 - 80 * spacing_mm / 2, bottom + height)
            grid = ((1, 80, 128), affine_from((2.5, spacing_mm, spacing_mm), origin))
            section = render(patient, grid, scanner).ct.array[0]
            shares = outline_of(section, np.array([spacing_mm, spacing_mm]))
            if shares is not None:
                found.append(shares)
    return outline


def offness(real: list[Array], ours: list[Array], floor: float = FLOOR_MM) -> Array:
    """Distance between the means in units of both spreads together."""
    spread = np.std(real, axis=0) ** 2 + np.std(ours, axis=0) ** 2 + floor**2
    return np.abs(np.mean(real, axis=0) - np.mean(ours, axis=0)) / np.sqrt(spread)


def _text(rows: list[Array], digits: int = 0) -> list[str]:
    mean, sd = np.mean(rows, axis=0), np.std(rows, axis=0)
    return [f"{m:.{digits}f}" + (f"+-{s:.{digits}f}" if len(rows) > 1 else "") for m, s in zip(mean, sd, strict=True)]


def report(title: str, real: dict, ours: dict, keys=KEYS, floor: float = FLOOR_MM, digits: int = 0) -> None:
    print(f"\n{title}")
    print(f"{'':24s}" + "".join(f"{key + ' real':>12s}{'simulated':>12s}{'off':>6s}" for key in keys))
    for name, rows in real.items():
        if not rows or name not in ours:
            continue
        off = offness(rows, ours[name], floor)
        cells = zip(_text(rows, digits), _text(ours[name], digits), off, strict=True)
        print(f"{str(name)[:23]:24s}" + "".join(f"{a:>12s}{b:>12s}{c:6.1f}" for a, b, c in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--patients", type=int, default=16, help="simulated patients, and at most as many from openkbp")
    asked = parser.parse_args()
    patients = [sample_patient((SEED, number)) for number in range(asked.patients)]
    ours = simulated(patients)
    if (asked.data / "spl_hn_atlas").is_dir():
        report("SPL atlas, frame of the hyoid, mm", atlas(asked.data / "spl_hn_atlas"), ours["hyoid"])
    if (asked.data / "deepmind_hn_labels").is_dir():
        report("DeepMind contours, frame of the cord, mm", contours(asked.data / "deepmind_hn_labels"), ours["cord"])
    if (asked.data / "openkbp").is_dir():
        rows, outline = planning(asked.data / "openkbp", asked.patients)
        report("OpenKBP contours, frame of the cord, mm", rows, ours["cord"])
        report("Outline by height over the mandible, mm and shares", outline, simulated_outline(patients[:8]),
               OUTLINE_KEYS, 0.0, 2)  # fmt: skip


if __name__ == "__main__":
    main()
