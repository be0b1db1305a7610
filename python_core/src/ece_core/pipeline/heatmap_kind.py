"""What a user may choose about one heatmap beside its method."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ece_core.errors import InputError
from ece_core.pipeline.explanation_guide import CAPSULE_REPAIR

# As the explanations call them; any other word is the name of one of the network's modules.
_LAYERS = {"last": "last", "all": "all", "decoder": "bottleneck+decoder"}
ACCUMULATE = ("exact", "blocks", "sample")
WITH_LAYER = ("gradcam", "gradcam-plus-plus", "guided-gradcam", "guided-gradcam-plus-plus")
_NAME = re.compile(r"[A-Za-z0-9_.]{1,80}")  # of a module; it goes into a file's name and into `result.json`


@dataclass(frozen=True)
class HeatmapKind:
    """Choices for one heatmap.

    Attributes
    ----------
    layer
        Of the class activation maps: a module's name, ``"last"``, ``"all"`` or ``"decoder"``; None: the one that the
        model's card names.
    signed
        Keep what speaks against.
    outline
        Why the segmentation drew the lymph node, every voxel's map summed, instead of why it got its class.
    accumulate
        Of an outline: ``"exact"``, or the estimates ``"blocks"`` and ``"sample"``, which say how far off they are.

    Raises
    ------
    InputError
        The layer cannot be the name of a module, or the sum is none of these.
    """

    layer: str | None = None
    signed: bool = False
    outline: bool = False
    accumulate: str = "exact"

    def __post_init__(self) -> None:
        if self.accumulate not in ACCUMULATE:
            raise InputError("There is no such way to sum over voxels.", f"Choose from {', '.join(ACCUMULATE)}.")
        if self.accumulate != "exact" and not self.outline:
            raise InputError("A class has one score, which is explained exactly.", "Add --outline, or leave it exact.")
        if self.layer is not None and not _NAME.fullmatch(self.layer):
            raise InputError(
                "This cannot be the name of a layer.", "Give last, all, decoder, or a module's name such as norms.1."
            )

    def check(self, method: str) -> None:
        """Refuses what a method does not have.

        Raises
        ------
        InputError
            A layer of a method that looks at none of our choosing, or a sign of capsule repair.
        """
        if self.layer is not None and method not in WITH_LAYER:
            raise InputError("This method looks at no layer of your choosing.", f"Give one to {', '.join(WITH_LAYER)}.")
        if self.outline and method in (CAPSULE_REPAIR, "hr-cam", "pattern-signal", "pattern-attribution"):
            raise InputError("This method does not explain outlines.", "Leave out --outline.")
        if self.signed and method == CAPSULE_REPAIR:
            raise InputError("Capsule repair has no signed map.", "Leave out --signed.")

    @property
    def network_layer(self) -> str | None:
        return None if self.layer is None else _LAYERS.get(self.layer, self.layer)

    @property
    def suffix(self) -> str:
        """Behind the method's name, so that no heatmap of another kind is replaced."""
        outline = "" if not self.outline else "-outline" + ("" if self.accumulate == "exact" else f"-{self.accumulate}")
        return outline + ("" if self.layer is None else f"-{self.layer}") + ("-signed" if self.signed else "")

    @property
    def words(self) -> str:
        """Behind the method's title."""
        outline = "" if not self.outline else " of the outline"
        outline += "" if self.accumulate == "exact" else f" (estimated by {self.accumulate})"
        return outline + ("" if self.layer is None else f" at {self.layer}") + (", signed" if self.signed else "")
