"""A folder of scans and the folder of their results: which case is which, what is done, and one table of all.

Results are named by number (``case_0001``): what a scan's file or folder is called may be a patient's name. The key is
``cases.csv`` beside them, which is the user's own and goes nowhere else.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ece_core.errors import InputError, RunError
from ece_core.export.lymph_nodes_csv import COLUMNS
from ece_core.export.result import RESULT_FILE
from ece_core.io.dicom_file import is_dicom
from ece_core.io.image_files import READERS, suffix_of

KEY_FILE, TABLE_FILE, CSV_FILE = "cases.csv", "all_lymph_nodes.csv", "lymph_nodes.csv"
KEY_COLUMNS = ("case", "source")
AT_MOST_LOOKED_AT = 200  # files of a folder, for one that is DICOM


@dataclass(frozen=True)
class BatchCase:
    """One scan of the folder.

    Attributes
    ----------
    name
        ``"case_0001"``.
    source
        The scan's file or folder, by its name within the folder.
    scan, out
        Paths of the scan, and of its result.
    """

    name: str
    source: str
    scan: Path
    out: Path

    @property
    def done(self) -> bool:
        """Whether its result is there, of this or of an earlier batch."""
        return (self.out / RESULT_FILE).is_file()


def batch_cases(folder: Path | str, out: Path | str) -> list[BatchCase]:
    """The scans of a folder, by name; a scan keeps its number in every later batch into the same ``out``.

    A scan is an image file (NIfTI, NRRD, MetaImage), or a folder with DICOM files at any depth.

    Raises
    ------
    InputError
        There is no such folder, no scan in it, or ``out`` lies within it or is it.
    RunError
        ``out`` cannot be written to.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise InputError("The folder of scans does not exist.", "Choose a folder with one scan per file or folder.")
    if folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError("The results would lie among the scans.", "Choose a folder outside of the scans.")
    sources = [path.name for path in sorted(folder.iterdir()) if _is_scan(path)]
    if not sources:
        raise InputError(
            "There is no scan in this folder.",
            "Put each case in a file (NIfTI, NRRD, MHA) or in a folder of its own with its DICOM files.",
        )
    known = _read_key(out)
    missing = [source for source in sources if source not in known]
    first = 1 + max((int(name.removeprefix("case_")) for name in known.values()), default=0)
    known |= {source: f"case_{number:04d}" for number, source in enumerate(missing, start=first)}
    if missing:
        _write(out / KEY_FILE, [KEY_COLUMNS, *((name, source) for source, name in known.items())])
    return [BatchCase(known[source], source, folder / source, out / known[source]) for source in sources]


def write_batch_table(out: Path | str, cases: Sequence[BatchCase]) -> int:
    """The lymph nodes of all cases that are done, in one table with the case in its first column.

    Returns
    -------
    int
        How many cases it holds; a case without a lymph node is one of them, and has no row.
    """
    rows: list[Sequence[str]] = [("case", *COLUMNS)]
    done = [case for case in cases if case.done]
    for case in done:
        with (case.out / CSV_FILE).open(encoding="utf-8", newline="") as file:
            rows += [(case.name, *(row.get(column, "") for column in COLUMNS)) for row in csv.DictReader(file)]
    _write(Path(out) / TABLE_FILE, rows)
    return len(done)


def _is_scan(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_file():
        return suffix_of(path) in READERS
    files = (Path(place) / name for place, _, names in os.walk(path) for name in sorted(names))
    return any(is_dicom(file) for _, file in zip(range(AT_MOST_LOOKED_AT), files, strict=False))


def _read_key(out: Path) -> dict[str, str]:
    """By source, the name of its case."""
    try:
        with (out / KEY_FILE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        names = {source: name for name, source in rows[1:]}
        if rows[:1] != [list(KEY_COLUMNS)] or not all(_is_name(name) for name in names.values()):
            raise ValueError("not a key of ours")
        return names
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{KEY_FILE} in the folder of results cannot be read.",
                         "Choose another folder for the results, or mend the file.") from error  # fmt: skip


def _is_name(name: str) -> bool:
    return name.startswith("case_") and name.removeprefix("case_").isdecimal()


def _write(file: Path, rows: Sequence[Sequence[str]]) -> None:
    """Whole or not at all."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
        os.replace(partial, file)
    except OSError as error:
        raise RunError("The folder of results cannot be written to.",
                       "Check that its disk is not full and that you may write there.") from error  # fmt: skip
