"""The real supervisor over the fake warm process: `fake_worker.py BEHAVIOUR`."""

import sys
from pathlib import Path

from ece_core.worker.supervisor import main

if __name__ == "__main__":
    raise SystemExit(main((sys.executable, str(Path(__file__).with_name("fake_warm_process.py")), sys.argv[1])))
