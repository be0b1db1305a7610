"""Measure, print the table and add the rows to ``results.json``: ``make bench`` or ``make bench ONLY=name``.

Each case runs in a process of its own, on its own number of threads and cores and without a GPU, so that one
cannot warm up or crowd out another.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nnunet_environment
import psutil
import results
from machine import describe_machine, package_versions
from process_tree import environment, use_cores
from registry import Case, NotMeasurable, load_cases

DONE, WRONG_INPUT, FAILED, NOT_MEASURABLE = 0, 2, 3, 4


def main(argv: list[str] | None = None) -> int:
    asked = _parser().parse_args(argv)
    cases = load_cases()
    names = [name for name in asked.only.replace(",", " ").split() if name] or list(cases)
    unknown = [name for name in names if name not in cases]
    if unknown:
        print(f"There is no benchmark named {unknown[0]!r}. Choose from {', '.join(cases)}.", file=sys.stderr)
        return WRONG_INPUT
    if asked.inside is not None:
        return _measure_here(cases[names[0]], asked.tiny, asked.inside)
    rows, failed = [], []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        measured = _measure_in_a_process(cases[name], asked.tiny)
        if measured is None:
            failed.append(name)
            continue
        rows += measured
        file = asked.results or (None if asked.tiny else results.FILE)
        if file is not None:
            results.append(measured, file)  # at once: a later case that fails takes nothing with it
    if rows:
        print(results.table(rows) + ("\n(tiny sizes: the figures mean nothing)" if asked.tiny else ""))
    if failed:
        print(f"Not measured: {', '.join(failed)}; the reasons stand above.", file=sys.stderr)
    return FAILED if failed else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="NAMES", help="these cases, by comma or space; all if absent")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to see that it runs; nothing is saved")
    parser.add_argument("--results", type=Path, metavar="FILE", help="add the rows to this file instead")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)  # we are the case's own process
    return parser


def _measure_in_a_process(case: Case, tiny: bool) -> list[dict[str, Any]] | None:
    """The rows, complete; None if it failed, with the reason printed by the case's process."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "rows.json"
        python, more = (sys.executable, {}) if not case.with_nnunet else nnunet_environment.interpreter()
        if python is None:
            print(f"{case.name} cannot be measured here: {nnunet_environment.HOW}", file=sys.stderr)
            return None
        command = [
            python,
            __file__,
            "--only",
            case.name,
            "--inside",
            str(answer),
            *(["--tiny"] if tiny else []),
        ]
        process = subprocess.Popen(command, env={**environment(case.threads), **more})
        use_cores(psutil.Process(process.pid), case.threads)
        if process.wait() != DONE:
            return None
        return json.loads(answer.read_text(encoding="utf-8"))


def _measure_here(case: Case, tiny: bool, answer: Path) -> int:
    machine = describe_machine()  # before: the load of others, not ours
    try:
        measured = case.measure(tiny)
    except NotMeasurable as reason:
        print(f"{case.name} cannot be measured here: {reason}", file=sys.stderr)
        return NOT_MEASURABLE
    common = {"threads": case.threads, "versions": package_versions(), "goal": case.goal}
    rows = [
        {
            "name": case.name,
            **{key: value for key, value in asdict(row).items() if key in ("ours", "peer", "peer_name")},
            "ratio": row.ratio,
            "unit": row.unit,
            "settings": {**row.settings, **common},
            "machine": machine,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        for row in measured
    ]
    answer.write_text(json.dumps(rows), encoding="utf-8")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
