"""NIfTI, NRRD and MetaImage: geometry from our own look at the header, voxels by SimpleITK."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ece_core.errors import InputError
from ece_core.geometry import Array, Volume
from ece_core.io.grid_of_file import GridOfFile
from ece_core.io.limits import AIR_HU
from ece_core.io.metaimage_geometry import metaimage_grid
from ece_core.io.nifti_geometry import nifti_grid
from ece_core.io.nrrd_geometry import nrrd_grid
from ece_core.io.plausible_hu import hu_warnings
from ece_core.io.quiet import itk_quiet, library_call
from ece_core.io.scan import Format, Scan

READERS: dict[str, tuple[Format, Callable[[Path], GridOfFile]]] = {
    ".nii": ("nifti", nifti_grid),
    ".nii.gz": ("nifti", nifti_grid),
    ".nrrd": ("nrrd", nrrd_grid),
    ".mha": ("mha", metaimage_grid),
    ".mhd": ("mha", metaimage_grid),
}
WRITTEN = (".nii", ".nii.gz", ".nrrd", ".mha")
ITK_NAMES = {"nifti": "NiftiImageIO", "nrrd": "NrrdImageIO", "mha": "MetaImageIO"}
FORMATS_FIX = "Choose a DICOM folder, or a .nii, .nii.gz, .nrrd or .mha file."


def suffix_of(path: Path) -> str:
    """The suffix in lower case, ".nii.gz" as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def read_image_file(path: Path) -> Scan:
    """Read a CT.

    Raises
    ------
    GeometryError
        The geometry is missing, impossible or sheared.
    InputError
        The file is not one 3D image, is damaged, or its values are no CT.
    """
    kind, grid = _grid(path)
    array = _hounsfield(_voxels(path, kind, grid))
    return Scan(Volume(array, grid.affine), kind, warnings=(*grid.warnings, *hu_warnings(array)))


def read_labelmap(path: Path | str) -> Volume:
    """Read integer labels from a NIfTI, NRRD or MetaImage file.

    Returns
    -------
    Volume
        (K, J, I) uint8 if every label is below 256, else uint16; 0 is background.

    Raises
    ------
    GeometryError
        The geometry is missing, impossible or sheared.
    InputError
        The file is not one 3D image, or its values are not whole numbers from 0 to 65535.
    """
    path = Path(path)
    kind, grid = _grid(path)
    values = _voxels(path, kind, grid)
    low, high = values.min(), values.max()
    whole = values.dtype.kind in "iu" or (np.isfinite([low, high]).all() and bool((values == np.rint(values)).all()))
    if not whole or low < 0 or high > np.iinfo(np.uint16).max:
        raise InputError(
            f"The image holds values from {low:g} to {high:g}, not labels (whole numbers from 0 to 65535).",
            "Choose a label map or mask.",
        )
    return Volume(values.astype(np.uint8 if high < 256 else np.uint16), grid.affine)


def write_image(volume: Volume, path: Path | str, compress: bool = True) -> None:
    """Write a volume; the suffix (.nii.gz, .nii, .nrrd, .mha) chooses the format.

    Parameters
    ----------
    volume
        bool is written as uint8, float16 as float32.
    compress
        For .nrrd and .mha: with gzip. The suffix decides for NIfTI.

    Raises
    ------
    InputError
        The suffix is none of these, or the file cannot be written.
    """
    import SimpleITK as sitk

    path = Path(path)
    if suffix_of(path) not in WRITTEN:
        raise InputError(f"Images are not written as {suffix_of(path) or 'a file without suffix'}.", FORMATS_FIX)
    with itk_quiet(), library_call("The image could not be written.", "Check the folder and the free space."):
        image = sitk.GetImageFromArray(_writable(volume.array))
        k, j, i = volume.spacing_mm
        image.SetSpacing((i, j, k))
        image.SetOrigin(volume.origin_lps_mm.tolist())
        image.SetDirection(volume.direction.ravel().tolist())
        sitk.WriteImage(image, str(path), useCompression=compress, compressionLevel=2)


def _grid(path: Path) -> tuple[Format, GridOfFile]:
    if not path.exists():
        raise InputError("The file or folder does not exist.", "Check the path and try again.")
    if not path.is_file() or suffix_of(path) not in READERS:
        raise InputError("The file is of a kind that is not read here.", FORMATS_FIX)
    kind, read_grid = READERS[suffix_of(path)]
    return kind, read_grid(path)


def _voxels(path: Path, kind: Format, grid: GridOfFile) -> Array:
    """(K, J, I) as stored, after the file's own scaling."""
    import SimpleITK as sitk

    with itk_quiet(), library_call("The voxels are incomplete or damaged.", "Copy or save the file again."):
        image = sitk.ReadImage(str(path), imageIO=ITK_NAMES[kind])
        array = sitk.GetArrayFromImage(image)
    if array.size != int(np.prod(grid.size_ijk)) or array.dtype.kind not in "iuf":
        raise InputError("The voxels do not fit the size that the header states.", "Save the file again.")
    return array.reshape(grid.size_ijk[::-1])


def _hounsfield(values: Array) -> Array:
    """int16 where the values are whole numbers, else float32; padding below -1024 becomes air."""
    if values.dtype.kind == "f":
        lost = values.size - int(np.count_nonzero(np.isfinite(values)))
        if lost:
            raise InputError(
                f"{lost} voxels hold no number (NaN or infinity).", "Replace them by -1024 (air) and save the CT again."
            )
    whole = values.dtype.kind in "iu" or bool((values == np.rint(values)).all())
    dtype, high = (np.int16, np.iinfo(np.int16).max) if whole else (np.float32, np.finfo(np.float32).max)
    if values.dtype == np.int16:
        return np.maximum(values, AIR_HU)
    return np.clip(values, AIR_HU if values.dtype.kind != "u" else 0, high).astype(dtype)


def _writable(array: Array) -> Array:
    array = np.ascontiguousarray(array)
    if array.dtype == bool:
        return array.astype(np.uint8)
    return array.astype(np.float32) if array.dtype == np.float16 else array
