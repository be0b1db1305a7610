from dataclasses import replace

import numpy as np
import pytest
from ece_core.simulate import Scanner, sample_patient
from ece_core.simulate.anatomy import Structure
from ece_core.simulate.shapes import Ellipsoid
from ece_core.simulate.truth import (
    BreachSigns,
    _iene_grade,
    attenuation_hu,
    breach_signs,
    coalescent_with,
    invaded_tissues,
    lookalikes_of,
    necrosis_fraction,
)

SPACING_MM = (1.25, 0.49, 0.49)


@pytest.fixture(scope="module")
def a_patient(the_patient):
    """A patient in fat, with one ENE of 12 mm whose breach points to the left."""
    patient = the_patient((56, 3))
    node = next(n for n in patient.lymph_nodes if n.class_name == "ENE")
    node = replace(node, radii_mm=np.full(3, 6.0), lobulation=0.0, fused=(), rim_mm=None)
    fat = [s for s in patient.anatomy.structures if s.name in ("skin", "fat")]
    return replace(patient, anatomy=replace(patient.anatomy, structures=tuple(fat)), lymph_nodes=(node,))


def with_extent(patient, extent_mm):
    node = patient.lymph_nodes[0]
    return replace(patient, lymph_nodes=(replace(node, breach=replace(node.breach, extent_mm=extent_mm)),))


def test_what_sticks_out_rises_with_the_extent(a_patient):
    signs = [breach_signs(with_extent(a_patient, e), 1, SPACING_MM, Scanner()) for e in (0.5, 1.5, 3.0, 6.0)]
    volumes = [s.beyond_mm3 for s in signs]
    assert volumes == sorted(volumes)
    assert volumes[0] == 0
    assert not signs[0].visible
    assert signs[-1].visible


def test_noise_and_thick_slices_hide_a_breach(a_patient):
    patient = with_extent(a_patient, 3.0)
    quiet, noisy = (breach_signs(patient, 1, SPACING_MM, Scanner(noise_hu=n)) for n in (5.0, 10.0))
    assert quiet.contrast_to_noise == pytest.approx(2 * noisy.contrast_to_noise, rel=1e-3)
    thick = breach_signs(patient, 1, (3.0, 0.49, 0.49), Scanner(noise_hu=5.0))
    assert thick.beyond_mm3 < quiet.beyond_mm3


def test_a_breach_is_visible_when_it_is_both_bright_and_large_enough():
    assert BreachSigns(3.0, 4.0).visible
    assert not BreachSigns(2.9, 40.0).visible
    assert not BreachSigns(30.0, 3.9).visible


def test_a_whole_capsule_shows_nothing(a_patient):
    whole = replace(a_patient, lymph_nodes=(a_patient.lymph_nodes[0].repaired(),))
    assert breach_signs(whole, 1, SPACING_MM, Scanner()) == BreachSigns()
    assert _iene_grade(whole, 1, True) == 0


def beside(patient, tissue):
    """The patient with a ball of a tissue just where the breach grows."""
    node = patient.lymph_nodes[0]
    ball = Ellipsoid(node.center_lps + node.breach.directions[0] * 14.5, np.full(3, 8.0))
    structures = (*patient.anatomy.structures, Structure(tissue, ball, tissue))
    return replace(patient, anatomy=replace(patient.anatomy, structures=structures))


def test_grades_are_fat_coalescent_adjacent_structure_and_nothing_unseen(a_patient):
    patient = with_extent(a_patient, 5.0)
    assert _iene_grade(patient, 1, True) == 1
    pair = replace(patient.lymph_nodes[0], fused=(patient.lymph_nodes[0].repaired(),))
    assert _iene_grade(replace(patient, lymph_nodes=(pair,)), 1, True) == 2
    assert _iene_grade(beside(patient, "muscle"), 1, True) == 3
    assert _iene_grade(beside(patient, "muscle"), 1, False) == 0


@pytest.mark.parametrize("tissue", ["muscle", "jugular", "parotid"])
def test_invasion_is_overlap_of_breach_and_structure(a_patient, tissue):
    assert invaded_tissues(with_extent(a_patient, 5.0), a_patient.lymph_nodes[0]) == []
    patient = beside(with_extent(a_patient, 5.0), tissue)
    assert invaded_tissues(patient, patient.lymph_nodes[0]) == [tissue]
    small = with_extent(patient, 0.4)
    assert invaded_tissues(small, small.lymph_nodes[0]) == []


def test_the_skin_is_invaded_where_the_breach_leaves_the_fat(a_patient):
    patient = with_extent(a_patient, 6.0)
    node = patient.lymph_nodes[0]
    direction = node.breach.directions[0]
    outward = node.center_lps + np.linspace(0, 400, 1600)[:, None] * direction
    border = outward[np.flatnonzero(patient.anatomy.outside_mm(*outward.T) > 0)[0]]
    moved = node.moved_to(border - 7.0 * direction)
    assert "skin" in invaded_tissues(patient, moved)


def test_the_necrosis_fraction_of_a_ball_is_known_in_closed_form(a_patient):
    node = replace(a_patient.lymph_nodes[0].repaired(), rim_mm=2.0, core_roughness=0.0, core_hu=20.0)
    assert necrosis_fraction(node) == pytest.approx((4 / 6) ** 3, abs=0.03)
    assert necrosis_fraction(replace(node, rim_mm=None)) == 0.0


def test_the_drawn_attenuation_of_a_ball_is_known_in_closed_form(a_patient):
    ball = replace(a_patient.lymph_nodes[0].repaired(), rim_mm=2.0, core_roughness=0.0, core_hu=20.0, hilum=None)
    core = (4 / 6) ** 3
    assert attenuation_hu(ball) == pytest.approx(core * 20 + (1 - core) * ball.solid_hu, abs=6)
    assert attenuation_hu(replace(ball, rim_mm=None)) == pytest.approx(ball.solid_hu, abs=2)


@pytest.mark.slow
def test_coalescent_lymph_nodes_are_given_by_label():
    patient = next(p for p in (sample_patient((60, n)) for n in range(20)) if any(x.fused for x in p.lymph_nodes))
    for label, node in enumerate(patient.lymph_nodes, 1):
        labels = coalescent_with(patient, label)
        assert len(labels) == len(node.fused)
        assert all(label in coalescent_with(patient, other) for other in labels)


def test_look_alikes_have_a_name_a_side_and_a_center():
    patient = next(p for p in (sample_patient((61, n)) for n in range(20)) if p.lookalikes)
    row = lookalikes_of(patient)[0]
    assert row["name"] in ("unopacified vein", "thrombosed jugular", "gland lobule")
    assert row["side"] in ("left", "right")
    assert len(row["center_lps_mm"]) == 3
