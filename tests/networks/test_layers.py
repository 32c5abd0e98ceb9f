"""The shared layers, each against its formula."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from photochrom.networks.layers import (
    SelfAttention,
    ShuffleUp,
    SpectralConv,
    WeightNormConv,
    start_as_nearest,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def spectral() -> SpectralConv:
    return SpectralConv(4, 6, kernel=(3, 3), padding=1)


def test_spectral_norm_keys_are_those_of_the_published_files():
    assert list(spectral().state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]


def test_spectral_norm_in_eval_uses_the_stored_vectors():
    conv = spectral().eval()
    before = {key: value.clone() for key, value in conv.state_dict().items()}
    x = torch.randn(2, 4, 5, 7)
    sigma = conv.weight_u @ conv.weight_orig.flatten(1) @ conv.weight_v
    expected = F.conv2d(x, conv.weight_orig / sigma, conv.bias, padding=1)
    torch.testing.assert_close(conv(x), expected)
    torch.testing.assert_close(conv.state_dict(), before, rtol=0, atol=0)


def test_spectral_norm_in_training_takes_one_power_step():
    conv = spectral().train()
    matrix = conv.weight_orig.detach().flatten(1)
    v = F.normalize(matrix.t() @ conv.weight_u, dim=0)
    u = F.normalize(matrix @ v, dim=0)
    conv(torch.randn(1, 4, 5, 5))
    torch.testing.assert_close(conv.weight_u, u)
    torch.testing.assert_close(conv.weight_v, v)
    assert not conv.weight_u.requires_grad


def test_spectral_norm_in_training_reaches_the_largest_singular_value():
    conv = spectral().train()
    for _ in range(200):
        conv.effective_weight()
    largest = torch.linalg.matrix_norm(conv.effective_weight().flatten(1), ord=2)
    assert largest.item() == pytest.approx(1, abs=1e-4)


def test_spectral_norm_is_differentiated_through_sigma():
    """The gradient equals the one of W / (u . W v) with u and v as constants."""
    conv = spectral().double().train()
    weight = conv.effective_weight()
    weights = torch.randn_like(weight)
    (weight * weights).sum().backward()

    u, v = conv.weight_u, conv.weight_v
    with torch.no_grad():
        w = conv.weight_orig
        sigma = u @ w.flatten(1) @ v
        through_sigma = (weights * w).sum() / sigma**2 * torch.outer(u, v).view_as(w)
    torch.testing.assert_close(conv.weight_orig.grad, weights / sigma - through_sigma)


def test_spectral_norm_allows_two_forwards_before_one_backward():
    conv = spectral().train()
    real, fake = torch.randn(2, 1, 4, 5, 5)
    (conv(real).mean() - conv(fake).mean()).backward()
    assert conv.weight_orig.grad.isfinite().all()


def test_spectral_norm_keeps_its_precision_under_autocast():
    conv = spectral().eval()
    plain = conv.effective_weight()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(conv.effective_weight(), plain, rtol=0, atol=0)


def test_spectral_conv_of_one_dimension():
    conv = SpectralConv(8, 2, kernel=(1,), bias=False)
    assert conv(torch.randn(3, 8, 11)).shape == (3, 2, 11)
    assert conv.folded()(torch.randn(3, 8, 11)).shape == (3, 2, 11)


def test_weight_norm_gives_each_output_channel_its_gain():
    conv = WeightNormConv(5, 7, kernel=(1, 1))
    assert list(conv.state_dict()) == ["bias", "weight_g", "weight_v"]
    with torch.no_grad():
        conv.weight_g.copy_(torch.arange(1.0, 8).view(7, 1, 1, 1))
    norms = conv.effective_weight().flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.arange(1.0, 8))


def test_weight_norm_starts_with_the_weight_of_its_direction():
    conv = WeightNormConv(5, 7, kernel=(1, 1))
    torch.testing.assert_close(conv.effective_weight(), conv.weight_v)


def test_shuffle_up_means_over_the_left_and_top_neighbours():
    """One channel of ramps: sub-pixel (i, j) of a cell comes from channel 2i + j."""
    up = ShuffleUp(nn.Sequential(nn.Identity()))
    shuffled = torch.arange(16.0).view(4, 4)
    cells = F.pixel_unshuffle(shuffled[None, None], 2)
    padded = F.pad(shuffled[None, None], (1, 0, 1, 0), mode="replicate")[0, 0]
    expected = (padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]) / 4
    torch.testing.assert_close(up(cells)[0, 0], expected)


def test_icnr_start_shuffles_without_a_pattern():
    conv = nn.Conv2d(3, 8, 1, bias=False)
    start_as_nearest(conv.weight)
    enlarged = F.pixel_shuffle(conv(torch.randn(1, 3, 2, 2)), 2)
    torch.testing.assert_close(
        enlarged, enlarged[..., ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3)
    )


def test_attention_normalises_over_the_query():
    attention = SelfAttention(16).eval()
    with torch.no_grad():
        attention.gamma.fill_(0.7)
    x = torch.randn(2, 16, 3, 5)
    f, g, h = (conv(x.flatten(2)) for conv in (attention.query, attention.key, attention.value))
    weights = torch.softmax(torch.einsum("nci,ncj->nij", f, g), dim=1)
    expected = 0.7 * torch.einsum("nci,nij->ncj", h, weights).view_as(x) + x
    torch.testing.assert_close(attention(x), expected)


def test_attention_at_first_changes_nothing():
    x = torch.randn(1, 16, 4, 4)
    torch.testing.assert_close(SelfAttention(16)(x), x)
