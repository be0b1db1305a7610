"""HR-CAM: class activation maps of several layers at once, weighted by a top that is trained for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ece_core.explain.engine import NotExplainableError, checked_input, finite, frozen, on_grid, over_voxels, run
from ece_core.explain.layer import find_layer, watched
from ece_core.explain.patterns import network_sha256
from ece_core.explain.settings import Explainer, Settings
from ece_core.explain.stored_tensors import store, stored, unreadable

FILE = "hr_cam.safetensors"
KNOWN_AS = ("HR-CAM", "Train it again.")
_DECAY = 1e-3  # of the weights, so that two classes that the features separate have a finite top


@dataclass(frozen=True, eq=False)
class HRCam:
    """A trained top.

    Attributes
    ----------
    layers
        Names of the layers whose maps are pooled.
    weight, bias
        (classes, features) and (classes,), on pooled features as they are.
    weights_sha256
        Of the network that it was trained on.
    """

    layers: tuple[str, ...]
    weight: Tensor
    bias: Tensor
    weights_sha256: str

    def save(self, folder: Path) -> Path:
        """Beside the weights of a bundle."""
        about = {"network": self.weights_sha256, "layers": " ".join(self.layers)}
        return store(Path(folder) / FILE, {"weight": self.weight, "bias": self.bias}, about)

    @classmethod
    def load(cls, folder: Path) -> HRCam | None:
        """That of a bundle; None where it has none.

        Raises
        ------
        ModelError
            The file is damaged.
        """
        found = stored(Path(folder) / FILE, *KNOWN_AS)
        if found is None:
            return None
        tensors, about = found
        try:
            return cls(tuple(about["layers"].split()), tensors["weight"], tensors["bias"], about["network"])
        except KeyError as error:
            raise unreadable(*KNOWN_AS) from error


def fit_hr_cam(
    network: nn.Module, layers: Sequence[str], batches: Iterable[tuple[Tensor, Tensor]], classes: int, steps: int = 200
) -> HRCam:
    """Train the top: the mean of every map of every layer, one dense layer, cross-entropy. The network is frozen.

    Parameters
    ----------
    layers
        Names of modules with feature maps.
    batches
        Images (n, c, k, j, i) and their classes (n,) int. The features of all of them are kept: (images, features).
    steps
        Iterations of L-BFGS on all images at once; the features are standardized for it.

    Raises
    ------
    NotExplainableError
        There is no image, or a layer has no feature maps.

    References
    ----------
    Shinde et al. 2019, doi:10.1007/978-3-030-32226-7_64; Doerrich et al. 2023, Diagn Pathol 18:121.
    """
    with torch.no_grad():
        pairs = [(torch.cat([_pooled(one) for one in maps_of(network, x, layers)], 1), y) for x, y in batches]
    if not pairs:
        raise NotExplainableError("HR-CAM needs images to be trained on.", "Give at least one batch.")
    features, truth = torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs]).to(pairs[0][0].device)
    mean, deviation = features.mean(dim=0), features.std(dim=0, unbiased=False).clamp(min=1e-6)
    weight, bias = _trained((features - mean) / deviation, truth, classes, steps)
    weight = weight / deviation  # the top for features as they are
    return HRCam(tuple(layers), weight, bias - weight @ mean, network_sha256(network))


def _trained(features: Tensor, truth: Tensor, classes: int, steps: int) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        weight = features.new_zeros(classes, features.shape[1], requires_grad=True)
        bias = features.new_zeros(classes, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

        def loss() -> float:
            optimizer.zero_grad()
            value = functional.cross_entropy(features @ weight.T + bias, truth) + _DECAY * (weight**2).sum()
            value.backward()
            return float(value.detach())

        optimizer.step(loss)
    return weight.detach(), bias.detach()


@contextmanager
def hr_cam(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """Sum of the maps of all layers on the input's grid, each times its weight in the trained top, signed.

    Explains the class that the top gives, for which ``logits`` are the top's.

    Raises
    ------
    NotExplainableError
        No top was trained, or it is one of another network.
    """
    top = settings.hr_cam
    if top is None:
        raise NotExplainableError(
            "HR-CAM needs a trained top, which this model does not have.",
            "Train it on images such as the model was trained on (scripts/fit_explanations.py).",
        )
    if top.weights_sha256 != network_sha256(network):
        raise NotExplainableError("The HR-CAM was trained on another network.", "Train it again on this one.")
    with torch.no_grad():
        maps = maps_of(network, x, top.layers)
        weight, bias = top.weight.to(x), top.bias.to(x)
        logits = torch.cat([_pooled(one) for one in maps], dim=1) @ weight.T + bias

        def of(seed: Tensor) -> Tensor:
            per_map = (seed @ weight).split([one.shape[1] for one in maps], dim=1)
            parts = [
                on_grid((w.reshape(*w.shape, *[1] * (one.ndim - 2)) * one).sum(dim=1, keepdim=True), x.shape[2:])
                for w, one in zip(per_map, maps, strict=True)
            ]
            return finite(torch.stack(parts).sum(dim=0))

        yield Explainer(logits, of)


def maps_of(network: nn.Module, x: Tensor, layers: Sequence[str]) -> list[Tensor]:
    """Feature maps (n, c', k', j', i') of the named layers; the network is left as found."""
    with frozen(network), ExitStack() as stack:
        seen = [stack.enter_context(watched(find_layer(network, name))) for name in layers]
        run(network, checked_input(x))
        return [one.activation.detach() for one in seen]


def _pooled(maps: Tensor) -> Tensor:
    return maps.mean(dim=over_voxels(maps))
