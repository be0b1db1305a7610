"""The real warm process over fake networks. How the segmentation behaves is chosen by the first argument."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
import fake_networks
from ece_core.worker import warm_process

MINUTES = 600


def deaf(bundle, region, device, report, patch_scale, search):
    """A long step that never reports, so that it cannot be asked to stop."""
    time.sleep(MINUTES)


def killed(bundle, region, device, report, patch_scale, search):
    """As the kernel does it when memory is gone."""
    os.kill(os.getpid(), 9)


def chatty(*arguments):
    """A library that prints, by Python and straight to file descriptor 1."""
    print("loading weights of DOE^JANE ...")
    os.write(1, b"42 % {not json\n")
    return fake_networks.segment(*arguments)


def broken(*arguments):
    raise ValueError("DOE^JANE at /scans/DOE_JANE")


SEGMENTATIONS = {
    "quick": fake_networks.segment,
    "slow": fake_networks.slow_segment(MINUTES),
    "deaf": deaf,
    "killed": killed,
    "chatty": chatty,
    "broken": broken,
}

if __name__ == "__main__":
    fake_networks.install(segment=SEGMENTATIONS[sys.argv[1]])
    warm_process.main()
