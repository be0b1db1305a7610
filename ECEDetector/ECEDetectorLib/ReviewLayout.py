"""The layout "ECE review" in Slicer's layout menu, and the button that switches to it."""

import slicer
from LymphNodeSegLib.CorePackage import ensureCore
from slicer.i18n import tr as _


def addToMenu() -> bool:
    """Make the layout known and list it in the toolbar's layout menu, once; the layout that is shown stays.

    Returns
    -------
    bool
        Whether the menu lists it. False without a main window.
    """
    ensureCore()
    from ece_core.scene import add_review_layout
    from ece_core.scene.review_layout import LAYOUT_ID, NAME

    menu = layoutMenu() if add_review_layout() else None
    if menu is None:
        return False
    if NAME not in [action.text for action in menu.actions()]:
        action = menu.addAction(NAME)
        action.setData(LAYOUT_ID)  # the main window switches to what an action of this menu holds
        action.toolTip = _("Large axial slice; coronal, sagittal and 3D beside it; table below.")
    return True


def layoutMenu():
    """The menu of the first button of Slicer's view toolbar, or None."""
    mainWindow = slicer.util.mainWindow()
    toolBars = slicer.util.findChildren(mainWindow, name="ViewToolBar") if mainWindow is not None else []
    if not toolBars or not toolBars[0].actions():
        return None
    button = toolBars[0].widgetForAction(toolBars[0].actions()[0])
    return button.menu() if button is not None else None


class ReviewLayout:
    """The panel's button; nothing else ever changes the layout.

    Parameters
    ----------
    panel
        The DetectorPanel: its button and its result.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        panel.ui.reviewLayoutButton.connect("clicked()", self.onClicked)
        panel.ui.reviewLayoutButton.toolTip = _(
            "Switch the views to a large axial slice, coronal, sagittal and 3D beside it, and the table below. "
            "It is in Slicer's layout menu, too; go back there."
        )
        addToMenu()

    def onClicked(self) -> None:
        from ece_core.scene import show_review_layout

        nodes = self.panel.nodes
        hidden = self.panel.reviewPart.isHidden
        show_review_layout(nodes.tableNode if nodes is not None and not hidden else None)
