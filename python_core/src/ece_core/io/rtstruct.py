"""DICOM RT Structure Sets: the regions that radiotherapy draws, as masks on the CT's grid, and back."""

from ece_core.io.rtstruct_reader import Roi, RTStruct, read_rtstruct
from ece_core.io.rtstruct_writer import write_rtstruct

__all__ = ["RTStruct", "Roi", "read_rtstruct", "write_rtstruct"]
