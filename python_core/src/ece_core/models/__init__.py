"""Networks, bundles and inference. torch and monai are imported late, by the functions that need them."""

from ece_core.models.bundle import (
    Bundle,
    bundle_for,
    find_bundle,
    list_bundles,
    load_bundle,
    read_bundle,
    save_bundle,
    verify_bundle,
)

__all__ = [
    "Bundle",
    "bundle_for",
    "find_bundle",
    "list_bundles",
    "load_bundle",
    "read_bundle",
    "save_bundle",
    "verify_bundle",
]
