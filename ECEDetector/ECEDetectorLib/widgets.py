"""What the parts of the panel share."""

from LymphNodeSegLib.widgets import setEnabled, waiting

__all__ = ["setEnabled", "waiting"]
