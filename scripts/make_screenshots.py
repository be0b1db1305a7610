"""`make screenshots`: panels, a review step by step, a simulated result in views, all into Resources/Screenshots."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    result, ct = ROOT / "demo" / "result", ROOT / "demo" / "simulated" / "case_0000" / "ct"
    commands = [[sys.executable, "scripts/demo.py"]]  # always: an old result shows old models
    commands += [
        [sys.executable, "Testing/panel/make_screenshots.py"],
        [sys.executable, "Testing/panel/make_review_pictures.py"],
        [sys.executable, "Testing/mrml/make_screenshots.py", str(result), str(ct)],
    ]
    for command in commands:
        code = subprocess.run(command, cwd=ROOT).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
