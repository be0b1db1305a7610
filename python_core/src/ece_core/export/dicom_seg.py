"""`dicom/seg.dcm`: the lymph nodes as a DICOM Segmentation, one segment per lymph node.

BINARY because dcmqi, and with it Slicer, reads it in every version, and because an SR that refers to it brings it
along; empty frames are left out. LABELMAP (run-length encoded, a twentieth of the size) and a deflated file are there
for who asks: older readers know neither. Highdicom writes, this file says what.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import highdicom as hd
import numpy as np
from pydicom import Dataset, config
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless

from ece_core import RESEARCH_USE_ONLY, __version__
from ece_core.classes import CLASS_COLORS, CLASS_TITLES
from ece_core.errors import InputError
from ece_core.export.highdicom_volume import highdicom_volume
from ece_core.export.terminology import OWN_SCHEME, Code, category_and_type, laterality, region, segment_name
from ece_core.geometry import Volume
from ece_core.io.dicom_instances import is_instance, name_true_instances, stand_in
from ece_core.io.strict_dicom import strict_dicom
from ece_core.lymph_nodes.lymph_node import OUT_OF_DATE, LymphNode

SERIES_DESCRIPTION = f"Lymph nodes. {RESEARCH_USE_ONLY}"
SEG_FILE = "dicom/seg.dcm"
SERIES_NUMBER = 9000  # plus the CT's, so that it sorts behind the scanner's own series
POSITION_TOLERANCE_MM = 0.1  # a DICOM decimal string is rounded; a wrong slice is off by its thickness

# What highdicom reads unconditionally, by DICOM type: 1 must have a value, 2 may be empty.
TYPE_1 = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
    "Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
)  # fmt: skip
TYPE_2 = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
PATIENT_GROUP = 0x0010
PATIENT_SEXES = ("", "M", "F", "O")


class Encoding(NamedTuple):
    """How the segments are stored."""

    kind: hd.seg.SegmentationTypeValues
    transfer_syntax: str


BINARY = Encoding(hd.seg.SegmentationTypeValues.BINARY, ExplicitVRLittleEndian)


def write_dicom_seg(
    path: Path,
    instances: Volume | Sequence[Volume],
    lymph_nodes: Sequence[LymphNode],
    headers: Sequence[Dataset],
    models: Sequence[dict[str, Any]],
    *,
    labelmap: bool = False,
    deflated: bool = False,
) -> tuple[str, ...]:
    """Write the lymph nodes as one SEG that belongs to the CT's study.

    Parameters
    ----------
    instances
        (K, J, I) integers; the labels of ``lymph_nodes``. Segment numbers are 1..n in the order of ``lymph_nodes``:
        equal to the labels as long as these are 1..n. Lymph nodes that overlap stand in several such maps (layers),
        each label in one of them.
    lymph_nodes
        At least one: a SEG without segments would hold every frame, empty.
    headers
        One per slice in the order of k.
    models
        {name, version, task}: the one whose task is "segmentation" is named as the algorithm.
    labelmap
        Write a LABELMAP SEG (RLE): small, read by dcmqi 1.5.4 and later; Slicer's SR reader does not follow it.
    deflated
        Compress the whole file (Deflated Explicit VR Little Endian); the pixels then stay uncompressed within it.

    Returns
    -------
    tuple of str
        Notes for the result's warnings: which malformed elements of the CT were left empty. Never their values.

    Raises
    ------
    InputError
        The headers lack what a SEG needs, or are not those of this grid; or lymph nodes overlap in a LABELMAP.
    ValueError
        There is no lymph node.
    """
    if not lymph_nodes:
        raise ValueError("a SEG needs at least one lymph node; write none instead")
    layers = [instances] if isinstance(instances, Volume) else list(instances)
    if labelmap and len(layers) > 1:
        raise InputError(
            "Lymph nodes overlap, and a LABELMAP SEG holds one segment per voxel.", "Write a BINARY SEG instead."
        )
    with strict_dicom():
        try:
            sources, blanked = usable_headers(headers)
            for layer in layers:
                check_grid(layer, sources)
            segmentation = build_dicom_seg(layers, lymph_nodes, sources, models, _encoding(labelmap, deflated))
            name_true_instances(segmentation, headers)
            if deflated:
                segmentation.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
            segmentation.save_as(os.fspath(path), enforce_file_format=True)
        except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError) as error:
            raise InputError(
                "dicom/seg.dcm was not written: the CT's DICOM headers hold something that a SEG may not hold.",
                "Use lymph_nodes.seg.nrrd, or export the series again from the PACS.",
            ) from error  # the library's words quote values: they stay in the cause
    if not blanked:
        return ()
    return (f"Malformed in the CT's headers and left empty in dicom/seg.dcm: {', '.join(blanked)}.",)


def build_dicom_seg(
    layers: Sequence[Volume],
    lymph_nodes: Sequence[LymphNode],
    headers: Sequence[Dataset],
    models: Sequence[dict[str, Any]],
    encoding: Encoding = BINARY,
) -> hd.seg.Segmentation:
    """The SEG object, not yet written. Headers as :func:`usable_headers` gives them."""
    algorithm = _algorithm(models)
    series_uid = str(headers[0].SeriesInstanceUID)
    return hd.seg.Segmentation(
        source_images=headers,
        pixel_array=_numbered(layers[0], lymph_nodes) if len(layers) == 1 else _stacked(layers, lymph_nodes, headers),
        segmentation_type=encoding.kind,
        segment_descriptions=[
            _description(number, lymph_node, series_uid, algorithm)
            for number, lymph_node in enumerate(lymph_nodes, start=1)
        ],
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER + series_number(headers[0]),
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="ECEDetector (open source)",
        manufacturer_model_name="ece_core",
        software_versions=__version__,
        device_serial_number=__version__,  # software has no serial number; the element must have a value
        content_label="LYMPH_NODES",
        content_description=SERIES_DESCRIPTION,
        series_description=SERIES_DESCRIPTION,
        transfer_syntax_uid=encoding.transfer_syntax,
        omit_empty_frames=True,
    )


def _encoding(labelmap: bool, deflated: bool) -> Encoding:
    if not labelmap:
        return BINARY
    native = deflated  # a deflated file of run lengths would be larger, and no transfer syntax allows it
    return Encoding(hd.seg.SegmentationTypeValues.LABELMAP, ExplicitVRLittleEndian if native else RLELossless)


def _numbered(instances: Volume, lymph_nodes: Sequence[LymphNode]) -> np.ndarray:
    """(K, J, I) segment numbers 1..n in the order of the lymph nodes; other labels become 0."""
    number_of = np.zeros(max(int(instances.array.max()), *(node.label for node in lymph_nodes)) + 1, np.uint8)
    if len(lymph_nodes) > 255:
        number_of = number_of.astype(np.uint16)
    number_of[[lymph_node.label for lymph_node in lymph_nodes]] = np.arange(1, len(lymph_nodes) + 1)
    return number_of[instances.array]


def _stacked(layers: Sequence[Volume], lymph_nodes: Sequence[LymphNode], headers: Sequence[Dataset]) -> hd.Volume:
    """One mask per lymph node, of the box that holds them all: of the whole grid they would take gigabytes."""
    found = [box for node in lymph_nodes for layer in layers if (box := layer.label_box(node.label))]
    start, stop = np.min([box[0] for box in found], axis=0), np.max([box[1] for box in found], axis=0)
    block = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    masks = np.zeros((*(stop - start), len(lymph_nodes)), np.uint8)
    for number, lymph_node in enumerate(lymph_nodes):
        for layer in layers:
            masks[..., number] |= layer.array[block] == lymph_node.label
    affine = layers[0].affine.copy()
    affine[:3, 3] = layers[0].to_lps(start)
    return highdicom_volume(masks, affine, headers, {"SegmentNumber": list(range(1, len(lymph_nodes) + 1))})


def tracking_uid(series_instance_uid: str, lymph_node_id: str) -> str:
    """The same lymph node of the same series has the same tracking UID in every export (SEG, SR, after review)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{series_instance_uid}/{lymph_node_id}').int}"


def usable_headers(headers: Sequence[Dataset], what: str = SEG_FILE) -> tuple[list[Dataset], list[str]]:
    """Copies of the headers that a SEG can be made from, and the keywords of what was left empty.

    ``what`` is to be written, for the error; the rules are the same for every object of highdicom. The UID of a slice
    that is no file of its own is one that stands in for it, until the written object names the true ones.

    Anonymized series often hold an age like "55" or a date like "19xx". The standard forbids both; they are left
    empty rather than refused, because nothing in the SEG depends on them.

    Raises
    ------
    InputError
        An element that a SEG cannot do without is missing.
    """
    copies, blanked = [], set()
    for header in headers:
        copy = Dataset()
        for tag in [tag for tag in header.keys() if not tag.is_private]:  # noqa: SIM118 (a Dataset iterates elements)
            element = _valid_element(header, tag)
            if element is not None:
                copy.add(element)
            elif tag.group == PATIENT_GROUP or keyword_for_tag(tag) in TYPE_2:  # the others do not go into a SEG
                blanked.add(tag)
        if not is_instance(header):
            copy.SOPClassUID, copy.SOPInstanceUID = CTImageStorage, stand_in(header)
        _require(copy, what)
        for keyword in TYPE_2:
            if keyword not in copy:
                setattr(copy, keyword, None)
        if copy.PatientSex not in (None, *PATIENT_SEXES):
            copy.PatientSex = None
            blanked.add(copy["PatientSex"].tag)
        copies.append(copy)
    return copies, sorted(keyword_for_tag(tag) for tag in blanked)


def check_grid(instances: Volume, headers: Sequence[Dataset], what: str = SEG_FILE) -> None:
    """Refuse headers of another grid: the SEG (or ``what`` is to be written) would lie in the wrong place.

    Raises
    ------
    InputError
    """
    corners = np.array([(k, j, i) for k in range(len(headers)) for j, i in ((0, 0), _last_row_column(instances))])
    if (
        len(headers) != instances.shape[0]
        or np.abs(instances.to_lps(corners) - [point for header in headers for point in _first_and_last(header)]).max()
        > POSITION_TOLERANCE_MM
    ):
        raise InputError(
            f"{_sentence_start(what)} was not written: it is not on the grid of the DICOM series.",
            "Use the files that are not DICOM.",
        )


def _last_row_column(volume: Volume) -> tuple[int, int]:
    return volume.shape[1] - 1, volume.shape[2] - 1


def _first_and_last(header: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the slice's first and last voxel, LPS mm, straight from the standard (PS3.3 C.7.6.2.1.1)."""
    first = np.array(header.ImagePositionPatient, float)
    axes: np.ndarray = np.reshape(np.array(header.ImageOrientationPatient, float), (2, 3))
    along_row, along_column = axes[0], axes[1]
    between_rows, between_columns = (float(value) for value in header.PixelSpacing)
    last = first + along_row * between_columns * (header.Columns - 1) + along_column * between_rows * (header.Rows - 1)
    return first, last


def _valid_element(header: Dataset, tag: Any) -> DataElement | None:
    """The element if the standard allows its value, else None."""
    try:
        element = header[tag]
        if element.VR == "SQ":
            return element
        return DataElement(element.tag, element.VR, element.value, validation_mode=config.RAISE)
    except Exception:  # every kind of malformed value has its own exception
        return None


def _sentence_start(what: str) -> str:
    return what if what == SEG_FILE else what[0].upper() + what[1:]


def _require(header: Dataset, what: str) -> None:
    missing = [keyword for keyword in TYPE_1 if keyword not in header or header[keyword].is_empty]
    if missing:
        raise InputError(
            f"{_sentence_start(what)} was not written: the CT's headers lack {', '.join(missing)}.",
            "Use the files that are not DICOM, or export the series again from the PACS.",
        )


def series_number(header: Dataset) -> int:
    """The CT's, at most three digits; 0 without one."""
    number = header.get("SeriesNumber")
    return int(number) % 1000 if number is not None else 0


def _algorithm(models: Sequence[dict[str, Any]]) -> hd.AlgorithmIdentificationSequence:
    model = next((model for model in models if "segmentation" in str(model.get("task"))), None)
    name = f"ECEDetector {model['name']}" if model else "ECEDetector"
    version = str(model["version"]) if model else __version__
    return hd.AlgorithmIdentificationSequence(
        name=name[:64], family=codes.DCM.ArtificialIntelligence, version=version[:64], source="ECEDetector"
    )


def _description(
    number: int, lymph_node: LymphNode, series_uid: str, algorithm: hd.AlgorithmIdentificationSequence
) -> hd.seg.SegmentDescription:
    category, kind = category_and_type(lymph_node)
    anatomic_region = concept(region(lymph_node))
    side = laterality(lymph_node)
    if side is not None:
        anatomic_region.AnatomicRegionModifierSequence = [concept(side)]
    drawn_by_hand = lymph_node.source == "MANUAL"
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment_name(lymph_node),
        segmented_property_category=concept(category),
        segmented_property_type=concept(kind),
        algorithm_type=lymph_node.source,
        algorithm_identification=None if drawn_by_hand else algorithm,
        tracking_id=lymph_node.id,
        tracking_uid=tracking_uid(series_uid, lymph_node.id),
        anatomic_regions=[anatomic_region],
        display_color=hd.color.CIELabColor.from_rgb(*CLASS_COLORS[lymph_node.class_name]),
    )
    description.SegmentDescription = _sentence(lymph_node)
    return description


def _sentence(lymph_node: LymphNode) -> str:
    """Classes have no code for ENE, so it is said in words (SegmentDescription, ST)."""
    parts = [CLASS_TITLES[lymph_node.class_name]]
    if lymph_node.ece_probability is not None:
        parts.append(f"probability of ENE (also ECE) {lymph_node.ece_probability:.2f}")
    if lymph_node.certainty:
        parts.append(lymph_node.certainty)
    if lymph_node.status != "new":
        parts.append(f"{lymph_node.status} by the reader")
    if OUT_OF_DATE in lymph_node.flags:
        parts.append(OUT_OF_DATE)
    return f"{'; '.join(parts)}. {RESEARCH_USE_ONLY}"


def concept(code: Code) -> hd.sr.CodedConcept:
    """The code as highdicom takes it."""
    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning)


def own_scheme() -> Dataset:
    """Who made our own codes: an item of Coding Scheme Identification."""
    scheme = Dataset()
    scheme.CodingSchemeDesignator = OWN_SCHEME
    scheme.CodingSchemeName = "ECEDetector: lymph nodes and extranodal extension"
    scheme.CodingSchemeResponsibleOrganization = "ECEDetector (open source)"
    return scheme
