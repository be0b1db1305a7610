"""Sets of classes that a lymph node may have, each class missed no more often than said: "not sure" is an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.errors import InputError, ModelError

Array = np.ndarray
TARGET = 0.9


def fit_conformal(probabilities: Array, labels: Array, target: float = TARGET) -> dict[str, Any]:
    """What a bundle's card keeps as ``conformal``: per class the least probability with which it is in the set.

    A class is in a lymph node's set if its probability is not lower than that of all but the ``1 - target`` lowest of
    the calibration's lymph nodes of that class. Of a new lymph node of this class, exchangeable with these, the set
    then holds the class with a probability from ``target`` to ``target + 1 / (n + 1)``: class-conditional (Mondrian)
    split conformal prediction.

    Parameters
    ----------
    probabilities
        (n, 3) of N, P and ENE, after calibration.
    labels
        (n,) 0 to 2.
    target
        Coverage of each class, between 0 and 1.

    Returns
    -------
    dict
        {target, least_probability {class: p}, lymph_nodes {class: n}}.

    Raises
    ------
    InputError
        A class has too few lymph nodes for the target: 9 at 0.9.

    References
    ----------
    Vovk 2012, arXiv 1209.2673 (conditional on the label). Sadinle et al. 2019, doi:10.1080/01621459.2017.1395341: no
    other sets of this coverage are smaller on average, if the probabilities are right.
    """
    if not 0 < target < 1:
        raise ValueError(f"target must be between 0 and 1, got {target}")
    least, counts = {}, {}
    for number, name in enumerate(CLASS_NAMES):
        own = np.sort(np.asarray(probabilities, float)[np.asarray(labels) == number, number])
        allowed = int(np.floor((len(own) + 1) * (1 - target) + 1e-9))  # so many may be missed
        if allowed < 1:
            raise InputError(
                f"{len(own)} lymph nodes of class {name} are too few for sets that miss no more than "
                f"{100 * (1 - target):.0f} % of them.",
                f"Calibrate on at least {int(np.ceil(1 / (1 - target) - 1e-9)) - 1} of each class.",
            )
        least[name], counts[name] = float(own[allowed - 1]), len(own)
    return {"target": target, "least_probability": least, "lymph_nodes": counts}


def class_set(probabilities: Mapping[str, float], conformal: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The classes that are in the set, in the order N, P, ENE.

    Parameters
    ----------
    probabilities
        By class.
    conformal
        Of the card; None: the model has no sets.

    Returns
    -------
    tuple or None
        It may be empty: the lymph node is unlike most of the calibration's of any class. It may lack the most probable
        class: when most are N, a lymph node can be N with 0.7 and yet look like few of the N.

    Raises
    ------
    ModelError
        The card lacks the threshold of a class.
    """
    if conformal is None:
        return None
    try:
        least = [float(conformal["least_probability"][name]) for name in CLASS_NAMES]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            "The model card's conformal thresholds are damaged.", "Fit them again, or import the model again."
        ) from error
    return tuple(name for name, at_least in zip(CLASS_NAMES, least, strict=True) if probabilities[name] >= at_least)


def coverage(sets: Sequence[tuple[str, ...]], labels: Sequence[str]) -> dict[str, float]:
    """Share of the lymph nodes of each class whose set holds it; classes that do not occur are absent."""
    return {
        name: float(np.mean([name in one for one, label in zip(sets, labels, strict=True) if label == name]))
        for name in CLASS_NAMES
        if name in labels
    }
