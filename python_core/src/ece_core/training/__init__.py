"""Training from a config and a seed: `ece train TASK CONFIG`."""

from ece_core.training.main import main

__all__ = ["main"]
