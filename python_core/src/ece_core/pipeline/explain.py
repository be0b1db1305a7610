"""One more heatmap for a result that is already there: one method, for all lymph nodes or for one."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from ece_core.errors import GeometryError, InputError
from ece_core.export.nrrd import write_nrrd
from ece_core.export.result import RESULT_FILE, Result, read_result
from ece_core.export.result_folder import read_heatmaps
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.geometry import Volume
from ece_core.io import Scan
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.pipeline.heatmap_kind import HeatmapKind
from ece_core.pipeline.heatmaps import correlated, heatmap_entry
from ece_core.pipeline.networks import CLASSIFICATION, SEGMENTATION
from ece_core.pipeline.options import AnalyzeOptions
from ece_core.pipeline.run import Run, load_networks, read_scan
from ece_core.pipeline.stages import Report, silent
from ece_core.pipeline.steps import explain_lymph_nodes

EXPLAIN_STAGES = ("read", "load_models", "explain", "write")


def explain(
    ct: Path,
    folder: Path,
    method: str,
    lymph_node_id: str | None = None,
    options: AnalyzeOptions | None = None,
    report: Report = silent,
    kind: HeatmapKind | None = None,
) -> Path:
    """Adds a heatmap to a result folder; one of the same name is replaced. Nothing else of the AI's output changes.

    Parameters
    ----------
    ct, options, report
        As for :func:`ece_core.pipeline.analyze`; ``ct`` is the CT that the result was made from.
    folder
        The result folder.
    method
        A key of EXPLANATION_TITLES.
    lymph_node_id
        Such as ``"LN1"``; None: all lymph nodes.
    kind
        Another layer, a signed map, or why the outline was drawn; None: as :func:`analyze` makes it.

    Returns
    -------
    Path
        The heatmap, listed in `result.json` with its figures, and how it correlates with the heatmaps that were there;
        `report.html` shows it, too.

    Raises
    ------
    InputError
        The folder is no result, the method or the lymph node does not exist, or there is nothing to explain.
    GeometryError
        The CT is not the one that the result was made from.
    """
    options, kind = replace(options or AnalyzeOptions(), explain=(method,)), kind or HeatmapKind()
    kind.check(method)
    run = Run.start(options, EXPLAIN_STAGES, report)
    result = read_result(folder)
    lymph_nodes = _asked_for(result, lymph_node_id)
    instances, _ = read_seg_nrrd(Path(folder) / "lymph_nodes.seg.nrrd")
    scan = read_scan(run, ct)
    _check_same_scan(result, scan.series_uid_sha256, instances, scan.volume)
    (network,) = load_networks(run, SEGMENTATION if kind.outline else CLASSIFICATION)
    heatmap = explain_lymph_nodes(run, network, scan.volume, instances, lymph_nodes, (method,), kind)[method]
    entry = heatmap_entry(method, None if lymph_node_id is None else lymph_nodes[0], heatmap.figures, kind)
    with run.clock.stage("write"):
        others = {name: one for name, one in read_heatmaps(folder, result).items() if name != entry["method"]}
        correlations = correlated(heatmap.volume, others, lymph_nodes, scan.volume)
        entry |= {"correlation": correlations} if correlations else {}
        maps = {**others, entry["method"]: heatmap.volume}
        return _add(Path(folder), result, entry, maps, instances, scan)


def _asked_for(result: Result, lymph_node_id: str | None) -> list[LymphNode]:
    if not result.lymph_nodes:
        raise InputError("This result has no lymph node to explain.", "Choose a result with lymph nodes.")
    lymph_nodes = [node for node in result.lymph_nodes if lymph_node_id in (None, node.id)]
    if not lymph_nodes:
        known = ", ".join(node.id for node in result.lymph_nodes)
        raise InputError("There is no lymph node with this ID in the result.", f"Choose one of: {known}.")
    return lymph_nodes


def _check_same_scan(result: Result, series_uid_sha256: str | None, instances: Volume, ct: Volume) -> None:
    known = result.input.get("series_uid_sha256")
    other_series = known is not None and series_uid_sha256 is not None and known != series_uid_sha256
    if other_series or not instances.same_grid(ct):
        raise GeometryError(
            "This is not the CT that the result was made from (another series, or another grid).",
            "Choose the CT of this result.",
        )


def _add(
    folder: Path, result: Result, entry: dict[str, Any], heatmaps: dict[str, Volume], instances: Volume, scan: Scan
) -> Path:
    """The heatmap first, `result.json` after it, the report that shows both last; each under a temporary name until
    whole: killed between, only a file that nothing lists, or a report without the new heatmap, is left."""
    from ece_core.export import report
    from ece_core.export.dicom_objects import FOLDER, with_object

    file = folder / entry["file"]
    file.parent.mkdir(exist_ok=True)
    _replace(file, lambda path: write_nrrd(heatmaps[entry["method"]], path))
    others = tuple(other for other in result.heatmaps if other["method"] != entry["method"])
    if scan.headers and (folder / FOLDER).is_dir():  # else its headers were refused when the result was made
        entry, _ = with_object(folder, entry, heatmaps[entry["method"]], instances, scan.headers, len(others))
    result = replace(result, heatmaps=(*others, entry))
    _replace(folder / RESULT_FILE, lambda path: path.write_text(result.to_json(), encoding="utf-8"))
    _replace(folder / "report.html", lambda path: report.write_report(path, result, instances, heatmaps, scan.volume))
    return file


def _replace(file: Path, write) -> None:
    partial = file.with_name(f".{secrets.token_hex(4)}-{file.name}")
    try:
        write(partial)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
