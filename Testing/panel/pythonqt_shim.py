"""PySide6 that behaves as PythonQt does in Slicer, as far as the panels use it.

PythonQt offers properties as attributes (``button.enabled = True``, ``slider.value``), connects by signature
(``w.connect("clicked()", f)``), has one flat module ``qt``, and its QUiLoader knows Slicer's widgets. PySide6 does none
of this. :func:`install` adds it, and what Slicer would add to `slicer`: i18n, packaging, the module base classes.

Not emulated: enums are plain ints in PythonQt, so panel code compares no enums.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import types
import xml.etree.ElementTree as ElementTree

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

# C++ virtual functions: PySide looks them up on the Python class, and would meet our descriptor and call itself.
VIRTUAL = {"sizeHint", "minimumSizeHint", "text@QProgressBar"}


class PropertyDescriptor:
    """A Q_PROPERTY as an attribute; on the class itself still PySide's own function (QTimer.singleShot is both)."""

    def __init__(self, name: str, original: object) -> None:
        self.name, self.original = name, original

    def __get__(self, instance, owner=None):
        if instance is None:
            original = self.original
            return original.__get__(None, owner) if hasattr(original, "__get__") else original
        return instance.property(self.name)

    def __set__(self, instance, value) -> None:
        if not instance.setProperty(self.name, value):
            raise AttributeError(f"{type(instance).__name__}.{self.name} cannot be set")


class ObjectName:
    """``w.name``, PythonQt's word for objectName."""

    def __get__(self, instance, owner=None):
        return self if instance is None else instance.property("objectName")


def signatureConnect(sender: QtCore.QObject, signature: str, receiver) -> None:
    """``sender.connect("name(types)", f)``; a signal that does not exist raises, as a typing error in PythonQt warns.

    As PythonQt, hands over only as many arguments as the receiver takes.
    """
    meta = sender.metaObject()
    normalized = QtCore.QMetaObject.normalizedSignature(signature).data().decode()
    known = meta.indexOfSignal(normalized) >= 0 or normalized in apiSignals(meta.className())
    if not known:
        raise ValueError(f"{meta.className()} has no signal {signature}")
    name = signature.split("(")[0]
    arguments = re.search(r"\((.*)\)", normalized).group(1)
    count = len(arguments.split(",")) if arguments else 0
    signal = getattr(sender, name)
    if not arguments and name == "clicked":  # clicked(bool) with its default left out
        signal.connect(lambda *_: receiver())
        return
    signal.connect(lambda *values: receiver(*values[: min(count, acceptedArguments(receiver))]))


def apiSignals(className: str) -> set[str]:
    """Signatures of the signals that the API list gives a Slicer or CTK class and its bases."""
    import stand_ins

    entry = stand_ins.API.get(className)
    if entry is None:
        return set()
    own = set()
    for name, overloads in entry["signals"].items():
        for overload in overloads:
            types_ = [re.sub(r"(?<=[\s*&])\w+$", "", argument.strip()) for argument in overload.split(",") if argument]
            signature = f"{name}({','.join(types_)})"
            own.add(QtCore.QMetaObject.normalizedSignature(signature).data().decode())
    return own.union(*(apiSignals(base) for base in entry["base"]))


def acceptedArguments(function) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a built-in slot such as widget.clear
        return 99
    kinds = [parameter.kind for parameter in parameters]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 99
    return sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)


def giveConnect(instance: QtCore.QObject) -> None:
    """On each instance: PySide6 takes QObject.connect from C++ whatever the class says."""
    if "connect" not in instance.__dict__:
        instance.__dict__["connect"] = types.MethodType(signatureConnect, instance)


def qobjectClasses() -> list[type]:
    classes = []
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):  # not vars(): PySide6 makes its classes when they are asked for
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, QtCore.QObject):
                classes.append(value)
    return classes


def patchClass(cls: type) -> None:
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if name in VIRTUAL or f"{name}@{cls.__name__}" in VIRTUAL:
            continue
        setattr(cls, name, PropertyDescriptor(name, getattr(cls, name, None)))
    original = cls.__init__

    def withConnect(self, *arguments, **keywords):
        original(self, *arguments, **keywords)
        giveConnect(self)

    cls.__init__ = withConnect


class UiLoader(QtUiTools.QUiLoader):
    """QUiLoader with the stand-ins as custom widgets, and the .ui file's connections made in Python.

    ``mrmlSceneChanged(vtkMRMLScene*)`` has a type that Qt does not know here. Connected by hand, a connection that was
    forgotten in the .ui file still leaves the selector without a scene, as in Slicer.
    """

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._kept = []

    def createWidget(self, className, parent=None, name=""):
        standIn = standIns().get(className)
        widget = standIn(parent) if standIn else super().createWidget(className, parent, name)
        if standIn:
            widget.setObjectName(name)
        giveConnect(widget)
        self._kept.append(widget)
        return widget

    def load(self, file, parent=None):
        widget = super().load(file, parent)
        tree = ElementTree.parse(file.fileName())
        for connection in tree.iter("connection"):
            self._connect(widget, {child.tag: child.text for child in connection if child.text})
        widget._loader = self
        return widget

    @staticmethod
    def _connect(root, connection) -> None:
        def named(name):
            return root if root.objectName == name else root.findChild(QtCore.QObject, name)

        signal, slot = (connection[key].split("(")[0] for key in ("signal", "slot"))
        sender, receiver = named(connection["sender"]), named(connection["receiver"])
        getattr(sender, signal).connect(getattr(receiver, slot))


def standIns() -> dict[str, type]:
    import stand_ins

    return stand_ins.STAND_INS


def flatModule() -> types.ModuleType:
    qt = types.ModuleType("qt")
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            if not name.startswith("_"):
                setattr(qt, name, getattr(module, name))
    qt.QUiLoader = UiLoader
    return qt


def install() -> QtWidgets.QApplication:
    """Patch PySide6 once, make the application, put ``qt`` into sys.modules. Calling it again is harmless."""
    if "qt" not in sys.modules:
        application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["panel-tests"])
        QtCore.QObject.name = ObjectName()
        for cls in qobjectClasses():
            patchClass(cls)
        sys.modules["qt"] = flatModule()
        sys.modules["qt"].application = application
    return sys.modules["qt"].application
