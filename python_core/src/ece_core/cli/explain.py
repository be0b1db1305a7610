"""`ece explain CT RESULT --method M [--node ID]`: one more heatmap for a result."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any

from ece_core.cli.arguments import CT_HELP, add_faithfulness_argument, add_run_arguments, read_options
from ece_core.cli.console import Console
from ece_core.export.faithfulness_words import accumulated_words, faithfulness_words, repair_words
from ece_core.export.result import read_result
from ece_core.pipeline.explanation_guide import GUIDES
from ece_core.pipeline.heatmap_kind import ACCUMULATE, HeatmapKind


def add_parser(commands) -> None:
    parser = commands.add_parser(
        "explain",
        help="add a heatmap to a result",
        epilog=guide(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ct", type=Path, metavar="CT", help=CT_HELP)
    parser.add_argument("result", type=Path, metavar="RESULT", help="result folder of this CT")
    parser.add_argument("--method", required=True, metavar="METHOD", help="one of those below")
    parser.add_argument("--node", metavar="ID", help="one lymph node, such as LN1 (default: all)")
    parser.add_argument(
        "--layer",
        metavar="NAME",
        help="of Grad-CAM and its kin: a module's name, last, all, or decoder (with the bottleneck; averaged); "
        "default: the one that the model's card names, else last",
    )
    parser.add_argument(
        "--signed", action="store_true", help="keep what speaks against: -1 to 1 around 0, no median subtracted"
    )
    parser.add_argument(
        "--outline", action="store_true", help="why the lymph node was outlined, all its voxels summed; not its class"
    )
    parser.add_argument(
        "--accumulate", default="exact", choices=ACCUMULATE,
        help="of an outline: every voxel, or an estimate that says how far off it is (default: exact)",
    )  # fmt: skip
    add_faithfulness_argument(parser)
    add_run_arguments(parser)
    parser.set_defaults(run=run)


def guide() -> str:
    """Every method with a sentence on what it shows and what it cannot."""
    lines = ["methods:"]
    for name, each in GUIDES.items():
        text = f"{each.title}. {each.sentence()}"
        lines += [f"  {name}", *textwrap.wrap(text, 100, initial_indent="      ", subsequent_indent="      ")]
    return "\n".join(lines)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline import explain

    progress = console.progress()
    kind = HeatmapKind(asked.layer, asked.signed, asked.outline, asked.accumulate)
    file = explain(asked.ct, asked.result, asked.method, asked.node, read_options(asked), progress, kind)
    progress.end()
    (entry,) = (each for each in read_result(asked.result).heatmaps if Path(each["file"]).name == file.name)
    console.event({"event": "result", "id": None, "folder": str(asked.result), "file": str(file), "heatmap": entry})
    console.say(f"Heatmap: {file}")
    for line in figures(entry):
        console.say(line)


def figures(entry: dict[str, Any]) -> list[str]:
    """A line per lymph node: how far its heatmap can be trusted, and how it correlates with the others there are."""
    lines = []
    for node_id, values in entry.get("faithfulness", {}).items():
        words = faithfulness_words(values)
        others = entry.get("correlation", {})
        words += [f"correlation with {name} {of[node_id]:.2f}" for name, of in others.items() if node_id in of]
        lines.append(f"{node_id}: {'; '.join(words)}.")
    for node_id, values in entry.get("accumulated", {}).items():
        lines.append(f"{node_id}: {'; '.join(accumulated_words(values))}.")
    for node_id, values in entry.get("capsule_repair", {}).items():
        lines.append(f"{node_id}: {'; '.join(repair_words(values))}.")
    return lines
