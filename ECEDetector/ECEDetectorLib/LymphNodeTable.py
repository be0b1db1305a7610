"""The table of lymph nodes: sorted by number, one row selected, and a row that was meant to be looked at."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

CLASS_TITLES = {"N": "negative", "P": "metastatic", "ENE": "ENE", "metastatic": "P or ENE", "lymph_node": "not judged"}
CLASS_MEANINGS = {
    "N": _("no metastasis"),
    "P": _("metastasis inside the capsule"),
    "ENE": _("metastasis with extranodal extension (ENE, also ECE)"),
    "metastatic": _("metastasis; the model does not judge extranodal extension (ENE, also ECE)"),
    "lymph_node": _("the model does not judge metastasis"),
}
NAME, PROBABILITY, CLASS, PLACE, SHORT_AXIS, VOLUME = range(6)
PROBABILITY_WIDTH = 72  # pixels; the bar has no width of its own
NOT_COMPUTED = "–"


class LymphNodeTable:
    """Rows of lymph nodes in a QTableWidget.

    Sorted here, not by Qt: by the full number rather than by the text in the cell, what was not computed always last.

    Parameters
    ----------
    tableWidget
        Six columns, as in the .ui file.
    onSelected
        Gets the lymph node of the selected row, or None.
    onActivated
        Gets the lymph node of the row that was double-clicked or on which Enter was pressed.
    """

    def __init__(
        self, tableWidget, onSelected: Callable[[object], None], onActivated: Callable[[object], None]
    ) -> None:
        self.widget = tableWidget
        self._onSelected, self._onActivated = onSelected, onActivated
        self._lymphNodes: list = []
        self._column, self._descending = PROBABILITY, True
        self._filling = False
        header = self.widget.horizontalHeader()
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(PROBABILITY, qt.QHeaderView.Interactive)
        header.resizeSection(PROBABILITY, PROBABILITY_WIDTH)
        header.sectionClicked.connect(self.onHeaderClicked)
        self.widget.connect("itemSelectionChanged()", self.onSelectionChanged)
        self.widget.connect("cellDoubleClicked(int,int)", self.onCellActivated)
        self.widget.connect("cellActivated(int,int)", self.onCellActivated)  # Enter

    @property
    def lymphNodes(self) -> list:
        """In the order of the rows."""
        return list(self._lymphNodes)

    def selected(self):
        """The lymph node of the selected row, or None."""
        items = self.widget.selectedItems()
        return self._lymphNodes[items[0].row()] if items else None

    def fill(self, lymphNodes) -> None:
        """Show these lymph nodes, highest ECE probability first."""
        self._column, self._descending = PROBABILITY, True
        self._show(list(lymphNodes), None)

    def onHeaderClicked(self, column: int) -> None:
        """Sort by this column; numbers first fall, names first rise; again turns it round."""
        again = column == self._column
        self._descending = not self._descending if again else column in (SHORT_AXIS, VOLUME, PROBABILITY)
        self._column = column
        self._show(self._lymphNodes, self.selected())

    def onSelectionChanged(self) -> None:
        if not self._filling:
            self._onSelected(self.selected())

    def onCellActivated(self, row: int, column: int) -> None:
        self._onActivated(self._lymphNodes[row])

    def _show(self, lymphNodes: list, selected) -> None:
        self._lymphNodes = sortedBy(lymphNodes, self._column, self._descending)
        self._filling = True
        try:
            self.widget.clearSelection()
            self.widget.setRowCount(len(self._lymphNodes))
            for row, lymphNode in enumerate(self._lymphNodes):
                self._fillRow(row, lymphNode)
            if selected is not None:
                self.widget.selectRow(self._lymphNodes.index(selected))
        finally:
            self._filling = False
        order = qt.Qt.DescendingOrder if self._descending else qt.Qt.AscendingOrder
        self.widget.horizontalHeader().setSortIndicator(self._column, order)
        self.onSelectionChanged()

    def _fillRow(self, row: int, lymphNode) -> None:
        texts = {
            NAME: lymphNode.id,
            PROBABILITY: "",  # in the bar
            CLASS: CLASS_TITLES.get(lymphNode.class_name, lymphNode.class_name),
            PLACE: placeText(lymphNode),
            SHORT_AXIS: numberText(lymphNode.short_axis_mm, 1),
            VOLUME: numberText(None if lymphNode.volume_mm3 is None else lymphNode.volume_mm3 / 1000, 2),
        }
        for column, text in texts.items():
            item = qt.QTableWidgetItem(text)
            if column in (SHORT_AXIS, VOLUME):
                item.setData(qt.Qt.TextAlignmentRole, int(qt.Qt.AlignRight) | int(qt.Qt.AlignVCenter))
            item.setToolTip(rowToolTip(lymphNode))
            self.widget.setItem(row, column, item)
        self.widget.setCellWidget(row, PROBABILITY, probabilityBar(lymphNode))


def probabilityBar(lymphNode):
    """The ECE probability as a bar with the number in it; clicks go through it to the row."""
    bar = qt.QProgressBar()
    probability = lymphNode.ece_probability
    bar.setRange(0, 100)
    bar.setValue(0 if probability is None else round(100 * probability))
    bar.setFormat(_("not evaluable") if lymphNode.not_evaluable else numberText(probability, 2))
    bar.setAttribute(qt.Qt.WA_TransparentForMouseEvents, True)
    return bar


def sortedBy(lymphNodes: list, column: int, descending: bool) -> list:
    """Stable, by the value and not by its text; what was not computed comes last either way."""
    key = {
        NAME: lambda lymphNode: lymphNode.label,
        PLACE: lambda lymphNode: (lymphNode.side or "", lymphNode.level or "") if lymphNode.side else None,
        CLASS: lambda lymphNode: list(CLASS_TITLES).index(lymphNode.class_name),
        SHORT_AXIS: lambda lymphNode: lymphNode.short_axis_mm,
        VOLUME: lambda lymphNode: lymphNode.volume_mm3,
        PROBABILITY: lambda lymphNode: lymphNode.ece_probability,
    }[column]
    known = [lymphNode for lymphNode in lymphNodes if key(lymphNode) is not None]
    unknown = [lymphNode for lymphNode in lymphNodes if key(lymphNode) is None]
    return sorted(known, key=key, reverse=descending) + unknown


def placeText(lymphNode) -> str:
    parts = [part for part in (lymphNode.side, lymphNode.level) if part]
    return ", ".join(parts) if parts else NOT_COMPUTED


def numberText(value: float | None, decimals: int) -> str:
    return NOT_COMPUTED if value is None else f"{value:.{decimals}f}"


def rowToolTip(lymphNode) -> str:
    meaning = CLASS_MEANINGS.get(lymphNode.class_name, "")
    lines = [f"{lymphNode.id}: {meaning}", lymphNode.certainty, *lymphNode.flags]
    return "\n".join([*(line for line in lines if line), _("Double-click to move the views here.")])
