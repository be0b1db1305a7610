"""Dice plus cross-entropy by hand, blind where nobody looked, and over several resolutions."""

import math

import pytest
import torch
from ece_core.models.registry import build
from ece_core.training.deep_supervision import DeepSupervision, can_be_supervised, plain_network, weights_of_network
from ece_core.training.labels import UNKNOWN
from ece_core.training.losses import deep_loss, loss_function, resolution_weights
from tiny_dataset import ARGUMENTS

NNUNET = {"labels": 1.0, "union": 0.0, "smooth": 1e-5}


def test_loss_of_two_voxels_is_counted_by_hand():
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 1, 2)
    target = torch.tensor([[[[0, 1]]]])
    cross_entropy = (-math.log(3 / 4) - math.log(1 / 2)) / 2
    dice = (2 * 0.5 + 1e-5) / (0.25 + 0.5 + 1 + 1e-5)
    assert float(loss_function(logits, target, NNUNET)) == pytest.approx(cross_entropy + 1 - dice, abs=1e-6)


def test_the_union_counts_only_where_it_is_asked_for():
    logits = torch.randn(1, 4, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    target = torch.randint(0, 4, (1, 4, 4, 4), generator=torch.Generator().manual_seed(1))
    with_union = loss_function(logits, target, {**NNUNET, "union": 1.0})
    assert float(with_union) > float(loss_function(logits, target, NNUNET)) + 0.1


def test_a_batch_of_unknown_voxels_teaches_nothing():
    logits = torch.randn(1, 3, 2, 2, 2, requires_grad=True)
    loss_function(logits, torch.full((1, 2, 2, 2), UNKNOWN), NNUNET).backward()
    assert not logits.grad.any()


def test_resolutions_count_half_as_much_each_and_one_in_all():
    assert resolution_weights(3) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    assert resolution_weights(1) == [1.0]


def test_coarser_answers_are_held_against_the_nearest_labels():
    target = torch.zeros(1, 4, 4, 4, dtype=torch.long)
    target[:, :2] = 1
    coarse = target[:, ::2, ::2, ::2]
    answers = [torch.nn.functional.one_hot(t, 2).movedim(-1, 1).float() * 40 for t in (target, coarse)]
    assert float(deep_loss(answers, target, NNUNET)) == pytest.approx(0, abs=1e-3)
    answers[1] = answers[1].flip(1)
    wrong = float(loss_function(answers[1], coarse, NNUNET))
    assert float(deep_loss(answers, target, NNUNET)) == pytest.approx(wrong / 3, rel=1e-3)


@pytest.mark.parametrize("architecture", ["PlainConvUNet", "LightUNet"])
def test_all_stages_but_the_coarsest_are_supervised_and_the_bundle_has_none_of_it(architecture):
    keys = ("in_channels", "out_channels", "features", "strides", "kernel_sizes")
    arguments = dict(ARGUMENTS, features=[4, 6, 8, 8], strides=[*ARGUMENTS["strides"], [2, 2, 2]], depths=[1] * 4,
                     kernel_sizes=[*ARGUMENTS["kernel_sizes"], [3, 3, 3]], decoder_depths=[1] * 3)  # fmt: skip
    if architecture == "LightUNet":
        arguments = {key: arguments[key] for key in keys}
    network = build(architecture, arguments)
    assert can_be_supervised(network)
    supervised = DeepSupervision(network)
    answers = supervised(torch.zeros(2, 1, 8, 16, 16))
    assert [tuple(answer.shape[1:]) for answer in answers] == [(4, 8, 16, 16), (4, 8, 8, 8)]
    state = weights_of_network(supervised.state_dict())
    assert state.keys() == network.state_dict().keys()
    assert weights_of_network(network.state_dict()).keys() == network.state_dict().keys()
    assert plain_network(supervised) is network


def test_networks_that_answer_once_are_trained_on_one_answer():
    logits, target = torch.zeros(1, 2, 2, 2, 2), torch.zeros(1, 2, 2, 2, dtype=torch.long)
    assert float(deep_loss(logits, target)) == float(loss_function(logits, target))
    assert not can_be_supervised(torch.nn.Conv3d(1, 1, 1))
