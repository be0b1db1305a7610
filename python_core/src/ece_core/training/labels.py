"""What a segmentation network tells apart: "labels" in the config, one of the paper's settings.

References
----------
Cancers 2023;15:5890, which compares N, P and ENE apart with P and ENE joined.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ece_core.classes import CLASS_NAMES, LABEL_CLASSES, LABEL_SETTINGS, LABEL_VALUES
from ece_core.errors import InputError

UNKNOWN = 255  # voxels that the loss leaves out


def labels_of(config: dict[str, Any]) -> tuple[str, ...]:
    """Names of the network's labels, background left out; a classifier always tells N, P and ENE apart.

    Raises
    ------
    InputError
        The config names a setting that there is not.
    """
    if config["task"] != "segmentation":
        return CLASS_NAMES
    setting = config.get("labels", "apart")
    if setting not in LABEL_SETTINGS:
        known = ", ".join(f'"{name}"' for name in LABEL_SETTINGS)
        raise InputError(f"The config asks for the labels {setting!r}.", f'Set "labels" to one of {known}.')
    return LABEL_SETTINGS[setting]


def network_arguments(config: dict[str, Any]) -> dict[str, Any]:
    """The architecture's arguments, with as many outputs as there are labels."""
    if config["task"] != "segmentation":
        return dict(config["arguments"])
    return {**config["arguments"], "out_channels": len(labels_of(config)) + 1}


def value_of_class(labels: tuple[str, ...]) -> np.ndarray:
    """(256,) uint8: the output that a voxel with one of LABEL_VALUES belongs to; background stays 0.

    A lymph node that is P or ENE, or of no known class, is ``UNKNOWN`` to a network that has to tell which.
    """
    values = np.full(256, UNKNOWN, np.uint8)
    values[0] = 0
    output = {name: n for n, label in enumerate(labels, start=1) for name in LABEL_CLASSES[label]}
    for stated, value in LABEL_VALUES.items():
        possible = {output[name] for name in LABEL_CLASSES[stated]}
        if len(possible) == 1:
            values[value] = possible.pop()
    return values
