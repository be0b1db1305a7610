"""`dicom/sr.dcm`: what was measured and judged, lymph node by lymph node, as a DICOM Structured Report (TID 1500).

One measurement group per lymph node, tied to its segment of `seg.dcm` by tracking UID and reference, so that a PACS or
Slicer shows numbers and outline together. One SR per BINARY SEG: Slicer follows no other kind. Highdicom writes, this
file says what.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from ece_core import RESEARCH_USE_ONLY, __version__
from ece_core.errors import InputError
from ece_core.export import terminology as terms
from ece_core.export.dicom_seg import (
    SERIES_NUMBER,
    concept,
    own_scheme,
    series_number,
    tracking_uid,
    usable_headers,
)
from ece_core.export.garbage import no_collection
from ece_core.io.dicom_instances import Instance, instance_in, instances_of
from ece_core.io.strict_dicom import strict_dicom
from ece_core.lymph_nodes.lymph_node import LymphNode

SERIES_DESCRIPTION = f"Lymph node report. {RESEARCH_USE_ONLY}"
NOTHING_FOUND = "no lymph node found"
AFTER_THE_SEG = 1  # series number
DEVICE_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'ece_core/{__version__}').int}"
MEASURES = (  # attribute of LymphNode, what it is, unit
    ("short_axis_mm", codes.SCT.ShortAxis, codes.UCUM.Millimeter),
    ("long_axis_mm", codes.SCT.LongAxis, codes.UCUM.Millimeter),
    ("volume_mm3", codes.SCT.Volume, codes.UCUM.CubicMillimeter),
)
PROBABILITIES = (
    ("ece_probability", terms.ENE_PROBABILITY, "classification"),
    ("detection_probability", terms.DETECTION_PROBABILITY, "segmentation"),
)


def write_dicom_sr(
    path: Path,
    lymph_nodes: Sequence[LymphNode],
    headers: Sequence[Dataset],
    models: Sequence[Mapping[str, Any]],
    seg: Path | None,
) -> None:
    """Write the lymph nodes as one SR that belongs to the CT's study.

    Parameters
    ----------
    lymph_nodes
        In the order of the SEG's segments; none at all is said in the report.
    headers
        One per slice of the CT in the order of k.
    models
        {name, version, task} of those that outlined and classed.
    seg
        The lymph nodes' SEG, as :func:`~ece_core.export.dicom_seg.write_dicom_seg` wrote it; None without lymph nodes.

    Raises
    ------
    InputError
        The headers hold something that an SR may not hold. Nothing is written.
    ValueError
        There are lymph nodes and no SEG, or the other way round.
    """
    if bool(lymph_nodes) != (seg is not None):
        raise ValueError("lymph nodes and their SEG belong together")
    with strict_dicom(), no_collection():
        try:
            ((first,), _), instances = usable_headers(headers[:1], "dicom/sr.dcm"), instances_of(headers)
            first.SOPClassUID, first.SOPInstanceUID = instances[0].sop_class_uid, instances[0].sop_instance_uid
            sources = [first, *(_reference(one, first) for one in instances[1:])]
            outlines = None if seg is None else dcmread(seg, stop_before_pixels=True)
            report = build_dicom_sr(lymph_nodes, sources, models, outlines)
            report.save_as(os.fspath(path), enforce_file_format=True)
        except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError) as error:
            raise InputError(
                "dicom/sr.dcm was not written: the CT's DICOM headers hold something that a report may not hold.",
                "Use lymph_nodes.csv, or export the series again from the PACS.",
            ) from error  # the library's words quote values: they stay in the cause


def _reference(instance: Instance, first: Dataset) -> Dataset:
    """What a report needs of an image that it only names as evidence: checking the rest takes a tenth of its time."""
    reference = Dataset()
    reference.SOPClassUID, reference.SOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
    reference.StudyInstanceUID, reference.SeriesInstanceUID = first.StudyInstanceUID, first.SeriesInstanceUID
    return reference


def build_dicom_sr(
    lymph_nodes: Sequence[LymphNode],
    headers: Sequence[Dataset],
    models: Sequence[Mapping[str, Any]],
    seg: Dataset | None,
) -> hd.sr.Comprehensive3DSR:
    """The SR object, not yet written. The first header as ``usable_headers`` gives it; of the others the UIDs."""
    if seg is None:
        groups: list[Any] = [_nothing_found(headers)]
    else:
        drawn_on, series_uid = _drawn_on(seg), str(headers[0].SeriesInstanceUID)
        groups = [
            _group(lymph_node, _segment(seg, number, drawn_on.get(number, [])), series_uid, models)
            for number, lymph_node in enumerate(lymph_nodes, start=1)
        ]
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=_device()),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups[:1],
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=headers[:1],
    )
    content[0].ContentSequence.append(
        hd.sr.TextContentItem(
            name=codes.DCM.Comment, value=RESEARCH_USE_ONLY,
            relationship_type=hd.sr.RelationshipTypeValues.CONTAINS,
        )
    )  # fmt: skip
    report = hd.sr.Comprehensive3DSR(
        evidence=[*([seg] if seg is not None else []), *headers],
        content=content,
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER + AFTER_THE_SEG + series_number(headers[0]),
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="ECEDetector (open source)",
        manufacturer_model_name="ece_core",
        software_versions=__version__,
        device_serial_number=__version__,
        series_description=SERIES_DESCRIPTION,
        is_complete=True,
        is_final=False,  # preliminary, and nobody has verified it: a radiologist's signature is none of ours to give
        is_verified=False,
    )
    _append(report, groups[1:])
    report.CodingSchemeIdentificationSequence = [*report.get("CodingSchemeIdentificationSequence", []), own_scheme()]
    return report


def _append(report: hd.sr.Comprehensive3DSR, groups: Sequence[Any]) -> None:
    """More measurement groups. Highdicom copies the content that it is given and searches it for evidence, slice by
    slice: half of the time of a report, for what has been in the evidence anyhow."""
    (measurements,) = (
        item for item in report.ContentSequence if item.ConceptNameCodeSequence[0] == codes.DCM.ImagingMeasurements
    )
    for group in groups:
        measurements.ContentSequence.append(group[0])


def _device() -> hd.sr.ObserverContext:
    return hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=DEVICE_UID, name="ECEDetector", manufacturer_name="ECEDetector (open source)",
            model_name="ece_core", serial_number=__version__,
        ),
    )  # fmt: skip


def _group(
    lymph_node: LymphNode, segment: hd.sr.ReferencedSegment, series_uid: str, models: Sequence[Mapping[str, Any]]
) -> hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    category, kind = terms.category_and_type(lymph_node)
    side = terms.laterality(lymph_node)
    level = terms.level_modifier(lymph_node)
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=tracking_uid(series_uid, lymph_node.id), identifier=lymph_node.id
        ),
        referenced_segment=segment,
        finding_category=concept(category),
        finding_type=concept(kind),
        finding_sites=[
            hd.sr.FindingSite(
                anatomic_location=concept(terms.region(lymph_node)),
                laterality=None if side is None else concept(side),
                topographical_modifier=None if level is None else concept(level),
            )
        ],
        algorithm_id=_algorithm(models, "segmentation"),
        measurements=_measurements(lymph_node, models),
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(name=concept(name), value=concept(value))
            for name, value in terms.evaluations(lymph_node)
        ],
    )


def _drawn_on(seg: Dataset) -> dict[int, list[Instance]]:
    """Segment number -> the images that its frames were drawn on, none if the CT was resampled. Read once: highdicom
    goes through all frames for each segment."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    found: dict[int, dict[Instance, None]] = {}
    for frame in seg.PerFrameFunctionalGroupsSequence:
        # Where there is one segment only, the SEG says so once for all frames.
        segment = (frame if "SegmentIdentificationSequence" in frame else shared).SegmentIdentificationSequence[0]
        images = found.setdefault(int(segment.ReferencedSegmentNumber), {})
        for derivation in frame.DerivationImageSequence:
            for image in derivation.SourceImageSequence:
                images[instance_in(image)] = None
    return {number: list(images) for number, images in found.items()}


def _segment(seg: Dataset, number: int, images: Sequence[Instance]) -> hd.sr.ReferencedSegment:
    frames: dict[tuple[str, str], list[int]] = {}
    for image in images:
        of_one = frames.setdefault((image.sop_class_uid, image.sop_instance_uid), [])
        if image.frame is not None:
            of_one.append(image.frame)
    series = seg.ReferencedSeriesSequence[0].SeriesInstanceUID
    return hd.sr.ReferencedSegment(
        sop_class_uid=seg.SOPClassUID,
        sop_instance_uid=seg.SOPInstanceUID,
        segment_number=number,
        source_images=[
            hd.sr.SourceImageForSegmentation(*uids, sorted(numbers) or None) for uids, numbers in frames.items()
        ]
        or None,
        source_series=None if frames else hd.sr.SourceSeriesForSegmentation(series),
    )


def _measurements(lymph_node: LymphNode, models: Sequence[Mapping[str, Any]]) -> list[hd.sr.Measurement]:
    """What was computed, each with the algorithm that it came from; what was not is absent, never 0."""
    rows = [
        hd.sr.Measurement(name=name, value=round(float(value), 2), unit=unit, algorithm_id=_measuring())
        for attribute, name, unit in MEASURES
        if (value := getattr(lymph_node, attribute)) is not None
    ]
    return rows + [
        hd.sr.Measurement(
            name=concept(name), value=round(float(value), 4), unit=codes.UCUM.NoUnits,
            algorithm_id=_algorithm(models, task),
        )
        for attribute, name, task in PROBABILITIES
        if (value := getattr(lymph_node, attribute)) is not None
    ]  # fmt: skip


def _measuring() -> hd.sr.AlgorithmIdentification:
    return hd.sr.AlgorithmIdentification(name="ECEDetector measures", version=__version__)


def _algorithm(models: Sequence[Mapping[str, Any]], task: str) -> hd.sr.AlgorithmIdentification:
    """The model of that task, and that it is artificial intelligence (TID 4019 and its family, DCM 111000)."""
    model = next((model for model in models if task in str(model.get("task"))), None)
    name, version = (f"ECEDetector {model['name']}", str(model["version"])) if model else ("ECEDetector", __version__)
    return hd.sr.AlgorithmIdentification(
        name=name[:64], version=version[:64], parameters=[f"family: {codes.DCM.ArtificialIntelligence.meaning}"]
    )


def _nothing_found(headers: Sequence[Dataset]) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """A report must say that it was looked for: silence would read as not done."""
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier=NOTHING_FOUND),
        finding_type=concept(terms.LYMPH_NODE),
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(headers[0])],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(name=concept(terms.FOUND), value=concept(terms.NONE_FOUND))
        ],
    )
