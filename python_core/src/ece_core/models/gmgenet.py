"""GMGENet as one network to keep in one bundle: the extractor, and the classifiers of all folds as one."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class GMGENet(nn.Module):
    """Two networks that are asked one after the other; what lies between is `explain/gmgenet.py`.

    Parameters
    ----------
    extractor, classifier
        Logits (n, 2) of whole volumes, and of volumes of interest.
    """

    def __init__(self, extractor: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.extractor, self.classifier = extractor, classifier

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2) logits of volumes of interest (n, 1, k, j, i)."""
        return self.classifier(x)


def gmgenet_arguments(extractor: dict[str, Any], classifier: dict[str, Any], members: int) -> dict[str, Any]:
    """What :func:`ece_core.models.registry.build` needs to make one with this many classifiers."""
    keys = ("architecture", "arguments")
    one, two = ({key: each[key] for key in keys} for each in (extractor, classifier))
    return {
        "extractor": one,
        "classifier": {"architecture": "Ensemble", "arguments": {"member": two, "members": members}},
    }
