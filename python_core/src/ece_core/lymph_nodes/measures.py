"""What is measured on every lymph node: size, position, attenuation, necrosis."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ece_core.errors import EmptyMaskError, GeometryError
from ece_core.geometry import Volume
from ece_core.lymph_nodes.axial_sections import axial_sections, largest_piece
from ece_core.lymph_nodes.feret import minimum_feret_mm
from ece_core.lymph_nodes.long_axis import long_axis_mm
from ece_core.lymph_nodes.necrosis import necrosis_fraction

FEW_VOXELS = 50  # below this a single voxel moves the volume by more than 2 %
TOUCHES_BORDER = "touches the border of the scan"
IS_SMALL = f"fewer than {FEW_VOXELS} voxels"


def measure(ct: Volume, instances: Volume, label: int) -> dict:
    """The measured fields of one :class:`~ece_core.lymph_nodes.lymph_node.LymphNode`.

    Parameters
    ----------
    ct
        (K, J, I) HU.
    instances
        (K, J, I) integers on the same grid, 0 background.
    label
        The lymph node's value in ``instances``.

    Returns
    -------
    dict
        ``short_axis_mm``: largest over axial sections of the smallest Feret diameter (section: the largest
        connected piece in a plane; axial: see :func:`axial_sections`), from the contour at one half (see ``feret``).
        ``long_axis_mm``: largest Feret diameter in 3D (see ``long_axis``). Both are within one voxel for a smooth
        outline. ``volume_mm3``: voxels times voxel volume. ``centroid_lps_mm``: mean of the voxel centres.
        ``bounding_box_kji``: half open. ``mean_hu``, ``sd_hu``: over the mask, population formula.
        ``necrosis_fraction``: see ``necrosis``. ``flags``: tuple of plain words.

    Raises
    ------
    EmptyMaskError
        No voxel has this label.
    GeometryError
        The two grids differ.

    References
    ----------
    Short axis in the axial plane: reference/clinical.md, feature 1 (Radiopaedia rID 66437).
    """
    _same_grid(ct, instances)
    boxes = ndimage.find_objects((instances.array == label).view(np.uint8))
    if not boxes or label == 0:
        raise EmptyMaskError(
            f"Lymph node {label} is empty: no voxel has this label.", "Paint the lymph node again or remove it."
        )
    return _measure_in_box(ct, instances, label, boxes[0])


def measure_all(ct: Volume, instances: Volume) -> dict[int, dict]:
    """:func:`measure` for every label that occurs, in ascending order; one pass over the volume finds the boxes.

    Raises
    ------
    GeometryError
        The two grids differ.
    """
    _same_grid(ct, instances)
    boxes = ndimage.find_objects(instances.array)
    return {
        label: _measure_in_box(ct, instances, label, box) for label, box in enumerate(boxes, start=1) if box is not None
    }


def _measure_in_box(ct: Volume, instances: Volume, label: int, box: tuple[slice, ...]) -> dict:
    start = tuple(side.start for side in box)
    stop = tuple(side.stop for side in box)
    region = instances.crop(start, stop)
    mask = region.with_array(region.array == label)
    hu = ct.array[box].astype(np.float64)
    inside = hu[mask.array]
    return {
        "short_axis_mm": short_axis_mm(mask),
        "long_axis_mm": long_axis_mm(mask),
        "volume_mm3": inside.size * mask.voxel_volume_mm3,
        "centroid_lps_mm": _centroid(mask),
        "bounding_box_kji": (start, stop),
        "mean_hu": float(inside.mean()),
        "sd_hu": float(inside.std()),
        "necrosis_fraction": necrosis_fraction(hu, mask.array, mask.spacing_mm),
        "flags": _flags(inside.size, start, stop, instances.shape),
    }


def short_axis_mm(mask: Volume) -> float:
    """Largest over axial sections of the smallest Feret diameter of the section.

    Parameters
    ----------
    mask
        (K, J, I) bool with at least one voxel set.
    """
    sections, spacing_mm = axial_sections(mask)
    widths = [minimum_feret_mm(largest_piece(section), spacing_mm) for section in sections if section.any()]
    return max(widths, default=min(mask.spacing_mm))


def _centroid(mask: Volume) -> tuple[float, float, float]:
    x, y, z = mask.to_lps(np.argwhere(mask.array).mean(axis=0))
    return float(x), float(y), float(z)


def _flags(voxels: int, start: tuple, stop: tuple, shape: tuple[int, int, int]) -> tuple[str, ...]:
    flags = []
    if 0 in start or any(a == b for a, b in zip(stop, shape, strict=True)):
        flags.append(TOUCHES_BORDER)
    if voxels < FEW_VOXELS:
        flags.append(IS_SMALL)
    return tuple(flags)


def _same_grid(ct: Volume, instances: Volume) -> None:
    if not ct.same_grid(instances):
        raise GeometryError(
            f"The CT ({ct.shape} voxels) and the lymph node map ({instances.shape}) are not on the same grid.",
            "Resample the map to the CT.",
        )
