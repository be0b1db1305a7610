"""From a neck CT to a result folder. Start reading at :mod:`ece_core.pipeline.analyze`."""

from ece_core.pipeline.analyze import analyze
from ece_core.pipeline.classify import classify, reclassify
from ece_core.pipeline.explain import explain
from ece_core.pipeline.options import EXPLANATION_TITLES, AnalyzeOptions
from ece_core.pipeline.segment import segment
from ece_core.pipeline.stages import STAGE_TITLES, STAGES, Stage, remaining_seconds

__all__ = [
    "EXPLANATION_TITLES",
    "STAGES",
    "STAGE_TITLES",
    "AnalyzeOptions",
    "Stage",
    "analyze",
    "classify",
    "explain",
    "reclassify",
    "remaining_seconds",
    "segment",
]
