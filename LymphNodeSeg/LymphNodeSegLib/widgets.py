"""What the parts of the panels share."""


def setEnabled(widget, reason: str, toolTip: str) -> None:
    """A widget that is disabled says why."""
    widget.enabled = not reason
    widget.toolTip = reason or toolTip
