"""The bundles of all trained folds as one bundle, which answers with the mean of their probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ece_core.errors import InputError
from ece_core.models.bundle import load_bundle, read_bundle, save_bundle
from ece_core.models.probability_ensemble import ProbabilityEnsemble
from ece_core.training.folds import NUMBERED

OF_ONE = ("schema", "weights_sha256", "metrics", "training", "training_data")
ALIKE = ("architecture", "arguments", "input", "labels")
METRICS = {"note": "Not measured yet. Every patient of the data set was in the training of some of its members."}


def ensemble_of_folds(work: Path, out: Path | None = None) -> Path:
    """Write the bundle; returns its folder.

    Parameters
    ----------
    work
        Of the training: what `ece train segmentation` was given as --out; or the folder of one of its stages.
    out
        The bundle's folder; by default in ``work``, with the name of the training.

    Raises
    ------
    InputError
        Fewer than two folds have been trained.
    ModelError
        A bundle is damaged, or they are not of one network.
    """
    work = Path(work)
    place = work / "full_resolution" if (work / "full_resolution").is_dir() else work
    found = {fold: bundle for fold in NUMBERED for bundle in place.glob(f"fold_{fold}/*-fold-{fold}")}
    found = {fold: bundle for fold, bundle in found.items() if (bundle / "model.json").is_file()}
    if len(found) < 2:
        raise InputError(
            f"The folder has {len(found)} trained folds: there is nothing to average.",
            "Train at least two: ece train segmentation CONFIG --fold 0, then 1 and so on.",
        )
    specs = {fold: read_bundle(bundle) for fold, bundle in found.items()}
    first_fold, first = next(iter(specs.items()))
    odd = [fold for fold, spec in specs.items() if any(spec[key] != first[key] for key in ALIKE)]
    if odd:
        raise InputError(f"The folds {first_fold} and {odd[0]} are of different networks.", "Train them by one config.")
    name = first["name"].removesuffix(f"-fold-{first_fold}")
    spec: dict[str, Any] = {key: value for key, value in first.items() if key not in OF_ONE}
    member = {"architecture": first["architecture"], "arguments": first["arguments"]}
    members = [load_bundle(bundle, fold=False).network for bundle in found.values()]
    spec |= {
        "name": name,
        "architecture": "Ensemble",
        "arguments": {"members": len(members), "member": member},
        "training_data": f"{first['training_data']} Mean of the probabilities of the folds {', '.join(found)}.",
        "training": {**first.get("training", {}), "fold": list(found)},
        "metrics": METRICS,
    }
    target = out or work / name
    save_bundle(target, spec, ProbabilityEnsemble(members).eval(), half=False)
    return target
