"""What a data set is made of, as far as planning needs it: grids of the scans, HU of the lymph nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.errors import InputError
from ece_core.io.datasets import Case, Dataset
from ece_core.io.datasets.case import SPLITS
from ece_core.preprocessing import to_axial

Array = np.ndarray
Triple = tuple[float, float, float]

# A network sees the darkest and brightest half percent of the foreground clipped: nnU-Net's normalization of CT.
PERCENTILES = {"percentile_00_5": 0.005, "median": 0.5, "percentile_99_5": 0.995}


@dataclass(frozen=True)
class Fingerprint:
    """Grids and HU of the cases that a training can use.

    Parameters
    ----------
    spacings_mm, sizes
        Per case, (k, j, i) of the scan turned to axial.
    foreground_hu
        Mean, SD, minimum, maximum and percentiles over the voxels of lymph nodes, every case with the same weight.
    notes
        What was left out, and why.
    classes
        Of the lymph nodes, as far as the data set names them: some of N, P and ENE.
    """

    spacings_mm: tuple[Triple, ...]
    sizes: tuple[tuple[int, int, int], ...]
    foreground_hu: dict[str, float]
    notes: tuple[str, ...] = ()
    classes: frozenset[str] = frozenset()

    @property
    def label_setting(self) -> str:
        """The finest of LABEL_SETTINGS for which there are lymph nodes to learn from."""
        if self.classes >= set(CLASS_NAMES):
            return "apart"
        return "metastatic_joined" if "N" in self.classes and len(self.classes) > 1 else "all_joined"


def fingerprint_of(dataset: Dataset, report: Callable[[str, float], None] | None = None) -> Fingerprint:
    """Read every training case of a data set once; only one is in memory at a time.

    Differs from nnU-Net in two points. HU statistics are exact, by counting, where nnU-Net draws as many voxels from
    each case at random (the limit of many draws is the same). Scans are not cropped to values other than 0, which in
    HU is water and not emptiness.

    Parameters
    ----------
    dataset
        Of one with a split, the cases of "train" are used, as validation and test must not shape a training.
    report
        Called with "fingerprint" and the fraction done; may raise to cancel.

    Raises
    ------
    InputError
        No case has both a scan and outlined lymph nodes, or no lymph node has a voxel.

    References
    ----------
    Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, online methods (dataset fingerprint).
    """
    cases, notes = training_cases(dataset)
    spacings, sizes, hu, empty, classes = [], [], [], 0, set[str]()
    for done, case in enumerate(cases, start=1):
        instances = case.outlines.instances
        if instances is not None:
            axial, orientation = to_axial(case.ct.volume)
            spacings.append(axial.spacing_mm)
            sizes.append((int(axial.shape[0]), int(axial.shape[1]), int(axial.shape[2])))
            classes |= {node.class_name for node in case.outlines.lymph_nodes if node.class_name is not None}
            inside = axial.array[orientation.apply(instances.array) > 0]
            empty += inside.size == 0
            if inside.size:
                hu.append(np.unique(inside, return_counts=True))
        if report is not None:
            report("fingerprint", done / len(cases))
    _expect_lymph_nodes(len(cases), len(spacings), len(hu))
    if len(spacings) < len(cases):
        notes.append(f"{len(cases) - len(spacings)} of {len(cases)} cases have no outlined lymph nodes: left out.")
    if empty:
        notes.append(f"{empty} cases have no lymph node: their grids count, their HU do not.")
    return Fingerprint(tuple(spacings), tuple(sizes), intensities(hu), tuple(notes), frozenset(classes))


def training_cases(dataset: Dataset) -> tuple[list[Case], list[str]]:
    splits = ("train",) if any(case.split == "train" for case in dataset) else (*SPLITS, None)
    chosen = [case for case in dataset if case.has_ct and case.has_outlines and case.split in splits]
    left = len(dataset) - len(chosen)
    why = "have no scan, have no outlines or do not belong to the training split"
    return chosen, [f"{left} of {len(dataset)} cases {why}: left out."] if left else []


def _expect_lymph_nodes(cases: int, outlined: int, filled: int) -> None:
    if not outlined:
        raise InputError(
            f"Nobody outlined lymph nodes in the {cases} training cases that have scan and outlines: there is nothing "
            "to plan for.",
            "Choose a data set with outlined lymph nodes (docs/datasets.md says how they are named).",
        )
    if not filled:
        raise InputError(
            f"The outlines of all {outlined} cases are empty: no lymph node has a voxel.",
            "Check the outlines; at least one case must have a lymph node.",
        )


def intensities(per_case: list[tuple[Array, Array]]) -> dict[str, float]:
    """Mean, SD, extremes and percentiles of HU, every case with the same weight however large its lymph nodes are.

    Parameters
    ----------
    per_case
        HU values and how many voxels have each; at least one case, none of them empty.

    Notes
    -----
    A percentile is the least value at or below which that share of the weight lies.
    """
    values = np.concatenate([v for v, _ in per_case]).astype(np.float64)
    weights = np.concatenate([n / (n.sum() * len(per_case)) for _, n in per_case])
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    share = np.cumsum(weights)
    mean = float((values * weights).sum())
    answer = {
        "mean": mean,
        "sd": float(np.sqrt(((values - mean) ** 2 * weights).sum())),
        "min": float(values[0]),
        "max": float(values[-1]),
    }
    for name, wanted in PERCENTILES.items():
        at = min(int(np.searchsorted(share, wanted - 1e-12)), len(values) - 1)  # the sums round in the last digit
        answer[name] = float(values[at])
    return answer
