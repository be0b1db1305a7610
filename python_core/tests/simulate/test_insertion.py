"""Simulated lymph nodes in CT that was not made for them: where they go, what they change and what they leave alone."""

from dataclasses import replace

import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.preprocessing import sample_block
from ece_core.simulate import Scanner, patch_grid, render
from ece_core.simulate.insertion import fitted, free_places, insert, insert_pair, look_of, placed
from ece_core.simulate.population import DIFFICULTIES, sample_lymph_node
from scipy import ndimage

OPENKBP = ("pt_10", "pt_101", "pt_124", "pt_136")
MUSCLE_X_MM, BONE_X_MM = 24.0, -26.0


def a_slab(noise_hu=6.0, spacing_mm=(1.5, 1.5, 1.5), shape=(48, 48, 48), seed=0):
    """Fat between a muscle (+x) and a bone (-x), centered on 0, edges softened, white noise."""
    origin = [-(n - 1) / 2 * s for n, s in zip(shape[::-1], spacing_mm[::-1], strict=True)]
    ct = Volume(np.zeros(shape, np.float32), affine_from(spacing_mm, origin))
    x = ct.to_lps(np.stack(np.indices(shape), -1))[..., 0]
    hu = -100 + 160 / (1 + np.exp(-(x - MUSCLE_X_MM) / 0.8)) + 1000 / (1 + np.exp((x - BONE_X_MM) / 0.8))
    hu += np.random.default_rng(seed).normal(0, noise_hu, shape)
    return Volume(np.rint(hu).astype(np.int16), ct.affine)


def a_node(class_name="P", short_axis_mm=14.0, seed=1, **changes):
    node = sample_lymph_node(np.random.default_rng(seed), class_name, DIFFICULTIES["medium"])
    scale = short_axis_mm / node.short_axis_mm
    return replace(node, radii_mm=node.radii_mm * scale, rim_mm=None, hilum=None, **changes)


@pytest.fixture(scope="module", params=OPENKBP)
def a_real_patch(request, shared_data):
    """48^3 at 1.5 mm around a point of a planning target, as the training cuts them."""
    path = shared_data / "openkbp" / f"{request.param}.npz"
    if not path.exists():
        pytest.skip("this OpenKBP patient is not in the shared data")
    with np.load(path, allow_pickle=False) as archive:
        ct = Volume(archive["hu"].astype(np.int16), affine_from(tuple(map(float, archive["spacing_zyx_mm"]))))
        targets = np.argwhere(archive["labels"] >= 8)
    center = ct.to_lps(targets[len(targets) // 3])
    return sample_block(ct, center, (48, 48, 48), (1.5, 1.5, 1.5), -1000.0)


def test_outside_the_changed_voxels_the_scan_is_untouched():
    ct = a_slab()
    done = insert(ct, [a_node()], np.random.default_rng(0))
    differs = done.ct.array != ct.array
    assert differs.any() and not differs[~done.changed.array].any()
    assert done.ct.array.dtype == ct.array.dtype and done.ct.same_grid(ct)
    away = np.linalg.norm(ct.to_lps(np.argwhere(differs)), axis=1)
    assert away.max() < 30, "a lymph node of 14 mm does not reach further"


def test_no_place_is_said_in_words():
    with pytest.raises(InputError, match="no free place in fat for a radius of 40.0 mm.*Give smaller"):
        free_places(a_slab(), 40.0, np.random.default_rng(0))


def test_a_lymph_node_outside_the_ct_is_refused():
    with pytest.raises(InputError, match="Lymph node 1 of 1 has its center outside"):
        insert(a_slab(), [a_node().moved_to((500, 0, 0))], np.random.default_rng(0))
    with pytest.raises(InputError, match="no lymph node to insert"):
        insert(a_slab(), [], np.random.default_rng(0))


def seam(changed):
    """Pairs of neighbors along each axis of which exactly one was changed: (axis, mask over the pairs)."""
    return [(axis, np.diff(changed.astype(np.int8), axis=axis) != 0) for axis in range(3)]


def steps_across(before, done):
    """Steps between neighbors: over the seam after and before, and elsewhere in the body (before)."""
    after, hu = done.ct.array.astype(float), before.array.astype(float)
    across, was, elsewhere = [], [], []
    for axis, on_seam in seam(done.changed.array):
        steps, old = np.abs(np.diff(after, axis=axis)), np.abs(np.diff(hu, axis=axis))
        low = np.minimum(np.take(hu, range(1, hu.shape[axis]), axis), np.take(hu, range(hu.shape[axis] - 1), axis))
        across.append(steps[on_seam])
        was.append(old[on_seam])
        elsewhere.append(old[~on_seam & (low > -250)])
    return tuple(np.concatenate(values) for values in (across, was, elsewhere))


def assert_no_seam(before, done):
    """Steps across the border of what was changed are what they were, and not above those elsewhere in the body."""
    across, was, elsewhere = steps_across(before, done)
    sd = done.look.noise_hu
    assert len(across) > 100
    assert across.mean() <= was.mean() + 0.25 * sd
    assert np.abs(across - was).mean() < 0.6 * sd
    for percentile in (50, 90, 99):
        natural = max(np.percentile(elsewhere, percentile), np.percentile(was, percentile))
        assert np.percentile(across, percentile) <= natural + 0.5 * sd


@pytest.mark.parametrize("spacing_mm", [(1.5, 1.5, 1.5), (2.5, 1.0, 1.0)])
def test_the_border_of_an_insertion_cannot_be_seen(spacing_mm):
    shape = tuple(int(72 / s) for s in spacing_mm)
    ct = a_slab(spacing_mm=spacing_mm, shape=shape)
    # Resolution is coarser than the voxels, as in any scan whose slices overlap; else the last voxel that is changed
    # lies on the lymph node's own, natural edge.
    look = replace(look_of(ct), fwhm_mm=(4.0, 2.8, 2.8))
    done = insert(ct, [a_node("ENE", 16.0, seed=3)], np.random.default_rng(0), look=look)
    assert_no_seam(ct, done)


def test_a_pasted_box_would_be_seen():
    ct = a_slab()
    done = insert(ct, [a_node()], np.random.default_rng(0))
    block = np.zeros(ct.shape, bool)
    block[12:36, 12:36, 12:36] = True
    pasted = np.where(block, ct.array + 40, ct.array).astype(np.int16)
    with pytest.raises(AssertionError):
        assert_no_seam(ct, replace(done, ct=ct.with_array(pasted), changed=ct.with_array(block)))


def test_the_border_cannot_be_seen_in_real_ct(a_real_patch):
    rng = np.random.default_rng(4)
    nodes = [sample_lymph_node(rng, name, DIFFICULTIES["medium"]) for name in ("P", "ENE", "N", "N")]
    there = placed(a_real_patch, nodes, rng)
    done = insert(a_real_patch, there, rng)
    assert (done.ct.array == a_real_patch.array)[~done.changed.array].all()
    assert done.changed.array.any() and len(done.lymph_nodes) == len(there)
    assert_no_seam(a_real_patch, done)


def test_places_in_real_ct_are_clear_of_bone_air_and_the_end_of_the_patch(a_real_patch):
    centers = free_places(a_real_patch, 4.0, np.random.default_rng(2), 5)
    points = a_real_patch.to_lps(np.moveaxis(np.indices(a_real_patch.shape), 0, -1))
    for center in centers:
        ball = a_real_patch.array[np.linalg.norm(points - center, axis=-1) < 4.0]
        assert len(ball) > 60
        assert ball.min() > -250 and ball.max() < 300
        assert ball.mean() < 40, "some of it is fat"
    index = a_real_patch.to_index(centers) * 1.5
    assert (index > 3.5).all() and (index < 48 * 1.5 - 3.5).all()


def test_places_lie_in_the_fat_beside_the_muscle_and_apart():
    ct = a_slab()
    centers = free_places(ct, 5.0, np.random.default_rng(0), 6)
    assert len(centers) == 6
    assert (centers[:, 0] > BONE_X_MM + 5).all()
    # 8 mm of fat at most between a lymph node and what it lies along.
    assert (centers[:, 0] > MUSCLE_X_MM - 5 - 8 - 2).all() or (centers[:, 0] < BONE_X_MM + 5 + 8 + 2).any()
    gaps = np.linalg.norm(centers[:, None] - centers[None], axis=-1)[np.triu_indices(6, 1)]
    assert gaps.min() >= 2 * 5 + 2 - 1e-6


def test_places_keep_to_where_the_caller_says():
    ct = a_slab()
    where = np.zeros(ct.shape, bool)
    where[:, :20] = True
    centers = free_places(ct, 3.0, np.random.default_rng(0), 4, where=ct.with_array(where))
    assert (ct.to_index(centers)[:, 1] < 21).all()
    with pytest.raises(InputError, match="no free place"):
        free_places(ct, 3.0, np.random.default_rng(0), where=ct.with_array(np.zeros(ct.shape, bool)))


def test_a_lymph_node_too_large_for_its_place_shrinks_or_is_left_out():
    rng = np.random.default_rng(0)
    there = placed(a_slab(), [a_node("P", 60.0)], rng)
    assert 0.49 * 60 < there[0].short_axis_mm < 60
    with pytest.raises(InputError, match="no free place in fat for any of these lymph nodes"):
        placed(a_slab(), [a_node("P", 60.0)], rng, shrink=False)


def test_lymph_nodes_that_were_placed_do_not_overlap():
    nodes = [a_node("N", size, seed) for seed, size in enumerate((9.0, 8.0, 7.0, 6.0, 5.0))]
    ct = a_slab()
    there = placed(ct, nodes, np.random.default_rng(0))
    points = ct.to_lps(np.moveaxis(np.indices(ct.shape), 0, -1))
    inside = sum((node.field(*np.moveaxis(points, -1, 0))[1] < 0).astype(int) for node in there)
    assert len(there) >= 4 and inside.max() == 1


def test_instances_are_the_voxels_whose_centers_lie_inside():
    ct = a_slab(spacing_mm=(2.0, 1.2, 1.2), shape=(36, 60, 60))
    nodes = [a_node("P", 12.0, 2), a_node("N", 6.0, 3).moved_to((-14.0, 12.0, 10.0))]
    done = insert(ct, nodes, np.random.default_rng(0))
    points = np.moveaxis(ct.to_lps(np.moveaxis(np.indices(ct.shape), 0, -1)), -1, 0)
    for label, node in enumerate(nodes, 1):
        outer = node.field(*points)[1]
        certain = np.abs(outer) > 1e-3
        assert ((done.instances.array == label) == (outer < 0))[certain].all()


def test_a_large_lymph_node_has_the_attenuation_that_was_drawn_for_it():
    ct = a_slab()
    node = a_node("P", 22.0)
    for fit in (True, False):
        done = insert(ct, [node], np.random.default_rng(0), fit_attenuation=fit)
        deep = node.field(*np.moveaxis(ct.to_lps(np.moveaxis(np.indices(ct.shape), 0, -1)), -1, 0))[1] < -5
        assert done.ct.array[deep].mean() == pytest.approx(done.lymph_nodes[0].solid_hu, abs=1.0)
        assert (done.lymph_nodes[0].solid_hu == node.solid_hu) == (not fit)


def test_without_contrast_lymph_nodes_are_a_little_darker_than_muscle():
    look = look_of(a_slab())
    assert look.muscle_hu == pytest.approx(60, abs=3)
    assert 45 < fitted(replace(a_node(), solid_hu=104.0), replace(look, enhancement=0.0)).solid_hu < 58
    assert 92 < fitted(replace(a_node(), solid_hu=104.0), replace(look, enhancement=1.0)).solid_hu < 108


def a_grainy_slab(sd, sigma_voxels):
    plain = a_slab(noise_hu=0.0, shape=(48, 64, 64))
    noise = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(plain.shape), sigma_voxels)
    return plain.with_array(np.rint(plain.array + sd * noise / noise.std()).astype(np.int16))


@pytest.mark.parametrize("sigma_voxels", [(0.0, 0.0, 0.0), (0.3, 0.9, 0.9)])
def test_noise_inside_has_the_scans_sd_and_grain(sigma_voxels):
    ct = a_grainy_slab(12.0, sigma_voxels)
    node = a_node("P", 30.0)
    done = insert(ct, [node], np.random.default_rng(0))
    deep = node.field(*np.moveaxis(ct.to_lps(np.moveaxis(np.indices(ct.shape), 0, -1)), -1, 0))[1] < -4
    box = ndimage.find_objects(deep.astype(int))[0]
    inner, outside = done.ct.array.astype(float), ct.array.astype(float)
    assert inner[deep].std() == pytest.approx(12.0, rel=0.15)

    def alike(hu, region, axis):
        first, second = (np.take(hu, range(a, hu.shape[axis] - 1 + a), axis) for a in (0, 1))
        both = np.logical_and(*(np.take(region, range(a, hu.shape[axis] - 1 + a), axis) for a in (0, 1)))
        return np.corrcoef(first[both], second[both])[0, 1]

    for axis in range(3):
        assert alike(inner[box], deep[box], axis) == pytest.approx(alike(outside[box], deep[box], axis), abs=0.12)


def test_without_noise_what_is_left_of_the_scans_own_is_kept_and_none_added():
    ct, node = a_slab(noise_hu=10.0), a_node("P", 22.0)
    quiet = insert(ct, [node], np.random.default_rng(0), noise=False)
    deep = node.field(*np.moveaxis(ct.to_lps(np.moveaxis(np.indices(ct.shape), 0, -1)), -1, 0))[1] < -5
    assert quiet.ct.array[deep].std() < 1


@pytest.mark.parametrize("fwhm_mm", [1.9, 3.5])
def test_resolution_is_measured_at_the_edges(fwhm_mm):
    shape = (40, 60, 60)
    spheres = np.full(shape, -100.0)
    index = np.indices(shape)
    for center in ((12, 15, 15), (28, 42, 40), (20, 15, 45)):
        away = np.sqrt(sum((index[n] - center[n]) ** 2 for n in range(3)))
        spheres[away < 9] = 900.0
    blurred = ndimage.gaussian_filter(spheres, fwhm_mm / 2.3548)
    noisy = blurred + np.random.default_rng(0).normal(0, 8, shape)
    look = look_of(Volume(noisy.astype(np.float32), affine_from((1.0, 1.0, 1.0))))
    # The voxels that were set or not are themselves a box of 1 mm.
    assert look.fwhm_mm == pytest.approx((fwhm_mm,) * 3, rel=0.2)


def test_the_twin_differs_only_over_the_breach():
    ct = a_slab(shape=(40, 56, 56))
    node = a_node("ENE", 14.0, seed=5)
    as_is, repaired = insert_pair(ct, [node], np.random.default_rng(0))
    differs = as_is.ct.array != repaired.ct.array
    assert differs.sum() > 20
    unit = np.moveaxis(ct.to_lps(np.moveaxis(np.indices(ct.shape), 0, -1)), -1, 0)
    unit = unit / (np.linalg.norm(unit, axis=0) + 1e-6)
    sector = node.breach.nearness(tuple(unit)) > 0
    # As far as the scan's blur (3 SDs) and half a voxel carry it over the border of the sector.
    reach = 3 * max(as_is.look.fwhm_mm) / 2.3548 + 1.5
    near = ndimage.distance_transform_edt(~sector, ct.spacing_mm) <= reach
    assert near.mean() < 0.9, "else the test could not fail"
    assert not differs[~near].any()
    gone = (as_is.instances.array == 1) & (repaired.instances.array == 0)
    assert gone.any() and not ((repaired.instances.array == 1) & (as_is.instances.array == 0)).any()
    assert sector[gone].all()


def test_the_same_seed_gives_the_same_insertion():
    ct = a_slab()
    first, again, other = (insert(ct, [a_node()], np.random.default_rng(n)).ct.array for n in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


@pytest.mark.slow
def test_it_works_in_a_simulated_scan_and_in_any_orientation(the_patient):
    patient = the_patient((56, 3))
    ct = render(patient, patch_grid(patient.lymph_nodes[0].center_lps, (40, 56, 56), (1.5, 1.2, 1.2)), Scanner()).ct
    flip = np.diag([-1.0, 1.0, -1.0])
    turned = Volume(
        ct.array[::-1, :, ::-1].copy(),
        affine_from(ct.spacing_mm, ct.to_lps((ct.shape[0] - 1, 0, ct.shape[2] - 1)), flip),
    )
    there = placed(ct, [a_node("P", 8.0)], np.random.default_rng(0))
    for scan in (ct, turned):
        done = insert(scan, there, np.random.default_rng(0))
        across, was, elsewhere = steps_across(
            scan, done
        )  # as sharp as its voxels: no sharper border than the anatomy's
        across = across[was < 300]  # bone that was beside it still is
        assert np.percentile(across, 90) <= np.percentile(elsewhere, 99)
        assert np.percentile(across, 99) <= np.percentile(elsewhere, 99.8)
        inside = np.argwhere(done.instances.array == 1)
        assert scan.to_lps(inside).mean(axis=0) == pytest.approx(there[0].center_lps, abs=1.0)
