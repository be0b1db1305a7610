"""Two heads on one network, and an encoder that was pretrained."""

import numpy as np
import pytest
import torch
from ece_core.errors import ModelError
from ece_core.geometry import Volume, affine_from
from ece_core.models import load_bundle
from ece_core.models.bundle import save_bundle
from ece_core.models.dual_swin_unetr import DualSwinUNETR, RunningStandardization, answer, mask_guided_pool
from ece_core.models.masked_autoencoder import MaskedAutoencoder, _spread, take_encoder

TINY = {"feature_size": 12, "depths": (1, 1, 1, 1), "window": 2}


def test_pooling_is_the_mean_weighted_with_the_region():
    features = torch.tensor([[[[[1.0, 3.0]]], [[[10.0, 20.0]]]]])  # two channels, two places
    region = torch.tensor([[[[[1.0, 0.0, 1.0, 1.0]]]]])  # twice as fine: half of the first place, all of the second
    pooled = mask_guided_pool(features, region)
    assert pooled.tolist() == [[pytest.approx((0.5 * 1 + 1 * 3) / 1.5), pytest.approx((0.5 * 10 + 20) / 1.5)]]


def test_no_region_leaves_the_plain_mean():
    features = torch.tensor([[[[[1.0, 3.0, 8.0]]]]])
    assert mask_guided_pool(features, torch.zeros(1, 1, 1, 1, 3)).item() == pytest.approx(4.0)


def test_what_lies_outside_of_the_region_does_not_count():
    features, region = torch.rand(1, 4, 2, 2, 4), torch.zeros(1, 1, 2, 2, 4)
    region[..., :2] = 1
    before = mask_guided_pool(features, region)
    features[..., 2:] += 7
    torch.testing.assert_close(mask_guided_pool(features, region), before, atol=2e-5, rtol=0)


@pytest.mark.slow
def test_each_head_alone_teaches_the_encoder_and_the_class_teaches_the_region():
    torch.manual_seed(0)
    network = DualSwinUNETR(**TINY).eval()
    region, ece = network(torch.rand(1, 1, 32, 32, 64))
    assert region.shape == (1, 1, 32, 32, 64) and ece.shape == (1,)
    encoder, outline = network.swinViT.patch_embed.proj.weight, network.out.conv.conv.weight
    head = network.head[2].weight
    of_region = torch.autograd.grad(region.mean(), (encoder, outline, head), retain_graph=True, allow_unused=True)
    assert of_region[0].abs().sum() > 0 and of_region[1].abs().sum() > 0 and of_region[2] is None
    of_class = torch.autograd.grad(ece.sum(), (encoder, outline, head))
    assert all(gradient.abs().sum() > 0 for gradient in of_class)


def test_the_encoder_s_weights_are_taken_and_nothing_else():
    torch.manual_seed(1)
    pretrained, network = MaskedAutoencoder(**TINY), DualSwinUNETR(**TINY)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count = take_encoder(network, pretrained.state_dict())
    after, theirs = network.state_dict(), pretrained.state_dict()
    assert count == sum(name.startswith("swinViT.") for name in before)
    for name, value in after.items():
        assert torch.equal(value, theirs[name] if name.startswith("swinViT.") else before[name]), name
    assert not torch.equal(before["swinViT.patch_embed.proj.weight"], after["swinViT.patch_embed.proj.weight"])


def test_another_encoder_is_refused():
    with pytest.raises(ValueError, match="encoders differ"):
        take_encoder(DualSwinUNETR(**TINY), MaskedAutoencoder(**{**TINY, "window": 3}).state_dict())


def test_the_head_s_values_stand_where_their_voxels_are():
    cells = torch.arange(64.0).reshape(1, 64, 1, 1, 1).repeat(1, 1, 1, 1, 2)
    cells[..., 1] += 100
    voxels = _spread(cells, 1)[0, 0]
    assert voxels.shape == (4, 4, 8)
    assert voxels[0, 0].tolist() == [0, 1, 2, 3, 100, 101, 102, 103]
    assert voxels[:, 0, 0].tolist() == [0, 16, 32, 48] and voxels[0, :, 0].tolist() == [0, 4, 8, 12]


def a_neck():
    """A cylinder of 40 HU, 120 mm wide, in air; feet first and mirrored."""
    k, j, i = np.mgrid[:40, :60, :60]
    hu = np.where(np.hypot(j - 30, i - 26) < 20, 40, -1000).astype(np.int16)
    affine = affine_from((4.0, 3.0, 3.0))
    affine[:3, 2] *= -1
    return Volume(hu + 0 * k.astype(np.int16), affine)


def write_bundle(folder, network):
    spec = {
        "name": "tiny", "version": "0.1", "task": "patient_ece", "architecture": "DualSwinUNETR",
        "arguments": {**TINY, "depths": [1, 1, 1, 1]}, "labels": ["nodal region", "ECE of the patient"],
        "input": {"spacing_mm": [6.0, 6.0, 3.0], "patch_size": [32, 32, 64], "window_hu": [-200, 300]},
        "training_data": "None.", "metrics": {}, "license": "Apache-2.0", "intended_use": "Tests.",
    }  # fmt: skip
    save_bundle(folder, spec, network, half=False)
    return load_bundle(folder)


class Painter(DualSwinUNETR):
    """Outlines what is as bright as soft tissue, and is sure."""

    def forward(self, image):
        return (image - 0.3) * 100, torch.full((1,), 2.0)


def test_a_patient_s_answer_lies_on_the_grid_of_the_scan(tmp_path):
    bundle = write_bundle(tmp_path / "tiny", DualSwinUNETR(**TINY))
    bundle.network.__class__ = Painter
    ct = a_neck()
    found = answer(bundle, ct)
    assert found.probability == pytest.approx(1 / (1 + np.exp(-2)))
    assert found.region.same_grid(ct)
    body = ct.array > 0
    assert 2 * (found.region.array & body).sum() / (found.region.array.sum() + body.sum()) > 0.85


def test_a_model_for_something_else_is_refused(tmp_path):
    bundle = write_bundle(tmp_path / "tiny", DualSwinUNETR(**TINY))
    object.__setattr__(bundle, "task", "lymph_node_segmentation")
    with pytest.raises(ModelError, match="does not say whether a patient has ECE.*patient_ece"):
        answer(bundle, a_neck())


def test_features_are_standardized_with_what_was_seen_and_an_answer_changes_nothing():
    standardize = RunningStandardization(1)
    standardize(torch.tensor([[2.0], [6.0]]))  # mean 4, variance 4: 0.9 of the first guess (1) and 0.1 of that
    standardize.eval()
    assert standardize(torch.tensor([[8.0]])).item() == pytest.approx(4 / 1.3**0.5, abs=1e-4)
    assert standardize.seen.item() == 1 and standardize.mean.item() == 4.0
