"""The architectures that a bundle may name. A bundle brings arguments, never code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ece_core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn


def _unet(arguments: dict[str, Any]) -> nn.Module:
    from monai.networks.nets import DynUNet

    return DynUNet(spatial_dims=3, **arguments)


def _densenet(arguments: dict[str, Any]) -> nn.Module:
    from monai.networks.nets import DenseNet
    from torch import nn

    arguments = dict(arguments)
    stem_pool = arguments.pop("stem_pool", True)
    network = DenseNet(spatial_dims=3, **arguments)
    if not stem_pool:  # a breach of 1 to 2 mm is gone after two halvings in a row
        network.features.pool0 = nn.Identity()
    return network


def _lymph_node_densenet(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.lymph_node_densenet import LymphNodeDenseNet

    return LymphNodeDenseNet(**arguments)


def _nnunet_ensemble(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.nnunet_unet import Ensemble, NnunetUNet

    members = [NnunetUNet(**arguments["member"]) for _ in range(arguments["members"])]
    return Ensemble(members, arguments["mirror_axes"])


ARCHITECTURES: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    "DynUNet": _unet,
    "DenseNet": _densenet,
    "LymphNodeDenseNet": _lymph_node_densenet,
    "NnunetEnsemble": _nnunet_ensemble,
}


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """The network of that name with fresh weights.

    Raises
    ------
    ModelError
        The name or the arguments are not ours.
    """
    if name not in ARCHITECTURES:
        raise ModelError(
            f"The model asks for an architecture named {name!r}, which this version does not have.",
            f"Update ece-core, or use a model made of {', '.join(ARCHITECTURES)}.",
        )
    try:
        return ARCHITECTURES[name](arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The model's arguments do not fit the architecture {name}.", "Export the model again from its training."
        ) from error
