"""What a user may choose about an analysis."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ece_core.errors import InputError
from ece_core.io.dicom_regrid import check_corrections
from ece_core.pipeline.explanation_guide import GUIDES
from ece_core.pipeline.patient import DEFAULT_PATIENT_MODEL, PATIENT_MODELS

EXPLANATION_TITLES = {name: guide.title for name, guide in GUIDES.items()}


@dataclass(frozen=True)
class AnalyzeOptions:
    """Options of one analysis; each has a sensible default.

    Attributes
    ----------
    device
        ``"auto"`` (a CUDA GPU where there is one, else the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
    models
        Folder that holds model bundles; None: the user's own and the shipped ones.
    explain
        Explanation methods, keys of EXPLANATION_TITLES; empty: no heatmaps.
    patient_model
        Whose probability is the patient's, one of PATIENT_MODELS: a rule over the lymph nodes, a network that judges
        the scan as a whole, or ``"none"``: the default rule, and no such network is asked. The others stand beside it
        in the result.
    series_uid
        Which series of a DICOM folder that holds several.
    full_search
        Let the network look closely everywhere, also on a CPU, where it else looks only at what a coarse pass found.
    mirror
        Average over mirrored images where the model allows it: slower, a little better at best.
    faithfulness
        With every heatmap also the figures for which the network runs again and again: deletion, insertion,
        randomization and repeatability.
    correct
        What of a DICOM series' geometry may be resampled instead of refused: "tilt", "spacing".
    rtstruct
        Of a DICOM CT also write the outlines as RT Structure Set.

    Raises
    ------
    InputError
        A method, a patient model or a correction that does not exist.
    """

    device: str = "auto"
    models: Path | None = None
    explain: tuple[str, ...] = ("gradcam", "guided-backprop")
    patient_model: str = DEFAULT_PATIENT_MODEL
    series_uid: str | None = None
    full_search: bool = False
    mirror: bool = False
    faithfulness: bool = False
    correct: tuple[str, ...] = ()
    rtstruct: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "explain", tuple(dict.fromkeys(self.explain)))
        for method in self.explain:
            _expect_known("explanation method", method, EXPLANATION_TITLES)
        object.__setattr__(self, "correct", tuple(dict.fromkeys(self.correct)))  # a worker's request brings a list
        check_corrections(self.correct)
        _expect_known("patient model", self.patient_model, PATIENT_MODELS)


def _expect_known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise InputError(f"There is no {what} with this name.", f"Choose one of: {', '.join(known)}.")
