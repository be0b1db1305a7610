"""The panel's state in the scene: what the user chose survives saving and loading it."""

import slicer


class AnalysisParameters:
    """A typed view of one vtkMRMLScriptedModuleNode.

    Not the parameterNodeWrapper: this is the same C++ class in the application and in the slicer-core wheel, so the
    tests hold what the panel does.
    """

    MODULE = "LymphNodeSeg"
    DEVICES = ("auto", "cpu", "cuda")

    def __init__(self, node) -> None:
        self.node = node

    @classmethod
    def fromScene(cls) -> "AnalysisParameters":
        """The node of this scene, made when there is none."""
        node = slicer.mrmlScene.GetSingletonNode(cls.MODULE, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetName(cls.MODULE)
            node.SetSingletonTag(cls.MODULE)
            node = slicer.mrmlScene.AddNode(node)
        node.SetModuleName(cls.MODULE)
        node.SetAttribute("ModuleName", cls.MODULE)  # closing the scene removes it
        return cls(node)

    @property
    def inputVolume(self):
        return self.node.GetNodeReference("InputVolume")

    @inputVolume.setter
    def inputVolume(self, volumeNode) -> None:
        self.setNode("InputVolume", volumeNode)

    @property
    def segmentation(self):
        return self.node.GetNodeReference("Segmentation")

    @segmentation.setter
    def segmentation(self, segmentationNode) -> None:
        self.setNode("Segmentation", segmentationNode)

    @property
    def device(self) -> str:
        device = self.text("Device", "auto")
        return device if device in self.DEVICES else "auto"

    @device.setter
    def device(self, device: str) -> None:
        self.setText("Device", device)

    # The three kinds of value, each stored as text

    def text(self, name: str, default: str = "") -> str:
        return self.node.GetParameter(name) or default

    def setText(self, name: str, value: str) -> None:
        self.node.SetParameter(name, value)

    def number(self, name: str, default: float) -> float:
        try:
            return float(self.node.GetParameter(name))
        except ValueError:
            return default

    def flag(self, name: str, default: bool) -> bool:
        return self.text(name, str(default)) == "True"

    def setNode(self, role: str, node) -> None:
        self.node.SetNodeReferenceID(role, node.GetID() if node else None)
