"""Read CT (DICOM, NIfTI, NRRD, MetaImage) and label maps; write images and synthetic CT series."""

from ece_core.io.ct_series_writer import write_ct_series
from ece_core.io.dicom_series import SeriesInfo, list_series
from ece_core.io.image_files import read_labelmap, write_image
from ece_core.io.mask_file import read_lymph_nodes
from ece_core.io.reading import read_ct
from ece_core.io.scan import Scan

__all__ = [
    "Scan",
    "SeriesInfo",
    "list_series",
    "read_ct",
    "read_labelmap",
    "read_lymph_nodes",
    "write_ct_series",
    "write_image",
]
