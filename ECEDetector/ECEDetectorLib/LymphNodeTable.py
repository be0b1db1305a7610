"""The table of lymph nodes: what ece_core.review lists, one row selected, and a row that was meant to be looked at."""

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
STATUS_WORDS = {"new": "", "accepted": _("accepted"), "rejected": _("rejected"), "flagged": _("flagged")}
VISIBLE, NAME, PROBABILITY, PLACE, SHORT_AXIS, VOLUME, CLASS, CONTOUR, STATUS, COMMENT = range(10)
# Keys of ece_core.review.rows.SORT_KEYS, in the order of the columns.
SORT_KEYS = (
    "visible", "id", "probability", "place", "short_axis", "volume", "class", "contour", "status", "comment",
)  # fmt: skip
PROBABILITY_WIDTH = 118  # pixels; the bar has no width of its own
NOT_COMPUTED = "–"
SHOWN, HIDDEN = "●", "○"


class LymphNodeTable:
    """Rows of a review in a QTableWidget.

    Sorted and filtered by the core, not by Qt: by the full number rather than by the text in the cell.

    Parameters
    ----------
    tableWidget
        Ten columns, as in the .ui file.
    onSelected
        Gets the row that is selected (the one clicked last of several), or None.
    onActivated
        Gets the row that was double-clicked or on which Enter was pressed.
    onVisibilityClicked
        Gets the row whose first cell was clicked.
    onClicked
        Gets the row that was clicked elsewhere; a double click begins with one.
    """

    def __init__(
        self,
        tableWidget,
        onSelected: Callable[[object], None],
        onActivated: Callable[[object], None],
        onVisibilityClicked: Callable[[object], None],
        onClicked: Callable[[object], None],
    ) -> None:
        self.widget = tableWidget
        self._onSelected, self._onActivated, self._onVisibilityClicked = onSelected, onActivated, onVisibilityClicked
        self._onClicked = onClicked
        self._rows: list = []
        self._listed: list = []
        self._filter = None  # ece_core.review.Filter, None: all
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
        self.widget.connect("cellClicked(int,int)", self.onCellClicked)
        self.widget.connect("cellDoubleClicked(int,int)", self.onCellActivated)
        self.widget.connect("cellActivated(int,int)", self.onCellActivated)  # Enter

    @property
    def listed(self) -> list:
        """What is shown, in the order of the rows."""
        return list(self._listed)

    def selected(self):
        """The selected row, of several the one clicked last; None: none."""
        rows = self._selectedNumbers()
        if not rows:
            return None
        current = self.widget.currentRow()
        return self._listed[current if current in rows else rows[0]]

    def selectedAll(self) -> list:
        return [self._listed[number] for number in self._selectedNumbers()]

    def select(self, lymphNodeId: str) -> None:
        """Select one row, as a click does; nothing happens when the filter leaves it out."""
        for number, row in enumerate(self._listed):
            if row.id == lymphNodeId:
                self.widget.setCurrentCell(number, NAME)
                self.widget.scrollToItem(self.widget.item(number, NAME))

    def reset(self, rows) -> None:
        """Another result: all of it, highest ECE probability first, nothing selected."""
        self._column, self._descending = PROBABILITY, True
        self._show(list(rows), [])

    def fill(self, rows) -> None:
        """The same result after an action; what was selected stays so."""
        self._show(list(rows), [row.id for row in self.selectedAll()])

    def setFilter(self, wanted) -> None:
        self._filter = wanted
        self.fill(self._rows)

    def onHeaderClicked(self, column: int) -> None:
        """Sort by this column; numbers first fall, names first rise; again turns it round."""
        from ece_core.review.rows import NUMBERS

        again = column == self._column
        self._descending = not self._descending if again else SORT_KEYS[column] in NUMBERS
        self._column = column
        self.fill(self._rows)

    def onSelectionChanged(self) -> None:
        if not self._filling:
            self._onSelected(self.selected())

    def onCellClicked(self, row: int, column: int) -> None:
        (self._onVisibilityClicked if column == VISIBLE else self._onClicked)(self._listed[row])

    def onCellActivated(self, row: int, column: int) -> None:
        if column != VISIBLE:
            self._onActivated(self._listed[row])

    def _selectedNumbers(self) -> list[int]:
        return sorted({item.row() for item in self.widget.selectedItems()})

    def _show(self, rows: list, selected: list[str]) -> None:
        self._rows = rows
        self._listed = self._listing() if rows else []
        self._filling = True
        try:
            self.widget.clearSelection()
            for number in range(len(self._listed), self.widget.rowCount):
                self.widget.cellWidget(number, PROBABILITY).hide()  # deleted later, and seen until then
            self.widget.setRowCount(len(self._listed))
            for number, row in enumerate(self._listed):
                self._fillRow(number, row)
            self._selectAgain(selected)
        finally:
            self._filling = False
        order = qt.Qt.DescendingOrder if self._descending else qt.Qt.AscendingOrder
        self.widget.horizontalHeader().setSortIndicator(self._column, order)
        self.onSelectionChanged()

    def _listing(self) -> list:
        from ece_core.review import listed

        return listed(self._rows, self._filter, SORT_KEYS[self._column], self._descending)

    def _selectAgain(self, ids: list[str]) -> None:
        numbers = [number for number, row in enumerate(self._listed) if row.id in ids]
        if numbers:
            self.widget.setCurrentCell(numbers[0], NAME)  # selects its row; the others are added to it
        model = self.widget.selectionModel()
        for number in numbers[1:]:
            index = self.widget.model().index(number, NAME)
            model.select(index, qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows)

    def _fillRow(self, number: int, row) -> None:
        lymphNode = row.lymph_node
        texts = {
            VISIBLE: SHOWN if row.visible else HIDDEN,
            NAME: row.id,
            PLACE: placeText(lymphNode),
            SHORT_AXIS: numberText(lymphNode.short_axis_mm, 1),
            VOLUME: numberText(None if lymphNode.volume_mm3 is None else lymphNode.volume_mm3 / 1000, 2),
            CLASS: CLASS_TITLES.get(lymphNode.class_name, lymphNode.class_name),
            PROBABILITY: "",  # in the bar
            CONTOUR: contourText(lymphNode),
            STATUS: statusText(row),
            COMMENT: row.comment,
        }
        for column, text in texts.items():
            item = qt.QTableWidgetItem(text)
            if column in (SHORT_AXIS, VOLUME):
                item.setData(qt.Qt.TextAlignmentRole, int(qt.Qt.AlignRight) | int(qt.Qt.AlignVCenter))
            item.setToolTip(rowToolTip(row))
            self.widget.setItem(number, column, item)
        bar = self.widget.cellWidget(number, PROBABILITY)
        if bar is None:
            self.widget.setCellWidget(number, PROBABILITY, probabilityBar(row))
        else:
            showProbability(bar, row)


def probabilityBar(row):
    """The ECE probability as a bar with the number in it; clicks go through it to the row."""
    bar = qt.QProgressBar()
    bar.setAttribute(qt.Qt.WA_TransparentForMouseEvents, True)
    showProbability(bar, row)
    return bar


def showProbability(bar, row) -> None:
    probability = row.former_ece_probability if row.out_of_date else row.lymph_node.ece_probability
    bar.setRange(0, 100)
    bar.setValue(0 if probability is None else round(100 * probability))
    bar.setEnabled(not row.out_of_date)
    bar.setFormat(probabilityText(row))


def probabilityText(row) -> str:
    """``"0.87"``, ``"0.30 P/ENE?"`` where several classes fit, ``"was 0.87"`` after an edit, or why there is none."""
    lymphNode, former = row.lymph_node, row.former_ece_probability
    if row.out_of_date:
        return NOT_COMPUTED if former is None else _("was {former:.2f}").format(former=former)
    if lymphNode.not_evaluable:
        return _("not evaluable")
    text = numberText(lymphNode.ece_probability, 2)
    if former is not None:
        text += " " + _("(was {former:.2f})").format(former=former)
    elif lymphNode.class_set is not None and lymphNode.class_set != (lymphNode.class_name,):
        text += f" {'/'.join(lymphNode.class_set)}?"
    return text


def statusText(row) -> str:
    from ece_core.review import OUT_OF_DATE

    parts = [STATUS_WORDS[row.status], OUT_OF_DATE if row.out_of_date else ""]
    return ", ".join(part for part in parts if part)


def contourText(lymphNode) -> str:
    quality = lymphNode.contour_quality or {}
    return _("{risk} risk").format(risk=quality["risk"]) if quality.get("risk") else NOT_COMPUTED


def placeText(lymphNode) -> str:
    parts = [part for part in (lymphNode.side, lymphNode.level) if part]
    return ", ".join(parts) if parts else NOT_COMPUTED


def numberText(value: float | None, decimals: int) -> str:
    return NOT_COMPUTED if value is None else f"{value:.{decimals}f}"


def rowToolTip(row) -> str:
    lymphNode = row.lymph_node
    meaning = CLASS_MEANINGS.get(lymphNode.class_name, "")
    signed = _("{reviewer}, {time} (UTC)").format(reviewer=row.reviewer, time=row.reviewed_at[:16].replace("T", " "))
    lines = [f"{row.id}: {meaning}", lymphNode.certainty, *lymphNode.flags, row.comment]
    lines += [statusText(row), signed if row.reviewed_at else ""]
    return "\n".join([*(line for line in lines if line), _("Double-click to move the views here.")])
