"""The result folder: made under a temporary name beside its place, renamed when it is whole."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ece_core.errors import InputError, RunError
from ece_core.export.dicom_objects import write_dicom_objects
from ece_core.export.lymph_nodes_csv import write_lymph_nodes_csv
from ece_core.export.nrrd import read_nrrd, write_nrrd
from ece_core.export.result import RESULT_FILE, Result
from ece_core.export.seg_nrrd import write_seg_nrrd
from ece_core.geometry import Volume

if TYPE_CHECKING:
    import psutil
    from pydicom import Dataset

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def new_result_folder(out: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``out`` when the block ends, and is removed when it raises.

    Parameters
    ----------
    out
        Must not exist, or be an empty folder. Its parents are made when missing.

    Yields
    ------
    Path
        An empty folder ``.NAME.partial-PID-START-TOKEN`` beside ``out``, hence on the same disk. If the process
        is killed it stays, and the next run for the same ``out`` removes it once that process is gone.

    Raises
    ------
    InputError
        ``out`` is taken, or no folder can be made there. Nothing was written.
    RunError
        The disk is full, or ``out`` was taken while the block ran.
    """
    out = Path(os.path.abspath(out))  # not resolve(): a link given as OUT stays where the user put it
    _check_free(out)
    made = _make_parents(out.parent)
    partial = None
    try:
        remove_leftovers(out)
        partial = _make_partial(out)
        yield partial
        _put_in_place(partial, out)
    except BaseException as error:  # also Ctrl-C: nothing half-written may stay
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        _remove_empty(made)
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise RunError(
                "The disk of the output folder is full; nothing was kept.",
                "Free some space (about 200 MB for a neck CT), or choose an output folder on another disk.",
            ) from error
        raise


def remove_leftovers(out: Path) -> None:
    """Remove the temporary folders of runs for ``out`` that were killed; those of living processes stay."""
    for leftover in out.parent.glob(f"{glob.escape(_partial_prefix(out))}*"):
        if not _is_alive(leftover.name.removeprefix(_partial_prefix(out))):
            shutil.rmtree(leftover, ignore_errors=True)


def write_result(
    folder: Path,
    result: Result,
    instances: Volume,
    heatmaps: dict[str, Volume],
    ct: Volume,
    headers: Sequence[Dataset] = (),
    *,
    rtstruct: bool = False,
) -> Result:
    """Write all files of a result (design.md section 4), `result.json` last.

    Parameters
    ----------
    folder
        Existing and empty, usually from :func:`new_result_folder`.
    instances
        (K, J, I) integers on the grid of ``ct``; the labels of ``result.lymph_nodes``.
    heatmaps
        By method, (K, J, I) float32 in [0, 1] with a grid of their own; the methods of ``result.heatmaps``.
    ct
        (K, J, I) HU, for the key images.
    headers
        One DICOM header per slice in the order of k; empty when the input was not DICOM, then no DICOM is written.
    rtstruct
        Also write the outlines as RTSTRUCT.

    Returns
    -------
    Result
        As written: heatmaps name their DICOM objects, and a warning says which could not be made from these headers.

    Raises
    ------
    ValueError
        Instances, heatmaps and result do not belong together.
    """
    result = Result.from_json(result.to_json())  # plain values: every file says what result.json will say
    _check_together(result, instances, heatmaps, ct)
    folder = Path(folder)
    write_seg_nrrd(folder / "lymph_nodes.seg.nrrd", instances, result.lymph_nodes, algorithm_name(result))
    write_lymph_nodes_csv(folder / "lymph_nodes.csv", result)
    drawn = {method: one.with_array(np.clip(one.array, 0, 1).astype(np.float32)) for method, one in heatmaps.items()}
    for heatmap in result.heatmaps:
        file = folder / heatmap["file"]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_nrrd(drawn[heatmap["method"]], file)
    if headers:
        result = write_dicom_objects(folder, result, instances, drawn, headers, rtstruct=rtstruct)
    _write_report(folder, result, instances, heatmaps, ct)
    (folder / RESULT_FILE).write_text(result.to_json(), encoding="utf-8")
    return result


def read_heatmaps(folder: Path, result: Result) -> dict[str, Volume]:
    """The heatmaps of a saved result, by method, float32 on their own grids.

    Raises
    ------
    InputError
        A listed file is missing or damaged.
    """
    return {heatmap["method"]: read_nrrd(Path(folder) / heatmap["file"]) for heatmap in result.heatmaps}


def algorithm_name(result: Result) -> str:
    """``"ECEDetector 0.1.0 (lymph_node_unet 1.0.0)"``: who drew the outlines."""
    outliners = [model for model in result.models if "segmentation" in str(model.get("task"))]
    drawn_by = [f"{model['name']} {model['version']}" for model in outliners]
    return f"ECEDetector {result.software.get('version', '')}".strip() + (f" ({drawn_by[0]})" if drawn_by else "")


def _write_report(folder: Path, result: Result, instances: Volume, heatmaps: dict[str, Volume], ct: Volume) -> None:
    from ece_core.export.report import write_report

    write_report(folder / "report.html", result, instances, heatmaps, ct)


def _check_together(result: Result, instances: Volume, heatmaps: dict[str, Volume], ct: Volume) -> None:
    if not instances.same_grid(ct):
        raise ValueError("the instance map is not on the grid of the CT")
    listed = [heatmap["method"] for heatmap in result.heatmaps]
    if sorted(listed) != sorted(heatmaps):
        raise ValueError(f"the result lists the heatmaps {sorted(listed)}, but {sorted(heatmaps)} were given")


def _check_free(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError("The output folder cannot be made: a file of that name exists.", "Choose another name.")
    if (out / RESULT_FILE).exists():
        raise InputError(
            "The output folder already holds a result, which is never overwritten.",
            "Choose another folder, or delete this one first.",
        )
    if any(out.iterdir()):
        raise InputError(
            "The output folder exists and is not empty.", "Choose a new or an empty folder; nothing was touched."
        )


def _make_parents(parent: Path) -> list[Path]:
    """Make the missing parents; those that were made, deepest first."""
    missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _remove_empty(missing)
        raise _cannot_write(error) from error
    return missing


def _make_partial(out: Path) -> Path:
    partial = out.parent / f"{_partial_prefix(out)}{_this_process()}-{secrets.token_hex(4)}"
    try:
        partial.mkdir()
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise _cannot_write(error) from error
    return partial


def _cannot_write(error: OSError) -> InputError:
    reason = os.strerror(error.errno) if error.errno else type(error).__name__  # str(error) would hold the path
    return InputError(
        f"The output folder cannot be made there ({reason}).",
        "Choose a folder that you may write to.",
    )


def _put_in_place(partial: Path, out: Path) -> None:
    try:
        if out.is_dir():
            out.rmdir()  # Windows does not rename onto a folder, not even an empty one
        partial.rename(out)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise RunError(
            "The output folder was taken by something else while the analysis ran; its result was discarded.",
            "Choose another output folder and start again.",
        ) from error


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # somebody else put something there


def _partial_prefix(out: Path) -> str:
    return f".{out.name}.partial-"


def _this_process() -> str:
    try:
        import psutil
    except ImportError:  # it comes with the packages of the analysis; a review is exported without them
        return f"{os.getpid()}-unknown"
    return f"{os.getpid()}-{_started(psutil.Process())}"


def _started(process: psutil.Process) -> int:
    """When the process began, in ms: with the number of the process it names one run for good (numbers are reused)."""
    return round(process.create_time() * 1000)


def _is_alive(name: str) -> bool:
    """Whether the process that made ``PID-START-TOKEN`` still runs. In doubt it does."""
    pid, _, rest = name.partition("-")
    started = rest.partition("-")[0]
    if not (pid.isdecimal() and started.isdecimal()):
        return True  # not one of ours: not ours to remove
    try:
        import psutil
    except ImportError:  # nobody can tell
        return True
    try:
        process = psutil.Process(int(pid))
        # A minute: the clock may have been set meanwhile, and no number is used again that soon.
        return process.status() != psutil.STATUS_ZOMBIE and abs(_started(process) - int(started)) < 60_000
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, OverflowError):
        return True
