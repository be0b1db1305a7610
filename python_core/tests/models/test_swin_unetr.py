"""Our SwinUNETR against MONAI's, with MONAI's own weights."""

import pytest
import torch
from ece_core.models.swin_unetr import SwinUNETR, _apart

SMALL = {"in_channels": 1, "out_channels": 2, "feature_size": 12, "window": 3}


@pytest.fixture
def monai_network(monkeypatch):
    """MONAI's, of which only einops is replaced: all that it asks einops for is to move an axis."""
    from monai.networks.nets import swin_unetr

    monkeypatch.setattr(swin_unetr, "rearrange", move_axis)
    torch.manual_seed(3)
    return swin_unetr.SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=3).eval()


def move_axis(tensor, pattern):
    before, after = (side.split() for side in pattern.split("->"))
    return tensor.permute([before.index(name) for name in after])


@pytest.mark.slow  # imports MONAI
def test_monai_s_weights_give_monai_s_answer(monai_network):
    ours = SwinUNETR(**SMALL).eval()
    ours.load_state_dict(monai_network.state_dict(), strict=True)
    image = torch.rand(2, 1, 32, 64, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(image), monai_network(image), atol=2e-5, rtol=1e-4)


def test_a_hidden_place_is_seen_by_no_token():
    torch.manual_seed(0)
    encoder = SwinUNETR(**SMALL).swinViT
    image, hidden = torch.rand(1, 1, 32, 32, 32), torch.zeros(1, 1, 16, 16, 16, dtype=torch.bool)
    hidden[..., 4:8, 4:8, 4:8] = True
    other = image.clone()
    other[..., 8:16, 8:16, 8:16] += 5.0  # under the mask, which is on a grid of half the edge
    token = torch.randn(12)
    for one, two in zip(encoder(image, hidden, token), encoder(other, hidden, token), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(encoder(image)[4], encoder(other)[4])


def test_tokens_from_opposite_ends_do_not_meet():
    apart = _apart((4, 2, 2), (2, 2, 2), (1, 0, 0))  # windows of two along k, shifted by one
    assert apart.shape == (2, 8, 8)
    assert not apart[0].any(), "slices 1 and 2 are neighbors"
    assert (apart[1, :4, 4:] == -100).all() and not apart[1, :4, :4].any(), "slice 3 beside slice 0 is not"


def test_an_edge_that_cannot_be_halved_five_times_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 32, got \(32, 48, 32\)"):
        SwinUNETR(**SMALL)(torch.zeros(1, 1, 32, 48, 32))
