"""The list of all measurements, ``results.json``, and the table that is printed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "results.json"


def append(rows: list[dict[str, Any]], file: Path = FILE) -> None:
    """Add rows at the end; the file is whole at any moment."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(json.dumps(known + rows, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, file)


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as aligned text."""
    lines = [("name", "ours", "peer", "ratio", "unit", "goal")]
    for row in rows:
        peer = "-" if row["peer"] is None else f"{_number(row['peer'])} ({row['peer_name']})"
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}x"
        lines.append((row["name"], _number(row["ours"]), peer, ratio, row["unit"], row["settings"].get("goal", "")))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
