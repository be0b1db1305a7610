"""How good results are: detection and segmentation, and classification, against a cohort's truth."""

from ece_core.evaluation.classification import evaluate_classification
from ece_core.evaluation.segmentation import evaluate_segmentation
from ece_core.evaluation.table import metrics_table

__all__ = ["evaluate_classification", "evaluate_segmentation", "metrics_table"]
