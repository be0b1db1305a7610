"""State of the review panel in the scene."""

import slicer
from LymphNodeSegLib import AnalysisParameters

CENTER_ON_CLICK = "ECEDetector/centerOnClick"


class DetectorParameters(AnalysisParameters):
    """What the user chose. The result itself stands in the scene by ece_core.scene: `segmentation` says which one."""

    MODULE = "ECEDetector"
    GRAD_CAM, GUIDED_BACKPROP = "gradcam", "guided-backprop"

    @property
    def gradCam(self) -> bool:
        return self.flag("GradCam", True)

    @gradCam.setter
    def gradCam(self, on: bool) -> None:
        self.setText("GradCam", str(bool(on)))

    @property
    def guidedBackprop(self) -> bool:
        return self.flag("GuidedBackprop", True)

    @guidedBackprop.setter
    def guidedBackprop(self, on: bool) -> None:
        self.setText("GuidedBackprop", str(bool(on)))

    @property
    def explain(self) -> list[str]:
        """Methods to ask the worker for."""
        wanted = ((self.GRAD_CAM, self.gradCam), (self.GUIDED_BACKPROP, self.guidedBackprop))
        return [method for method, on in wanted if on]

    @property
    def resultsPath(self) -> str:
        return self.text("ResultsPath")

    @resultsPath.setter
    def resultsPath(self, path: str) -> None:
        self.setText("ResultsPath", path)

    @property
    def readFirst(self) -> bool:
        """Whether a result that nobody has reviewed is hidden until the reader has given a first opinion."""
        return self.flag("ReadFirst", False)

    @readFirst.setter
    def readFirst(self, on: bool) -> None:
        self.setText("ReadFirst", str(bool(on)))

    @property
    def centerOnClick(self) -> bool:
        """Whether a single click on a row centers the views. A habit: in Slicer's settings, not the scene."""
        return str(slicer.app.userSettings().value(CENTER_ON_CLICK)).lower() == "true"

    @centerOnClick.setter
    def centerOnClick(self, on: bool) -> None:
        slicer.app.userSettings().setValue(CENTER_ON_CLICK, "true" if on else "false")

    @property
    def reviewer(self) -> str:
        """Stands beside each decision; initials or a pseudonym will do."""
        return self.text("Reviewer")

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        self.setText("Reviewer", name)

    # The result

    @property
    def resultFolder(self) -> str:
        return self.text("ResultFolder")

    @resultFolder.setter
    def resultFolder(self, folder: str) -> None:
        self.setText("ResultFolder", folder)

    @property
    def heatmapMethod(self) -> str:
        """The method that is shown; empty: off."""
        return self.text("HeatmapMethod")

    @heatmapMethod.setter
    def heatmapMethod(self, method: str) -> None:
        self.setText("HeatmapMethod", method)

    @property
    def heatmapOpacity(self) -> float:
        return self.number("HeatmapOpacity", 0.5)

    @heatmapOpacity.setter
    def heatmapOpacity(self, opacity: float) -> None:
        self.setText("HeatmapOpacity", f"{opacity:.3f}")

    @property
    def heatmapThreshold(self) -> float:
        return self.number("HeatmapThreshold", 0.17)

    @heatmapThreshold.setter
    def heatmapThreshold(self, threshold: float) -> None:
        self.setText("HeatmapThreshold", f"{threshold:.3f}")

    @property
    def heatmapScope(self) -> str:
        """``"all"`` lymph nodes, or the ``"selected"`` one."""
        return "selected" if self.text("HeatmapScope") == "selected" else "all"

    @heatmapScope.setter
    def heatmapScope(self, scope: str) -> None:
        self.setText("HeatmapScope", scope)

    @property
    def heatmapMode(self) -> str:
        """``"slices"`` alone, or in 3D as ``"volume"`` or ``"surface"``, too."""
        mode = self.text("HeatmapMode")
        return mode if mode in ("volume", "surface") else "slices"

    @heatmapMode.setter
    def heatmapMode(self, mode: str) -> None:
        self.setText("HeatmapMode", mode)

    @property
    def heatmapLegend(self) -> bool:
        return self.flag("HeatmapLegend", True)

    @heatmapLegend.setter
    def heatmapLegend(self, on: bool) -> None:
        self.setText("HeatmapLegend", str(bool(on)))
