"""A CT series whose every identifying element holds a value that stands nowhere else."""

from pathlib import Path

from ece_core.io import write_ct_series
from pydicom import Dataset, dcmread

# Elements that PS3.15 table E.1-1 removes, empties or replaces, as CT scanners and archives fill them.
NAMES = (
    "PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ReferringPhysicianName",
    "PerformingPhysicianName", "OperatorsName", "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord",
    "RequestingPhysician", "ScheduledPerformingPhysicianName", "ResponsiblePerson", "ContentCreatorName",
)  # fmt: skip
TEXTS = (
    "PatientID", "IssuerOfPatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "InstitutionName",
    "InstitutionAddress", "InstitutionalDepartmentName", "StationName", "PatientAddress", "PatientTelephoneNumbers",
    "MilitaryRank", "BranchOfService", "EthnicGroup", "Occupation", "AdditionalPatientHistory", "PatientComments",
    "PatientReligiousPreference", "RegionOfResidence", "CountryOfResidence", "CurrentPatientLocation", "AdmissionID",
    "MedicalRecordLocator", "MedicalAlerts", "Allergies", "StudyDescription", "SeriesDescription", "ProtocolName",
    "ImageComments", "RequestedProcedureDescription", "RequestedProcedureID", "PerformedProcedureStepDescription",
    "PerformedProcedureStepID", "DeviceSerialNumber", "GantryID", "DetectorID", "AcquisitionProtocolDescription",
    "DerivationDescription", "ReasonForStudy", "StudyComments", "ContrastBolusAgent", "InsurancePlanIdentification",
    "AdmittingDiagnosesDescription", "VisitComments", "RequestingService", "TextComments",
)  # fmt: skip
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate")
TIMES = ("PatientBirthTime", "StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime")


def mark(dataset: Dataset) -> dict[str, str]:
    """Fills all of them; {keyword: value}. The same in every slice."""
    marks = {keyword: f"QXNAME{n:02d}^ZW{n:02d}GIVEN" for n, keyword in enumerate(NAMES)}
    marks |= {keyword: f"QXTEXT{n:02d}ZW" for n, keyword in enumerate(TEXTS)}
    marks |= {keyword: f"19{n + 31}0{n + 1}1{n}" for n, keyword in enumerate(DATES)}
    marks |= {keyword: f"0{n + 1}4{n}5{n}.90{n}731" for n, keyword in enumerate(TIMES)}
    for keyword, value in marks.items():
        setattr(dataset, keyword, value)
    request = Dataset()  # also deeper
    request.RequestedProcedureID = request.ScheduledProcedureStepDescription = marks["Sequence"] = "QXDEEP00ZW"
    dataset.RequestAttributesSequence = [request]
    block = dataset.private_block(0x0009, "QXPRIVATE CREATOR", create=True)
    block.add_new(0x10, "LO", "QXPRIV00ZW")
    marks |= {"private": "QXPRIV00ZW", "private creator": "QXPRIVATE"}
    marks |= {k: str(dataset[k].value) for k in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    return marks


def write_marked_ct(volume, folder: Path) -> dict[str, str]:
    """The series, and the marks: {keyword: value}; of the slices' own UIDs the first."""
    marks = {}
    for file in write_ct_series(volume, folder, seed=9):
        dataset = dcmread(file)
        marks = mark(dataset) | {"SOPInstanceUID": marks.get("SOPInstanceUID", str(dataset.SOPInstanceUID))}
        dataset.save_as(file)
    return marks


def searched(marks: dict[str, str]) -> dict[str, str]:
    """{what to look for: where it stood}: each part of a name, each text, UID, date and time."""
    return {part: keyword for keyword, value in marks.items() for part in value.split("^")}
