"""Simulated lymph nodes in CT that was not made for them: where they go, what they change and what they leave alone."""

from dataclasses import replace

import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.preprocessing import sample_block
from ece_core.simulate.insertion import free_places, insert
from ece_core.simulate.population import DIFFICULTIES, sample_lymph_node

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
