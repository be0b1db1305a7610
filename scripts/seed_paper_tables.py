"""The tables of the seed paper on lymph nodes, in their form, with ours beside them: docs/seed_paper_tables.md.

    python scripts/seed_paper_tables.py RESULTS COHORT [--joined RESULTS] [--page docs/seed_paper_tables.md]

RESULTS holds a result folder per case of COHORT, a cohort of `ece simulate`, as `ece cohort` or
`scripts/evaluate_models.py` leaves them. --joined: the same of a network with P and ENE joined. The paper's figures are
in seed_paper_figures.json. The pictures go into a folder beside the page, named like it.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from datetime import date
from pathlib import Path

from ece_core.classes import CLASS_COLORS
from ece_core.evaluation import segmentation_tables as tables
from ece_core.evaluation.bootstrap import RESAMPLES, SEED
from ece_core.evaluation.cohort import read_cases
from ece_core.evaluation.evaluated_cohort import ALL, EvaluatedCohort
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.page import Picture
from ece_core.evaluation.segmentation import cohort_metrics
from ece_core.evaluation.segmentation_page import segmentation_page
from ece_core.evaluation.strata import STRATA
from PIL import Image

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "seed_paper_tables.md"
PICTURES = ("detection", "detection_against_overlap", "froc", "short_axis_error", "voxel_confusion_by_row",
            "voxel_confusion_by_column", "lymph_node_confusion_by_row", "false_negatives")  # fmt: skip
SENTENCE = (
    "**Our figures are from simulated patients, the paper's from real ones: they stand beside each other in form only, "
    "cannot be compared, and say nothing about performance in a clinic.**"
)
NOT_EVALUATED = "not evaluated"


def main() -> int:
    asked = _arguments()
    paper = json.loads((HERE / "seed_paper_figures.json").read_text(encoding="utf-8"))
    cohort = evaluated(asked.results, asked.cohort)
    joined = evaluated(asked.joined, asked.cohort) if asked.joined else None
    pictures = pictures_of(cohort)
    text = page(paper, cohort, joined, source_of(asked.cohort, cohort), pictures, asked.page.stem)
    folder = asked.page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        small(picture).save(folder / f"{picture.name}.png", optimize=True)
    asked.page.write_text(text, encoding="utf-8")
    return 0


def small(picture: Picture) -> Image.Image:
    """CT slices in 64 gray levels, below their noise, and the colors of the outlines: a third of the file."""
    if picture.name != "false_negatives":
        return picture.image
    grays = [value for level in range(64) for value in (round(level * 255 / 63),) * 3]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*grays, *(value for color in CLASS_COLORS.values() for value in color)])
    return picture.image.quantize(palette=palette, dither=Image.Dither.NONE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--joined", type=Path, metavar="RESULTS", help="of a network with P and ENE joined")
    parser.add_argument("--page", type=Path, default=PAGE)
    return parser.parse_args()


def evaluated(results: Path, cohort: Path) -> EvaluatedCohort:
    return EvaluatedCohort.of(list(read_cases(results, cohort)))


def source_of(folder: Path, cohort: EvaluatedCohort) -> str:
    """Whose figures these are: patients, seed, networks, machine, date."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    networks = {f"{m['name']} {m['version']}" for case in cohort.cases for m in case.result.models}
    searches = {json.dumps(getattr(case.result, "search", {}), sort_keys=True) for case in cohort.cases} - {"{}"}
    modes = {json.loads(search).get("mode", "") for search in searches} - {""}
    return (
        f"{len(cohort.cases)} simulated patients ({manifest['difficulty']}, seed {manifest['seed']}), networks "
        f"{', '.join(sorted(networks)) or 'not named'}{f', {chr(47).join(sorted(modes))} search' if modes else ''}; "
        f"{date.today().isoformat()}, {platform.system()} {platform.machine()}. Intervals: 95 %, {RESAMPLES} bootstrap "
        f"draws of patients, seed {SEED}."
    )


def pictures_of(cohort: EvaluatedCohort) -> list[Picture]:
    """Those of the evaluation's page that stand on this one, in its order."""
    sections = segmentation_page(cohort, cohort_metrics(cohort)).sections
    found = {picture.name: picture for section in sections for picture in section.pictures}
    return [found[name] for name in PICTURES if name in found]


def page(
    paper: dict,
    cohort: EvaluatedCohort,
    joined: EvaluatedCohort | None,
    source: str,
    pictures: list[Picture],
    stem: str,
) -> str:
    shown = {picture.name: f"![{picture.title}]({stem}/{picture.name}.png)" for picture in pictures}
    lines = [
        "# The seed paper's tables, and ours beside them",
        "",
        "Written by `python scripts/seed_paper_tables.py RESULTS COHORT`; do not edit.",
        "",
        SENTENCE,
        "",
        f"Paper: {paper['reference']}: {paper['data']}. Ours: {source} What each figure means: "
        "[evaluation.md](evaluation.md).",
    ]
    for title, tables_of_part, names in parts(paper, cohort, joined):
        lines += ["", f"## {title}", ""]
        for table in tables_of_part:
            lines += [*([table.title, ""] if table.title else []), *table.markdown(), ""]
            lines += [table.caption, ""] if table.caption else []
        lines += [line for name in names if name in shown for line in (shown[name], "")]
        lines.pop()
    return "\n".join(lines) + "\n"


def parts(paper: dict, cohort: EvaluatedCohort, joined: EvaluatedCohort | None) -> list[tuple]:
    """(title, tables, names of pictures) in the order of the page."""
    voxels = tables.confusion_tables(cohort)
    return [
        ("Lymph nodes by short axis", [sizes(paper, cohort)], ()),
        ("Detection, Dice and false positives", [detection(paper, cohort), outlines(paper, cohort)], ()),
        ("Detection by size", [by_size(paper, cohort), tables.class_by_size_table(cohort)], ("detection",)),
        ("Detection against overlap", [overlap(paper, cohort)], ("detection_against_overlap",)),
        (
            "What is taken for what",
            [confused(paper, cohort), *voxels],
            ("voxel_confusion_by_row", "voxel_confusion_by_column", "lymph_node_confusion_by_row"),
        ),
        ("P and ENE apart and joined", [label_settings(paper, cohort, joined)], ()),
        ("Beyond the paper", beyond(cohort), ("froc", "short_axis_error", "false_negatives")),
    ]


def sizes(paper: dict, cohort: EvaluatedCohort) -> Table:
    ours = {row[0]: row[1:] for row in tables.sizes_table(cohort).rows}
    rows = [(f"{name}, {who}", *numbers) for name in ours for who, numbers in
            (("paper", paper["sizes"].get(name)), ("ours", ours[name])) if numbers]  # fmt: skip
    return Table("sizes", "", tables.sizes_table(cohort).columns, rows)


def detection(paper: dict, cohort: EvaluatedCohort) -> Table:
    right = {row[0]: row[2] for row in tables.by_class_table(cohort).rows}
    rows = [
        (name, paper["detection_percent"][name], cohort.detection(STRATA[name]), right.get(name))
        for name in ("N", "P", "ENE", ALL)
    ]
    columns = ("Class", "Paper %", "Ours, found as any class %", "Ours, found as its class %")
    caption = "At least one voxel shared."
    return Table("detection", "", columns, rows, caption, frozenset(columns[2:]))


def outlines(paper: dict, cohort: EvaluatedCohort) -> Table:
    dice = tables.dice_table(cohort).rows[0]
    rows = [
        ("Dice per slice, mean of scans", paper["dice"], dice[1]),
        ("Dice per volume", "-", dice[3]),
        ("Dice of detected lymph nodes", "-", cohort.mean("dice", STRATA[ALL])),
        ("False positives per volume", paper["false_positives_per_volume"], cohort.false_positives()),
    ]
    return Table("outlines", "", ("", "Paper", "Ours"), rows)


def by_size(paper: dict, cohort: EvaluatedCohort) -> Table:
    ours = tables.detection_table(cohort)
    given = {tables.title_of(name): value for name, value in paper["detection_by_size_percent"].items()}
    rows = [(row[0], given.get(row[0], "-"), *row[1:]) for row in ours.rows]
    return Table(
        "by_size", "", (ours.columns[0], "Paper: detected %", *ours.columns[1:]), rows, ours.caption, ours.percent
    )


def overlap(paper: dict, cohort: EvaluatedCohort) -> Table:
    rows = [
        (f"> {100 * above:.0f} %", paper["detection_half_percent"][ALL] if above == 0.5 else "-",
         cohort.detection(STRATA[ALL], above), cohort.detection(STRATA["ge5mm"], above))
        for above in (0.0, 0.25, 0.5, 0.75, 0.9)
    ]  # fmt: skip
    columns = ("Covered", "Paper: detected %", "Ours, all %", "Ours, ≥ 5 mm %")
    return Table("overlap", "", columns, rows, "", frozenset(columns[2:]))


def confused(paper: dict, cohort: EvaluatedCohort) -> Table:
    voxels, _ = tables.confusions(cohort)
    rows = []
    for truth, answer in (("P", "ENE"), ("ENE", "P")):
        known = truth in voxels.true_names and answer in voxels.predicted_names
        ours = (
            voxels.share(voxels.true_names.index(truth), voxels.predicted_names.index(answer), "row") if known else None
        )
        rows.append((f"{truth} as {answer}", paper["voxels_confused_percent"][f"{truth} as {answer}"], ours))
    columns = ("Voxels", "Paper %", "Ours % of the true class")
    caption = "Ours has one class per lymph node; the paper's network decides voxel by voxel."
    return Table("confused", "", columns, rows, caption, frozenset(columns[2:]))


def label_settings(paper: dict, cohort: EvaluatedCohort, joined: EvaluatedCohort | None) -> Table:
    ours = [*_of_setting(cohort), *(_of_setting(joined) if joined else [(NOT_EVALUATED,) * 3] * 2)]
    names = ("detection > 0 %", "detection > 50 %", "false positives per image")
    rows = []
    for n, name in enumerate(names):
        rows.append((f"{name}, paper", *paper["label_settings"][name]))
        rows.append((f"{name}, ours", *(_times(100 if "%" in name else 1, column[n]) for column in ours)))
    columns = ("", "(a) P or ENE", "(a) N", "(b) P or ENE", "(b) N")
    caption = "(a) one network that tells all three apart, (b) one that learned P and ENE as one class."
    return Table("label_settings", "", columns, rows, caption)


def _times(factor: int, cell):
    """A figure as a percentage; words stay."""
    if not isinstance(cell, dict):
        return cell
    return {part: None if value is None else factor * value for part, value in cell.items()}


def _of_setting(cohort: EvaluatedCohort) -> list[tuple]:
    """Detection > 0, > 50 % and false positives, of P or ENE, then of N."""
    found = {row[0]: row[2:] for row in tables.by_class_table(cohort).rows}
    return [found.get(group, (None,) * 3) for group in ("P or ENE", "N")]


def beyond(cohort: EvaluatedCohort) -> list[Table]:
    return [
        tables.froc_table(cohort),
        tables.f1_table(cohort),
        tables.dice_table(cohort),
        tables.false_positives_table(cohort),
        tables.short_axis_table(cohort),
    ]


if __name__ == "__main__":
    sys.exit(main())
