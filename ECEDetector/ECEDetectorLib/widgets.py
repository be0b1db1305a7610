"""What the parts of the panel share."""

from LymphNodeSegLib.widgets import setEnabled

__all__ = ["setEnabled"]
