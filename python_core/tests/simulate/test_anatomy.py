"""The neck: the same for a seed, the published attenuations, nothing where it cannot be, and real proportions."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ece_core.simulate.anatomy import LANDMARK_Z, TISSUE_HU, Person, sample_anatomy
from ece_core.simulate.patient import sample_patient
from ece_core.simulate.tissues import FOLLOWS, sample_hu

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "compare_anatomy.py"


@pytest.fixture(scope="module")
def necks():
    return [sample_anatomy(np.random.default_rng((909, n))) for n in range(6)]


@pytest.fixture(scope="module")
def compare():
    spec = importlib.util.spec_from_file_location("compare_anatomy", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def axis_of(shape, low=-70.0, high=45.0):
    """(n, 3): points along the middle of a swept structure."""
    heights = np.linspace(max(low, shape.knots[1, 0]), min(high, shape.knots[-2, 0]), 24)
    return np.array([[*shape.center(z), z] for z in heights])


def test_the_same_seed_gives_the_same_neck():
    first, second, other = (sample_anatomy(np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert first.hu == second.hu
    assert first.person == second.person or vars(first.person) == vars(second.person)
    assert len(first.structures) == len(second.structures)
    for one, two in zip(first.structures, second.structures, strict=True):
        assert (one.tissue, one.name, one.side) == (two.tissue, two.name, two.side)
        assert all((a == b).all() for a, b in zip(one.shape.bounds(), two.shape.bounds(), strict=True))
    assert first.hu != other.hu


@pytest.mark.slow
def test_a_change_to_the_anatomy_leaves_the_lymph_nodes_of_a_seed(monkeypatch):
    def drawn(seed):
        patient = sample_patient(seed)
        return sorted(node.class_name for node in patient.lymph_nodes)

    def another(rng):
        rng.normal(size=100)
        return sample_anatomy(rng)

    before = drawn(11)
    monkeypatch.setattr("ece_core.simulate.patient.sample_anatomy", another)
    after = drawn(11)
    assert abs(len(before) - len(after)) <= 4, "a few may find no place in the other neck"
    assert set(after) == set(before)


def test_a_patient_has_sex_and_age(the_patient):
    patient = the_patient(3)
    assert patient.sex in ("F", "M")
    assert 35 <= patient.age_years <= 90


def test_attenuations_have_the_published_mean_and_spread():
    rng = np.random.default_rng(3)
    people = [Person.sample(rng) for _ in range(200)]
    drawn = [sample_hu(rng, p.phase, p.fat_share, p.age_years) for p in people]
    for tissue, (mean, sd) in TISSUE_HU.items():
        values = np.array([hu[tissue] for hu in drawn])
        assert values.mean() == pytest.approx(mean, abs=0.35 * sd + 1e-9), tissue
        assert values.std() == pytest.approx(sd, rel=0.25), tissue


def test_an_early_phase_has_bright_arteries_and_dark_veins():
    rng = np.random.default_rng(4)
    early, late = ([sample_hu(rng, phase, 0.0, 60.0) for _ in range(200)] for phase in (-2.0, 2.0))
    for tissue in ("carotid", "jugular"):
        change = np.mean([hu[tissue] for hu in late]) - np.mean([hu[tissue] for hu in early])
        expected = 4.0 * FOLLOWS[tissue][1] * TISSUE_HU[tissue][1]
        assert change == pytest.approx(expected, abs=10)
    assert FOLLOWS["carotid"][1] < 0 < FOLLOWS["jugular"][1]


@pytest.mark.parametrize(
    "name",
    ["jugular", "common carotid", "internal carotid", "sternocleidomastoid", "parotid", "submandibular", "thyroid"],
)
def test_pairs_lie_on_their_own_sides_and_mirror_one_another(necks, name):
    gaps = []
    for neck in necks:
        left, right = (neck.named(name, side) for side in ("left", "right"))
        z = (max(left.knots[0, 0], right.knots[0, 0]) + min(left.knots[-1, 0], right.knots[-1, 0])) / 2
        middle = neck.frame.point(0, 30, z / neck.frame.size[2])[0]
        from_left, from_right = left.center(z)[0] - middle, middle - right.center(z)[0]
        assert from_left > 5
        assert from_right > 5, "left is +x in LPS"
        gaps.append(from_left - from_right)
    assert abs(np.mean(gaps)) < 4


def test_everything_of_the_neck_lies_within_the_skin(necks):
    inner = {
        "vertebra",
        "jugular",
        "common carotid",
        "thyroid",
        "submandibular",
        "sternocleidomastoid",
        "pharynx",
        "cord",
    }
    for neck in necks:
        for structure in neck.structures:
            if structure.name in inner and hasattr(structure.shape, "center"):
                points = axis_of(structure.shape)
                assert (neck.outside_mm(*points.T) < -1.5).all(), structure.name


def test_carotid_and_jugular_keep_clear_of_airway_and_spine(necks):
    for neck in necks:
        solids = [s for s in neck.structures if s.name in ("airway", "vertebra", "cricoid")]
        for name in ("common carotid", "internal carotid", "jugular"):
            for side in ("left", "right"):
                points = axis_of(neck.named(name, side))
                for solid in solids:
                    assert (solid.shape.distance(*points.T) > 0.5).all(), (name, solid.name)


def test_people_differ_in_build_posture_and_teeth():
    rng = np.random.default_rng(5)
    people = [Person.sample(rng) for _ in range(300)]
    assert 0.6 < np.mean([p.sex == "M" for p in people]) < 0.86
    assert np.ptp(np.percentile([p.fat_mm for p in people], (5, 95))) > 7
    assert np.ptp(np.percentile([p.shoulders_mm[0] for p in people], (5, 95))) > 30
    assert np.mean([abs(p.shoulders_mm[0] - p.shoulders_mm[1]) for p in people]) > 4
    assert 0.3 < np.mean([p.metal_teeth > 0 for p in people]) < 0.6
    old, young = ([p for p in people if (p.age_years > 65) is old] for old in (True, False))
    assert np.mean([p.muscle for p in old]) < np.mean([p.muscle for p in young])
    assert np.mean([p.calcified for p in old]) > np.mean([p.calcified for p in young])


def test_necks_differ_in_size_and_the_head_may_be_turned(necks):
    widths = [np.ptp([neck.named("sternocleidomastoid", side).center(0)[0] for side in ("left", "right")])
              for neck in necks]  # fmt: skip
    assert np.ptp(widths) > 6
    assert np.ptp([neck.frame.turn for neck in necks]) > 0.05
    assert all(abs(neck.frame.angle(-90)) < 1e-9 for neck in necks), "the chest does not turn with the head"


def test_metal_is_where_the_teeth_are_and_is_painted(necks):
    with_metal = [neck for neck in necks if neck.metal]
    assert with_metal
    for neck in with_metal:
        assert len(neck.metal) == sum(s.tissue == "metal" for s in neck.structures)
        for center, radius in neck.metal:
            assert 1 < radius < 6
            assert neck.frame.point(0, 0, 10)[2] < center[2] < neck.frame.point(0, 0, 50)[2]


def test_small_tubes_look_like_lymph_nodes_in_one_slice_only(necks):
    for neck in necks:
        tubes = [s.shape for s in neck.structures if s.tissue in ("vessel", "nerve")]
        across = np.array([2 * tube.radius_mm for tube in tubes])
        assert len(tubes) > 120
        assert ((across > 1.0) & (across < 6.0)).mean() > 0.95


def test_landmarks_are_ordered(necks):
    for neck in necks:
        z = neck.levels_z()
        assert z["skull_base"] > z["hyoid"] > z["cricoid"] > z["clavicle"]
        assert set(z) == set(LANDMARK_Z)


@pytest.mark.slow
def test_positions_and_sizes_agree_with_real_heads_and_necks(shared_data, compare):
    """Bounds in units of both spreads and 4 mm together. The atlas is one small person with raised arms."""
    patients = [sample_patient((606, number)) for number in range(5)]
    ours = compare.simulated(patients)
    contours = compare.contours(shared_data / "deepmind_hn_labels")
    for organ, rows in contours.items():
        assert compare.offness(rows, ours["cord"][organ]).max() < 2.0, organ
    atlas = compare.atlas(shared_data / "spl_hn_atlas")
    for organ in ("mandible", "parotid", "jugular", "common carotid", "thyroid", "thyroid cartilage", "cricoid"):
        off = compare.offness(atlas[organ], ours["hyoid"][organ])
        assert off[:3].max() < 4.0, organ
        assert np.median(off) < 2.0, organ
