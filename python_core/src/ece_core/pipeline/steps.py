"""The steps of an analysis, one short function each, in the order of the methods section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ece_core.classes import LABEL_VALUES
from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.lymph_nodes.not_evaluable import TOO_LARGE, exceeds, not_evaluable
from ece_core.lymph_nodes.patient_networks import title_of
from ece_core.pipeline import networks
from ece_core.pipeline.detection import confident, probabilities_at
from ece_core.pipeline.heatmap_kind import HeatmapKind
from ece_core.pipeline.heatmaps import Heatmap, on_grid_of, together
from ece_core.pipeline.memory import attempts_whole, attempts_with_tiles, with_less_memory
from ece_core.pipeline.patient import NOTHING_FOUND, left_out_warning
from ece_core.pipeline.run import Run, labels_of

if TYPE_CHECKING:
    from ece_core.models import Bundle
    from ece_core.models.segmentation import SegmentationOutput


def find_neck(run: Run, ct: Volume) -> Volume:
    """The block of the CT between skull base and upper chest; all later steps look only there."""
    from ece_core.preprocessing import neck_region

    with run.clock.stage("neck_region"):
        start_kji, stop_kji = neck_region(ct)
        return ct.crop(start_kji, stop_kji)


def segment_lymph_nodes(run: Run, bundle: Bundle, region: Volume) -> SegmentationOutput:
    """The 3D UNet over overlapping tiles; smaller tiles, then the CPU, when memory runs out."""
    search = _search(run, bundle)
    with run.clock.stage("segment") as tell:
        output, _ = with_less_memory(
            "finding lymph nodes",
            lambda attempt: networks.segment(bundle, region, attempt.device, tell, attempt.patch_scale, search),
            attempts_with_tiles(run.device),
            run.warn,
        )
        run.search = {**search.to_json(), "engine": output.engine}
    return output


def _search(run: Run, bundle: Bundle) -> networks.Search:
    """As asked; fast search is the default on a CPU, for models of which it is known what it misses."""
    if run.options.mirror and not networks.can_mirror(bundle):
        run.warn(f"The model {bundle.name} was not made for mirrored images; it was used without mirroring.")
    fast = run.device == "cpu" and not run.options.full_search and networks.fast_by_default(bundle)
    return networks.Search(fast, run.options.mirror and networks.can_mirror(bundle))


def separate_lymph_nodes(run: Run, bundle: Bundle, output: SegmentationOutput, ct: Volume) -> Volume:
    """The class map's foreground as one label per lymph node, on the grid of the whole CT.

    What the network itself holds for a lymph node with less than the bundle's ``least_confidence`` is left out.
    """
    from ece_core.lymph_nodes.instances import split_instances

    with run.clock.stage("instances"):
        found = split_instances(output.class_map.with_array(output.class_map.array > 0))
        instances = on_grid_of(ct, confident(found, output, bundle.spec.get("least_confidence", 0.0)))
    if not instances.array.any():
        run.warn(NOTHING_FOUND)
    return instances


def measure_lymph_nodes(run: Run, ct: Volume, instances: Volume) -> list[dict]:
    """Per lymph node: label, measures, side and level, as keyword arguments of LymphNode."""
    from ece_core.lymph_nodes.levels import NeckFrame, side_and_level
    from ece_core.lymph_nodes.measures import measure

    labels = labels_of(instances)
    rows: list[dict] = []
    with run.clock.stage("measure") as tell:
        if not labels:
            return rows
        frame = NeckFrame.from_ct(ct)
        for done, label in enumerate(labels, start=1):
            row = {"id": f"LN{label}", "label": label, **measure(ct, instances, label)}
            row["side"], row["level"] = side_and_level(frame, row["centroid_lps_mm"])
            rows.append(row)
            tell(done / len(labels))
    return rows


def classify_lymph_nodes(run: Run, bundle: Bundle, ct: Volume, instances: Volume, rows: list[dict]) -> list[LymphNode]:
    """One class per lymph node, the classifier's: the most probable of N, P and ENE.

    The segmentation's class map only says where lymph nodes are; its classes are not used here. A lymph node whose
    border cannot be seen well enough gets no ECE probability, and its class does not claim that there is ENE or none.
    """
    lymph_nodes = []
    block_mm = networks.block_mm(bundle)
    with run.clock.stage("classify") as tell:
        for done, row in enumerate(rows, start=1):
            answer = _on_device(
                run,
                "classifying a lymph node",
                lambda device, label=row["label"]: networks.classify(bundle, ct, instances, label, device),
            )
            reasons = not_evaluable(ct, instances, row["label"], row["short_axis_mm"], row["bounding_box_kji"])
            if exceeds(block_mm, instances, row["bounding_box_kji"]):
                reasons = (*reasons, TOO_LARGE)
            lymph_nodes.append(_not_judged(row, answer, reasons) if reasons else _judged(row, answer))
            tell(done / len(rows))
    warning = left_out_warning(lymph_nodes)
    if warning:
        run.warn(warning)
    return lymph_nodes


def _judged(row: dict, answer: dict) -> LymphNode:
    return LymphNode(
        **row,
        class_name=most_probable(answer["class_probabilities"]),
        class_probabilities=answer["class_probabilities"],
        ece_probability=answer["ece_probability"],
        class_set=answer.get("class_set"),
    )


def judge_patient(run: Run, ct: Volume) -> dict[str, dict]:
    """What each network says that judges the patient from the scan as a whole; a scan that it refuses is warned about.

    Returns
    -------
    dict
        By name {ece_probability, box}, as :func:`ece_core.pipeline.networks.judge_patient` gives it.
    """
    said = {}
    with run.clock.stage("judge_patient") as tell:
        for done, (name, bundle) in enumerate(run.patient_networks.items(), start=1):
            try:
                said[name] = _on_device(
                    run, "judging the patient", lambda device, it=bundle: networks.judge_patient(it, ct, device)
                )
            except InputError as refusal:
                run.warn(f"{title_of(name)} did not judge the patient. {refusal.problem}")
            tell(done / len(run.patient_networks))
    return said


def _not_judged(row: dict, answer: dict, reasons: tuple[str, ...]) -> LymphNode:
    """N, or metastatic of which nothing is said about ENE (also ECE)."""
    negative = answer["class_probabilities"]["N"]
    joined = {"N": negative, "metastatic": 1.0 - negative}
    name = most_probable(joined)
    return LymphNode(**row, class_name=name, class_probabilities=joined, not_evaluable=reasons)


def class_from_segmentation(
    output: SegmentationOutput, instances: Volume, rows: list[dict], labels: Sequence[str]
) -> list[LymphNode]:
    """One class per lymph node where no classifier ran: the segmentation's probabilities, averaged over its voxels.

    There is no ECE probability: the segmentation is not a model of it. A network with joined ``labels`` gives one of
    these, such as "metastatic", and never a class that it cannot tell.
    """
    lymph_nodes = []
    for row in rows:
        start, stop = row["bounding_box_kji"]
        inside = np.argwhere(instances.crop(start, stop).array == row["label"]) + np.array(start)
        means = probabilities_at(output, instances, inside).mean(axis=1)
        probabilities = dict(zip(labels, (means / means.sum()).tolist(), strict=True))
        lymph_nodes.append(LymphNode(**row, class_name=most_probable(probabilities), class_probabilities=probabilities))
    return lymph_nodes


def most_probable(probabilities: dict[str, float]) -> str:
    """The class with the largest probability; of equal ones the more serious, so that none is played down."""
    return max(probabilities, key=lambda name: (probabilities[name], LABEL_VALUES[name]))


def judge_contours(
    run: Run, bundle: Bundle, ct: Volume, instances: Volume, lymph_nodes: Sequence[LymphNode]
) -> list[LymphNode]:
    """The same lymph nodes with the risk that the segmentation's outline is a bad one."""
    judged = []
    with run.clock.stage("contours") as tell:
        for done, node in enumerate(lymph_nodes, start=1):
            quality = _on_device(
                run,
                "judging an outline",
                lambda device, label=node.label: networks.contour_quality(bundle, ct, instances, label, device),
            )
            judged.append(replace(node, contour_quality=quality))
            tell(done / len(lymph_nodes))
    return judged


def explain_lymph_nodes(
    run: Run,
    bundle: Bundle,
    ct: Volume,
    instances: Volume,
    lymph_nodes: Sequence[LymphNode],
    methods: Sequence[str],
    kind: HeatmapKind | None = None,
) -> dict[str, Heatmap]:
    """One heatmap volume per method: every lymph node explained by itself, pasted into a crop of the CT grid."""
    of_each: dict[str, dict[str, Heatmap]] = {method: {} for method in methods}
    thorough = run.options.faithfulness
    others = () if kind is None or kind == HeatmapKind() else (kind,)
    of_one = networks.outline_heatmaps if kind is not None and kind.outline else networks.heatmaps
    with run.clock.stage("explain") as tell:
        for done, node in enumerate(lymph_nodes, start=1):
            answer = _on_device(
                run,
                "explaining a lymph node",
                lambda device, label=node.label: of_one(
                    bundle, ct, instances, label, methods, device, thorough, *others
                ),
            )
            for method in methods:
                of_each[method][node.id] = answer[method]
            tell(done / len(lymph_nodes))
        return {method: together(ct, parts) for method, parts in of_each.items() if parts}


def with_source(lymph_nodes: Sequence[LymphNode], source: str) -> list[LymphNode]:
    """The same lymph nodes, outlined by AUTOMATIC, SEMIAUTOMATIC or MANUAL work."""
    return [replace(lymph_node, source=source) for lymph_node in lymph_nodes]


def _on_device(run: Run, what: str, step: Callable):
    answer, _ = with_less_memory(what, lambda attempt: step(attempt.device), attempts_whole(run.device), run.warn)
    return answer
