"""How well a number tells the worst contours, and topology as such a number, on patients that it was not fitted on."""

from __future__ import annotations

import numpy as np

from ece_core.evaluation.roc import auc
from ece_core.geometry import Array

DRAWS = 1000


def auc_of_worst(scores: Array, worst: Array, patients: Array, seed: int = 0) -> dict[str, float | None]:
    """AUC of low scores for the worst contours, with a 95 % interval from redrawing patients.

    Parameters
    ----------
    scores
        (n,), high for good contours.
    worst
        (n,) bool.
    patients
        (n,): contours of one patient are drawn together.

    Returns
    -------
    dict
        {value, low, high}; None where there is one kind only.
    """
    members = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    rng, values = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        drawn = np.concatenate([members[at] for at in rng.integers(0, len(members), len(members))])
        values.append(auc(-scores[drawn], worst[drawn]))
    known = [value for value in values if value is not None]
    low, high = np.quantile(known, (0.025, 0.975)).tolist() if known else (None, None)
    return {"value": auc(-scores, worst), "low": low, "high": high}


def held_out_scores(profiles: Array, dice: Array, patients: Array, folds: int = 5, seed: int = 0) -> Array:
    """(n,): first component of each contour, fitted on the patients of the other folds.

    Components of different folds are brought to one scale by the fitted sigmoid: the score is the expected Dice.
    """
    from ece_core.explain.contour_quality import fit_contour_quality

    names = np.random.default_rng(seed).permutation(np.unique(patients))
    scores = np.zeros(len(dice))
    for fold in range(folds):
        held_out = np.isin(patients, names[fold::folds])
        fit = fit_contour_quality(profiles[~held_out], dice[~held_out])
        scores[held_out] = fit.dice(fit.scores(profiles[held_out]))
    return scores
