"""Separable linear resampling as three matrix products: fast, and free of aliasing when it shrinks.

Each axis has one sparse weight per output sample; a triangle as wide as the larger of the two spacings
(linear interpolation when enlarging, area weighting when shrinking).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ece_core.geometry import Volume, affine_from

Array = np.ndarray

BAND = 32  # output samples that are computed together
NEGLIGIBLE = 1e-7  # a weight: less than a thousandth of a HU in all


def weights(n_in: int, positions: Array, scale: float) -> Array:
    """(len(positions), n_in) float32 rows that sum to 1.

    Parameters
    ----------
    positions
        Output sample centers in input index units; outside of the input the edge is repeated.
    scale
        Output spacing over input spacing.
    """
    width = max(scale, 1.0)
    distance = np.abs(np.clip(positions, 0, n_in - 1)[:, None] - np.arange(n_in)[None])
    rows = np.clip(1 - distance / width, 0, None)
    return (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


def apply_weights(
    array: Array, matrices: tuple[Array, Array, Array], prepare: Callable[[Array], Array] = np.asarray
) -> Array:
    """Multiply axis by axis; (K, J, I) to float32, slice by slice so that memory stays small.

    Parameters
    ----------
    prepare
        What is done to each slice first, such as normalization: then the whole scan is never there as floats.
    """
    wk, wj, wi = matrices
    rows, columns = _bands(wj), [(out, used, np.ascontiguousarray(part.T)) for out, used, part in _bands(wi)]
    planes = np.empty((array.shape[0], len(wj), len(wi)), np.float32)
    narrow = np.empty((array.shape[1], len(wi)), np.float32)
    for k in range(array.shape[0]):
        plane = prepare(array[k]).astype(np.float32, copy=False)
        for out, used, part in columns:
            narrow[:, out] = plane[:, used] @ part
        for out, used, part in rows:
            np.matmul(part, narrow[used], out=planes[k, out])
    flat = planes.reshape(array.shape[0], -1)
    result = np.empty((len(wk), len(wj), len(wi)), np.float32)
    for out, used, part in _bands(wk):
        np.matmul(part, flat[used], out=result[out].reshape(len(part), -1))
    return result


def _bands(matrix: Array) -> list[tuple[slice, slice, Array]]:
    """Rows of a matrix in groups, each with the columns that it uses: most weights are zero, or as good as that."""
    bands = []
    for start in range(0, len(matrix), BAND):
        rows = matrix[start : start + BAND]
        used = np.flatnonzero(np.abs(rows).max(axis=0) > NEGLIGIBLE)
        columns = slice(int(used[0]), int(used[-1]) + 1)
        bands.append((slice(start, start + len(rows)), columns, np.ascontiguousarray(rows[:, columns])))
    return bands


def resample(volume: Volume, spacing_mm: tuple[float, float, float]) -> Volume:
    """The volume on a grid of about this spacing (k, j, i) over the same field of view, float32."""
    wanted = zip(volume.shape, volume.spacing_mm, spacing_mm, strict=True)
    shape = tuple(max(1, round(n * old / new)) for n, old, new in wanted)
    matrices, scales = [], []
    for n_in, n_out in zip(volume.shape, shape, strict=True):
        scale = n_in / n_out
        matrices.append(weights(n_in, (np.arange(n_out) + 0.5) * scale - 0.5, scale))
        scales.append(scale)
    spacing = tuple(old * s for old, s in zip(volume.spacing_mm, scales, strict=True))
    first = volume.to_lps([0.5 * s - 0.5 for s in scales])
    affine = affine_from((spacing[0], spacing[1], spacing[2]), first, volume.direction)
    return Volume(apply_weights(volume.array, (matrices[0], matrices[1], matrices[2])), affine)


def aligned_weights(source: Volume, target_shape: tuple[int, ...], target_affine: Array) -> tuple[Array, Array, Array]:
    """Weights that take ``source`` to a grid whose axes are parallel to its own."""
    inverse = np.linalg.inv(source.affine)
    step = np.diag(inverse[:3, :3] @ target_affine[:3, :3])[::-1]
    start = (inverse[:3, :3] @ target_affine[:3, 3] + inverse[:3, 3])[::-1]
    rows = [
        weights(n_in, first + np.arange(n_out) * by, abs(by))
        for n_in, n_out, first, by in zip(source.shape, target_shape, start, step, strict=True)
    ]
    return rows[0], rows[1], rows[2]


def resample_onto(source: Volume, target_shape: tuple[int, int, int], target_affine: Array) -> Volume:
    """``source`` on a grid with parallel axes; outside of it the edge is repeated. float32."""
    return Volume(apply_weights(source.array, aligned_weights(source, target_shape, target_affine)), target_affine)


def sample_block(
    volume: Volume, center_lps: Array, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float],
    outside: float,
) -> Volume:
    """A block around a point with the volume's own axes; samples outside of the volume are ``outside``.

    Parameters
    ----------
    shape, spacing_mm
        (K, J, I) and spacing along (k, j, i) of the block.
    """
    half = (np.array(shape) - 1) / 2 * np.array(spacing_mm)
    origin = np.asarray(center_lps) - volume.direction @ half[::-1]
    affine = affine_from(spacing_mm, origin, volume.direction)
    index = volume.to_index(Volume(np.empty(shape, bool), affine).to_lps(_corners(shape)))
    margin = np.ceil(np.array(spacing_mm) / np.array(volume.spacing_mm)) + 1
    start = np.clip(np.floor(index.min(axis=0) - margin), 0, np.array(volume.shape) - 1).astype(int)
    stop = np.clip(np.ceil(index.max(axis=0) + margin) + 1, start + 1, volume.shape).astype(int)
    near = volume.crop((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    block = resample_onto(near, shape, affine)
    for axis in range(3):
        ends = index[:, axis]
        line = np.linspace(ends.min(), ends.max(), shape[axis])
        if ends[0] > ends[-1]:
            line = line[::-1]
        away = (line < -0.5) | (line > volume.shape[axis] - 0.5)
        block.array[tuple(away if a == axis else slice(None) for a in range(3))] = outside
    return block


def _corners(shape: tuple[int, int, int]) -> Array:
    return np.array(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij")).reshape(3, -1).T
