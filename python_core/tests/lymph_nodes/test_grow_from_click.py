"""A lymph node outlined from one click: drawn balls in fat, beside muscle, and what is refused."""

import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.grow_from_click import grow_from_click

from .drawn_bodies import ellipsoid

SHAPE, SPACING_MM, ORIGIN = (24, 48, 48), (2.0, 1.0, 1.0), (-24.0, -24.0, -24.0)
FAT, LYMPH_NODE, MUSCLE, NECROSIS, AIR = -90, 105, 60, 20, -1000


def points() -> np.ndarray:
    grid = Volume(np.zeros(SHAPE, np.int16), affine_from(SPACING_MM, ORIGIN))
    return grid.to_lps(np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1))


def ball(center=(0.0, 0.0, 0.0), radius_mm=6.0) -> np.ndarray:
    return ellipsoid(center, [radius_mm] * 3)(points())


def a_ct(*bodies: tuple[np.ndarray, int], noise_hu=8.0) -> Volume:
    array = np.full(SHAPE, float(FAT))
    for mask, hu in bodies:
        array[mask] = hu
    noise = np.random.default_rng(7).normal(0, noise_hu, SHAPE)
    return Volume((array + noise).astype(np.int16), affine_from(SPACING_MM, ORIGIN))


def grown(ct: Volume, point=(0.0, 0.0, 0.0), **arguments) -> np.ndarray:
    start, block = grow_from_click(ct, point, **arguments)
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, a + n) for a, n in zip(start, block.shape, strict=True))] = block
    return mask


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_a_ball_in_fat_is_outlined_wherever_it_is_clicked():
    truth = ball()
    for point in ((0.0, 0.0, 0.0), (3.0, 2.0, -2.0)):
        assert dice(grown(a_ct((truth, LYMPH_NODE)), point), truth) > 0.85


def test_muscle_beside_it_is_left_out():
    """45 HU lower and touching along a broad face: the wide windows run into it, a narrow one does not."""
    truth, muscle = ball(), points()[..., 1] > 5.0
    found = grown(a_ct((muscle, MUSCLE), (truth, LYMPH_NODE)))
    assert dice(found, truth) > 0.8 and (found & muscle & ~truth).sum() < 0.1 * truth.sum()


def test_the_neighbor_that_touches_is_cut_off():
    truth, neighbor = ball((-6.0, 0.0, 0.0)), ball((6.0, 0.0, 0.0), 6.5)
    found = grown(a_ct((truth, LYMPH_NODE), (neighbor, LYMPH_NODE)), (-6.0, 0.0, 0.0))
    assert dice(found, truth) > 0.8 and (found & neighbor & ~truth).sum() < 0.1 * truth.sum()


def test_a_necrotic_core_belongs_to_it():
    truth, core = ball(radius_mm=9.0), ball(radius_mm=4.0)
    found = grown(a_ct((truth, LYMPH_NODE), (core, NECROSIS)), (6.5, 0.0, 0.0))
    assert (found & core).sum() == core.sum()


def test_what_others_have_stays_theirs():
    taken = (points()[..., 0] > 2.0).astype(np.uint16)
    found = grown(a_ct((ball(), LYMPH_NODE)), (-2.0, 0.0, 0.0), taken=taken)
    assert found.any() and not (found & (taken > 0)).any()


@pytest.mark.parametrize(
    ("point", "words"),
    [
        pytest.param((99.0, 0.0, 0.0), "outside of the scan.*Click inside the neck", id="outside"),
        pytest.param((15.0, 15.0, 0.0), r"no lymph node tissue at this point \(-\d+ HU\).*not into fat", id="fat"),
        pytest.param((0.0, 0.0, 18.0), "Less than 30 mm³ of similar tissue", id="a speck"),
    ],
)
def test_what_is_no_lymph_node_is_refused_in_words(point, words):
    ct = a_ct((ball(), LYMPH_NODE), (ball((0.0, 0.0, 18.0), 2.1), LYMPH_NODE), noise_hu=1.0)
    with pytest.raises(InputError, match=words):
        grow_from_click(ct, point)


def test_tissue_without_a_border_is_refused():
    with pytest.raises(InputError, match="no border within 20 mm.*paint it"):
        grow_from_click(a_ct((ball(radius_mm=99.0), MUSCLE)), (0.0, 0.0, 0.0))


def test_a_lymph_node_that_is_there_already_is_refused():
    with pytest.raises(InputError, match="outlined there already.*Select it in the table"):
        grow_from_click(a_ct((ball(), LYMPH_NODE)), (0.0, 0.0, 0.0), taken=ball().astype(np.uint16))


def test_the_radius_is_positive():
    with pytest.raises(ValueError, match="radius_mm must be > 0"):
        grow_from_click(a_ct(), (0.0, 0.0, 0.0), radius_mm=0.0)
