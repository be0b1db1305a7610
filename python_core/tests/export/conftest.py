"""Fixtures: the drawn patient as a DICOM scan, with a name to look for."""

import pytest
from drawn_patient import a_neck_ct
from ece_core.io import read_ct, write_ct_series

MARKED_NAME = "MARKED^NAME"


@pytest.fixture
def a_scan(tmp_path):
    """The drawn neck as a DICOM series, read by our reader."""
    write_ct_series(a_neck_ct(), tmp_path / "series", seed=3)
    return read_ct(tmp_path / "series")


@pytest.fixture
def headers_of_somebody(a_scan):
    """Headers that name a person wherever a name can stand."""
    for header in a_scan.headers:
        header.PatientName, header.PatientID = MARKED_NAME, "MARKED-ID"
        header.ReferringPhysicianName, header.InstitutionName = "MARKED^DOCTOR", "MARKED HOSPITAL"
        header.PatientBirthDate, header.AccessionNumber = "19010203", "MARKED-1"
        header.StudyDescription = "MARKED study"
    return a_scan.headers
