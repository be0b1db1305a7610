from dataclasses import replace

import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.simulate import Scanner, neck_grid, patch_grid, render, sample_patient
from ece_core.simulate.truth import is_visible, truth_of

QUIET = Scanner(noise_hu=0.0, streak_hu=0.0, couch=False)
SMALL = neck_grid((40, 90, 90), (5.0, 3.0, 3.0))


@pytest.fixture(scope="module")
def a_patient(the_patient):
    return the_patient(3)


@pytest.fixture(scope="module")
def a_scan(a_patient):
    return render(a_patient, SMALL, Scanner(noise_hu=6.0))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scan_and_another_seed_another(a_patient, a_scan):
    again = render(sample_patient(3), SMALL, Scanner(noise_hu=6.0))
    assert (again.ct.array == a_scan.ct.array).all()
    assert (again.instances.array == a_scan.instances.array).all()
    other = render(sample_patient(4), SMALL, Scanner(noise_hu=6.0))
    assert (other.ct.array != a_scan.ct.array).mean() > 0.3


def test_class_map_and_instance_map_tell_the_same_story(a_patient, a_scan):
    names = [node.class_name for node in a_patient.lymph_nodes]
    lut = np.array([0, *({"N": 1, "P": 2, "ENE": 3}[name] for name in names)])
    assert (lut[a_scan.instances.array] == a_scan.classes.array).all()


def test_a_patch_shows_what_the_whole_scan_shows_there(a_patient):
    whole = render(a_patient, SMALL, QUIET)
    node = a_patient.lymph_nodes[5]
    index = np.rint(whole.ct.to_index(node.center_lps)).astype(int)
    start, stop = index - (3, 6, 6), index + (4, 7, 7)
    _, affine = patch_grid(whole.ct.to_lps(index), (7, 13, 13), (5.0, 3.0, 3.0))
    patch = render(a_patient, ((7, 13, 13), affine), QUIET)
    block = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    assert (patch.instances.array == whole.instances.array[block]).all()
    inner = (slice(None), slice(2, -2), slice(2, -2))  # the point spread mixes the rim with what is outside
    difference = np.abs(patch.ct.array[inner].astype(int) - whole.ct.array[block][inner])
    assert np.percentile(difference, 95) <= 12  # texture is drawn on every second voxel


@pytest.mark.parametrize("seed", [3, 5, 7])
def test_the_twin_scan_differs_only_in_the_sector_of_the_breach(seed, the_patient):
    patient = the_patient((56, seed))
    label = next(n for n, node in enumerate(patient.lymph_nodes, 1) if node.class_name == "ENE")
    node = patient.lymph_nodes[label - 1]
    grid = patch_grid(node.center_lps, (30, 72, 72), (1.25, 0.6, 0.6))
    sharp = Scanner(noise_hu=7.0, psf_fwhm_mm=0.01)  # a point spread would carry a difference across the border
    as_is, repaired = render(patient, grid, sharp), render(with_twin(patient, label), grid, sharp)
    changed = np.argwhere(as_is.ct.array != repaired.ct.array)
    assert len(changed) > 100
    # A voxel changes when any part of it lies in the sector, so each is looked at in its corners, too.
    corners = np.array(np.meshgrid(*[(-0.5, 0, 0.5)] * 3)).reshape(3, -1).T
    offset = as_is.ct.to_lps(changed[:, None] + corners) - node.center_lps
    unit = offset / np.linalg.norm(offset, axis=2, keepdims=True)
    assert (node.breach.nearness(tuple(np.moveaxis(unit, 2, 0))) > 0).any(axis=1).all()
    moved = as_is.instances.array != repaired.instances.array
    assert (as_is.instances.array[moved] == label).all()
    assert moved.any()


def test_the_twin_keeps_what_the_breach_did_not_cause(the_patient):
    patient = the_patient((56, 3))
    label = next(n for n, node in enumerate(patient.lymph_nodes, 1) if node.class_name == "ENE")
    inflamed = replace(patient.lymph_nodes[label - 1], inflammation=0.8, inflamed_side=None)
    twin = inflamed.repaired()
    assert twin.inflammation == 0.8
    assert twin.stranding == 0.8
    assert replace(inflamed, inflammation=0.0).repaired().stranding == 0.0


def with_twin(patient, label):
    others = list(patient.lymph_nodes)
    others[label - 1] = others[label - 1].repaired()
    return replace(patient, lymph_nodes=tuple(others))


def test_tissues_have_their_attenuation(a_patient):
    grid = patch_grid(a_patient.anatomy.frame.point(0, 8, 16), (9, 61, 61), (2.0, 1.0, 1.0))
    hu = render(replace(a_patient, lymph_nodes=()), grid, QUIET).ct.array
    assert hu.min() < -950  # pharynx
    assert (np.abs(hu - a_patient.anatomy.hu["muscle"]) < 15).mean() > 0.1


def test_lymph_nodes_do_not_lie_in_bone_airway_or_carotid(a_patient):
    solid = [s for s in a_patient.anatomy.structures if s.tissue in ("cortical", "airway", "carotid")]
    centers = np.array([node.center_lps for node in a_patient.lymph_nodes])
    for structure in solid:
        assert (structure.shape.distance(*centers.T) > 0).all()


def test_sides_are_the_patients_own(a_patient):
    middle = np.array([a_patient.anatomy.frame.point(0, 0, node.center_lps[2])[0] for node in a_patient.lymph_nodes])
    for node, x in zip(a_patient.lymph_nodes, middle, strict=True):
        if node.level not in ("IA", "VI"):
            assert (node.center_lps[0] > x) == (node.side == "left"), "left is +x in LPS"


def test_thick_slices_average_thin_ones(a_patient):
    thin = render(a_patient, neck_grid((40, 90, 90), (1.25, 3.0, 3.0), -10.0), QUIET).ct.array.astype(float)
    shape, affine = neck_grid((20, 90, 90), (2.5, 3.0, 3.0), -10.0 + 0.625)
    thick = render(a_patient, (shape, affine), QUIET).ct.array
    assert np.abs(thin.reshape(20, 2, 90, 90).mean(axis=1) - thick).mean() < 1.5


def test_truth_keeps_extent_visibility_and_grade_apart(a_patient, a_scan):
    rows = truth_of(a_patient, a_scan, Scanner(noise_hu=6.0))
    assert {row["label"] for row in rows} == set(np.unique(a_scan.instances.array)) - {0}
    for row in rows:
        assert (row["extent_mm"] > 0) == (row["class"] == "ENE")
        if not row["visible"]:
            assert row["iene_grade"] == 0
        else:
            assert row["class"] == "ENE"


def test_a_breach_far_below_the_resolution_is_not_visible(the_patient):
    a_patient = the_patient((56, 3))
    label = next(n for n, node in enumerate(a_patient.lymph_nodes, 1) if node.class_name == "ENE")
    node = a_patient.lymph_nodes[label - 1]
    tiny = replace(node, breach=replace(node.breach, extent_mm=0.05))
    large = replace(node, breach=replace(node.breach, extent_mm=6.0))
    for changed, expected in ((tiny, False), (large, True)):
        nodes = list(a_patient.lymph_nodes)
        nodes[label - 1] = changed
        patient = replace(a_patient, lymph_nodes=tuple(nodes))
        scan = render(patient, patch_grid(node.center_lps, (24, 48, 48), (1.25, 0.8, 0.8)), Scanner())
        assert is_visible(patient, label, scan, Scanner()) is expected


def test_an_unknown_difficulty_is_refused():
    with pytest.raises(InputError, match="no difficulty named 'impossible'.*easy, medium, hard"):
        sample_patient(1, "impossible")
