"""Planning a training as nnU-Net does it: `ece train plan DATASET`. Needs no torch."""

from ece_core.training.planning.fingerprint import Fingerprint, fingerprint_of
from ece_core.training.planning.plan import Stage, plan_stages, target_spacing, write_plan
from ece_core.training.planning.topology import Topology, topology_of

__all__ = [
    "Fingerprint",
    "Stage",
    "Topology",
    "fingerprint_of",
    "plan_stages",
    "target_spacing",
    "topology_of",
    "write_plan",
]
