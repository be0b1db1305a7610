"""A data set: cases to go through, and a page of words on what is there and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ece_core.classes import CLASS_NAMES
from ece_core.errors import ECEError, InputError
from ece_core.io.datasets.case import IENE_GRADES, PATHOLOGIC_ENE, SPLITS, Case, Outlines
from ece_core.io.datasets.patient_table import PatientRow

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What is wrong with one case, or worth knowing about it."""

    case_id: str
    problem: str
    fix: str = ""
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.case_id}: {self.problem} {self.fix}".strip()


@dataclass(frozen=True)
class Description:
    """What a data set holds. ``str()`` is a page to read.

    Parameters
    ----------
    counts
        Heading -> {what: how many}, in reading order.
    missing
        Sentences on what the source does not give.
    findings
        Per case, where files were opened.
    """

    title: str
    counts: Mapping[str, Mapping[str, int]]
    missing: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        lines = [self.title]
        for heading, counts in self.counts.items():
            lines.append(f"  {heading}: {', '.join(f'{count} {what}' for what, count in counts.items())}")
        lines += [f"  missing: {sentence}" for sentence in self.missing]
        lines += [f"  {'error' if found.is_error else 'note'}: {found}" for found in self.findings]
        return "\n".join(lines)


class Dataset(Sequence[Case]):
    """Cases in a fixed order. Each access gives a fresh case, so that nothing that was read stays in memory.

    Parameters
    ----------
    title
        What it is, in a few words.
    cases
        In reading order.
    notes
        What the loader left out, or could not tell.

    Raises
    ------
    InputError
        There is no case, or two have one id.
    """

    def __init__(self, title: str, cases: Sequence[Case], notes: Sequence[str] = ()) -> None:
        if not cases:
            raise InputError(f"{title}: no case was found.", "Check the folder against docs/datasets.md.")
        twice = [case_id for case_id, count in Counter(case.case_id for case in cases).items() if count > 1]
        if twice:
            raise InputError(f"{title}: {len(twice)} case ids stand for several cases.", "Name each case differently.")
        self.title, self.notes = title, tuple(notes)
        self._cases = tuple(cases)

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Dataset(self.title, self._cases[index], self.notes)
        return replace(self._cases[index])

    def __iter__(self) -> Iterator[Case]:
        return (replace(case) for case in self._cases)

    @property
    def case_ids(self) -> tuple[str, ...]:
        return tuple(case.case_id for case in self._cases)

    def case(self, case_id: str) -> Case:
        """The case of this id.

        Raises
        ------
        InputError
            There is none.
        """
        for case in self._cases:
            if case.case_id == case_id:
                return replace(case)
        raise InputError("The data set has no case with this id.", "Choose one of its case_ids.")

    def of_split(self, split: str) -> Dataset:
        """The cases of "train", "validation" or "test".

        Raises
        ------
        InputError
            No case belongs to it.
        """
        return Dataset(f"{self.title}, {split}", [case for case in self._cases if case.split == split], self.notes)

    def with_labels(self, rows: Mapping[str, PatientRow], *, all_rows: bool = True) -> Dataset:
        """The same cases with the labels (and the split, where it is given) of a table.

        Parameters
        ----------
        rows
            From :func:`read_patient_table` or :func:`read_tcga_labels`; a row is matched by case id, by patient, by
            the name of the case's folder or by PatientID.
        all_rows
            Refuse a row that matches no case. False for a table of more patients than were scanned.

        Raises
        ------
        InputError
            A row matches no case, several rows match one case, or no row matches at all.
        """
        used: set[str] = set()
        cases = []
        for case in self._cases:
            names = [name for name in dict.fromkeys((case.case_id, case.patient, *case.keys)) if name in rows]
            if len(names) > 1:
                lines = sorted(rows[name].line for name in names)
                raise InputError(
                    f"Rows {lines[0]} and {lines[1]} of the table mean the same case.", "Keep one of them."
                )
            used.update(names)
            cases.append(_labelled(case, rows[names[0]]) if names else case)
        unknown = [row.line for name, row in rows.items() if name not in used]
        if unknown and all_rows:
            shown = ", ".join(str(line) for line in sorted(unknown)[:5]) + (" ..." if len(unknown) > 5 else "")
            raise InputError(
                f"{len(unknown)} rows of the table name cases that the data set does not have (row {shown}).",
                "Write the case ids as the data set has them (case_ids), or the names of the cases' folders.",
            )
        if not used:
            raise InputError(
                "No row of the table belongs to a case of the data set.",
                "Write the case ids as the data set has them (case_ids), or the names of the cases' folders.",
            )
        without = len(cases) - sum(case.labels != old.labels for case, old in zip(cases, self._cases, strict=True))
        note = [f"{without} of {len(cases)} cases have no label in the table."] if without else []
        return Dataset(self.title, cases, (*self.notes, *note))

    def describe(self, *, open_files: bool = False) -> Description:
        """What is there and what is missing.

        Parameters
        ----------
        open_files
            Also read every scan and every outline, and tell what is wrong with which case: minutes for a large set.
        """
        counts: dict[str, Mapping[str, int]] = {
            "cases": {"in all": len(self), "patients": len({case.patient for case in self._cases})},
            "files": {
                "with CT": sum(case.has_ct for case in self._cases),
                "with outlines": sum(case.has_outlines for case in self._cases),
            },
            "split": _counted((case.split for case in self._cases), SPLITS),
            "pathologic ENE (also ECE)": _counted((case.labels.pene for case in self._cases), PATHOLOGIC_ENE),
            "imaging grade": _counted((case.labels.iene_grade for case in self._cases), IENE_GRADES),
        }
        findings: list[Finding] = []
        if open_files:
            lymph_nodes, structures = Counter[str](), Counter[str]()
            for case in self:
                outlines, found = _opened(case)
                findings += found
                structures.update(outlines.structures)
                lymph_nodes.update(["in all" for _ in outlines.lymph_nodes])
                lymph_nodes.update([f"class {row.class_name or UNKNOWN}" for row in outlines.lymph_nodes])
            order = ("in all", *(f"class {name}" for name in CLASS_NAMES), f"class {UNKNOWN}")
            counts["lymph nodes"] = {what: lymph_nodes[what] for what in order if lymph_nodes[what]} or {"outlined": 0}
            if structures:
                counts["structures"] = dict(sorted(structures.items()))
        return Description(self.title, counts, (*self._missing(), *self.notes), tuple(findings))

    def _missing(self) -> list[str]:
        absent = {
            "images": not any(case.has_ct for case in self._cases),
            "outlines": not any(case.has_outlines for case in self._cases),
            "pathologic ENE": all(case.labels.pene is None for case in self._cases),
            "imaging grades": all(case.labels.iene_grade is None for case in self._cases),
            "a split": all(case.split is None for case in self._cases),
        }
        return [f"no case has {what}." for what, is_absent in absent.items() if is_absent]


def _labelled(case: Case, row: PatientRow) -> Case:
    return replace(case, labels=row.labels, split=row.split or case.split)


def _counted(values, order) -> dict[str, int]:
    counts = Counter(UNKNOWN if value is None else value for value in values)
    return {str(value): counts[value] for value in (*order, UNKNOWN) if counts[value]}


def _opened(case: Case) -> tuple[Outlines, list[Finding]]:
    """What a case holds, and what its files have to say."""
    try:
        if not case.has_ct:
            return Outlines(), []
        notes = [*case.ct.warnings, *case.outlines.notes]
        return case.outlines, [Finding(case.case_id, note, is_error=False) for note in notes]
    except ECEError as error:
        return Outlines(), [Finding(case.case_id, error.problem, error.fix)]
