"""Our volumes as highdicom's: the same voxels and places, the affine in the order of the array's axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highdicom as hd
from pydicom import Dataset

from ece_core.geometry import Array


def highdicom_volume(
    array: Array, affine: Array, headers: Sequence[Dataset], channels: dict[Any, Any] | None = None
) -> hd.Volume:
    """(K, J, I) or, with channels, (K, J, I, n) voxels.

    Parameters
    ----------
    affine
        (4, 4) as of :class:`~ece_core.geometry.Volume`: (i, j, k, 1) to LPS mm.
    headers
        Of the CT, for its frame of reference.
    """
    return hd.Volume(
        array,
        affine[:, [2, 1, 0, 3]],
        coordinate_system="PATIENT",
        frame_of_reference_uid=str(headers[0].FrameOfReferenceUID),
        channels=channels,
    )
