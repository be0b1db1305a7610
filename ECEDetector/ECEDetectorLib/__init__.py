"""The review panel of the module ECEDetector; the run itself is LymphNodeSegLib's."""

from .DetectorPanel import DetectorPanel
from .DetectorParameters import DetectorParameters
from .LymphNodeTable import LymphNodeTable

__all__ = ["DetectorPanel", "DetectorParameters", "LymphNodeTable"]
