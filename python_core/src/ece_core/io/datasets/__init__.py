"""Data sets with one interface: cases with scan, outlines, labels and split (docs/datasets.md)."""

from ece_core.io.datasets.case import Case, LymphNodeLabels, Outlines, PatientLabels
from ece_core.io.datasets.dataset import Dataset, Description, Finding
from ece_core.io.datasets.dicom_studies import load_dicom_studies
from ece_core.io.datasets.hecktor import load_hecktor
from ece_core.io.datasets.layouts import load_dataset
from ece_core.io.datasets.lydata import load_lydata
from ece_core.io.datasets.nnunet import load_nnunet
from ece_core.io.datasets.nrrd_organs import load_nrrd_organs
from ece_core.io.datasets.openkbp import load_openkbp
from ece_core.io.datasets.patient_table import PatientRow, read_patient_table
from ece_core.io.datasets.simulated_cohort import load_simulated_cohort
from ece_core.io.datasets.tcga_labels import read_tcga_labels

__all__ = [
    "Case",
    "Dataset",
    "Description",
    "Finding",
    "LymphNodeLabels",
    "Outlines",
    "PatientLabels",
    "PatientRow",
    "load_dataset",
    "load_dicom_studies",
    "load_hecktor",
    "load_lydata",
    "load_nnunet",
    "load_nrrd_organs",
    "load_openkbp",
    "load_simulated_cohort",
    "read_patient_table",
    "read_tcga_labels",
]
