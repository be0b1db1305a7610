"""GMGENet's answer for a patient: the probability of ENE (also ECE), and the box that it was judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ece_core.explain.hottest_region import POSITIVE, VolumeOfInterest, volume_of_interest
from ece_core.geometry import Volume
from ece_core.models.gmgenet import GMGENet
from ece_core.preprocessing.head_and_neck import head_and_neck

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class PatientAnswer:
    """What GMGENet says of a scan.

    Attributes
    ----------
    ece_probability
        0 to 1.
    box_lps_mm
        (2, 3): two opposite corners of the volume of interest, the voxels' outer edges; its edges are parallel to the
        axes of the scan, turned to axial.
    heat
        Grad-CAM on the grid of the volume, with its place in the patient.
    """

    ece_probability: float
    box_lps_mm: Array
    heat: Volume
    voi: VolumeOfInterest

    def box(self) -> dict[str, Any]:
        """{center_lps_mm (3,), size_mm (3,), axes_lps (3, 3)}: size along each axis, a row of ``axes_lps`` each."""
        spacing_ijk = np.array(self.heat.spacing_mm)[::-1]
        return {
            "center_lps_mm": self.box_lps_mm.mean(axis=0).tolist(),
            "size_mm": (np.array(self.voi.shape)[::-1] * spacing_ijk).tolist(),
            "axes_lps": (self.heat.affine[:3, :3] / spacing_ijk).T.tolist(),
        }


def judge_patient(network: GMGENet, ct: Volume, model_input: dict[str, Any], layer: str) -> PatientAnswer:
    """The scan through the extractor, then the classifier.

    Parameters
    ----------
    ct
        (K, J, I) HU, any orientation.
    model_input
        Of the model card: ``volume_shape`` and ``voi_shape``, (k, j, i).
    layer
        Of the extractor, for Grad-CAM: the card's ``gradcam_layer``.

    Raises
    ------
    InputError
        The scan does not show shoulders, or no nose.
    """
    depth, rows, columns = model_input["volume_shape"]
    volume = head_and_neck(ct, (depth, rows, columns))
    voi = volume_of_interest(network.extractor, volume, layer, tuple(model_input["voi_shape"]))
    device = next(network.parameters()).device
    x = torch.from_numpy(np.ascontiguousarray(volume.array[voi.box], np.float32))[None, None].to(device)
    with torch.inference_mode():
        probability = float(network(x).softmax(1)[0, POSITIVE])
    corners = np.array([voi.start, np.array(voi.start) + voi.shape]) - 0.5
    return PatientAnswer(probability, volume.to_lps(corners), volume.with_array(voi.heat), voi)
