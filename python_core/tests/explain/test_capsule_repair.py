"""Capsule repair of drawn lymph nodes, by networks that know where tumor lies outside."""

import numpy as np
import pytest
from ece_core.explain.capsule_repair import capsule_repair, smooth_body, surroundings
from ece_core.explain.sectors import AROUND, SECTORS, sectors
from ece_core.geometry import Volume, affine_from

SPACING_MM = (1.25, 1.0, 1.0)
SHAPE = (28, 36, 36)
RADIUS_MM = 6.0


def millimeters():
    """(S, P, L) mm from the middle of the grid."""
    return [
        (np.arange(n).reshape([-1 if axis == a else 1 for a in range(3)]) - (n - 1) / 2) * SPACING_MM[axis]
        for axis, n in enumerate(SHAPE)
    ]


def a_scan(tongue_to_the_left=False, strand=False, muscle=False):
    """A ball of 80 HU in fat; HU, its mask with the tongue, and where tissue outside the ball was drawn."""
    up, back, left = millimeters()
    ball = np.sqrt(up**2 + back**2 + left**2)
    mask = ball <= RADIUS_MM
    tissue = np.zeros(SHAPE, bool)
    if tongue_to_the_left:
        tissue |= (np.hypot(up, back) <= 1.6) & (left > 0) & (left < RADIUS_MM + 4)
        mask = mask | tissue
    if strand:
        tissue |= (np.abs(up) < 1) & (np.abs(back) < 0.6) & (left > 0) & (left < RADIUS_MM + 5)
    if muscle:
        tissue |= np.broadcast_to(left < -RADIUS_MM - 2, SHAPE)
    noise = 8 * np.random.default_rng(2).normal(size=SHAPE)
    hu = np.where(mask | tissue, 80.0, -100.0) + noise
    return Volume(hu.astype(np.float32), affine_from(SPACING_MM)), mask, tissue & (ball > RADIUS_MM + 1.5)


def all_seen():
    return np.ones(SHAPE, bool)


def a_network_that_knows(where):
    """Probability: the share of the drawn tissue that is still bright."""
    return lambda hu, mask: float((hu[where] > 0).mean())


@pytest.mark.parametrize("kind", ["tongue_to_the_left", "strand"])
def test_repairing_the_breach_takes_the_probability_away_and_nothing_else_does(kind):
    hu, mask, tissue = a_scan(**{kind: True})
    repair, heat = capsule_repair(a_network_that_knows(tissue), hu, mask, all_seen())
    assert repair.as_is == 1.0
    assert repair.by_sector["left"] < 0.1 and repair.whole < 0.1
    assert all(repair.by_sector[name] == 1.0 for name in SECTORS if name != "left")
    assert repair.fall("left") > 0.9 and repair.fall("right") == 0
    left = sectors(Volume(mask, hu.affine)) == SECTORS.index("left")
    assert heat[left].max() == 1 and not heat[~left].any() and not heat[mask].any()
    assert repair.to_json()["sectors"]["right"] == 1.0


def test_a_small_fall_leaves_the_map_empty():
    hu, mask, tissue = a_scan(strand=True)
    repair, heat = capsule_repair(lambda hu, mask: 0.04 * float((hu[tissue] > 0).mean()), hu, mask, all_seen())
    assert repair.fall("left") > 0.03 and not heat.any()


def test_the_outline_is_repaired_too():
    hu, mask, _ = a_scan(tongue_to_the_left=True)
    intact = a_scan()[1]
    repair, _ = capsule_repair(lambda hu, mask: mask.sum() / 2000, hu, mask, all_seen())
    assert repair.as_is == mask.sum() / 2000
    assert repair.whole == pytest.approx(intact.sum() / 2000, rel=0.04)


def test_muscle_beside_the_lymph_node_stays():
    hu, mask, muscle = a_scan(muscle=True)
    around = surroundings(hu, mask, all_seen())
    assert muscle.sum() > 5000 and not (around.changed & muscle).any()
    repair, _ = capsule_repair(a_network_that_knows(muscle), hu, mask, all_seen())
    assert repair.as_is == repair.whole == 1.0


def test_an_intact_lymph_node_is_hardly_painted():
    hu, mask, _ = a_scan()
    around = surroundings(hu, mask, all_seen())
    reach = (np.abs(around.painted - hu.array) > 0).mean()
    assert reach < 0.08  # two standard deviations of fat: some voxels are always unusual
    assert around.painted.max() <= hu.array.max()
    assert (around.body != mask).sum() < 0.04 * mask.sum()


def test_painted_fat_looks_like_the_fat_that_is_there():
    hu, mask, tissue = a_scan(strand=True)
    painted = surroundings(hu, mask, all_seen()).painted[tissue]
    assert painted.mean() == pytest.approx(-100, abs=12) and 3 < painted.std() < 20


def test_without_fat_around_the_usual_one_is_painted():
    hu, mask, _ = a_scan()
    solid = hu.with_array(np.full(SHAPE, 60, np.float32))
    seen = smooth_body(mask, SPACING_MM)
    repair, _ = capsule_repair(lambda hu, mask: 0.5, solid, mask, seen)
    assert repair.whole == 0.5


@pytest.mark.parametrize(
    ("offset", "name"),
    [
        pytest.param((0, -9, 0), "anterior", id="rows run from anterior to posterior"),
        pytest.param((0, 9, 0), "posterior", id="posterior"),
        pytest.param((0, 0, 9), "left", id="columns run to the patient's left"),
        pytest.param((0, -7, 7), "left anterior", id="left anterior"),
        pytest.param((0, 7, -7), "right posterior", id="right posterior"),
        pytest.param((9, 0, 0), "above", id="slices run upwards"),
        pytest.param((-9, 2, 0), "below", id="below"),
    ],
)
def test_sectors_are_named_as_the_patient_lies(offset, name):
    _, mask, _ = a_scan()
    where = tuple(n // 2 + step for n, step in zip(SHAPE, offset, strict=True))
    assert SECTORS[sectors(Volume(mask, affine_from(SPACING_MM)))[where]] == name


def test_sectors_do_not_know_the_order_of_the_voxels():
    _, mask, _ = a_scan()
    affine = affine_from(SPACING_MM)
    mirrored = affine.copy()
    mirrored[:3, 0] *= -1
    mirrored[:3, 3] = affine[:3, 3] + affine[:3, 0] * (SHAPE[2] - 1)
    one, two = sectors(Volume(mask, affine)), sectors(Volume(mask[:, :, ::-1], mirrored))
    assert np.array_equal(one, two[:, :, ::-1])


def test_around_are_eight_like_sectors():
    _, mask, _ = a_scan()
    counts = np.bincount(sectors(Volume(mask, affine_from(SPACING_MM)))[SHAPE[0] // 2].ravel(), minlength=len(SECTORS))
    assert counts[: len(AROUND)].min() > 0.7 * counts[: len(AROUND)].max() and not counts[len(AROUND) :].any()
