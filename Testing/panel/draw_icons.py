"""Draws the icons: python Testing/panel/draw_icons.py writes the three PNG files into the repository.

A lymph node is a bean with its hilum; in the detector's icon the capsule is open on one side, and tissue grows out.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPainterPath, QPen

REPOSITORY = Path(__file__).parents[2]
SIZE = 128
TISSUE, CAPSULE = QColor(68, 172, 100), QColor(24, 84, 46)
TUMOR, BREACH = QColor(214, 39, 40), QColor(120, 12, 14)


def bean() -> QPainterPath:
    body = QPainterPath()
    body.addEllipse(QRectF(22, 14, 72, 100))
    hilum = QPainterPath()
    hilum.addEllipse(QRectF(6, 46, 34, 36))
    return body.subtracted(hilum)


def canvas() -> tuple[QImage, QPainter]:
    image = QImage(SIZE, SIZE, QImage.Format_ARGB32)
    image.fill(Qt.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.Antialiasing)
    return image, painter


def lymph_node() -> QImage:
    """Green, as the class N is colored, its capsule whole."""
    image, painter = canvas()
    painter.setPen(QPen(CAPSULE, 7, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
    painter.setBrush(TISSUE)
    painter.drawPath(bean())
    painter.end()
    return image


def breached_lymph_node() -> QImage:
    """The same node with a red part that has grown through the capsule."""
    image, painter = canvas()
    growth = QPainterPath(QPointF(62, 44))
    growth.cubicTo(84, 30, 104, 30, 120, 38)
    growth.cubicTo(114, 48, 122, 56, 124, 66)
    growth.cubicTo(114, 68, 116, 80, 108, 90)
    growth.cubicTo(92, 92, 70, 84, 62, 70)
    growth.closeSubpath()
    painter.setPen(QPen(CAPSULE, 7, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
    painter.setBrush(TISSUE)
    painter.drawPath(bean())
    painter.setPen(QPen(BREACH, 5, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
    painter.setBrush(TUMOR)
    painter.drawPath(growth)
    painter.end()
    return image


def main() -> None:
    application = QGuiApplication.instance() or QGuiApplication([])
    for path, image in (
        ("LymphNodeSeg/Resources/Icons/LymphNodeSeg.png", lymph_node()),
        ("ECEDetector/Resources/Icons/ECEDetector.png", breached_lymph_node()),
        ("ECEDetector.png", breached_lymph_node()),
    ):
        if not image.save(str(REPOSITORY / path)):
            raise SystemExit(f"could not write {path}")
    del application


if __name__ == "__main__":
    main()
