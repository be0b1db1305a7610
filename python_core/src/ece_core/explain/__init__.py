"""Why a network decided as it did. Imports torch: packages that do without must not import this one."""

from ece_core.explain.accumulation import Accumulated, Blocks, Sample
from ece_core.explain.classifier import DEFAULT_METHODS, explain_classifier
from ece_core.explain.engine import NotExplainableError
from ece_core.explain.grad_cam import grad_cam
from ece_core.explain.guided_backpropagation import guided_backpropagation
from ece_core.explain.heatmap import to_heatmap, to_signed_map
from ece_core.explain.hr_cam import HRCam, fit_hr_cam
from ece_core.explain.layer import last_spatial_layer
from ece_core.explain.methods import METHODS, explain, explain_voxels
from ece_core.explain.patterns import Patterns, fit_patterns
from ece_core.explain.rectifiers import GuidedExtensionWarning
from ece_core.explain.settings import Settings
from ece_core.explain.target import Voxels

__all__ = [
    "DEFAULT_METHODS",
    "METHODS",
    "Accumulated",
    "Blocks",
    "GuidedExtensionWarning",
    "HRCam",
    "NotExplainableError",
    "Patterns",
    "Sample",
    "Settings",
    "Voxels",
    "explain",
    "explain_classifier",
    "explain_voxels",
    "fit_hr_cam",
    "fit_patterns",
    "grad_cam",
    "guided_backpropagation",
    "last_spatial_layer",
    "to_heatmap",
    "to_signed_map",
]
