import numpy as np
import pytest
from ece_core.simulate.label_noise import noisy_classes

CLASSES = ["N"] * 500 + ["P"] * 500 + ["ENE"] * 500


def test_no_noise_changes_nothing():
    assert noisy_classes(np.random.default_rng(1), CLASSES, 0.0) == CLASSES


def test_half_of_the_metastases_at_most_and_never_a_negative():
    noisy = noisy_classes(np.random.default_rng(1), CLASSES, 0.1)
    assert noisy[:500] == ["N"] * 500
    changed = [a != b for a, b in zip(CLASSES, noisy, strict=True)]
    assert np.mean(changed[500:1000]) == pytest.approx(0.1, abs=0.04)
    assert np.mean(changed[1000:]) == pytest.approx(0.1, abs=0.04)
    assert set(noisy[500:]) == {"P", "ENE"}
