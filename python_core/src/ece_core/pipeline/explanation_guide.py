"""The explanation methods that a user may choose: what each one shows, and what it cannot. No torch here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guide:
    """One method in a sentence or two.

    Attributes
    ----------
    title
        As the panel says it.
    shows, cannot
        Each the end of a sentence: "Shows ...", "Cannot ...".
    """

    title: str
    shows: str
    cannot: str

    def sentence(self) -> str:
        """One sentence for a list."""
        return f"Shows {self.shows}; cannot {self.cannot}."


_RELU_ONLY = "say much of what was learned (it changes little when the weights are drawn again)"

CAPSULE_REPAIR = "capsule-repair"

GUIDES: dict[str, Guide] = {
    "gradcam": Guide(
        "Grad-CAM",
        "where the layer that it looks at (the model's card names it) saw what raised the score",
        "point more finely than the grid of that layer, or show what the score took from other layers",
    ),
    "guided-backprop": Guide(
        "Guided backpropagation", "edges and textures that active units passed on to the score", _RELU_ONLY
    ),
    "guided-gradcam": Guide(
        "Guided Grad-CAM",
        "fine detail inside the region that raised the score",
        "be better founded than its two factors",
    ),
    "gradcam-plus-plus": Guide(
        "Grad-CAM++", "the region that raised the score, also where it lies in several places", "show what lowered it"
    ),
    "guided-gradcam-plus-plus": Guide(
        "Guided Grad-CAM++",
        "fine detail inside the regions that Grad-CAM++ finds",
        "be better founded than its two factors",
    ),
    "gradient": Guide("Gradient", "where a small change of HU would move the score", "say what the score is made of"),
    "saliency": Guide("Saliency", "how strongly each voxel moves the score", "tell for from against"),
    "smoothgrad": Guide("SmoothGrad", "the gradient with its noise averaged out", "say what the score is made of"),
    "gradient-x-input": Guide(
        "Gradient x input", "each voxel's part of the score, were the network linear", "show blank voxels that matter"
    ),
    "integrated-gradients": Guide(
        "Integrated gradients",
        "what each voxel adds from a blank image to this one; the parts sum to the change of the score",
        "be read without the blank image that it starts from",
    ),
    "deeplift": Guide(
        "DeepLIFT",
        "what each voxel adds against a blank image, in one pass; the parts sum to the change of the score",
        "explain networks with attention or gates",
    ),
    "deconvnet": Guide("DeConvNet", "patterns that the score asks for, traced back to the image", _RELU_ONLY),
    "lrp-zplus": Guide(
        "LRP (z+)",
        "how the score is shared out among voxels that speak for it",
        "show evidence against the class, or much of what the deeper layers learned",
    ),
    "lrp-epsilon": Guide(
        "LRP (epsilon)", "how the score is shared out, for and against", "stay calm where contributions nearly cancel"
    ),
    "lrp-gamma": Guide(
        "LRP (gamma)", "how the score is shared out, what speaks for it favored", "weigh for and against equally"
    ),
    "lrp-alpha2beta1": Guide(
        "LRP (alpha 2, beta 1)", "evidence for, twice, less evidence against", "be read as parts of the score"
    ),
    "lrp-epsilon-plus-flat": Guide(
        "LRP (epsilon, z+, flat)",
        "the regions that the score was shared out to, smoothly",
        "point more finely than the first layer's window",
    ),
    "pattern-signal": Guide(
        "PatternNet", "what in the image the network reads as a signal", "be had without patterns fitted on data"
    ),
    "pattern-attribution": Guide(
        "PatternAttribution", "how much each voxel's signal adds to the score", "be had without patterns fitted on data"
    ),
    "hr-cam": Guide(
        "HR-CAM",
        "the region that speaks for the class, from several layers at once",
        "explain the network's own last layers: it has a top of its own, fitted on data",
    ),
    "occlusion": Guide(
        "Occlusion",
        "how much the score drops when a box is blanked out; needs no gradient",
        "see what only works together with something outside of the box",
    ),
    CAPSULE_REPAIR: Guide(
        "Capsule repair",
        "how far the probability of ENE (also ECE) falls when fat is painted over one sector outside the capsule",
        "tell a breach from other tissue that is painted over with it, or see one that the painting does not undo",
    ),
}
