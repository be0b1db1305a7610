"""Networks that judge the patient from the scan as a whole, and what a reader must know of each."""

from __future__ import annotations

from dataclasses import dataclass

from ece_core.lymph_nodes.patient_rules import PATIENT_RULES, PatientRule


@dataclass(frozen=True)
class PatientNetwork:
    """A kind of network whose bundle has the task ``patient_ece``.

    Attributes
    ----------
    architecture
        By which its bundle is told from the others.
    title
        Above the value in a report.
    meaning
        One or two sentences for the reader.
    """

    architecture: str
    title: str
    meaning: str


PATIENT_NETWORKS = {
    "gmgenet": PatientNetwork(
        "GMGENet",
        "GMGENet",
        "A network that needs no outlined lymph node: it chooses a box by Grad-CAM and judges what lies in it. "
        "Its probability is not calibrated.",
    ),
    "dual-swinunetr": PatientNetwork(
        "DualSwinUNETR",
        "Dual-output SwinUNETR",
        "A network that outlines a nodal region of its own and judges the patient by it, at voxels of 3 mm. "
        "Its probability is not calibrated.",
    ),
}


KNOWN: dict[str, PatientRule | PatientNetwork] = {**PATIENT_RULES, **PATIENT_NETWORKS}


def title_of(name: str) -> str:
    """Of a rule or a network; the name itself where it is neither (a result of another version)."""
    return KNOWN[name].title if name in KNOWN else name


def explained(name: str) -> str:
    """Title and meaning of a rule or a network, for the line below the patient's probability."""
    if name in KNOWN:
        return f"{KNOWN[name].title}: {KNOWN[name].meaning}"
    return f"Method: {name}." if name else ""
