"""GMGENet's answer for a drawn head: the box in the patient, and a scan that it cannot judge."""

import numpy as np
import pytest
import torch
from ece_core.errors import InputError
from ece_core.explain.gmgenet import judge_patient
from ece_core.geometry import Volume, affine_from
from ece_core.models.gmgenet import GMGENet, gmgenet_arguments
from ece_core.models.registry import build
from torch import nn

INPUT = {"volume_shape": [24, 40, 40], "voi_shape": [6, 16, 16]}


class Bright(nn.Module):
    """Logits of the mean of what is brighter than 0.7."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv3d(1, 1, 1)
        self.maps.weight.data.fill_(1.0)
        self.maps.bias.data.fill_(-0.7)

    def forward(self, x):
        mean = torch.relu(self.maps(x)).mean((2, 3, 4))
        return torch.cat([-mean, mean], dim=1)


def a_head(bright=True):
    """Shoulders, neck and a head with a nose, 4 mm; in the neck a lymph node of 300 HU, its center at (34, 16, 0)."""
    body = np.zeros((64, 60, 80), bool)
    body[:20, 20:50, 4:76] = True
    body[20:32, 20:46, 27:53] = True
    body[32:, 14:52, 22:58] = True
    body[44:48, 8:14, 37:43] = True
    hu = np.where(body, 40, -1000).astype(np.int16)
    if bright:
        hu[24:27, 30:34, 46:51] = 300
    return Volume(hu, affine_from((4.0, 4.0, 4.0), (-158.0, -112.0, -100.0)))


def test_the_box_lies_in_the_patient_where_the_heat_is():
    answer = judge_patient(GMGENet(Bright(), Bright()), a_head(), INPUT, "maps")
    node = a_head().to_lps([25, 31.5, 48])
    low, high = answer.box_lps_mm.min(axis=0), answer.box_lps_mm.max(axis=0)
    assert (low < node).all()
    assert (node < high).all()
    assert answer.voi.is_guided
    edges = (high - low)[::-1] / np.array(answer.heat.spacing_mm)
    np.testing.assert_allclose(edges, INPUT["voi_shape"], rtol=1e-6)


def test_the_classifier_sees_the_box_alone():
    with_node = judge_patient(GMGENet(Bright(), Bright()), a_head(), INPUT, "maps")
    without = judge_patient(GMGENet(Bright(), Bright()), a_head(bright=False), INPUT, "maps")
    assert with_node.ece_probability > 0.5
    assert without.ece_probability == pytest.approx(0.5)
    assert not without.voi.is_guided


def test_a_scan_without_a_nose_is_refused():
    with pytest.raises(InputError, match="does not show a nose"):
        judge_patient(GMGENet(Bright(), Bright()), a_head().crop((0, 0, 0), (40, 60, 80)), INPUT, "maps")


def test_it_is_built_from_the_arguments_of_a_card():
    one = {"architecture": "PlainCNN", "arguments": {"in_channels": 1, "out_channels": 2, "channels": [2], "hidden": 2}}
    network = build("GMGENet", gmgenet_arguments({**one, "steps": 3}, one, 5)).eval()
    assert len(network.classifier.members) == 5
    assert network(torch.rand(1, 1, 4, 4, 4)).shape == (1, 2)
