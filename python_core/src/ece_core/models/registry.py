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


def _lymph_node_swin(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.lymph_node_swin import LymphNodeSwin

    return LymphNodeSwin(**arguments)


def _nnunet_ensemble(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.nnunet_unet import Ensemble, NnunetUNet

    members = [NnunetUNet(**arguments["member"]) for _ in range(arguments["members"])]
    return Ensemble(members, arguments["mirror_axes"])


def _plain_unet(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.nnunet_unet import NnunetUNet

    arguments = dict(arguments)
    outputs, channels = arguments.pop("out_channels"), arguments.pop("in_channels")
    network = NnunetUNet(outputs=outputs, channels=channels, residual=False, **arguments)
    return network.apply(_he)


def _he(module: nn.Module) -> None:
    """nnU-Net's initial weights (He et al. 2015, for a leaky ReLU of slope 0.01)."""
    from torch import nn

    if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, a=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _light_unet(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.light_unet import LightUNet

    return LightUNet(**arguments)


def _ensemble(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.probability_ensemble import ProbabilityEnsemble

    return ProbabilityEnsemble([build(**arguments["member"]) for _ in range(arguments["members"])])


def _cascade(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.cascade import Cascade

    return Cascade(build(**arguments["earlier"]), build(**arguments["full"]))


def _volume_densenet(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.volume_densenet import volume_densenet

    return volume_densenet(**arguments)


def _plain_cnn(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.plain_cnn import plain_cnn

    return plain_cnn(**arguments)


def _dual_swin_unetr(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.dual_swin_unetr import DualSwinUNETR

    return DualSwinUNETR(**arguments)


def _masked_autoencoder(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.masked_autoencoder import MaskedAutoencoder

    return MaskedAutoencoder(**arguments)


def _gmgenet(arguments: dict[str, Any]) -> nn.Module:
    from ece_core.models.gmgenet import GMGENet

    return GMGENet(build(**arguments["extractor"]), build(**arguments["classifier"]))


ARCHITECTURES: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    "DynUNet": _unet,
    "DenseNet": _densenet,
    "LymphNodeDenseNet": _lymph_node_densenet,
    "LymphNodeSwin": _lymph_node_swin,
    "NnunetEnsemble": _nnunet_ensemble,
    "PlainConvUNet": _plain_unet,
    "LightUNet": _light_unet,
    "Ensemble": _ensemble,
    "Cascade": _cascade,
    "DualSwinUNETR": _dual_swin_unetr,
    "MaskedAutoencoder": _masked_autoencoder,
    "VolumeDenseNet": _volume_densenet,
    "PlainCNN": _plain_cnn,
    "GMGENet": _gmgenet,
}


def build(architecture: str, arguments: dict[str, Any]) -> nn.Module:
    """The network of that name with fresh weights.

    Raises
    ------
    ModelError
        The name or the arguments are not ours.
    """
    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"The model asks for an architecture named {architecture!r}, which this version does not have.",
            f"Update ece-core, or use a model made of {', '.join(ARCHITECTURES)}.",
        )
    try:
        return ARCHITECTURES[architecture](arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The model's arguments do not fit the architecture {architecture}.",
            "Export the model again from its training.",
        ) from error
