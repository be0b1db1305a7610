"""Our terminology contexts, made known to Slicer."""

from __future__ import annotations

from ece_core.export.terminology import REGION_CONTEXT
from ece_core.export.terminology_contexts import FOLDER, REGION_FILE, SEGMENT_CONTEXT, SEGMENT_FILE


def load_terminologies() -> bool:
    """Load neck levels and lymph node classes into Slicer's terminologies, once.

    Returns
    -------
    bool
        Whether Slicer knows both now. False without its Terminologies module: codes are then shown without a list to
        choose from.
    """
    import slicer

    module = getattr(slicer.modules, "terminologies", None)
    if module is None:
        return False
    logic = module.logic()
    if not logic.IsTerminologyContextLoaded(SEGMENT_CONTEXT):
        logic.LoadTerminologyFromFile(str(FOLDER / SEGMENT_FILE))
    if not _has_regions(logic):
        logic.LoadRegionContextFromFile(str(FOLDER / REGION_FILE))
    return bool(logic.IsTerminologyContextLoaded(SEGMENT_CONTEXT)) and _has_regions(logic)


def _has_regions(logic) -> bool:
    import vtk

    names = vtk.vtkStringArray()
    logic.GetLoadedRegionContextNames(names)
    return REGION_CONTEXT in [names.GetValue(index) for index in range(names.GetNumberOfValues())]
