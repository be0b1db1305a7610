"""Why a network decided as it did. Imports torch: packages that do without must not import this one."""

from ece_core.explain.classifier import METHODS, explain_classifier
from ece_core.explain.engine import NotExplainableError
from ece_core.explain.grad_cam import grad_cam
from ece_core.explain.guided_backpropagation import guided_backpropagation
from ece_core.explain.heatmap import to_heatmap
from ece_core.explain.layer import last_spatial_layer
from ece_core.explain.rectifiers import GuidedExtensionWarning

__all__ = [
    "METHODS",
    "GuidedExtensionWarning",
    "NotExplainableError",
    "explain_classifier",
    "grad_cam",
    "guided_backpropagation",
    "last_spatial_layer",
    "to_heatmap",
]
