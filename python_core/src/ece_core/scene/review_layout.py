"""The layout "ECE review": a large axial slice, coronal, sagittal and 3D beside it, the table below."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import slicer

NAME = "ECE review"
LAYOUT_ID = 71350  # Slicer's own are below 100, or end at 999; saved scenes refer to it, so it never changes
# Views of Slicer's own names and colors: what the user has set up in them stays.
DESCRIPTION = """
<layout type="vertical" split="true">
 <item splitSize="760">
  <layout type="horizontal" split="true">
   <item splitSize="640">
    <view class="vtkMRMLSliceNode" singletontag="Red">
     <property name="orientation" action="default">Axial</property>
     <property name="viewlabel" action="default">R</property>
     <property name="viewcolor" action="default">#F34A33</property>
    </view>
   </item>
   <item splitSize="360">
    <layout type="vertical" split="true">
     <item>
      <view class="vtkMRMLSliceNode" singletontag="Green">
       <property name="orientation" action="default">Coronal</property>
       <property name="viewlabel" action="default">G</property>
       <property name="viewcolor" action="default">#6EB04B</property>
      </view>
     </item>
     <item>
      <view class="vtkMRMLSliceNode" singletontag="Yellow">
       <property name="orientation" action="default">Sagittal</property>
       <property name="viewlabel" action="default">Y</property>
       <property name="viewcolor" action="default">#EDD54C</property>
      </view>
     </item>
     <item>
      <view class="vtkMRMLViewNode" singletontag="1">
       <property name="viewlabel" action="default">1</property>
      </view>
     </item>
    </layout>
   </item>
  </layout>
 </item>
 <item splitSize="240">
  <view class="vtkMRMLTableViewNode" singletontag="TableView1">
   <property name="viewlabel" action="default">T</property>
  </view>
 </item>
</layout>
"""


def add_review_layout() -> bool:
    """Make the layout known; the layout that is shown stays.

    Returns
    -------
    bool
        False: there are no views (Slicer without a main window).
    """
    layoutNode = _layout_node()
    if layoutNode is None:
        return False
    if not layoutNode.IsLayoutDescription(LAYOUT_ID):
        layoutNode.AddLayoutDescription(LAYOUT_ID, DESCRIPTION)
    return True


def show_review_layout(tableNode: slicer.vtkMRMLTableNode | None = None) -> bool:
    """Switch to the layout, because the user asked for it.

    Parameters
    ----------
    tableNode
        Shown in its table view; None: whatever table is active.

    Returns
    -------
    bool
        As :func:`add_review_layout`.
    """
    import slicer

    if not add_review_layout():
        return False
    _layout_node().SetViewArrangement(LAYOUT_ID)
    logic = slicer.app.applicationLogic()
    if tableNode is not None and logic.GetSelectionNode() is not None:
        logic.GetSelectionNode().SetActiveTableID(tableNode.GetID())
        logic.PropagateTableSelection()
    return True


def is_review_layout() -> bool:
    layoutNode = _layout_node()
    return layoutNode is not None and layoutNode.GetViewArrangement() == LAYOUT_ID


def _layout_node():
    import slicer

    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
