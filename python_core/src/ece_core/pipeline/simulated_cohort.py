"""Cohorts on disk: `ece simulate OUT` (layout in the design document, section 5).

Every case is drawn from the cohort's seed and its own number alone, so any of them can be made again without the
others, several at once, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ece_core import RESEARCH_USE_ONLY
from ece_core.errors import InputError, RunError
from ece_core.export.result_folder import remove_leftovers
from ece_core.pipeline.simulated_case import TRUTH_FILE, CohortSettings, bytes_needed, case_name, write_case
from ece_core.pipeline.stages import Report, silent
from ece_core.simulate.baselines import baselines
from ece_core.simulate.population import DIFFICULTIES

FORMATS = ("dicom", "nifti")
MANIFEST_FILE = "manifest.json"
UNFINISHED_FILE = "unfinished.json"  # the settings of a run that has not ended yet
MOST_CASES = 10_000  # names have four digits
DRAWN_NOTE = (
    "Truth only, nothing was scanned: mean_hu is the mean of the drawn attenuation; volume, visibility and imaging "
    "grade, which need voxels, are absent."
)


def simulate_cohort(
    out: Path,
    cases: int,
    seed: int,
    difficulty: str = "medium",
    as_: str = "dicom",
    jobs: int = 1,
    report: Report | None = None,
    *,
    case: int | None = None,
    label_noise: float = 0.0,
    truth_only: bool = False,
) -> dict[str, Any]:
    """Write a cohort and its manifest; return the manifest.

    Parameters
    ----------
    out
        A new folder, or one that holds cases of the same settings: whole cases in it are kept.
    as_
        ``"dicom"`` (``ct/`` holds a series, ``rtstruct.dcm`` and ``seg.dcm`` the truth) or ``"nifti"``.
    jobs
        Cases simulated at the same time, each about 1 GB.
    report
        Called with (stage, fraction) after each case.
    case
        Write only the case with this number, the same as in the whole cohort.
    label_noise
        0 to 0.5: share of P and ENE whose class a reader confuses (`noisy_class` beside `class`).
    truth_only
        Draw the patients, but do not scan them: `truth.json` and the manifest alone, a fraction of a second a case.

    Raises
    ------
    InputError
        ``out`` holds something else, an option is not one of those above, or the disk is too small. Nothing was
        written.
    RunError
        A case failed. Whole cases stay, and the same call goes on with the others.
    """
    out = Path(out)
    settings = cohort_settings(seed, difficulty, as_, label_noise, truth_only)
    numbers = case_numbers(cases, case)
    kept = _kept(out, settings)
    to_do = [number for number in numbers if number not in kept]
    if not to_do:
        raise InputError("The folder holds these cases already.", "Use them, or choose a new folder.")
    check_space(out, to_do, settings)
    _begin(out, settings)
    try:
        with closing(_write_cases(out, to_do, settings, jobs)) as written:
            for done, _ in enumerate(written, start=len(numbers) - len(to_do) + 1):
                (report or silent)("simulate", done / len(numbers))
    finally:
        _tidy(out)
    manifest = _manifest(_read_cases(out), settings)
    _write_json(out / MANIFEST_FILE, manifest)
    (out / UNFINISHED_FILE).unlink(missing_ok=True)
    return manifest


def space_needed(numbers: Sequence[int], settings: CohortSettings) -> str:
    """``"19.2 GB"``, rounded up; the size of a compressed case varies with its noise."""
    return _gigabytes(sum(bytes_needed(number, settings) for number in numbers))


def check_space(out: Path, numbers: Sequence[int], settings: CohortSettings) -> None:
    """Refuse a cohort that the disk cannot hold.

    Raises
    ------
    InputError
    """
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < sum(bytes_needed(number, settings) for number in numbers):
        raise InputError(
            f"{len(numbers)} cases need about {space_needed(numbers, settings)}, but the disk has "
            f"{_gigabytes(free)} free.",
            "Free some space, choose another disk, ask for fewer cases, or use --as nifti or --truth-only.",
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def cohort_settings(seed: int, difficulty: str, as_: str, label_noise: float, truth_only: bool) -> CohortSettings:
    """The settings of a cohort, checked; see :func:`simulate_cohort`."""
    if as_ not in FORMATS:
        raise InputError(f"A cohort cannot be written as {as_!r}.", "Choose dicom or nifti.")
    if difficulty not in DIFFICULTIES:
        raise InputError(f"There is no difficulty named {difficulty!r}.", f"Choose one of {', '.join(DIFFICULTIES)}.")
    if not 0 <= label_noise <= 0.5:
        raise InputError(f"The label noise is {label_noise}.", "Give a share from 0 to 0.5.")
    if seed < 0:
        raise InputError(f"The seed is {seed}.", "Give 0 or more.")
    return CohortSettings(seed, difficulty, "truth" if truth_only else as_, float(label_noise))


def case_numbers(cases: int, case: int | None) -> list[int]:
    """The numbers of the cases to make; see :func:`simulate_cohort`."""
    if not 1 <= cases <= MOST_CASES:
        raise InputError(f"A cohort of {cases} cases was asked for.", f"Ask for at least 1 and at most {MOST_CASES}.")
    if case is None:
        return list(range(cases))
    if not 0 <= case < MOST_CASES:
        raise InputError(f"There is no case number {case}.", f"Give a number from 0 to {MOST_CASES - 1}.")
    return [case]


def _kept(out: Path, settings: CohortSettings) -> set[int]:
    """Numbers of the whole cases that are there already.

    Raises
    ------
    InputError
        The folder holds something that is not a cohort of these settings.
    """
    if not out.exists():
        return set()
    if not out.is_dir():
        raise InputError("There is a file in the place of the cohort's folder.", "Choose a new folder.")
    if not any(out.iterdir()):
        return set()
    found = _settings_of(out)
    if found is None:
        raise InputError("The folder for the cohort is not empty.", "Choose a new folder; nothing was written.")
    different = [key for key, value in asdict(settings).items() if found.get(key) != value]
    if different:
        words = ", ".join(f"{key} {found.get(key)}" for key in different)
        raise InputError(
            f"The folder holds a cohort of other settings ({words}).", "Choose a new folder, or use these settings."
        )
    return {row["case"]["number"] for row in _read_cases(out)}


def _settings_of(out: Path) -> dict[str, Any] | None:
    """The settings of the cohort in a folder, None if there is none."""
    for name in (UNFINISHED_FILE, MANIFEST_FILE):
        try:
            settings = json.loads((out / name).read_text(encoding="utf-8"))["settings"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(settings, dict):
            return settings
    return None


def _begin(out: Path, settings: CohortSettings) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_json(out / UNFINISHED_FILE, {"settings": asdict(settings)})
    except OSError as error:
        raise InputError(
            f"The cohort's folder cannot be made there ({type(error).__name__}).",
            "Choose a folder that you may write to.",
        ) from error


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all, also when the process is killed."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=2), encoding="utf-8")
    partial.replace(path)


def _read_cases(out: Path) -> list[dict[str, Any]]:
    """`truth.json` of every whole case, by number."""
    try:
        files = sorted(out.glob(f"case_*/{TRUTH_FILE}"))
        rows = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        return sorted(rows, key=lambda row: row["case"]["number"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("A case of the cohort is damaged.", "Make the cohort again in a new folder.") from error


def _tidy(out: Path) -> None:
    """However the run ended (or one before it, killed), no half case stays, and no folder in which there is no case."""
    for leftover in out.glob(".case_*.partial-*"):
        remove_leftovers(out / leftover.name[1:].partition(".")[0])
    if not any(out.glob("case_*")):
        (out / UNFINISHED_FILE).unlink(missing_ok=True)
        with suppress(OSError):  # somebody else put something there
            out.rmdir()


def _write_cases(out: Path, numbers: Sequence[int], settings: CohortSettings, jobs: int) -> Generator[int, None, None]:
    """Makes the cases, one after the other or several at once, and yields the number of each when it is whole."""
    if min(jobs, len(numbers)) == 1:
        yield from _one_by_one(out, numbers, settings)
    else:
        yield from _several_at_once(out, numbers, settings, min(jobs, len(numbers)))


def _one_by_one(out: Path, numbers: Sequence[int], settings: CohortSettings) -> Iterator[int]:
    for number in numbers:
        write_case(out, number, settings)
        yield number


def _several_at_once(out: Path, numbers: Sequence[int], settings: CohortSettings, jobs: int) -> Iterator[int]:
    others = set(multiprocessing.active_children())
    # spawn: a forked child would hold the pipes of its siblings open, and outlive a parent that was killed.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        futures = {pool.submit(write_case, out, number, settings): number for number in numbers}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise RunError(
            "A process that simulates was ended from outside, perhaps for want of memory (about 1 GB each).",
            "Run the same command again with fewer --jobs; whole cases are kept.",
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
            process.join()


def _end_with_parent() -> None:
    """In a child: leave Ctrl-C to the parent, and end when the parent does, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(parent=parent) -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _manifest(cases: list[dict[str, Any]], settings: CohortSettings) -> dict[str, Any]:
    lymph_nodes = [node for case in cases for node in case["lymph_nodes"]]
    figures = baselines(lymph_nodes, settings.difficulty)
    notes = [DRAWN_NOTE] if settings.format == "truth" else []
    return {
        "schema": "ece-cohort/1",
        "seed": settings.seed,
        "difficulty": settings.difficulty,
        "settings": asdict(settings),
        "cases": [
            {
                "case": case_name(case["case"]["number"]),
                "number": case["case"]["number"],
                "split": case["case"]["split"],
                "slice_mm": case["case"]["slice_mm"],
                "scanner": case["case"]["scanner"],
                "ece": case["patient"]["ece"],
            }
            for case in cases
        ],
        "lymph_nodes": {name: sum(node["class"] == name for node in lymph_nodes) for name in ("N", "P", "ENE")},
        "baselines": {figure.name: figure.value for figure in figures},
        "declared": [figure.to_json() for figure in figures],
        "warnings": [figure.words() for figure in figures if figure.within is False],
        "note": " ".join([*notes, f"Simulated, no patient. {RESEARCH_USE_ONLY}"]),
    }
