"""The sum of a method's maps over many voxels: exactly, or as an estimate that says how far off it is.

Sending the sum of all scores back at once is the same only for linear methods. For the others (guided
backpropagation: correlation 0.94 on one network) it is another map, and is never given in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ece_core.explain.settings import Explainer
from ece_core.explain.target import Voxels


@dataclass(frozen=True)
class Blocks:
    """All voxels within a block at once: as many passes as there are blocks. Not exact, and not free of bias.

    Attributes
    ----------
    edge
        Of a block, in voxels.
    checked
        So many blocks, drawn by ``seed``, are also done voxel by voxel, to measure the error.
    """

    edge: int = 2
    checked: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Sample:
    """So many voxels for all of them, one drawn by ``seed`` from each of as many compact parts; free of bias.

    Neighbors have similar maps: spread over the mask, few voxels say more than drawn anywhere (stratified sampling).
    """

    voxels: int = 64
    seed: int = 0


Way: TypeAlias = Blocks | Sample | None


@dataclass(frozen=True, eq=False)
class Accumulated:
    """A summed map and how it came about.

    Attributes
    ----------
    map
        (1, c, k, j, i).
    voxels, passes
        How many were summed, in how many backward (or forward-mode) passes.
    way
        ``"one pass"``, ``"every voxel"``, ``"every channel"``, ``"blocks"`` or ``"sample"``.
    correlation
        With the exact map: 1 for exact ways; of a sample estimated from the spread between its voxels, of blocks
        measured on those that were checked. Below 1 it is an estimate itself.
    """

    map: Tensor
    voxels: int
    passes: int
    way: str
    correlation: float = 1.0

    @property
    def is_exact(self) -> bool:
        return self.way not in ("blocks", "sample")


def accumulate(explainer: Explainer, voxels: Voxels, is_linear: bool, way: Way = None) -> Accumulated:
    """The maps of all voxels, summed.

    Parameters
    ----------
    way
        For methods that are not linear; a linear one takes one pass, which is exact.
    """
    together = voxels.seed(explainer.logits[:1] if explainer.copies > 1 else explainer.logits)
    count = int(voxels.mask.sum())
    if is_linear:
        return Accumulated(explainer.of(together).detach(), count, 1, "one pass")
    if isinstance(way, Blocks):
        return _by_blocks(explainer, together, count, way)
    if isinstance(way, Sample) and way.voxels < count:
        return _by_sample(explainer, together, count, way)
    total = _sum(_maps(explainer, each_voxel(together)))  # a mask without voxels was refused
    return Accumulated(total, count, _passes(explainer, count), "every voxel")


def each_voxel(together: Tensor, chosen: Tensor | None = None) -> Iterator[Tensor]:
    """One seed per voxel that is set; or of those chosen, by their number."""
    places = together.flatten().nonzero().flatten()
    for place in places if chosen is None else places[chosen.to(places.device)]:
        seed = torch.zeros_like(together)
        seed.view(-1)[place] = together.view(-1)[place]
        yield seed


def _maps(explainer: Explainer, seeds: Iterable[Tensor]) -> Iterator[Tensor]:
    """The map of each seed, as many by one pass as there are copies of the image."""
    left = iter(seeds)
    while some := list(islice(left, explainer.copies)):
        idle = [torch.zeros_like(some[0])] * (explainer.copies - len(some))
        yield from explainer.of(torch.cat(some + idle))[: len(some)].detach().split(1)


def _passes(explainer: Explainer, maps: int) -> int:
    return -(-maps // explainer.copies)


def _sum(maps: Iterable[Tensor]) -> Tensor:
    """Of at least one map, with memory for two."""
    each = iter(maps)
    total = next(each).detach().clone()
    for one in each:
        total.add_(one.detach())
    return total


def _by_sample(explainer: Explainer, together: Tensor, count: int, way: Sample) -> Accumulated:
    """One voxel stands for its part.

    The error is estimated from each two parts that follow one another (collapsed strata; Cochran, Sampling Techniques,
    5A.12): rather too large than too small, as two parts also differ in truth.
    """
    parts = compact_parts(together.nonzero().cpu(), way.voxels)
    drawing = torch.Generator().manual_seed(way.seed)
    drawn = torch.stack([part[torch.randint(len(part), (), generator=drawing)] for part in parts])
    total: Any = 0.0
    last, noise = None, 0.0
    for one, part in zip(_maps(explainer, each_voxel(together, drawn)), parts, strict=True):
        for_part = one.double() * len(part)
        if last is not None:
            noise += float((for_part - last).square().mean()) * (1 - 1 / len(part))
        total, last = total + for_part, for_part
    noise *= len(parts) / (2 * max(len(parts) - 1, 1))
    spread = float(total.var(unbiased=False))  # what of it is not noise is signal
    correlation = (max(spread - noise, 0.0) / spread) ** 0.5 if spread > 0 and len(parts) > 1 else 0.0
    return Accumulated(total.to(together.dtype), count, _passes(explainer, len(parts)), "sample", correlation)


def compact_parts(places: Tensor, parts: int) -> list[Tensor]:
    """Rows of ``places`` (n, axes) in so many parts of nearly equal size, none empty, neighbors in turn.

    Halved across the longest side, again and again.
    """

    def halved(rows: Tensor, parts: int) -> list[Tensor]:
        if parts == 1:
            return [rows]
        inside = places[rows]
        longest = int((inside.amax(0) - inside.amin(0)).argmax())
        rows = rows[inside[:, longest].argsort(stable=True)]
        left = parts // 2
        cut = round(len(rows) * left / parts)
        return halved(rows[:cut], left) + halved(rows[cut:], parts - left)

    return halved(torch.arange(len(places)), parts)


def _by_blocks(explainer: Explainer, together: Tensor, count: int, way: Blocks) -> Accumulated:
    seeds = list(_block_seeds(together, way.edge))
    checked = set(torch.randperm(len(seeds), generator=torch.Generator().manual_seed(way.seed))[: way.checked].tolist())
    of_checked: list[Tensor] = []

    def maps() -> Iterator[Tensor]:
        for number, one in enumerate(_maps(explainer, seeds)):
            if number in checked:
                of_checked.append(one.clone())
            yield one

    total = _sum(maps())
    exact = _sum(_maps(explainer, (voxel for number in sorted(checked) for voxel in each_voxel(seeds[number]))))
    passes = _passes(explainer, len(seeds))
    passes += _passes(explainer, sum(int(seeds[number].count_nonzero()) for number in checked))
    return Accumulated(total, count, passes, "blocks", correlation_of(_sum(of_checked), exact))


def _block_seeds(together: Tensor, edge: int) -> Iterator[Tensor]:
    """One seed per block that has a voxel set."""
    places = together.nonzero()
    blocks = places.clone()
    blocks[:, 2:] //= edge
    _, which = torch.unique(blocks, dim=0, return_inverse=True)
    for number in range(int(which.max()) + 1):
        seed = torch.zeros_like(together)
        inside = tuple(places[which == number].T)
        seed[inside] = together[inside]
        yield seed


def correlation_of(a: Tensor, b: Tensor) -> float:
    """Pearson's, 0 where one of them is constant."""
    a, b = a.double().flatten() - a.double().mean(), b.double().flatten() - b.double().mean()
    norm = a.norm() * b.norm()
    return float((a @ b) / norm) if norm > 0 else 0.0
