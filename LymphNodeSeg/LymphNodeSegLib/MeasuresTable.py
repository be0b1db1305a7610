"""What was measured of each lymph node, as a table in the panel and as a file."""

import qt

NOT_KNOWN = "–"


class MeasuresTable:
    """Rows of a result, the largest short axis first.

    Parameters
    ----------
    tableWidget
        Six columns, as in the .ui file.
    """

    def __init__(self, tableWidget) -> None:
        self.widget = tableWidget
        self.result = None  # ece_core.export.result.Result
        self.widget.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)

    def show(self, result) -> None:
        self.result = result
        rows = sorted(result.lymph_nodes if result else (), key=lambda node: -(node.short_axis_mm or 0.0))
        self.widget.setRowCount(len(rows))
        for number, node in enumerate(rows):
            for column, text in enumerate(texts(node)):
                self.widget.setItem(number, column, qt.QTableWidgetItem(text))

    def save(self, file: str) -> None:
        """Write it as CSV, with all columns of a result's table."""
        from ece_core.export.lymph_nodes_csv import write_lymph_nodes_csv

        write_lymph_nodes_csv(file, self.result)


def texts(node) -> tuple:
    place = ", ".join(word for word in (node.side, node.level) if word) or NOT_KNOWN
    milliliters = None if node.volume_mm3 is None else node.volume_mm3 / 1000
    return (node.id, place, number(node.short_axis_mm, 1), number(node.long_axis_mm, 1), number(milliliters, 2),
            number(node.mean_hu, 0))


def number(value, digits: int) -> str:
    return NOT_KNOWN if value is None else f"{value:.{digits}f}"
