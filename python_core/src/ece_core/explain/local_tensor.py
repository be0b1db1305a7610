"""A tensor that is zero outside a box, and sums of neighbors of it that stay zero outside a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Places = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Local:
    """(n, c, k, j, i) or (n, c, j, i), of which only a box is kept.

    Attributes
    ----------
    values
        In the box.
    start
        First voxel of the box, on the grid.
    grid
        Shape of the voxels' grid.
    """

    values: Tensor
    start: Places
    grid: Places

    @classmethod
    def whole(cls, values: Tensor) -> Local:
        grid = tuple(values.shape[2:])
        return cls(values, (0,) * len(grid), grid)

    @classmethod
    def around(cls, values: Tensor) -> Local:
        """The smallest box with all that is not zero; at least one voxel."""
        places = values.nonzero()[:, 2:]
        if not len(places):
            return cls.whole(values)
        start, stop = places.amin(0).tolist(), (places.amax(0) + 1).tolist()
        return cls(values[_box(start, stop)], tuple(start), tuple(values.shape[2:]))

    @property
    def stop(self) -> Places:
        return tuple(a + n for a, n in zip(self.start, self.values.shape[2:], strict=True))

    @property
    def is_whole(self) -> bool:
        return tuple(self.values.shape[2:]) == self.grid

    @property
    def box(self) -> Any:
        """To index a tensor on the grid with."""
        return _box(self.start, self.stop)

    def full(self) -> Tensor:
        return self.values if self.is_whole else self.within((0,) * len(self.grid), self.grid)

    def within(self, start: Sequence[int], stop: Sequence[int]) -> Tensor:
        """The values of another box, which may reach beyond the grid."""
        pads = []
        for a, b, mine_a, mine_b in zip(start, stop, self.start, self.stop, strict=True):
            pads.append((mine_a - a, b - mine_b))
        flat = [amount for pair in reversed(pads) for amount in pair]
        return functional.pad(self.values, flat) if any(flat) else self.values  # what is negative is cut off

    def like(self, values: Tensor) -> Local:
        """Other values in the same box."""
        return Local(values, self.start, self.grid)

    def plus(self, other: Local) -> Local:
        """The sum, in the box around both."""
        if self.start == other.start and self.stop == other.stop:
            return self.like(self.values + other.values)
        start = tuple(map(min, self.start, other.start))
        stop = tuple(map(max, self.stop, other.stop))
        total = self.within(start, stop)
        total = total.clone() if total is self.values else total
        from_here = [[a - s for a, s in zip(edge, start, strict=True)] for edge in (other.start, other.stop)]
        total[_box(*from_here)] += other.values
        return Local(total, start, self.grid)


def _box(start: Sequence[int], stop: Sequence[int]) -> Any:
    return (..., *map(slice, start, stop))


def neighbors_summed(
    local: Local, weight: Tensor, stride: Sequence[int], offset: Sequence[int], dilation: Sequence[int], grid: Places
) -> Local | None:
    """out[m] = sum over t of weight[t] x in[m stride + t dilation + offset], on ``grid``; None where that is zero.

    A convolution's gradient is one where its stride is 1, with the weight turned round, as is that of a transposed one.

    Parameters
    ----------
    weight
        (out channels, in channels, k, j, i).
    """
    axes = range(len(grid))
    reach = [dilation[a] * (weight.shape[2 + a] - 1) for a in axes]
    first = [max(0, -((offset[a] + reach[a] - local.start[a]) // stride[a])) for a in axes]
    past = [min(grid[a], (local.stop[a] - 1 - offset[a]) // stride[a] + 1) for a in axes]
    if any(past[a] <= first[a] for a in axes):
        return None
    convolve = functional.conv3d if len(grid) == 3 else functional.conv2d
    if local.is_whole and first == [0] * len(grid) and past == list(grid) and max(offset) <= 0:
        found = convolve(local.values, weight, None, stride, [-each for each in offset], dilation)
        if tuple(found.shape[2:]) == grid:
            return Local.whole(found)  # without a copy that has a border
    start = [first[a] * stride[a] + offset[a] for a in axes]
    stop = [(past[a] - 1) * stride[a] + offset[a] + reach[a] + 1 for a in axes]
    found = convolve(local.within(start, stop), weight, None, stride, 0, dilation)
    return Local(found, tuple(first), tuple(grid))


def spread(
    local: Local,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    grid: Places,
) -> Local:
    """The gradient of any convolution (out, in, k, j, i) that is not transposed, on ``grid``."""
    axes = range(len(grid))
    start = [local.start[a] * stride[a] - padding[a] for a in axes]
    shape = [
        (local.values.shape[2 + a] - 1) * stride[a] + dilation[a] * (weight.shape[2 + a] - 1) + 1 for a in axes
    ]  # fmt: skip
    like = local.values.new_zeros(()).expand(len(local.values), weight.shape[1] * groups, *shape)  # only a shape
    gradient, _, _ = torch.ops.aten.convolution_backward(
        local.values, like, weight, None, stride, [0] * len(grid), dilation, False, [0] * len(grid), groups,
        [True, False, False],
    )  # fmt: skip
    wide = Local(gradient, tuple(start), grid)
    start, stop = [max(0, a) for a in start], list(map(min, wide.stop, grid))
    return Local(wide.within(start, stop), tuple(start), grid)


def turned_round(weight: Tensor, factor: Sequence[int]) -> Tensor:
    """(in, out, ...) of a convolution's (out, in, ...): from its result back to its input's gradient.

    Parameters
    ----------
    factor
        The input is a coarser image of which each voxel was repeated so often along each axis: the gradient of the
        coarse one, whose weight is the sum over the copies. A quarter of the work of making the fine one first.
    """
    turned = weight.transpose(0, 1).flip(tuple(range(2, weight.ndim)))
    for axis, copies in enumerate(factor, start=2):
        if copies > 1:
            shape = list(turned.shape)
            shape[axis] += copies - 1
            summed = turned.new_zeros(shape)
            for shift in range(copies):
                summed.narrow(axis, shift, turned.shape[axis]).add_(turned)
            turned = summed
    return turned.contiguous()


def blocks_summed(local: Local, factor: Places, grid: Places) -> Local:
    """The gradient of repeating each voxel ``factor`` times along each axis."""
    start = [a // f for a, f in zip(local.start, factor, strict=True)]
    stop = [-(-b // f) for b, f in zip(local.stop, factor, strict=True)]
    fine = local.within(
        [a * f for a, f in zip(start, factor, strict=True)], [b * f for b, f in zip(stop, factor, strict=True)]
    )
    split = [n for b, a, f in zip(stop, start, factor, strict=True) for n in (b - a, f)]
    summed = fine.reshape(*fine.shape[:2], *split).sum(tuple(range(3, 3 + 2 * len(factor), 2)))
    return Local(summed, tuple(start), tuple(grid))


def scattered(local: Local, indices: Tensor, window: Sequence[tuple[int, int]], grid: Places) -> Local:
    """The gradient of maximum pooling: each value goes where its maximum was.

    Parameters
    ----------
    indices
        In the box: of the maximum among the flattened voxels of the grid.
    window
        Per axis the first voxel that the box's windows see, and the one past the last.
    """
    start = [max(0, a) for a, _ in window]
    stop = [min(n, b) for (_, b), n in zip(window, grid, strict=True)]
    target = torch.zeros_like(indices)
    rest = indices
    strides = [1]
    for n in reversed([b - a for a, b in zip(start, stop, strict=True)]):
        strides.insert(0, strides[0] * n)
    for axis in reversed(range(len(grid))):
        target += (rest % grid[axis] - start[axis]) * strides[axis + 1]
        rest = rest // grid[axis]
    shape = [*local.values.shape[:2], *(b - a for a, b in zip(start, stop, strict=True))]
    flat = local.values.new_zeros(*shape[:2], strides[0])
    flat.scatter_add_(2, target.flatten(2), local.values.flatten(2))
    return Local(flat.reshape(shape), tuple(start), tuple(grid))
