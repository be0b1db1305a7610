import numpy as np
import pytest
import torch
from ece_core.errors import Cancelled
from ece_core.geometry import Volume, affine_from
from ece_core.models import load_bundle
from ece_core.models.recipe import recipe_of
from ece_core.models.segmentation import segment, tile_starts, tiled_scores


class BrightIsMetastatic(torch.nn.Module):
    """Voxel by voxel: class P where the window value is above 0.6 (80 HU), background elsewhere."""

    def forward(self, x):
        bright = (x - 0.6) * 200
        nothing = torch.full_like(x, -50.0)
        return torch.cat([-bright, nothing, bright, nothing], dim=1)


@pytest.fixture
def a_bundle(a_segmentation_bundle):
    bundle = load_bundle(a_segmentation_bundle)
    object.__setattr__(bundle, "network", BrightIsMetastatic())
    return bundle


def a_bright_box(direction=None):
    hu = np.full((30, 40, 50), -50, np.int16)
    hu[10:20, 12:28, 20:36] = 300
    return Volume(hu, affine_from((2.0, 1.0, 1.0), (5, 6, 7), direction))


@pytest.mark.parametrize(("length", "size"), [(10, 16), (16, 16), (17, 16), (100, 16), (33, 32)])
def test_tiles_cover_everything_and_stay_inside(length, size):
    starts = tile_starts(length, size, 0.25)
    covered = np.zeros(max(length, size), bool)
    for start in starts:
        assert 0 <= start <= max(length - size, 0)
        covered[start : start + size] = True
    assert covered.all()


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_what_is_bright_is_found_where_it_is_in_every_orientation(a_bundle, signs):
    ct = a_bright_box(np.diag(signs))
    found = segment(a_bundle, ct, "cpu").class_map
    assert found.same_grid(ct)
    truth = ct.array > 0
    overlap = 2 * ((found.array == 2) & truth).sum() / ((found.array == 2).sum() + truth.sum())
    assert overlap > 0.9
    assert set(np.unique(found.array)) == {0, 2}


def test_a_net_without_neighbors_gives_the_same_tiled_and_whole(a_bundle):
    recipe = recipe_of(a_bundle.spec["input"])
    image = recipe.normalization(a_bright_box().array)
    whole = tiled_scores(a_bundle, recipe, image, (32, 40, 52), "cpu", lambda _: None)
    tiled = tiled_scores(a_bundle, recipe, image, (16, 16, 16), "cpu", lambda _: None)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    np.testing.assert_allclose(tiled.sum(axis=0), 1, atol=1e-4)


def test_air_is_background_without_asking_the_network(a_bundle):
    class Never(torch.nn.Module):
        def forward(self, x):
            raise AssertionError("asked about air")

    object.__setattr__(a_bundle, "network", Never())
    air = Volume(np.full((20, 20, 20), -1000, np.int16), affine_from((2.0, 2.0, 2.0)))
    assert not segment(a_bundle, air, "cpu").class_map.array.any()


def test_progress_ends_at_one_and_can_cancel(a_bundle):
    fractions = []
    segment(a_bundle, a_bright_box(), "cpu", fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1

    def stop(fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        segment(a_bundle, a_bright_box(), "cpu", stop)


def test_smaller_tiles_give_nearly_the_same(a_bundle):
    a = segment(a_bundle, a_bright_box(), "cpu").class_map.array
    b = segment(a_bundle, a_bright_box(), "cpu", patch_scale=0.5).class_map.array
    assert (a != b).mean() < 1e-3


def test_the_real_architecture_runs(a_segmentation_bundle):
    output = segment(load_bundle(a_segmentation_bundle), a_bright_box(), "cpu")
    assert output.class_map.array.shape == (30, 40, 50)
    assert output.class_probabilities.shape == (3, (output.class_map.array > 0).sum())
    assert np.isfinite(output.class_probabilities).all()
