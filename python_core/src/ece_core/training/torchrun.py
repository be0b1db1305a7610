"""What `torchrun` tells each process that it starts; without it there is one. Needs no torch."""

from __future__ import annotations

import os


def process_count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this is the one that writes files and speaks."""
    return os.environ.get("RANK", "0") == "0"


def number_on_this_computer() -> int:
    """Of the process, and so of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))
