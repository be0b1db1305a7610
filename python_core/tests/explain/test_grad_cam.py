import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import explain_classifier, grad_cam
from small_networks import Chain, SharedInput, SmallUNet, a_dense_net, seeded, voxels
from torch import nn
from torch.nn import functional
from torch.testing import assert_close


class LinearNet(nn.Module):
    """score = weight of the head * mean over voxels of (weight of the convolution * x)."""

    def __init__(self, conv: float, linear: float) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv3d(1, 1, 1, bias=False).double(), nn.Linear(1, 2, bias=False).double()
        with torch.no_grad():
            self.conv.weight.fill_(conv)
            self.head.weight.copy_(torch.tensor([[0.0], [linear]]))

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3, 4)))


def cam_by_formula(network, x, target, layer):
    """Equations 1 and 2 of the paper in loops: every voxel of every map is moved a little, no autograd."""
    with torch.no_grad():
        cams = []
        for one in x.split(1):
            maps = {}
            handle = layer.register_forward_hook(lambda m, a, out, kept=maps: kept.update(activation=out.clone()))
            network(one)
            handle.remove()
            activation = maps["activation"]
            step, gradient = 1e-5, torch.zeros_like(activation)
            for index in range(activation.numel()):
                scores = []
                for sign in (1, -1):
                    moved = activation.clone()
                    moved.view(-1)[index] += sign * step
                    handle = layer.register_forward_hook(lambda m, a, out, put=moved: put.clone())
                    scores.append(network(one)[0, target])
                    handle.remove()
                gradient.view(-1)[index] = (scores[0] - scores[1]) / (2 * step)
            cam = torch.zeros(1, 1, *activation.shape[2:], dtype=x.dtype)
            for channel in range(activation.shape[1]):
                cam[0, 0] += gradient[0, channel].mean() * activation[0, channel]
            cam[cam < 0] = 0
            cams.append(functional.interpolate(cam, x.shape[2:], mode="trilinear"))
        return torch.cat(cams)


def test_grad_cam_of_a_linear_net_is_known_in_closed_form():
    network = LinearNet(conv=2.0, linear=3.0)
    x = torch.arange(8.0, dtype=torch.float64).reshape(1, 1, 2, 2, 2)
    assert_close(grad_cam(network, x, 1, layer="conv"), (3 / 8) * 2 * x)  # mean gradient * activation


def test_evidence_against_the_class_is_cut_off():
    x = torch.arange(8.0, dtype=torch.float64).reshape(1, 1, 2, 2, 2)
    assert not grad_cam(LinearNet(conv=2.0, linear=-3.0), x, 1, layer="conv").any()


@pytest.mark.parametrize(
    ("network", "layer"),
    [
        pytest.param(Chain(), "second", id="followed by a ReLU"),
        pytest.param(Chain(nn.ReLU(inplace=True)), "second", id="overwritten in place by the ReLU after it"),
        pytest.param(Chain(nn.ReLU(inplace=True)), "norm", id="two convolutions before the end"),
        pytest.param(SmallUNet(nn.ReLU(inplace=True)), "pool", id="smaller than the input, skip connection around it"),
        pytest.param(SmallUNet(nn.Softplus()), "norm", id="feeds pooling and skip connection"),
        pytest.param(SharedInput(), "first", id="feeds three branches"),
    ],
)
def test_grad_cam_is_its_formula(network, layer):
    network = seeded(network)
    x = voxels(2, 2, 4, 4, 6)
    cam = grad_cam(network, x, 2, layer)
    assert cam.shape == (2, 1, 4, 4, 6) and cam.any()
    assert_close(cam, cam_by_formula(network, x, 2, network.get_submodule(layer)), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("layer", ["features.denseblock1", "features.transition1.conv", "features.denseblock2"])
def test_grad_cam_of_a_dense_net_is_captums(layer):
    captum = pytest.importorskip("captum.attr")
    network, x = a_dense_net(), voxels(2, 2, 16, 24, 16)
    theirs = captum.LayerGradCam(network, network.get_submodule(layer)).attribute(
        x.clone(), target=1, relu_attributions=True
    )
    ours = grad_cam(network, x, 1, layer)
    assert_close(ours, functional.interpolate(theirs.detach(), x.shape[2:], mode="trilinear"))
    assert ours.any()


def test_grad_cam_of_a_dense_net_is_monais():
    visualize = pytest.importorskip("monai.visualize")
    network, x = a_dense_net(), voxels(1, 2, 16, 16, 16)
    theirs = visualize.GradCAM(
        a_dense_net(), "features.denseblock2", upsampler=lambda size: lambda cam: cam, postprocessing=lambda cam: cam
    )(x, class_idx=0)
    upsampled = functional.interpolate(torch.as_tensor(theirs), x.shape[2:], mode="trilinear")
    assert_close(grad_cam(network, x, 0, "features.denseblock2"), upsampled.double())


def test_a_batch_equals_its_elements():
    network, x = a_dense_net(), voxels(3, 2, 16, 16, 16)
    together = grad_cam(network, x, 1, "features.denseblock1")
    assert_close(together, torch.cat([grad_cam(network, one, 1, "features.denseblock1") for one in x.split(1)]))


def test_an_inplace_layer_is_explained_by_what_it_gives():
    plain, inplace = seeded(SmallUNet(nn.ReLU())), seeded(SmallUNet(nn.ReLU(inplace=True)))
    x = voxels(1, 2, 4, 4, 4)
    network, twin = Once(plain, nn.ReLU()), Once(inplace, nn.ReLU(inplace=True))
    assert_close(grad_cam(twin, x, 1, "last"), grad_cam(network, x, 1, "last"))
    assert grad_cam(twin, x, 1, "last").any()


class Once(nn.Module):
    """A convolution, then ``act`` as a layer of its own, used once."""

    def __init__(self, inner, act) -> None:
        super().__init__()
        self.inner, self.conv, self.last, self.head = inner.down, inner.bottom, act, inner.head

    def forward(self, x):
        return self.head(self.last(self.conv(self.inner(x))).mean((2, 3, 4)))


def test_the_map_grows_with_the_score_and_not_with_its_offset():
    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4)
    cam = grad_cam(network, x, 0, "norm")
    assert_close(grad_cam(network, x, lambda logits: 3 * logits[:, 0].sum() + 5, "norm"), 3 * cam)


def test_a_callable_can_compare_two_classes():
    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4)
    difference = nn.Sequential(seeded(Chain()), TwoClassDifference())
    target = lambda logits: (logits[:, 2] - logits[:, 1]).sum()  # noqa: E731
    assert_close(grad_cam(network, x, target, "second"), grad_cam(difference, x, 0, "0.second"))


class TwoClassDifference(nn.Module):
    def forward(self, logits):
        return logits[:, 2:3] - logits[:, 1:2]


def test_other_weights_give_another_map():
    x = voxels(1, 2, 16, 16, 16)
    maps = [grad_cam(seeded(a_dense_net(), seed), x, 1, "features.denseblock1") for seed in (1, 2)]
    correlation = torch.corrcoef(torch.stack([one.flatten() for one in maps]))[0, 1]
    assert correlation.abs() < 0.5


class NoWayBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise AssertionError("the part before the layer was differentiated")


def test_only_the_part_after_the_layer_is_differentiated():
    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4)
    network.norm.register_forward_hook(lambda module, arguments, output: NoWayBack.apply(output))
    assert grad_cam(network, x, 1, "second").shape == (1, 1, 4, 4, 4)
    with pytest.raises(AssertionError, match="before the layer"):
        grad_cam(network, x, 1, "first")


def test_grad_cam_works_where_the_caller_has_switched_gradients_off():
    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4)
    expected = grad_cam(network, x, 1, "second")
    with torch.no_grad():
        assert_close(grad_cam(network, x, 1, "second"), expected)
    with torch.inference_mode():
        cam = grad_cam(network, x.clone(), 1, "second")
    assert_close(cam, expected)
    assert not expected.requires_grad


class Unused(Chain):
    """``first`` runs but its output goes nowhere; ``spare`` never runs."""

    def __init__(self) -> None:
        super().__init__(channels=4)
        self.spare = nn.Conv3d(4, 4, 1)

    def forward(self, x):
        self.first(x)
        return self.head(self.act(self.second(x)).mean((2, 3, 4)))


class Overwriting(Chain):
    """``act`` works in place, and the forward pass goes on to use the tensor it gave to ``act``."""

    def __init__(self, after) -> None:
        super().__init__(nn.ReLU(inplace=True))
        self.after = after

    def forward(self, x):
        shared = self.first(x)
        given = self.act(shared)
        return self.head((self.second(given) + self.after(shared)).mean((2, 3, 4)))


def test_a_tensor_changed_in_place_by_the_layer_counts_with_all_its_consumers():
    class OutOfPlace(Chain):
        def forward(self, x):
            given = self.act(self.first(x))
            return self.head((self.second(given) + given).mean((2, 3, 4)))

    network, twin, x = seeded(Overwriting(lambda shared: shared)), seeded(OutOfPlace()), voxels(1, 2, 4, 4, 4)
    expected = cam_by_formula(twin, x, 1, twin.act)
    assert_close(grad_cam(network, x, 1, "act"), expected, rtol=1e-5, atol=1e-9)
    both = explain_classifier(network, x, 1, ["gradcam", "guided-backprop"], "act")
    assert_close(both["gradcam"], expected, rtol=1e-5, atol=1e-9)
    assert expected.any()


def test_an_activation_overwritten_later_is_refused():
    network = seeded(Overwriting(lambda shared: shared.mul_(2)))
    with pytest.raises(ECEError, match=r"activation is overwritten in place by a later one. Choose another layer."):
        explain_classifier(network, voxels(1, 2, 4, 4, 4), 1, ["gradcam", "guided-backprop"], "act")
    with pytest.raises(RuntimeError, match="in-place operation"):  # torch's own refusal: never a wrong map
        grad_cam(network, voxels(1, 2, 4, 4, 4), 1, "act")


@pytest.mark.parametrize(
    ("network", "channels", "layer", "words"),
    [
        pytest.param(
            Chain(), 2, "nonsense", "no layer named 'nonsense'.*top layers are: first, norm", id="no such name"
        ),
        pytest.param(Chain(), 2, nn.Conv3d(1, 1, 1), "no layer Conv3d that was given", id="module of another network"),
        pytest.param(Chain(), 2, "act", "runs more than once", id="used twice"),
        pytest.param(Chain(), 2, "head", r"gives \(1, 3\), not feature maps", id="no feature maps"),
        pytest.param(Unused(), 4, "spare", "takes no part in the forward pass", id="never runs"),
        pytest.param(Unused(), 4, "first", "score does not depend on the layer", id="without effect"),
    ],
)
def test_a_layer_without_a_map_is_refused(network, channels, layer, words):
    with pytest.raises(ECEError, match=words):
        grad_cam(seeded(network), voxels(1, channels, 4, 4, 4), 1, layer)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param(3, "Class 3 was asked for.*has 3 classes.*from 0 to 2", id="class too high"),
        pytest.param(-1, "Class -1 was asked for", id="negative class"),
        pytest.param(True, "Class True was asked for", id="bool"),
        pytest.param(lambda logits: logits[:, 0], r"must make one number.*\(2,\)", id="one score per element"),
        pytest.param(lambda logits: 1.0, "must make one number.*float", id="no tensor"),
        pytest.param(lambda logits: logits.argmax().double(), "does not depend on the logits", id="predicted class"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(target, words):
    with pytest.raises(ECEError, match=words):
        grad_cam(seeded(Chain()), voxels(2, 2, 4, 4, 4), target, "norm")


@pytest.mark.parametrize(
    ("x", "words"),
    [
        pytest.param(voxels(2, 4, 4, 4), r"shape \(2, 4, 4, 4\)", id="no batch"),
        pytest.param(torch.zeros(1, 2, 4, 4, 4, dtype=torch.int16), "type torch.int16", id="integers"),
        pytest.param(torch.full((1, 2, 4, 4, 4), torch.nan).double(), "not finite", id="NaN"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(x, words):
    with pytest.raises(ECEError, match=words):
        grad_cam(seeded(Chain()), x, 1, "norm")


def test_a_map_that_is_not_finite_is_refused():
    network = LinearNet(conv=1e200, linear=1e200)
    with pytest.raises(ECEError, match="explanation holds values that are not finite"):
        grad_cam(network, torch.ones(1, 1, 2, 2, 2, dtype=torch.float64), 1, "conv")
