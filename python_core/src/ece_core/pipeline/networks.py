"""The only door from the pipeline to the networks. Torch is loaded behind it, when first needed, and stays loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ece_core.classes import CLASS_NAMES, LABEL_VALUES
from ece_core.errors import ModelError
from ece_core.geometry import Volume
from ece_core.lymph_nodes.patient_networks import PATIENT_NETWORKS
from ece_core.pipeline.explanation_guide import CAPSULE_REPAIR
from ece_core.pipeline.heatmap_kind import HeatmapKind
from ece_core.pipeline.heatmaps import Heatmap

if TYPE_CHECKING:
    from ece_core.models import Bundle
    from ece_core.models.segmentation import SegmentationOutput

SEGMENTATION = "lymph_node_segmentation"
CLASSIFICATION = "lymph_node_classification"
PATIENT_ECE = "patient_ece"


def choose_device(name: str) -> str:
    """The device that ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` stands for on this computer."""
    _need_torch()
    from ece_core.models.device import choose_device as choose

    return choose(name)


def load(task: str, folder: Path | None) -> Bundle:
    """The bundle for a task. A second call with the same files returns the same bundle, still loaded."""
    _need_torch()
    from ece_core.models import find_bundle

    return _load(find_bundle(task, folder))


def load_patient_networks(folder: Path | None, wanted: str) -> dict[str, Bundle]:
    """By name, those of PATIENT_NETWORKS of which there is a bundle.

    Raises
    ------
    ModelError
        There is none of the ``wanted`` one.
    """
    _need_torch()
    from ece_core.models import bundle_for, find_bundle

    found = {}
    for name, network in PATIENT_NETWORKS.items():
        find = find_bundle if name == wanted else bundle_for
        path = find(PATIENT_ECE, folder, network.architecture)
        if path is not None:
            found[name] = _load(path)
    return found


def _load(path: Path) -> Bundle:
    with _LOADING:
        return _loaded(path, (path / "model.json").stat().st_mtime_ns)


_LOADING = Lock()  # the worker's warm-up and its first run may both want a network


@lru_cache(maxsize=6)
def _loaded(path: Path, changed_ns: int) -> Bundle:
    from ece_core.models import load_bundle

    return load_bundle(path)


@dataclass(frozen=True)
class Search:
    """How lymph nodes are looked for: closely only where a coarse pass sees candidates; with mirrored images, too."""

    fast: bool = False
    mirror: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"mode": "fast" if self.fast else "full", "mirrored": self.mirror}


def fast_by_default(bundle: Bundle) -> bool:
    """Whether it is known of the segmentation that fast search misses next to nothing."""
    from ece_core.models import segmentation

    return segmentation.fast_by_default(bundle)


def can_mirror(bundle: Bundle) -> bool:
    """Whether the segmentation's card allows mirrored images."""
    from ece_core.models import segmentation

    return bool(segmentation.mirror_axes_of(bundle))


def segment(
    bundle: Bundle, region: Volume, device: str, report: Callable[[float], None], patch_scale: float, search: Search
) -> SegmentationOutput:
    """Class map on the region's grid, in LABEL_VALUES, and probabilities in the order of :func:`labels_of`."""
    from ece_core.models import segmentation

    labels = labels_of(bundle)
    output = segmentation.segment(bundle, region, device, report, patch_scale, search.fast, search.mirror)
    if labels == CLASS_NAMES:
        return output
    values = [0, *(LABEL_VALUES[name] for name in labels)]
    class_map = np.array(values, np.uint8)[output.class_map.array]
    return replace(output, class_map=output.class_map.with_array(class_map))


def labels_of(bundle: Bundle) -> tuple[str, ...]:
    """What a segmentation tells apart: N, P and ENE, or joined labels.

    Raises
    ------
    ModelError
        Its card names a label of which we do not know the meaning.
    """
    labels = tuple(bundle.spec.get("labels", CLASS_NAMES))
    unknown = [str(name) for name in labels if name not in LABEL_VALUES]
    if unknown:
        raise ModelError(
            f"The model {bundle.name} has the label {unknown[0]!r}, whose meaning is not known.",
            f"Use a model whose labels are among {', '.join(LABEL_VALUES)}.",
        )
    return labels


def classify(bundle: Bundle, ct: Volume, instances: Volume, label: int, device: str) -> dict[str, Any]:
    """{class_probabilities: {N, P, ENE}, ece_probability, class_set} of one lymph node."""
    from ece_core.models import node_classifier

    return node_classifier.classify(bundle, ct, instances, label, device)


def judge_patient(bundle: Bundle, ct: Volume, device: str) -> dict[str, Any]:
    """{ece_probability}, and of GMGENet {box: {center_lps_mm, size_mm, axes_lps}}: where it looked.

    Raises
    ------
    InputError
        The scan does not show what the network needs.
    """
    if bundle.spec["architecture"] == PATIENT_NETWORKS["gmgenet"].architecture:
        from ece_core.explain import gmgenet

        network: Any = bundle.network.to(device)
        answer = gmgenet.judge_patient(network, ct, bundle.spec["input"], bundle.spec["gradcam_layer"])
        return {"ece_probability": answer.ece_probability, "box": answer.box()}
    from ece_core.models import dual_swin_unetr

    return {"ece_probability": dual_swin_unetr.answer(bundle, ct, device).probability}


def block_mm(bundle: Bundle) -> tuple[float, float, float]:
    """Extent of what the classifier sees, along (S, A, L)."""
    from ece_core.models import node_classifier

    return node_classifier.block_mm(bundle)


def contour_quality(
    bundle: Bundle, ct: Volume, instances: Volume, label: int, device: str
) -> dict[str, Any]:
    """{risk, score} of the outline that the segmentation drew; both None, with a reason, where nothing was fitted."""
    from ece_core.explain import contour
    from ece_core.explain.contour_quality import NO_FIT, ContourQuality, not_judged

    fit = ContourQuality.load(bundle.folder) if bundle.folder is not None else None
    if fit is None or fit.network_sha256 != bundle.sha256:
        return not_judged(NO_FIT)
    return contour.contour_quality(bundle, fit, ct, instances, label, device)


def heatmaps(
    bundle: Bundle,
    ct: Volume,
    instances: Volume,
    label: int,
    methods: Sequence[str],
    device: str,
    with_network: bool = False,
    kind: HeatmapKind | None = None,
) -> dict[str, Heatmap]:
    """What in the CT speaks for ENE (also ECE) in one lymph node, per method: [0, 1] on a block of the CT grid.

    With each its faithfulness figures; ``with_network`` also those for which the network runs again and again. A signed
    map is in [-1, 1], and its figures are those of what is positive.
    """
    from ece_core.explain.faithfulness.lymph_node import View, faithfulness, lymph_node_heatmaps
    from ece_core.explain.lymph_node_repair import repair_lymph_node
    from ece_core.models import node_classifier

    crop = node_classifier.crop(bundle, ct, instances, label)
    kind = kind or HeatmapKind()
    of_network = tuple(method for method in methods if method != CAPSULE_REPAIR)
    view = View(kind.network_layer, kind.signed)
    maps = lymph_node_heatmaps(bundle, crop, of_network, device, view=view) if of_network else {}
    judged = faithfulness(bundle, crop, maps, device, with_network, view)
    figures: dict[str, dict] = {method: {"faithfulness": judged[method].to_json()} for method in maps}
    if CAPSULE_REPAIR in methods:
        repair, maps[CAPSULE_REPAIR] = repair_lymph_node(bundle, crop, device)
        figures[CAPSULE_REPAIR] = {"capsule_repair": repair.to_json()}
    return {
        method: Heatmap(node_classifier.attribution_on_ct_grid(crop, maps[method], ct), figures[method])
        for method in methods
    }


def outline_heatmaps(
    bundle: Bundle,
    ct: Volume,
    instances: Volume,
    label: int,
    methods: Sequence[str],
    device: str,
    _with_network: bool,
    kind: HeatmapKind,
) -> dict[str, Heatmap]:
    """Why the segmentation drew one lymph node, per method on a block of the CT grid; empty where it is too small.

    With each stands of how many voxels it is the sum, and its correlation with the exact one: 1, or estimated.
    """
    from ece_core.explain import Blocks, Sample, to_heatmap, to_signed_map
    from ece_core.explain.contour import contour_crop, outline_map
    from ece_core.models import node_classifier

    crop = contour_crop(bundle, ct, instances, label)
    if not crop.inside.any():
        empty = node_classifier.attribution_on_ct_grid(crop, np.zeros(crop.image.shape, np.float32), ct)
        return dict.fromkeys(methods, Heatmap(empty))
    way = {"exact": None, "blocks": Blocks(), "sample": Sample()}[kind.accumulate]
    post, found = to_signed_map if kind.signed else to_heatmap, {}
    for method in methods:
        summed = outline_map(bundle, crop, method, device, kind.network_layer, way)
        heat = post(summed.map[0].sum(0).float().cpu().numpy())
        correlation = 1.0 if summed.is_exact else min(round(summed.correlation, 4), 0.9999)  # 1 means exact
        figures = {"voxels": summed.voxels, "passes": summed.passes, "correlation": correlation}
        found[method] = Heatmap(node_classifier.attribution_on_ct_grid(crop, heat, ct), {"accumulated": figures})
    return found


def _need_torch() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("torch", "monai") if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"The analysis needs {' and '.join(missing)}, which is not installed.",
            'Install with `pip install "ece-core[analysis]"`; `ece doctor` shows what is missing.',
        )
