"""`ece explain CT RESULT --method M [--node ID]`: one more heatmap for a result."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from ece_core.cli.arguments import CT_HELP, add_run_arguments, read_options
from ece_core.cli.console import Console
from ece_core.pipeline.explanation_guide import GUIDES


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
    file = explain(asked.ct, asked.result, asked.method, asked.node, read_options(asked), progress)
    progress.end()
    console.event({"event": "result", "id": None, "folder": str(asked.result), "file": str(file)})
    console.say(f"Heatmap: {file}")
