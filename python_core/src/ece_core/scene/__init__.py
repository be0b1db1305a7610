"""A result folder as a MRML scene, the same in Slicer and on the slicer-core wheel.

The only package, with ``web``, that knows Slicer and RAS; it imports ``slicer`` inside functions, so that importing
it is free. It never writes: the result folder is the AI's output, and no node made here points at its files.
"""

from ece_core.scene.added_heatmap import take_new_heatmap
from ece_core.scene.heatmap import show_heatmap
from ece_core.scene.heatmap_view import HeatmapView, hide_heatmaps, show_heatmap_view
from ece_core.scene.highlight import highlight_lymph_node
from ece_core.scene.jump import jump_to_lymph_node
from ece_core.scene.remove_result import hide_scan, remove_result
from ece_core.scene.result_nodes import ResultNodes, load_result, results_in_scene
from ece_core.scene.review import SceneReview
from ece_core.scene.review_layout import add_review_layout, show_review_layout

__all__ = [
    "HeatmapView",
    "ResultNodes",
    "SceneReview",
    "add_review_layout",
    "hide_heatmaps",
    "hide_scan",
    "highlight_lymph_node",
    "jump_to_lymph_node",
    "load_result",
    "remove_result",
    "results_in_scene",
    "show_heatmap",
    "show_heatmap_view",
    "show_review_layout",
    "take_new_heatmap",
]
