"""Key images: what is where, whatever way the scan was taken."""

import numpy as np
import pytest
from drawn_patient import a_heatmap, a_lymph_node, a_neck_ct, an_affine, an_instance_map, three_lymph_nodes
from ece_core.classes import CLASS_COLORS
from ece_core.export.key_images import PIXELS, PLANES, heat_color, key_images, places
from ece_core.geometry import Volume, affine_from


def images(ct, instances, lymph_node, heatmaps=()):
    return key_images(ct, places(instances, [lymph_node])[lymph_node.id], heatmaps)


def bright_side(point, plane):
    """Where (row, column, 0 to 1) a bright spot at a point (LPS mm) is seen, beside a lymph node at the origin."""
    affine = affine_from((1, 1, 1), (-50, -50, -50))
    ct = Volume(np.full((101, 101, 101), -200, np.int16), affine)
    k, j, i = np.rint(ct.to_index(point)).astype(int)
    ct.array[k - 3 : k + 4, j - 3 : j + 4, i - 3 : i + 4] = 300
    instances = np.zeros(ct.shape, np.uint16)
    instances[49:52, 49:52, 49:52] = 1
    (row,) = images(ct, Volume(instances, affine), a_lymph_node())
    (image,) = [image for image in row if image.plane.name == plane]
    return np.argwhere((image.pixels == 255).all(-1)).mean(axis=0) / PIXELS


@pytest.mark.parametrize(
    ("point", "plane", "side"),
    [
        pytest.param((20, 0, 0), "axial", (0.5, 0.83), id="the patient's left is on the right"),
        pytest.param((0, -20, 0), "axial", (0.17, 0.5), id="front is up"),
        pytest.param((0, 0, 20), "coronal", (0.17, 0.5), id="head is up"),
        pytest.param((20, 0, 0), "coronal", (0.5, 0.83), id="and left on the right here, too"),
        pytest.param((0, -20, 0), "sagittal", (0.5, 0.17), id="front is on the left"),
        pytest.param((0, 0, -20), "sagittal", (0.83, 0.5), id="feet are down"),
    ],
)
def test_images_hang_as_radiologists_hang_them(point, plane, side):
    """20 mm beside the center of a 60 mm field are a third of the image."""
    np.testing.assert_allclose(bright_side(point, plane), side, atol=0.01)


def test_images_do_not_know_how_the_scan_was_stored():
    """The same patient, stored with every axis reversed: the same pictures."""
    ct, instances, lymph_node = a_neck_ct(), an_instance_map(), three_lymph_nodes()[1]  # 3 voxels wide: one is central
    turned = ct.affine.copy()
    turned[:3, 3] = ct.to_lps(np.array(ct.shape) - 1)
    turned[:3, :3] *= -1
    ct_turned, instances_turned = (Volume(volume.array[::-1, ::-1, ::-1], turned) for volume in (ct, instances))
    (plain,), (flipped,) = images(ct, instances, lymph_node), images(ct_turned, instances_turned, lymph_node)
    for one, other in zip(plain, flipped, strict=True):
        assert (one.pixels != other.pixels).any(-1).mean() < 0.01  # rounding at half gray levels


@pytest.mark.parametrize("lymph_node", three_lymph_nodes(), ids=["ENE", "N", "P of one voxel"])
def test_every_plane_shows_the_outline_in_the_color_of_the_class(lymph_node):
    for image in images(a_neck_ct(), an_instance_map(), lymph_node)[0]:
        color = (image.pixels == CLASS_COLORS[lymph_node.class_name]).all(-1)
        assert color.sum() > 8
        others = (image.pixels.max(-1) != image.pixels.min(-1)) & ~color
        assert not others.any()  # the rest is gray: no outline of another lymph node


def test_the_outline_lies_outside_the_lymph_node():
    (row,) = images(a_neck_ct(), an_instance_map(), three_lymph_nodes()[0])
    assert row[0].pixels[PIXELS // 2, PIXELS // 2].tolist() != list(CLASS_COLORS["ENE"])


def test_each_heatmap_has_its_row_below_the_ct():
    rows = images(a_neck_ct(), an_instance_map(), three_lymph_nodes()[0], [a_heatmap(), a_heatmap()])
    assert len(rows) == 3 and all([image.plane for image in row] == list(PLANES) for row in rows)
    np.testing.assert_array_equal(rows[1][0].pixels, rows[2][0].pixels)


@pytest.mark.parametrize(("heat", "is_tinted"), [(0.169, False), (0.171, True), (1.0, True)])
def test_heat_below_17_percent_is_transparent(heat, is_tinted):
    flat = Volume(np.full((24, 40, 48), heat, np.float32), an_affine())
    (plain,), (heated,) = (row[:1] for row in images(a_neck_ct(), an_instance_map(), three_lymph_nodes()[0], [flat]))
    assert (plain.pixels != heated.pixels).any() == is_tinted


def test_heat_lies_where_it_was_found():
    """One hot voxel 8 mm to the left of the lymph node's center tints the image there and nowhere else."""
    instances = an_instance_map()
    place = places(instances, three_lymph_nodes()[:1])["LN1"]
    heat = np.zeros(instances.shape, np.float32)
    k, j, i = np.rint(instances.to_index(place.center_lps)).astype(int)
    heat[k, j, i + 10] = 1  # 10 voxels of 0.8 mm
    (plain, *_), (heated, *_) = key_images(a_neck_ct(), place, [instances.with_array(heat)])
    tinted = np.argwhere((plain.pixels != heated.pixels).any(-1)).mean(axis=0)
    offset_mm = (tinted - (PIXELS - 1) / 2) * place.field_mm / PIXELS
    np.testing.assert_allclose(offset_mm, (0, 8), atol=0.3)


def test_the_color_scale_begins_at_17_percent_and_ends_at_1():
    np.testing.assert_allclose(heat_color(np.array([0.0, 0.17, 1.0])), [(13, 8, 135), (13, 8, 135), (240, 249, 33)])


def test_the_field_is_two_and_a_half_times_the_lymph_node_within_limits():
    large = np.zeros((40, 40, 40), np.uint16)
    large[5:35, 18:22, 18:22] = 1  # 30 slices of 1 mm: 75 mm
    assert places(Volume(large, np.eye(4)), [a_lymph_node()])["LN1"].field_mm == 75
    assert places(Volume(large, np.diag([5, 5, 5, 1.0])), [a_lymph_node()])["LN1"].field_mm == 160
    assert places(an_instance_map(), [three_lymph_nodes()[2]])["LN3"].field_mm == 60


def test_a_lymph_node_at_the_border_of_the_scan_has_images_with_air_beside_it():
    corner = np.zeros((24, 40, 48), np.uint16)
    corner[23, 39, 47] = 1
    (row,) = images(a_neck_ct(), Volume(corner, an_affine()), a_lymph_node())
    assert all((image.pixels == 0).mean() > 0.4 for image in row)


def test_a_lymph_node_that_the_map_does_not_hold_is_an_error():
    with pytest.raises(ValueError, match="does not hold LN9"):
        places(an_instance_map(), [a_lymph_node(9)])
