"""How good the simulator is: pictures beside real CT, and figures against published numbers.

    python scripts/simulator_quality.py OUT [--real FOLDER] [--cases 200] [--scans 12] [--difficulty hard] [--publish]

OUT gets `simulator_quality.md` with its figures, and the drawn patients, so that a stopped run goes on. FOLDER holds
patients of OpenKBP (pt_*.npz, labels.json): their slices are shown beside simulated ones in OUT alone, since their
voxels may not be published; their histograms may. --publish writes the page and the figures without real voxels to
docs/.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
from charts import BLUE, GRAY, GREEN, RED, Panel, curve, density, write_chart
from ece_core.simulate import Patient, neck_grid, render, sample_patient, sample_scanner
from ece_core.simulate.baselines import EXTENT_LIMITS_MM, EXTENT_MM
from ece_core.simulate.population import DIFFICULTIES, LEVEL_PRIOR
from ece_core.simulate.scanner import noise_power, noise_profile
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.stats import norm
from simulator_difficulty import declared, declared_table, drawn, figures, table

Array = np.ndarray
DOCS = Path(__file__).resolve().parents[1] / "docs"
SEED = 7
WINDOW_HU = (-160, 240)  # level 40, width 400: a soft tissue window
CLASS_COLORS = {"N": GREEN, "P": BLUE, "ENE": RED}
PAIRS = 8  # of real and simulated patients
ORGANS = {  # ours: the names of the contours in OpenKBP
    "parotid": ("RightParotid", "LeftParotid"),
    "mandible": ("Mandible",),
    "cord": ("SpinalCord",),
}
SLAB = "60 mm below the mandible"
PARTS = {SLAB: (-200, 400), "Parotid": (-150, 250), "Mandible": (-200, 2000), "Cord": (-100, 200)}  # HU shown
REAL = "beside_real.png"  # holds real voxels: never published
CROP_MM = 220.0
HEIGHTS_MM = (15.0, -20.0, -45.0, -75.0)  # from the lower edge of the mandible

# HU at 120 kVp, 60 to 90 s after contrast: mean and SD between patients, or the middle and half of a published range
# (clinical reference 5.2, with the sources; most are textbook values).
PUBLISHED_HU = {
    "fat": (-100, 12),
    "muscle": (65, 8),
    "parotid": (40, 20),
    "submandibular": (95, 15),
    "thyroid": (180, 20),
    "jugular": (180, 20),
    "carotid": (215, 35),
    "lymph node, solid": (104, 15),
    "lymph node, necrotic center": (20, 12),
}


@dataclass
class Page:
    """The page as it grows: Markdown, and the files that it shows."""

    out: Path
    lines: list[str] = field(default_factory=list)
    figures: list[Path] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        self.lines += [*lines, ""]

    def figure(self, name: str, words: str) -> Path:
        """A place for a figure that the page shows here."""
        path = self.out / "simulator_quality" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.figures.append(path)
        self.say(f"![{words}](simulator_quality/{name})")
        return path

    def write(self, folder: Path, leave_out: str = "") -> None:
        """The page and its figures; what shows real voxels is left out of a published one."""
        lines = [line for line in self.lines if not (leave_out and f"/{leave_out})" in line)]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "simulator_quality.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
        if folder != self.out:
            shutil.rmtree(folder / "simulator_quality", ignore_errors=True)
            (folder / "simulator_quality").mkdir()
            for figure in self.figures:
                if figure.name != leave_out:
                    shutil.copy(figure, folder / "simulator_quality")


def main() -> int:
    asked = _arguments()
    page = Page(asked.out)
    page.say(
        "# How good the simulated patients are",
        "",
        f"Written by `python scripts/simulator_quality.py OUT {'--real FOLDER ' if asked.real else ''}--cases "
        f"{asked.cases} --scans {asked.scans} --difficulty {asked.difficulty} --publish`; do not edit. "
        f"Seed {SEED}, {date.today().isoformat()}, {platform.system()} "
        f"{platform.machine()}, CPU.",
        "",
        "To see simulated beside real CT at the same resolution, give a folder with patients of OpenKBP: "
        "`python scripts/simulator_quality.py OUT --real FOLDER`. Those pictures stay in OUT: real voxels are not "
        "published here. The simulator itself: [simulator.md](simulator.md).",
    )
    montages(page, asked.difficulty)
    if asked.real:
        beside_real(page, asked.real, asked.difficulty)
    tissues(page, asked.scans, asked.difficulty)
    noise(page, asked.difficulty)
    populations(page, asked.drawn or asked.out / "drawn", asked.cases, asked.difficulty)
    differences(page)
    page.write(asked.out)
    if asked.publish:
        page.write(DOCS, leave_out=REAL)
    return 0


def differences(page: Page) -> None:
    """What was seen by eye; look again after a change to the anatomy."""
    page.say(
        "## Where simulated and real differ",
        "",
        "Seen by us (no radiologist) in the pictures and curves of 2026-11-21, beside eight patients of OpenKBP:",
        "",
        "- Muscles are smooth ovals with gaps of even width, of nearly one attenuation within a patient. Real ones are "
        "irregular, streaked with fat, and often touch: the real curve below the mandible is wider, with more between "
        "fat and muscle. The simulated neck holds too little fat.",
        "- Fat is empty but for the vessels, nerves and lymph nodes that are modeled: no septa, no small vessels.",
        "- The parotid is about 50 HU brighter than in these patients. It follows textbook values after contrast; "
        "planning CT of the old often has none, and their glands are fatty.",
        "- Bone varies little within a part: the mandible lacks the spread from marrow to dense cortex and teeth.",
        "- Vertebrae and shoulders are plain solids; necks are straighter than on the head rest of a planning CT; "
        "there is no tumor, no tube, and no state after surgery.",
        "- Level IA holds 1 % of the lymph nodes instead of 6: they find no room there. Metastases of the "
        "hard cohort lie in V more often than published (14 instead of 8 %).",
        "- The cord agrees in its median; the real one is noisier, as metal and shoulders throw streaks over it.",
        "",
        "Not compared: noise, resolution and strands of fat with those of real diagnostic CT, since the real scans at "
        "hand have voxels of 3 to 5 mm; and the looks of a breach, since no public CT has pathology per lymph node.",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="patients of OpenKBP, shown in OUT alone")
    parser.add_argument("--drawn", type=Path, metavar="FOLDER", help="patients that simulator_difficulty.py kept")
    parser.add_argument("--cases", type=int, default=200, help="drawn patients a difficulty (default: 200)")
    parser.add_argument("--scans", type=int, default=12, help="scanned patients for the histograms (default: 12)")
    parser.add_argument("--difficulty", choices=tuple(DIFFICULTIES), default="hard")
    parser.add_argument("--publish", action="store_true", help="write docs/simulator_quality.md, without real voxels")
    return parser.parse_args()


# Pictures


def montages(page: Page, difficulty: str) -> None:
    """Four simulated patients at diagnostic resolution, and lymph nodes of each class from close by."""
    page.say(
        "## Pictures",
        "",
        "Four simulated patients, one a row, window -160 to 240 HU, pixels 0.6 mm, slices 1.5 mm. From left: 15 mm "
        "above the lower edge of the mandible, 20, 45 and 75 mm below it, coronal 35 mm in front of the spinal cord, "
        "sagittal through the midline.",
    )
    tiles, close = [], {name: [] for name in CLASS_COLORS}
    for number in range(4):
        patient, scanner = patient_and_scanner(number, difficulty)
        shape, affine = neck_grid((120, 384, 384), (1.5, 0.6, 0.6), -115.0)
        ct = render(patient, (shape, affine), scanner).ct
        tiles.append([_gray(section, 170) for section in _sections(ct.array, affine, _landmarks(patient))])
    page_figure = page.figure("simulated.png", "Four simulated patients in six sections each")
    _save_montage(tiles, page_figure)
    for number in range(4, 12):
        patient, scanner = patient_and_scanner(number, difficulty)
        for node in patient.lymph_nodes:
            if node.short_axis_mm > 7 and len(close[node.class_name]) < 8 and _is_new(close[node.class_name], number):
                close[node.class_name].append((number, _close_up(patient, scanner, node)))
    page.say(
        "Up to eight lymph nodes of at least 7 mm of each class, from patients 4 to 11; 48 mm wide, pixels 0.4 mm, "
        "slices 1.5 mm. Rows from the top: negative (N), metastatic (P), with extracapsular extension (ENE)."
    )
    rows = [[_gray(tile, 150) for _, tile in close[name]] for name in CLASS_COLORS]
    _save_montage(rows, page.figure("lymph_nodes.png", "Simulated lymph nodes of the three classes"))


def patient_and_scanner(number: int, difficulty: str) -> tuple[Patient, object]:
    patient = sample_patient((SEED, number), difficulty)
    return patient, sample_scanner(np.random.default_rng((SEED, number, 3)))


def _is_new(taken: list, number: int) -> bool:
    """At most two lymph nodes of a class from one patient."""
    return sum(owner == number for owner, _ in taken) < 2


def _close_up(patient: Patient, scanner, node) -> Array:
    from ece_core.simulate import patch_grid

    return render(patient, patch_grid(node.center_lps, (5, 120, 120), (1.5, 0.4, 0.4)), scanner).ct.array[2]


def _landmarks(patient: Patient) -> Array:
    """LPS of: midline, middle of the cord, lower edge of the mandible."""
    mandible = [s.shape.bounds() for s in patient.anatomy.structures if s.name == "mandible"]
    low, high = (f([b[n] for b in mandible], axis=0) for n, f in ((0, np.min), (1, np.max)))
    cord = next(s.shape.bounds() for s in patient.anatomy.structures if s.name == "cord")
    return np.array([(low[0] + high[0]) / 2, (cord[0][1] + cord[1][1]) / 2 - 15, low[2]])


def _sections(array: Array, affine: Array, landmark: Array) -> list[Array]:
    """Axial at the heights, coronal and sagittal, (rows, columns) with equal pixels in both directions, head up."""
    spacing = np.array([affine[2, 2], affine[1, 1], affine[0, 0]])
    i, j, k = np.rint((landmark - affine[:3, 3]) / spacing[::-1]).astype(int)
    half = int(CROP_MM / 2 / spacing[2])
    columns = slice(max(i - half, 0), i + half)
    rows = slice(max(j - int(1.25 * half), 0), j + int(0.75 * half))
    levels = [int(np.clip(k + mm / spacing[0], 0, len(array) - 1)) for mm in HEIGHTS_MM]
    part = slice(max(k - int(100 / spacing[0]), 0), k + int(90 / spacing[0]))
    stretch = spacing[0] / spacing[2]
    coronal = array[part, np.clip(j - int(20 / spacing[1]), 0, array.shape[1] - 1), columns][::-1]
    sagittal = array[part, rows, np.clip(i, 0, array.shape[2] - 1)][::-1]
    axial = [array[level, rows, columns] for level in levels]
    return [*axial, *(ndimage.zoom(section, (stretch, 1), order=1) for section in (coronal, sagittal))]


def _gray(section: Array, size: int) -> Image.Image:
    """A square tile, letter-boxed."""
    low, high = WINDOW_HU
    picture = Image.fromarray((np.clip((section - low) / (high - low), 0, 1) * 255).astype(np.uint8))
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    if max(picture.size) < size:
        scale = size / max(picture.size)
        picture = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC
        )
    tile = Image.new("L", (size, size))
    tile.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
    return tile


def _save_montage(rows: Sequence[Sequence[Image.Image]], path: Path, words: Sequence[str] = ()) -> None:
    size = rows[0][0].width + 2
    picture = Image.new("L", (size * max(map(len, rows)), size * len(rows)), 90)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            picture.paste(tile, (x * size, y * size))
        if words:
            ImageDraw.Draw(picture).text((6, y * size + 4), words[y], fill=255)
    # 32 grays are enough for the eye, and a quarter of the bytes.
    picture.point(lambda gray: gray // 8 * 255 // 31).quantize(32).save(path, optimize=True)


def beside_real(page: Page, folder: Path, difficulty: str) -> None:
    """Rows of real and simulated patients in turn, on the same voxel grid; and the HU of both."""
    tiles, words = [], []
    hu: dict[str, dict[str, list[Array]]] = {name: {part: [] for part in PARTS} for name in ("real", "simulated")}
    for path in sorted(folder.glob("pt_*.npz"))[:60]:
        if len(tiles) >= 2 * PAIRS:
            break
        with np.load(path, allow_pickle=False) as case:
            array, labels, spacing = case["hu"], case["labels"], case["spacing_zyx_mm"].astype(float)
        organs = {organ: np.isin(labels, _labels_of(folder, names)) for organ, names in ORGANS.items()}
        mandible, cord = np.argwhere(organs["mandible"]), np.argwhere(organs["cord"])
        if len(mandible) < 50 or len(cord) == 0 or mandible[:, 0].min() * spacing[0] < 60:
            continue
        affine = np.diag([spacing[2], spacing[1], spacing[0], 1.0])
        x, y, z = mandible[:, 2].mean(), cord[:, 1].mean(), mandible[:, 0].min()
        middle = np.array([x * spacing[2], y * spacing[1] - 15, z * spacing[0]])
        tiles.append([_gray(section, 170) for section in _sections(array, affine, middle)])
        _collect(hu["real"], array, organs, middle[2] / spacing[0], spacing)

        patient, scanner = patient_and_scanner(20 + len(tiles), difficulty)
        grid = neck_grid((int(210 / spacing[0]), 96, 96), tuple(spacing), -130.0)
        ct = render(patient, grid, replace(scanner, psf_fwhm_mm=1.2, couch=False)).ct.array
        tiles.append([_gray(section, 170) for section in _sections(ct, grid[1], _landmarks(patient))])
        inside = {organ: _inside(patient, organ, *grid) for organ in ORGANS}
        _collect(hu["simulated"], ct, inside, (_landmarks(patient)[2] + 130) / spacing[0], spacing)
        words += ["real", "simulated"]
    _save_montage(tiles, page.figure(REAL, "Real and simulated patients in turn"), words)
    values = {name: {part: np.concatenate(found) for part, found in parts.items()} for name, parts in hu.items()}
    between = {name: 100 * ((parts[SLAB] > -60) & (parts[SLAB] < 20)).mean() for name, parts in values.items()}
    page.say(
        "### Beside real CT",
        "",
        f"`{REAL}` in OUT, not published: rows in turn a patient of OpenKBP (Babier 2021, doi:10.1002/mp.14845) and a "
        f"simulated one on its grid (about 3.9 mm). The histograms are of the same {len(tiles) // 2} patients each: "
        "the slab of 60 mm below the mandible's lower edge, and voxels at least 2 mm inside the contours of three "
        f"organs; below each the median and quartiles. "
        f"{between['real']:.0f} % of the real and {between['simulated']:.0f} % of the simulated slab lies "
        "between -60 and 20 HU, where fat and muscle share a voxel or a gland is fatty.",
    )
    panels = []
    for part, (low, high) in PARTS.items():
        quartiles = {name: np.percentile(parts[part], (25, 50, 75)) for name, parts in values.items()}
        middle = [f"{name} {q[1]:.0f} ({q[0]:.0f} to {q[2]:.0f})" for name, q in quartiles.items()]
        edges = np.linspace(low, high, 61)
        heights = {name: density(parts[part], edges) for name, parts in values.items()}
        top = 1.15 * max(found.max() for found in heights.values())
        panel = Panel(part, "HU", (low, high), (0, top), note=f"median: {', '.join(middle)}")
        for color, name in ((GRAY, "real"), (BLUE, "simulated")):
            panel.line((edges[:-1] + edges[1:]) / 2, heights[name], color)
        panels.append(panel)
    write_chart(
        page.figure("hu_real_and_simulated.svg", "HU of real and simulated necks"),
        panels,
        columns=2,
        legend=[(GRAY, f"{len(tiles) // 2} real"), (BLUE, f"{len(tiles) // 2} simulated")],
    )


def _collect(parts: dict[str, list[Array]], array: Array, organs: dict[str, Array], edge: float, spacing) -> None:
    """Adds the HU of one patient: the body below the mandible's edge (slice ``edge``), and of each organ."""
    slab = array[max(int(edge - 60 / spacing[0]), 0) : int(edge)]
    parts[SLAB].append(slab[slab > -200])
    for organ, mask in organs.items():
        deep = ndimage.distance_transform_edt(mask, spacing) > 2.0
        parts[organ.capitalize()].append(array[deep])


def _inside(patient: Patient, organ: str, shape: tuple[int, int, int], affine: Array) -> Array:
    """(K, J, I) bool, voxels whose centers lie inside the structures of that name."""
    x, y, z = (affine[n, 3] + np.arange(shape[2 - n]) * affine[n, n] for n in range(3))
    found = np.zeros(shape, bool)
    for structure in patient.anatomy.structures:
        if structure.name == organ:
            found |= structure.shape.distance(x[None, None], y[None, :, None], z[:, None, None]) < 0
    return found


def _labels_of(folder: Path, wanted: Sequence[str]) -> list[int]:
    names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return [int(value) for value, name in names.items() if name in wanted]


# HU


def tissues(page: Page, scans: int, difficulty: str) -> None:
    """Histograms of voxels well inside each tissue, against published means and SDs."""
    spacing = (2.0, 0.8, 0.8)
    pooled: dict[str, list[Array]] = {name: [] for name in PUBLISHED_HU}
    for number in range(scans):
        patient, scanner = patient_and_scanner(number, difficulty)
        grid = neck_grid((75, 288, 288), spacing, -95.0)
        ct = render(patient, grid, scanner).ct
        for name, mask in masks(patient, *grid).items():
            if mask.sum() >= 8:
                pooled[name].append(ct.array[mask])
    page.say(
        "## Attenuation",
        "",
        f"Voxels of {scans} scans (slices 2 mm, pixels 0.8 mm), at least 1.5 mm inside the tissue. Bars: all voxels "
        "with their noise; strokes at the foot: the mean of each patient; red: published mean and SD between patients, "
        "or the middle and half width of a published range (clinical sources in [simulator.md](simulator.md)).",
        "",
        "| tissue | simulated mean ± SD between patients | published | patients |",
        "| --- | --- | --- | --- |",
    )
    page.lines.pop()
    panels = []
    for name, (mean, sd) in PUBLISHED_HU.items():
        means = [float(values.mean()) for values in pooled[name]]
        if means:
            panels.append(_hu_panel(name, np.concatenate(pooled[name]), means, mean, sd))
            page.lines.append(f"| {name} | {np.mean(means):.0f} ± {np.std(means):.0f} | {mean} ± {sd} | {len(means)} |")
    page.say("")
    write_chart(page.figure("hu.svg", "Attenuation of each tissue against published values"), panels)


def _hu_panel(name: str, values: Array, means: list[float], mean: float, sd: float) -> Panel:
    low, high = mean - max(4 * sd, 60), mean + max(4 * sd, 60)
    edges = np.linspace(low, high, 41)
    heights = density(values, edges)
    panel = Panel(name.capitalize(), "HU", (low, high), (0, 1.15 * heights.max()), note="share of voxels per HU")
    panel.band(mean - sd, mean + sd)
    panel.bars(edges, heights)
    panel.mark(mean)
    panel.ticks(means)
    return panel


def masks(patient: Patient, shape: tuple[int, int, int], affine: Array) -> dict[str, Array]:
    """(K, J, I) bool per tissue, 1.5 mm and more inside, where nothing else was painted later."""
    x, y, z = (affine[n, 3] + np.arange(shape[2 - n]) * affine[n, n] for n in range(3))
    tissue = np.zeros(shape, np.uint8)
    number = {name: value for value, name in enumerate([*PUBLISHED_HU, "other"], 1)}
    for structure in patient.anatomy.structures:
        box = _box((x, y, z), *structure.shape.bounds())
        if box is None:
            continue
        k, j, i = box
        inside = structure.shape.distance(x[i][None, None], y[j][None, :, None], z[k][:, None, None]) < 0
        tissue[box][inside] = number.get(structure.tissue, number["other"])
    tissue[patient.anatomy.outside_mm(x[None, None], y[None, :, None], z[:, None, None]) > -3] = number["other"]
    found = {}
    solid, core = (np.zeros(shape, bool) for _ in range(2))
    for node in patient.lymph_nodes:
        box = _box((x, y, z), *node.bounds())
        if box is None:
            continue
        k, j, i = box
        points = (x[i][None, None], y[j][None, :, None], z[k][:, None, None])
        capsule, outer, _ = node.field(*points)
        tissue[box][outer < 2.5] = number["other"]
        offset = tuple(p - c for p, c in zip(points, node.center_lps, strict=True))
        hu = node.interior_hu(np.minimum(capsule, 0), offset)
        deep = capsule < -1.5
        solid[box] |= deep & (np.abs(ndimage.uniform_filter(hu, 3) - node.solid_hu) < 1)
        core[box] |= deep & (node.rim_mm is not None) & (np.abs(ndimage.uniform_filter(hu, 3) - node.core_hu) < 1)
    sampling = (affine[2, 2], affine[1, 1], affine[0, 0])
    for name in PUBLISHED_HU:
        if not name.startswith("lymph"):
            found[name] = ndimage.distance_transform_edt(tissue == number[name], sampling) > 1.5
    return {**found, "lymph node, solid": solid, "lymph node, necrotic center": core}


def _box(axes: Sequence[Array], low: Array, high: Array) -> tuple[slice, slice, slice] | None:
    """Slices (k, j, i) between two corners (x, y, z)."""
    ends = [np.searchsorted(axis, (a, b)).tolist() for axis, a, b in zip(axes, low, high, strict=True)]
    if any(a >= b for a, b in ends):
        return None
    i, j, k = (slice(a, b) for a, b in ends)
    return k, j, i


# Noise


def noise(page: Page, difficulty: str) -> None:
    """Noise power spectrum from the difference of two scans of one patient that differ in noise alone."""
    page.say(
        "## Noise",
        "",
        "From the difference of two scans of the same patient with other noise: power over frequency, mean over "
        "all directions; in red what the scanner is set to (Kijewski and Judy 1987). At the shoulders the difference "
        "also holds the horizontal streaks, which the red line leaves out.",
    )
    panels = []
    for kernel in ("soft", "sharp"):
        patient = sample_patient((SEED, 0), difficulty)
        scanner = sample_scanner(np.random.default_rng((SEED, 0, 3)), kernel)
        shoulder = patient.anatomy.levels_z()["clavicle"] + 18
        for name, bottom in (("mid-neck", -10.0), ("shoulders", shoulder - 40)):
            panels.append(_noise_panel(patient, scanner, kernel, name, bottom, shoulder))
    write_chart(
        page.figure("noise.svg", "Noise power, measured and as set"),
        panels,
        columns=2,
        legend=[(BLUE, "measured"), (RED, "set")],
    )


def _noise_panel(patient: Patient, scanner, kernel: str, name: str, bottom: float, shoulder: float) -> Panel:
    pixel, slices = 0.5, 12
    shape, affine = neck_grid((slices, 256, 256), (1.25, pixel, pixel), bottom)
    pair = [render(patient, (shape, affine), scanner, seed).ct.array.astype(float) for seed in (0, 1)]
    clipped = (pair[0] <= -1020) | (pair[1] <= -1020)  # air: noise below -1024 is cut off
    difference = np.where(clipped, 0.0, (pair[0] - pair[1]) / np.sqrt(2)) / np.sqrt(1 - clipped.mean())
    frequency, power = radial_power(difference, pixel)
    z = affine[2, 3] + np.arange(slices) * 1.25
    variance = float(np.mean((scanner.noise_hu * noise_profile(z, shoulder)) ** 2))
    grid = np.hypot(*np.meshgrid(*(np.fft.fftfreq(256, pixel),) * 2))
    scale = variance * pixel**2 / noise_power(grid, scanner.noise_peak_per_mm).mean()
    x, y = curve(lambda f: scale * noise_power(f, scanner.noise_peak_per_mm), 0, 1.0)
    sd = float(np.sqrt((difference**2).mean()))
    panel = Panel(
        f"{kernel.capitalize()} kernel, {name}", "spatial frequency, 1/mm", (0, 1.0),
        (0, 1.25 * max(y.max(), power[1:].max())),
        note=f"HU² mm²; SD {sd:.1f}, set {np.sqrt(variance):.1f} HU plus streaks",
    )  # fmt: skip
    panel.line(x, y, RED)
    panel.line(frequency[1:], power[1:], BLUE)
    return panel


def radial_power(noise: Array, pixel_mm: float) -> tuple[Array, Array]:
    """Noise power (HU² mm²) of (K, J, I) noise over frequency (1/mm), mean over slices and directions."""
    _, rows, columns = noise.shape
    power = (np.abs(np.fft.fft2(noise)) ** 2).mean(axis=0) * pixel_mm**2 / (rows * columns)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(columns, pixel_mm), np.fft.fftfreq(rows, pixel_mm)))
    step = 1 / (columns * pixel_mm) * 2
    bins = (frequency / step).astype(int).ravel()
    count = np.bincount(bins)
    middle = np.bincount(bins, frequency.ravel()) / np.maximum(count, 1)
    return middle[count > 0], (np.bincount(bins, power.ravel()) / np.maximum(count, 1))[count > 0]


# Distributions


def populations(page: Page, folder: Path, cases: int, difficulty: str) -> None:
    """Baselines of all difficulties; sizes, extents, levels and counts of one."""
    page.say(
        "## Difficulty",
        "",
        f"{cases} drawn patients each, seed {SEED}. Each breach is looked at on the grid of its own scan, else nothing "
        "is scanned: mean HU is the mean of the drawn attenuation (`python scripts/simulator_difficulty.py FOLDER`).",
    )
    found = {level: drawn(folder, level, SEED, cases) for level in DIFFICULTIES}
    page.say(table({level: figures(patients) for level, patients in found.items()}))
    page.say(
        "Size, mean HU and the ideal reader tell P from ENE; in brackets 95 % intervals, bootstrap by patient. What "
        "the ideal reader knows: [simulator.md](simulator.md).",
        "",
        "What `ece simulate` prints. Bands: the declared AUC ± 2.58 standard errors for this many lymph nodes; 0.4 to "
        "0.6 for mean HU; p at least 0.01 (Kolmogorov-Smirnov, two samples).",
        "",
        declared_table({level: declared(patients, level) for level, patients in found.items()}),
    )
    page.say(f"## Lymph nodes of the {difficulty} cohort")
    page.say("Bars: drawn and placed. Lines: published distributions (sizes: what the difficulty declares).")
    rows = found[difficulty]
    lymph_nodes = [node for patient in rows for node in patient]
    panels = [_size_panel(name, lymph_nodes, difficulty) for name in CLASS_COLORS]
    panels += [_extent_panel(lymph_nodes), *(_level_panel(name, lymph_nodes) for name in ("N", "P"))]
    panels += [_count_panel(rows, "N", 50), _count_panel(rows, "P and ENE", 20)]
    write_chart(page.figure("populations.svg", "Sizes, extents, levels and counts"), panels)


def _size_panel(name: str, lymph_nodes: list[dict], difficulty: str) -> Panel:
    values = np.array([node["short_axis_mm"] for node in lymph_nodes if node["class"] == name])
    median, sigma = DIFFICULTIES[difficulty].short_axis[name]
    return _log_normal_panel(
        f"Short axis of {name}", values, median, sigma, 16.0 if name == "N" else 42.0, CLASS_COLORS[name]
    )


def _extent_panel(lymph_nodes: list[dict]) -> Panel:
    values = np.array([node["extent_mm"] for node in lymph_nodes if node["class"] == "ENE"])
    return _log_normal_panel("Extent of the breach", values, *EXTENT_MM, EXTENT_LIMITS_MM[1], RED)


def _log_normal_panel(title: str, values: Array, median: float, sigma: float, high: float, color: str) -> Panel:
    edges = np.linspace(0, high, 33)
    heights = density(values, edges)
    x, y = curve(
        lambda v: norm.pdf(np.log(np.maximum(v, 1e-6) / median) / sigma) / (sigma * np.maximum(v, 1e-6)), 0, high
    )
    note = f"n = {len(values)}; median {np.median(values):.1f}, declared {median:g} mm" if len(values) else "none"
    panel = Panel(title, "mm", (0, high), (0, 1.15 * max(y.max(), heights.max())), note=note)
    panel.bars(edges, heights, color)
    panel.line(x, y, "#1c2733")
    return panel


def _level_panel(name: str, lymph_nodes: list[dict]) -> Panel:
    classes = {"N": ("N",), "P": ("P", "ENE")}[name]
    counted = Counter(node["level"] for node in lymph_nodes if node["class"] in classes)
    levels = list(LEVEL_PRIOR[name])
    total = max(sum(counted.values()), 1)
    shares = [counted[level] / total for level in levels]
    panel = Panel(
        f"Levels of {' and '.join(classes)}", "level", (0, len(levels)), (0, 0.6),
        note="black: published share (lyDATA)", names={n + 0.5: level for n, level in enumerate(levels)},
    )  # fmt: skip
    for n, (level, share) in enumerate(zip(levels, shares, strict=True)):
        panel.bars([n + 0.2, n + 0.8], [share], CLASS_COLORS[name])
        panel.line([n + 0.1, n + 0.9], [LEVEL_PRIOR[name][level]] * 2, "#1c2733")
    return panel


def _count_panel(rows: list[list[dict]], words: str, high: int) -> Panel:
    classes = words.split(" and ")
    counts = np.array([sum(node["class"] in classes for node in row) for row in rows])
    edges = np.linspace(-0.5, high + 0.5, min(high, 25) + 2)
    heights: Callable = density(counts, edges)
    note = f"mean {counts.mean():.1f}, SD {counts.std():.1f}"
    panel = Panel(f"{words} a patient", "lymph nodes", (0, high), (0, 1.15 * heights.max()), note=note)
    panel.bars(edges, heights, GREEN if words == "N" else BLUE)
    return panel


if __name__ == "__main__":
    sys.exit(main())
