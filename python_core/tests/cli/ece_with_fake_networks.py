"""`ece` over fake networks, forked from a process that has imported everything, so that a start costs nothing.

Reads JSON lines {arguments, output, segmentation_s}; for each it forks `ece ARGUMENTS` with stdout and stderr in the
file OUTPUT and a segmentation that takes that long. Prints {pid}, then {pid, code} when that process has ended (code
negative: the signal that killed it).
"""

import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
import fake_networks
from ece_core.cli.main import main

ONE_VOICE = threading.Lock()


def run(arguments, output, segmentation_s):
    """In the forked process: `ece`, nothing else."""
    fake_networks.install(segment=fake_networks.slow_segment(segmentation_s))
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os._exit(main(arguments))


def tell(**words):
    with ONE_VOICE:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()


def wait_for(pid):
    _, status = os.waitpid(pid, 0)
    tell(pid=pid, code=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run(**asked)
        tell(pid=pid)
        threading.Thread(target=wait_for, args=(pid,), daemon=True).start()
