import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain.trace import name_of, traced
from small_networks import (
    RELU_SPELLINGS,
    Calling,
    Chain,
    SharedInput,
    SmallSegmentation,
    SmallUNet,
    assert_same_state,
    seeded,
    state_of,
    voxels,
)
from torch import nn
from torch.testing import assert_close

X = voxels(2, 2, 4, 4, 4)


@pytest.mark.parametrize("act", RELU_SPELLINGS.values(), ids=RELU_SPELLINGS.keys())
@pytest.mark.parametrize("architecture", [Chain, SharedInput, SmallUNet])
def test_the_graph_computes_what_the_network_does(architecture, act):
    network = Calling(seeded(architecture()), act)
    trace = traced(network, X)
    other = voxels(2, 2, 4, 4, 4, seed=1)
    assert_close(trace.logits(trace.run(other)), network(other), rtol=0, atol=0)
    names = [name_of(node) for node in trace.operations]
    bends = [name for name in names if name in ("relu", "clamp", "clamp_min", "threshold")]
    assert len(bends) == {Chain: 2, SharedInput: 3, SmallUNet: 3}[architecture]
    assert not [name for name in names if name.endswith("_")]


def test_a_layer_gives_what_it_gave_before_others_overwrote_it():
    network = seeded(SmallUNet(nn.ReLU(inplace=True)))
    trace = traced(network, X, [network.down, network.norm])
    values = trace.run(X)
    assert_close(values[trace.layers[network.down]], network.down(X))
    assert (values[trace.layers[network.down]] < 0).any()


def test_the_part_after_a_layer_is_run_alone():
    network = seeded(SmallSegmentation())
    trace = traced(network, X, [network.bottom])
    values = trace.run(X)
    node = trace.layers[network.bottom]
    logits = trace.after(node, values)
    assert_close(logits(values[node]), network(X))
    changed = values[node] + 1
    handle = network.bottom.register_forward_hook(lambda module, arguments, output: changed.clone())
    expected = network(X)
    handle.remove()
    assert_close(logits(changed), expected)


class Overwrites(Chain):
    def forward(self, x):
        features = self.first(x)
        features.view(2, -1).relu_()
        return self.head(features.mean((2, 3, 4)))


class Looks(Chain):
    def forward(self, x):
        return self.head(self.first(x if x.sum() > 0 else -x).mean((2, 3, 4)))


class Two(Chain):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("network", "words"),
    [
        pytest.param(Overwrites(), "goes on to use a tensor that it has overwritten", id="in place through a view"),
        pytest.param(Looks(), "reads values of the image to decide", id="a branch"),
        pytest.param(Two(), "gives a tuple.*Wrap it", id="two outputs"),
    ],
)
def test_what_has_no_graph_is_refused_and_left_as_found(network, words):
    network = seeded(network).train()
    before = state_of(network)
    with pytest.raises(ECEError, match=words):
        traced(network, X)
    assert_same_state(before, state_of(network))


def test_a_layer_that_runs_twice_or_never_is_refused():
    network = seeded(Chain())
    with pytest.raises(ECEError, match="no one activation"):
        traced(network, X, [network.act])
    with pytest.raises(ECEError, match="takes no part"):
        traced(network, X, [nn.ReLU()])


def test_weights_of_the_trace_carry_no_gradient():
    network = seeded(Chain())
    trace = traced(network, X)
    assert not any(tensor.requires_grad for tensor in trace.constants.values())
    assert torch.is_grad_enabled()
