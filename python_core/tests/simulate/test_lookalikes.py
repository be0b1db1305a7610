from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from ece_core.simulate import Scanner, patch_grid, render, sample_patient
from ece_core.simulate import lookalikes as module
from ece_core.simulate.anatomy import sample_anatomy
from ece_core.simulate.lookalikes import add_lookalikes

SHARES = {"unopacified vein": 0.30, "thrombosed jugular": 0.06, "gland lobule": 0.30}


@pytest.fixture(scope="module")
def a_neck():
    return sample_anatomy(np.random.default_rng(1))


@pytest.fixture
def all_of_them(monkeypatch):
    for name in ("UNOPACIFIED_VEIN", "THROMBOSED_JUGULAR", "GLAND_LOBULE"):
        monkeypatch.setattr(module, name, (1.0, *getattr(module, name)[1:]))


def test_they_are_as_common_as_declared(a_neck):
    rng = np.random.default_rng(2)
    seen = Counter(one.name for _ in range(400) for one in add_lookalikes(rng, a_neck)[1])
    for name, share in SHARES.items():
        assert seen[name] / 400 == pytest.approx(share, abs=0.07)


def test_the_neck_keeps_what_it_had_and_the_new_are_painted_last(a_neck, all_of_them):
    neck, found = add_lookalikes(np.random.default_rng(3), a_neck)
    assert neck.structures[: len(a_neck.structures)] == a_neck.structures
    added = neck.structures[len(a_neck.structures) :]
    assert [s.name for s in added] == [one.name for one in found]
    for structure, one in zip(added, found, strict=True):
        assert structure.shape.distance(*one.center_lps[:, None])[0] < 0
        assert structure.tissue in neck.hu


def test_a_clot_lies_inside_its_jugular_and_leaves_a_wall(a_neck, all_of_them):
    neck, found = add_lookalikes(np.random.default_rng(4), a_neck)
    one = next(one for one in found if one.name == "thrombosed jugular")
    clot = next(s.shape for s in neck.structures if s.name == "thrombosed jugular")
    points = np.random.default_rng(5).uniform(-12, 12, (4000, 3)) + one.center_lps
    inside = clot.distance(*points.T) < 0
    assert inside.sum() > 50
    assert (a_neck.named("jugular", one.side).distance(*points[inside].T) < 0).all()


def test_they_are_seen_in_the_scan_and_are_no_lymph_nodes(all_of_them):
    patient = sample_patient((62, 1))
    bare = replace(patient, lymph_nodes=())
    for one in patient.lookalikes:
        scan = render(bare, patch_grid(one.center_lps, (3, 15, 15), (1.0, 0.6, 0.6)), Scanner(noise_hu=1.0))
        assert scan.ct.array[1, 6:9, 6:9].mean() > 0, one.name  # soft tissue, not fat
        assert not scan.instances.array.any()
