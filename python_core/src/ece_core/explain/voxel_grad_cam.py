"""Grad-CAM of every voxel of a segmentation, summed exactly, without a backward pass for each of them."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from ece_core.explain.accumulation import Accumulated, each_voxel
from ece_core.explain.class_activation import averaged
from ece_core.explain.engine import finite, on_grid, over_voxels
from ece_core.explain.layer import chosen_layers
from ece_core.explain.local_gradient import LocalGradient
from ece_core.explain.settings import Settings
from ece_core.explain.tangent import Tangents
from ece_core.explain.target import Voxels
from ece_core.explain.trace import Trace, traced

_AT_ONCE = 2**24  # numbers of the (voxels x places of the layer) product that are in memory at a time


def accumulated_grad_cam(network: nn.Module, x: Tensor, voxels: Voxels, settings: Settings) -> Accumulated:
    """Sum over voxels v of ReLU(sum_c w_c(v) A_c), exactly.

    The weight w_c(v) = mean over the layer's places of d y_v / d A_c is the derivative of y_v when channel c is raised
    everywhere by the same amount. One forward-mode pass per channel, through the part of the network after the layer
    alone, thus gives the weights of all voxels; with fewer voxels than channels one backward pass per voxel does.
    """
    layers = chosen_layers(network, x, settings.layer)
    trace = traced(network, x, layers)
    with torch.no_grad():
        values = trace.run(x.detach())
        together = voxels.seed(trace.logits(values))
    cams, passes = [], 0
    for layer in layers:
        node = trace.layers[layer]
        weights, needed = voxel_weights(trace, node, values, together)
        cams.append(on_grid(summed_maps(weights, values[node]), x.shape[2:]))
        passes += needed
    by_voxel = passes == int(voxels.mask.sum()) * len(layers)
    way = "every voxel" if by_voxel else "every channel"
    return Accumulated(finite(averaged(cams)), int(voxels.mask.sum()), passes, way)


def voxel_weights(trace: Trace, node: fx.Node, values: dict[fx.Node, Tensor], together: Tensor) -> tuple[Tensor, int]:
    """Weights (voxels, channels) of every voxel that is set in ``together``, and how many passes they took."""
    count, channels = int((together != 0).sum()), values[node].shape[1]
    if channels <= count:
        return _by_channel(Tangents(trace, values, node), values[node], together), channels
    return _by_voxel(LocalGradient(trace, values, [node]), together), count


def _by_channel(tangents: Tangents, maps: Tensor, together: Tensor) -> Tensor:
    chosen, columns = together != 0, []
    for channel in range(maps.shape[1]):
        raised = torch.zeros_like(maps)
        raised[:, channel] = 1 / maps[0, 0].numel()
        change = tangents.of(raised)
        columns.append(torch.zeros_like(together)[chosen] if change is None else change[chosen])
    return torch.stack(columns, dim=1)


def _by_voxel(gradient: LocalGradient, together: Tensor) -> Tensor:
    each = (gradient.of(seed)[0] for seed in each_voxel(together))
    return torch.stack([one.mean(dim=over_voxels(one))[0] for one in each])


def summed_maps(weights: Tensor, maps: Tensor) -> Tensor:
    """ReLU(weights x maps) of each voxel, summed: (1, 1, k', j', i')."""
    flat = maps[0].flatten(1)
    total = torch.zeros_like(flat[0])
    for some in weights.split(max(1, _AT_ONCE // flat.shape[1])):
        total += (some @ flat).relu().sum(dim=0)
    return total.reshape(1, 1, *maps.shape[2:])
