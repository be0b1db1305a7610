"""Networks small enough to print, and the ways a ReLU can be written."""

import warnings

import torch
from torch import nn
from torch.nn import functional

SEED = 20261121

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is on its way out, but saved networks use it
    SCRIPTED_RELU = torch.jit.script(functional.relu)

# Every spelling of the one operation; guided backpropagation must see all of them.
RELU_SPELLINGS = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU(inplace)": nn.ReLU(inplace=True),
    "F.relu": functional.relu,
    "F.relu(inplace)": lambda x: functional.relu(x, inplace=True),
    "torch.relu": torch.relu,
    "Tensor.relu_": lambda x: x.relu_(),
    "Tensor.clamp(min=0)": lambda x: x.clamp(min=0),
    "torch.clamp_min_": lambda x: torch.clamp_min_(x, 0),
    "F.threshold": lambda x: functional.threshold(x, 0.0, 0.0),
    "torch.jit.script": SCRIPTED_RELU,
}


def seeded(network: nn.Module, seed: int = SEED) -> nn.Module:
    """Float64, evaluation mode, all weights and running statistics drawn from ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    network = network.double().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                drawn = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype) * 0.4
                tensor.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return network


def voxels(*shape: int, seed: int = SEED) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Chain(nn.Module):
    """conv - norm - relu - conv - relu - mean - linear."""

    def __init__(self, act=None, norm=None, channels: int = 2, classes: int = 3) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv3d(channels, 4, 3, padding=1), norm or nn.BatchNorm3d(4)
        self.second, self.head = nn.Conv3d(4, 4, 3, padding=1), nn.Linear(4, classes)
        self.act = act or nn.ReLU()  # one module, used twice

    def forward(self, x, act=None):
        act = act or self.act
        features = act(self.second(act(self.norm(self.first(x)))))
        return self.head(features.mean((2, 3, 4)))


class SharedInput(nn.Module):
    """The input of a ReLU also feeds an identity branch and, by another ReLU, a second one."""

    def __init__(self, act=None) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv3d(2, 4, 3), nn.Conv3d(4, 4, 1), nn.Linear(4, 3)
        self.act = act or nn.ReLU()

    def forward(self, x, act=None):
        act = act or self.act
        shared = self.first(x)
        mixed = self.second(act(shared.clone())) + shared + act(-shared)
        return self.head(act(mixed).mean((2, 3, 4)))


class SmallUNet(nn.Module):
    """One tensor feeds the pooling and the skip connection; nearest up-sampling and concatenation."""

    def __init__(self, act=None) -> None:
        super().__init__()
        self.down, self.bottom = nn.Conv3d(2, 4, 3, padding=1), nn.Conv3d(4, 4, 3, padding=1)
        self.norm, self.pool, self.up = nn.GroupNorm(2, 4), nn.MaxPool3d(2), nn.Upsample(scale_factor=2)
        self.join, self.head = nn.Conv3d(8, 4, 3, padding=1), nn.Linear(4, 3)
        self.act = act or nn.ReLU()

    def forward(self, x, act=None):
        act = act or self.act
        skip = self.norm(act(self.down(x)))
        deep = self.up(act(self.bottom(self.pool(skip))))
        return self.head(act(self.join(torch.cat([deep, skip], 1))).mean((2, 3, 4)))


class Calling(nn.Module):
    """A network whose forward pass uses any callable as its activation, without being a module of it."""

    def __init__(self, network: nn.Module, act) -> None:
        super().__init__()
        self.network = network
        self.spelling = (act,)  # in a tuple: not registered as a submodule

    def forward(self, x):
        return self.network(x, self.spelling[0])


class GuidedReLU(torch.autograd.Function):
    """The definition (Springenberg et al. 2015), for the tests' second version."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x > 0, x, torch.zeros_like(x))

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (gradient > 0) * (x > 0)


def guided_by_definition(network: nn.Module, x: torch.Tensor, target: int) -> torch.Tensor:
    """The network written again with ``GuidedReLU`` in the place of each activation."""
    leaf = x.clone().requires_grad_(True)
    score = network(leaf, GuidedReLU.apply)[:, target].sum()
    return torch.autograd.grad(score, leaf)[0]


def plain_gradient(network: nn.Module, x: torch.Tensor, target: int) -> torch.Tensor:
    leaf = x.clone().requires_grad_(True)
    return torch.autograd.grad(network(leaf)[:, target].sum(), leaf)[0]


def a_dense_net(in_channels: int = 2, classes: int = 3, **options) -> nn.Module:
    """MONAI's DenseNet as the lymph node classifier is built from it, only smaller."""
    from monai.networks.nets import DenseNet

    return seeded(
        DenseNet(3, in_channels, classes, init_features=4, growth_rate=4, block_config=(2, 2), bn_size=2, **options)
    )


def state_of(network: nn.Module) -> dict:
    """Everything that an explanation must leave as it was."""
    return {
        "weights": {name: tensor.clone() for name, tensor in network.state_dict().items()},
        "gradients": [parameter.grad for parameter in network.parameters()],
        "requires_grad": [parameter.requires_grad for parameter in network.parameters()],
        "buffers_require_grad": [buffer.requires_grad for buffer in network.buffers()],
        "training": [module.training for module in network.modules()],
        "inplace": [getattr(module, "inplace", None) for module in network.modules()],
        "forward": [module.forward.__func__ for module in network.modules() if hasattr(module.forward, "__func__")],
        "hooks": [
            len(hooks)
            for module in network.modules()
            for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        ],
    }


def assert_same_state(before: dict, after: dict) -> None:
    for key in before:
        if key == "weights":
            assert before[key].keys() == after[key].keys()
            for name in before[key]:
                assert torch.equal(before[key][name], after[key][name]), name
        else:
            assert before[key] == after[key], key


class SmallSegmentation(nn.Module):
    """A U-Net with logits per voxel, in 2D or 3D; ``flat``: a 3D one that looks at each slice by itself."""

    def __init__(self, act=None, dimensions: int = 3, flat: bool = False, norm: bool = True) -> None:
        super().__init__()
        conv, pool = ((nn.Conv2d, nn.MaxPool2d), (nn.Conv3d, nn.MaxPool3d))[dimensions - 2]
        kernel = {"kernel_size": (1, 3, 3), "padding": (0, 1, 1)} if flat else {"kernel_size": 3, "padding": 1}
        two = (1, 2, 2) if flat else 2
        self.down, self.bottom, self.join = conv(2, 4, **kernel), conv(4, 6, **kernel), conv(10, 4, **kernel)
        self.norm = nn.GroupNorm(2, 4) if norm else nn.Identity()
        self.pool, self.up, self.head = pool(two), nn.Upsample(scale_factor=two), conv(4, 3, 1)
        self.act = act or nn.ReLU(inplace=True)

    def forward(self, x, act=None):
        act = act or self.act
        skip = self.norm(act(self.down(x)))
        deep = self.up(act(self.bottom(self.pool(skip))))
        return self.head(act(self.join(torch.cat([deep, skip], 1))))


def matrix_of(layer, x: torch.Tensor) -> torch.Tensor:
    """(outputs, inputs) of an affine layer on inputs of this shape (one image), column by column."""
    offset = layer(torch.zeros_like(x)).flatten()
    columns = []
    for place in range(x.numel()):
        unit = torch.zeros_like(x)
        unit.view(-1)[place] = 1
        columns.append(layer(unit).flatten() - offset)
    return torch.stack(columns, dim=1).detach()
