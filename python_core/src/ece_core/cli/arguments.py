"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.errors import InputError
from ece_core.pipeline.options import EXPLANATION_TITLES, AnalyzeOptions
from ece_core.pipeline.patient import PATIENT_MODELS

CT_HELP = "DICOM folder, or NIfTI, NRRD or MHA file"
OUT_HELP = "result folder to make"


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """--device, --models, --series, --correct and --json."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--models", type=Path, metavar="DIR", help="folder of model bundles to use instead")
    parser.add_argument("--series", metavar="UID", help="which series of a DICOM folder that holds several")
    parser.add_argument(
        "--correct", default="", metavar="WHAT",
        help="resample what is refused otherwise: tilt (of the gantry), spacing (unequal), separated by commas",
    )  # fmt: skip
    add_json_argument(parser)


def add_rtstruct_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rtstruct", action="store_true", help="of a DICOM CT also write the outlines as RTSTRUCT")


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """--full-search and --mirror."""
    parser.add_argument(
        "--full-search", action="store_true",
        help="look closely everywhere, also on a CPU (default there: only where a coarse pass finds something)",
    )  # fmt: skip
    parser.add_argument("--mirror", action="store_true", help="average over mirrored images where the model allows it")


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print progress and result as JSON lines")


def add_explain_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--explain",
        default=",".join(AnalyzeOptions.explain),
        metavar="METHODS",
        help=f"heatmaps, separated by commas, or none: {', '.join(EXPLANATION_TITLES)} (default: %(default)s)",
    )


def add_faithfulness_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--faithfulness",
        action="store_true",
        help="also deletion and insertion, shuffled weights and noise: about 30 answers of the network and 5 heatmaps "
        "more per lymph node and method",
    )


def add_patient_model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patient-model",
        default=AnalyzeOptions.patient_model,
        metavar="NAME",
        help=f"whose probability is the patient's: {', '.join(PATIENT_MODELS)} (no network); default: %(default)s",
    )


def read_options(asked: argparse.Namespace) -> AnalyzeOptions:
    """The options of a run; what the command does not offer keeps its default."""
    given = {"device": asked.device, "models": asked.models, "series_uid": asked.series}
    given["correct"] = tuple(name.strip() for name in asked.correct.split(",") if name.strip())
    if asked.models is not None and not asked.models.is_dir():
        raise InputError("The folder given with --models does not exist.", "Give a folder that holds model bundles.")
    if hasattr(asked, "explain"):
        given["explain"] = read_methods(asked.explain)
    if hasattr(asked, "patient_model"):
        given["patient_model"] = asked.patient_model
    for name in ("full_search", "mirror", "faithfulness", "rtstruct"):
        if hasattr(asked, name):
            given[name] = getattr(asked, name)
    return AnalyzeOptions(**given)


def read_methods(text: str) -> tuple[str, ...]:
    """`gradcam,guided-backprop` or `none`."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names == ("none",) else names
