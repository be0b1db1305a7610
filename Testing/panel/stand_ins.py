"""Stand-ins for Slicer's and CTK's widgets: what the panels use of them, held to the names in slicer_qt_api.json.

A name that the public headers do not have raises here, as it would in Slicer.
"""

from __future__ import annotations

import json
from pathlib import Path

import shiboken6
import slicer
from PySide6 import QtCore, QtWidgets

API = json.loads((Path(__file__).parent / "slicer_qt_api.json").read_text(encoding="utf-8"))["classes"]
KINDS = ("properties", "slots", "signals", "invokable")


def apiNames(className: str) -> set[str]:
    """All names that the class offers to Python, with those of its bases in the list."""
    entry = API.get(className)
    if entry is None:
        return set()
    own = {name for kind in KINDS for name in entry[kind]}
    return own.union(*(apiNames(base) for base in entry["base"]))


def qtBase(className: str) -> str:
    """The first plain Qt class up from a Slicer or CTK class."""
    while className in API:
        className = API[className]["base"][0]
    return className


def isKnown(className: str, name: str) -> bool:
    """Whether the class offers this name: by the list, by its plain Qt base, or as one of PythonQt's own words."""
    if name.startswith("_") or name in ("name", "connect", "disconnect"):
        return True
    return name in apiNames(className) or qtOffers(qtBase(className), name)


def qtOffers(className: str, name: str) -> bool:
    """Whether a plain Qt class has this name, as a method or as a property (an attribute in PythonQt)."""
    return hasattr(getattr(QtWidgets, className), name) or isQtProperty(className, name)


def isQtProperty(className: str, name: str) -> bool:
    return name in QT_PROPERTIES[className]


def qtProperties() -> dict[str, set[str]]:
    """Property names of all widget classes."""
    found = {}
    for className in dir(QtWidgets):
        meta = getattr(getattr(QtWidgets, className), "staticMetaObject", None)
        if meta is not None:
            found[className] = {meta.property(index).name() for index in range(meta.propertyCount())}
    return found


QT_PROPERTIES = qtProperties()  # now: PySide may delete the meta object of a class along with its last widget


class HeldToApi:
    """Raises on every public name that neither the API list nor the plain Qt base has."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, QtCore.QObject) and value.property("objectName") == name:
            return  # PySide's QUiLoader puts the children on the root; PythonQt's does not
        if not isKnown(type(self).__name__, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        super().__setattr__(name, value)

    def __getattribute__(self, name: str):
        if not name.startswith("_") and not isKnown(type(self).__name__, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        return super().__getattribute__(name)


class qMRMLWidget(HeldToApi, QtWidgets.QWidget):
    """Passes the scene on to the widgets that the .ui file connects."""

    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene


class ctkCollapsibleButton(HeldToApi, QtWidgets.QAbstractButton):
    """A header that folds away its children."""

    contentsCollapsed = QtCore.Signal(bool)
    _HEADER = 24

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._collapsed = False
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Fixed)
        self.setContentsMargins(0, self._HEADER, 0, 0)
        self.toggled.connect(lambda checked: self._setCollapsed(not checked))

    def _getCollapsed(self) -> bool:
        return self._collapsed

    def _setCollapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setChecked(not collapsed)
        self._foldChildren()
        self.contentsCollapsed.emit(collapsed)

    collapsed = QtCore.Property(bool, _getCollapsed, _setCollapsed)

    def _foldChildren(self) -> None:
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(not self._collapsed)
        self.updateGeometry()

    def showEvent(self, event) -> None:
        self._foldChildren() if self._collapsed else None
        super().showEvent(event)

    def sizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        if self._collapsed or layout is None:
            return QtCore.QSize(120, self._HEADER)
        return layout.totalSizeHint()

    def minimumSizeHint(self) -> QtCore.QSize:
        return self.sizeHint()

    def paintEvent(self, event) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.rect.width(), self._HEADER)
        painter.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyle.PE_IndicatorArrowRight if self._collapsed else QtWidgets.QStyle.PE_IndicatorArrowDown
        indicator = QtWidgets.QStyleOption()
        indicator.initFrom(self)
        indicator.rect = QtCore.QRect(8, 7, 10, 10)
        painter.drawPrimitive(arrow, indicator)
        painter.drawText(QtCore.QRect(26, 0, option.rect.width() - 26, self._HEADER), QtCore.Qt.AlignVCenter,
                         self.property("text"))


class qMRMLNodeComboBox(HeldToApi, QtWidgets.QWidget):
    """Nodes of the scene by class; observes the scene, so that removed nodes go."""

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene, self._observers, self._ids = None, [], []
        self._nodeTypes, self._hidden, self._noneEnabled = [], [], False
        self._flags = {}
        self._combo = QtWidgets.QComboBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self._combo.currentIndexChanged.connect(self._onIndexChanged)
        self._last = None

    def _property(name, kind):
        def read(self):
            return self._flags.get(name, kind())

        def write(self, value) -> None:
            self._flags[name] = value
            self._fill()

        return QtCore.Property("QStringList" if kind is list else kind, read, write)

    nodeTypes = _property("nodeTypes", list)
    hideChildNodeTypes = _property("hideChildNodeTypes", list)
    noneEnabled = _property("noneEnabled", bool)
    showChildNodeTypes = _property("showChildNodeTypes", bool)
    addEnabled = _property("addEnabled", bool)
    removeEnabled = _property("removeEnabled", bool)
    renameEnabled = _property("renameEnabled", bool)
    editEnabled = _property("editEnabled", bool)
    del _property

    def setMRMLScene(self, scene) -> None:
        for tag in self._observers:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        events = (slicer.vtkMRMLScene.NodeAddedEvent, slicer.vtkMRMLScene.NodeRemovedEvent,
                  slicer.vtkMRMLScene.EndCloseEvent, slicer.vtkMRMLScene.EndImportEvent)
        self._observers = [scene.AddObserver(event, lambda *_: self._fill()) for event in events] if scene else []
        self._fill()

    def mrmlScene(self):
        return self._scene

    def currentNode(self):
        index = self._combo.currentIndex
        identifier = self._ids[index] if 0 <= index < len(self._ids) else None
        return self._scene.GetNodeByID(identifier) if self._scene and identifier else None

    def setCurrentNode(self, node) -> None:
        identifier = node.GetID() if node is not None else None
        if identifier in self._ids:
            self._combo.setCurrentIndex(self._ids.index(identifier))
        elif identifier is None:
            self._combo.setCurrentIndex(-1)

    def nodeCount(self) -> int:
        return len([identifier for identifier in self._ids if identifier])

    def _fill(self) -> None:
        if self._scene is None or not shiboken6.isValid(self._combo):
            return  # no scene yet, or the panel is closed and its observers are left over
        before = self.currentNode()
        nodes = [
            node
            for nodeType in self.nodeTypes
            for node in slicer.util.getNodesByClass(nodeType, scene=self._scene)
            if not node.GetHideFromEditors() and self._isShown(node, nodeType)
        ]
        self._combo.blockSignals(True)
        self._combo.clear()
        self._ids = [None] if self._flags.get("noneEnabled") else []
        for _none in self._ids:
            self._combo.addItem("None")
        for node in nodes:
            self._ids.append(node.GetID())
            self._combo.addItem(node.GetName())
        identifier = before.GetID() if before is not None else None
        first = min(0, len(self._ids) - 1)
        self._combo.setCurrentIndex(self._ids.index(identifier) if identifier in self._ids else first)
        self._combo.blockSignals(False)
        self._onIndexChanged()

    def _isShown(self, node, nodeType: str) -> bool:
        if node.GetClassName() in self._flags.get("hideChildNodeTypes", []):
            return False
        return self._flags.get("showChildNodeTypes", True) or node.GetClassName() == nodeType

    def _onIndexChanged(self, *_) -> None:
        node = self.currentNode()
        identifier = node.GetID() if node is not None else None
        if identifier != self._last:
            self._last = identifier
            self.currentNodeChanged.emit(node)
            self.currentNodeIDChanged.emit(identifier or "")


class ctkSliderWidget(HeldToApi, QtWidgets.QWidget):
    """A slider and a spin box for one number."""

    valueChanged = QtCore.Signal(float)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal, self)
        self._spinBox = QtWidgets.QDoubleSpinBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._spinBox)
        self._slider.setRange(0, 1000)
        self._slider.valueChanged.connect(self._onSlider)
        self._spinBox.valueChanged.connect(self._onSpinBox)

    def _spin(name):
        return QtCore.Property(
            float,
            lambda self: self._spinBox.property(name),
            lambda self, value: self._spinBox.setProperty(name, value),
        )

    value, minimum, maximum, singleStep = _spin("value"), _spin("minimum"), _spin("maximum"), _spin("singleStep")
    del _spin
    decimals = QtCore.Property(
        int, lambda self: self._spinBox.property("decimals"), lambda self, n: self._spinBox.setDecimals(n)
    )
    pageStep = QtCore.Property(float, lambda self: 0.1, lambda self, value: None)

    def setValue(self, value: float) -> None:
        self._spinBox.setValue(value)

    def _range(self) -> tuple[float, float]:
        return self._spinBox.property("minimum"), self._spinBox.property("maximum")

    def _onSlider(self, position: int) -> None:
        low, high = self._range()
        self._spinBox.setValue(low + (high - low) * position / 1000)

    def _onSpinBox(self, value: float) -> None:
        low, high = self._range()
        self._slider.blockSignals(True)
        self._slider.setValue(round(1000 * (value - low) / (high - low)) if high > low else 0)
        self._slider.blockSignals(False)
        self.valueChanged.emit(value)


class ctkPathLineEdit(HeldToApi, QtWidgets.QWidget):
    """A path and a browse button."""

    currentPathChanged = QtCore.Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._filters = None
        self._edit, button = QtWidgets.QLineEdit(self), QtWidgets.QToolButton(self)
        button.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit)
        layout.addWidget(button)
        self._edit.textChanged.connect(self.currentPathChanged.emit)

    currentPath = QtCore.Property(
        str, lambda self: self._edit.property("text"), lambda self, path: self._edit.setText(path)
    )


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Remembers what it is to edit; painting itself is C++ that only the application has."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._flags, self._editorNode, self._segmentation, self._volume, self._effect = {}, None, None, None, ""
        self._order, self._shortcuts = (), False
        self._label = QtWidgets.QLabel("Segment Editor", self)
        QtWidgets.QVBoxLayout(self).addWidget(self._label)

    def _property(name):
        return QtCore.Property(
            bool,
            lambda self: self._flags.get(name, True),
            lambda self, value: self._flags.__setitem__(name, value),
        )

    segmentationNodeSelectorVisible = _property("segmentationNodeSelectorVisible")
    sourceVolumeNodeSelectorVisible = _property("sourceVolumeNodeSelectorVisible")
    addRemoveSegmentButtonsVisible = _property("addRemoveSegmentButtonsVisible")
    switchToSegmentationsButtonVisible = _property("switchToSegmentationsButtonVisible")
    unorderedEffectsVisible = _property("unorderedEffectsVisible")
    del _property

    def setMRMLSegmentEditorNode(self, node) -> None:
        self._editorNode = node

    def mrmlSegmentEditorNode(self):
        return self._editorNode

    def setSegmentationNode(self, node) -> None:
        self._segmentation = node

    def segmentationNode(self):
        return self._segmentation

    def setSourceVolumeNode(self, node) -> None:
        self._volume = node

    def sourceVolumeNode(self):
        return self._volume

    def setCurrentSegmentID(self, identifier: str) -> None:
        self._editorNode.SetSelectedSegmentID(identifier)
        self._label.setText(f"Segment Editor: {identifier} ({', '.join(self._order)})")

    def currentSegmentID(self) -> str:
        return self._editorNode.GetSelectedSegmentID()

    def setEffectNameOrder(self, names) -> None:
        self._order = tuple(names)

    def effectNameOrder(self):
        return self._order

    def setActiveEffectByName(self, name: str) -> None:
        self._effect = name

    def installKeyboardShortcuts(self) -> None:
        self._shortcuts = True

    def uninstallKeyboardShortcuts(self) -> None:
        self._shortcuts = False


WIDGETS = (
    qMRMLWidget, ctkCollapsibleButton, qMRMLNodeComboBox, ctkSliderWidget, ctkPathLineEdit, qMRMLSegmentEditorWidget,
)  # fmt: skip
STAND_INS = {cls.__name__: cls for cls in WIDGETS}
