"""`slicer.app.coreIOManager()` for the wheel: maps a file's ending to the reader that the application would choose."""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk

ENDINGS = {
    ".seg.nrrd": "SegmentationFile",
    ".mrb": "SceneFile",
    ".mrml": "SceneFile",
    ".nrrd": "VolumeFile",
    ".nii.gz": "VolumeFile",
    ".nii": "VolumeFile",
    ".mha": "VolumeFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".ctbl": "ColorTableFile",
}


class IOManager:
    """What `slicer.util.load*`, `saveNode` and `saveScene` call."""

    def fileType(self, filename: str) -> str:
        name = str(filename).lower()
        return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), "NoFile")

    def fileWriterFileType(self, node: vtk.vtkObject, *_: object) -> str:
        return "NodeFile"

    def loadNodes(self, kind: str, properties: dict, loaded: vtk.vtkCollection, *_: object) -> bool:
        if kind == "SceneFile":
            return _readScene(properties["fileName"])
        if kind not in READERS:
            return False
        node = READERS[kind](properties["fileName"], properties)
        if node is None:
            return False
        loaded.AddItem(node)
        return True

    def saveNodes(self, kind: str, properties: dict, *_: object) -> bool:
        filename = str(properties["fileName"])
        if kind == "SceneFile":
            return _writeScene(filename)
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(filename)
        return bool(node.GetStorageNode().WriteData(node))


def _readVolume(filename: str, properties: dict) -> vtk.vtkObject | None:
    options = (1 if properties.get("labelmap") else 0) | (2 if properties.get("center") else 0)
    name = properties.get("name") or Path(filename).name.split(".")[0]
    return slicer.modules.volumes.logic().AddArchetypeVolume(filename, name, options)


def _readSegmentation(filename: str, properties: dict) -> vtk.vtkObject | None:
    return slicer.modules.segmentations.logic().LoadSegmentationFromFile(filename, True, properties.get("name") or "")


def _readTable(filename: str, properties: dict) -> vtk.vtkObject | None:
    return slicer.modules.tables.logic().AddTable(filename, properties.get("name") or "")


def _readColorTable(filename: str, properties: dict) -> vtk.vtkObject | None:
    return slicer.modules.colors.logic().LoadColorFile(filename, properties.get("name") or "")


READERS = {
    "VolumeFile": _readVolume,
    "SegmentationFile": _readSegmentation,
    "TableFile": _readTable,
    "ColorTableFile": _readColorTable,
}


def _readScene(filename: str) -> bool:
    scene = slicer.mrmlScene
    if str(filename).endswith(".mrb"):
        return bool(scene.ReadFromMRB(str(filename), True))
    scene.SetURL(str(filename))
    return bool(scene.Connect())


def _writeScene(filename: str) -> bool:
    scene = slicer.mrmlScene
    if filename.endswith(".mrb"):
        return bool(scene.WriteToMRB(filename, None))
    if filename.endswith(".mrml"):
        return bool(scene.Commit(filename))
    return bool(slicer.app.applicationLogic().SaveSceneToSlicerDataBundleDirectory(filename, None))
