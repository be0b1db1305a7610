"""How a heatmap is looked at: of which lymph nodes, in the slices alone or in 3D, too, with or without its legend."""

from slicer.i18n import tr as _

from .widgets import setEnabled

SCOPES = ("all", "selected")  # in the order of the .ui file
MODES = ("slices", "volume", "surface")


class HeatmapPart:
    """The choices below the method's menu; which method it is stays with the panel.

    Parameters
    ----------
    panel
        The DetectorPanel: its widgets, parameters, table and result.
    """

    def __init__(self, panel) -> None:
        self.panel, self.ui = panel, panel.ui
        self._filling = False
        self._node = None  # the heatmap that is shown, as a whole
        self.note = ""
        self.ui.heatmapScopeComboBox.connect("currentIndexChanged(int)", self.onChanged)
        self.ui.heatmapModeComboBox.connect("currentIndexChanged(int)", self.onChanged)
        self.ui.heatmapLegendCheckBox.connect("toggled(bool)", self.onChanged)

    def fillWidgets(self) -> None:
        parameters = self.panel.parameters
        self._filling = True
        try:
            self.ui.heatmapScopeComboBox.currentIndex = SCOPES.index(parameters.heatmapScope)
            self.ui.heatmapModeComboBox.currentIndex = MODES.index(parameters.heatmapMode)
            self.ui.heatmapLegendCheckBox.checked = parameters.heatmapLegend
        finally:
            self._filling = False

    def onChanged(self, value=None) -> None:
        if self._filling:
            return
        parameters = self.panel.parameters
        parameters.heatmapScope = SCOPES[self.ui.heatmapScopeComboBox.currentIndex]
        parameters.heatmapMode = MODES[self.ui.heatmapModeComboBox.currentIndex]
        parameters.heatmapLegend = self.ui.heatmapLegendCheckBox.checked
        self.follow()

    def show(self, heatmapNode) -> None:
        """Show this heatmap as chosen; None: none."""
        from ece_core.scene import HeatmapView, hide_heatmaps, show_heatmap_view

        self._node, self.note = heatmapNode, ""
        if heatmapNode is None:
            hide_heatmaps()
            return
        parameters, name = self.panel.parameters, self._selected()
        view = HeatmapView(
            parameters.heatmapOpacity, parameters.heatmapThreshold, name, parameters.heatmapMode,
            parameters.heatmapLegend,
        )  # fmt: skip
        shown = show_heatmap_view(heatmapNode, self.panel.parameters.segmentation, view)
        if not shown and name:
            self.note = _("There is no heatmap around {name}.").format(name=name)
        elif not shown:
            self.note = _("This Slicer has no volume rendering: the slices alone show the heatmap.")
        elif name:
            self.note = _("Of {name} only, up to 8 mm around it.").format(name=name)

    def follow(self) -> None:
        """Another lymph node is selected, or an outline is another one."""
        if self._node is not None and self._node.GetScene() is not None:
            self.show(self._node)
            self.panel.refreshHeatmap()

    def onSelected(self) -> None:
        if self.panel.parameters.heatmapScope == "selected":
            self.follow()

    def refresh(self, reason: str) -> None:
        """Enable, or say why not."""
        setEnabled(self.ui.heatmapScopeComboBox, reason, _(
            "Show the heatmaps of all lymph nodes, or that of the selected one; of all while none is selected."))
        setEnabled(self.ui.heatmapModeComboBox, reason, _(
            "In 3D as a cloud, transparent below the threshold, or painted on the surfaces of the lymph nodes."))
        setEnabled(self.ui.heatmapLegendCheckBox, reason, _("Explain the colors in the views."))

    def _selected(self) -> str | None:
        row = self.panel.table.selected() if self.panel.parameters.heatmapScope == "selected" else None
        return row.id if row else None
