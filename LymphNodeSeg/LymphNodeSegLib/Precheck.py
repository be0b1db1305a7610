"""What the panel says of the chosen volume before the run: remarks, device and time."""

import slicer
from slicer.i18n import tr as _

from .CorePackage import ensureCore
from .SetupPart import deviceText

SETTING = "ECEDetector/secondsPerLiter/{request}/{device}"


class Precheck:
    """Looks at a volume once, and again when its voxels or its place have changed."""

    def __init__(self) -> None:
        self._stamp, self._remarks = None, []

    def remarks(self, volumeNode) -> list:
        """Of ece_core's pre-check; none where there is nothing to look at, or a package of the core is missing."""
        stamp = stampOf(volumeNode)
        if stamp != self._stamp:
            self._stamp, self._remarks = stamp, look(volumeNode) if stamp else []
        return self._remarks

    def reason(self, volumeNode) -> str:
        """Why the volume cannot be analyzed; empty: it can."""
        return next((f"{remark.words} {remark.fix}" for remark in self.remarks(volumeNode) if remark.stops), "")

    def text(self, volumeNode) -> str:
        return "\n".join(f"⚠ {remark.words} {remark.fix}" for remark in self.remarks(volumeNode))


def stampOf(volumeNode) -> tuple:
    """Changes when the volume is another one, or its voxels or its place are; empty: it has no voxels."""
    image = volumeNode.GetImageData() if volumeNode is not None else None
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None:
        return ()
    return (volumeNode.GetID(), scalars.GetAddressAsString(""), scalars.GetMTime(), image.GetDimensions(),
            volumeNode.GetOrigin(), volumeNode.GetSpacing(), directionOf(volumeNode))


def directionOf(volumeNode) -> tuple:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASDirectionMatrix(matrix)
    return tuple(matrix.GetElement(row, column) for row in range(3) for column in range(3))


def look(volumeNode) -> list:
    try:
        ensureCore()
        from ece_core.scene.precheck import precheck_volume
    except ImportError:  # the analysis will ask for the packages
        return []
    return precheck_volume(volumeNode)


# Device and time


def expectedText(request: str, choice: str, client, volumeNode) -> str:
    """Which device the run will take, and about how long."""
    device = {"cpu": "cpu", "cuda": "cuda:0"}.get(choice, client.device)
    if not device:
        return ""
    seconds = expected(request, device, volumeNode)
    if seconds is None:
        return _("Device: {device}. How long it takes is not known before the first run.").format(
            device=deviceText(device))
    return _("Device: {device}. About {time}.").format(device=deviceText(device), time=aboutText(seconds))


def expected(request: str, device: str, volumeNode) -> float | None:
    try:
        ensureCore()
        from ece_core.pipeline.expected_time import expected_seconds
    except ImportError:
        return None
    return expected_seconds(request, device, litersOf(volumeNode), measured(request, device))


def litersOf(volumeNode) -> float:
    from ece_core.pipeline.expected_time import liters

    i, j, k = volumeNode.GetImageData().GetDimensions()
    return liters((k, j, i), tuple(volumeNode.GetSpacing()[::-1]))


def measured(request: str, device: str) -> float | None:
    """Seconds per liter of the last run here, or None."""
    try:
        return float(slicer.app.userSettings().value(SETTING.format(request=request, device=device))) or None
    except (TypeError, ValueError):
        return None


def remember(request: str, device: str, volumeNode, seconds: float) -> None:
    """For the next estimate, of what was measured on this computer."""
    if device and volumeNode is not None and volumeNode.GetImageData() is not None and litersOf(volumeNode) > 0:
        rate = seconds / litersOf(volumeNode)
        slicer.app.userSettings().setValue(SETTING.format(request=request, device=device), f"{rate:.3f}")


def aboutText(seconds: float) -> str:
    """Rounded: it is a guess."""
    if seconds < 55:
        return _("{count} s").format(count=max(5, 5 * round(seconds / 5)))
    return _("{count} min").format(count=max(1, round(seconds / 60)))
