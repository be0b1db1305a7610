"""The last words of a run that made a result folder."""

from __future__ import annotations

from pathlib import Path

from ece_core import RESEARCH_USE_ONLY
from ece_core.cli.console import Console
from ece_core.cli.table import result_text
from ece_core.export.result import Result


def show_result(console: Console, out: Path, result: Result) -> None:
    """The table, where the report is, and what to do next."""
    console.event({"event": "result", "id": None, "folder": str(out)})
    console.say(result_text(result))
    console.say()
    console.say(f"Report: {out / 'report.html'}")
    console.say("Next steps:")
    console.say("  open the report in a browser")
    console.say(f"  open {out / 'lymph_nodes.seg.nrrd'} with the CT in 3D Slicer (module ECEDetector)")
    console.say(f"  ece export {out} --to csv --out FOLDER")
    console.say(RESEARCH_USE_ONLY)
