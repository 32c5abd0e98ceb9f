"""Folding changes the work, not the result."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from photochrom.networks.fold import fold, to_bfloat16
from photochrom.networks.layers import NormalizedConv, SpectralConv
from photochrom.networks.rulefill import rule_input


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def lived_in(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """A norm as after training: some scales negative, one zero."""
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.3, 2)
    with torch.no_grad():
        norm.weight[0] = 0
    return norm


def conv_relu_norm() -> nn.Sequential:
    return nn.Sequential(
        SpectralConv(5, 8, kernel=(3, 3), padding=1, bias=False),
        nn.ReLU(inplace=True),
        lived_in(nn.BatchNorm2d(8)),
        nn.Conv2d(8, 8, 3, padding=1),  # sees the border of the norm's output
    )


def conv_norm_relu() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(5, 8, 3, padding=1, bias=False),
        lived_in(nn.BatchNorm2d(8)),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 8, 3, padding=1),
    )


@pytest.mark.parametrize("build", [conv_relu_norm, conv_norm_relu])
def test_norm_around_a_relu_is_folded_exactly_up_to_the_border(build):
    network = build().eval()
    x = torch.randn(2, 5, 6, 7)
    expected = network(x).detach()
    folded = fold(network)
    assert not any(isinstance(m, nn.BatchNorm2d | NormalizedConv) for m in folded.modules())
    torch.testing.assert_close(folded(x), expected, rtol=1e-4, atol=1e-5)


def test_norm_that_follows_no_conv_stays():
    network = nn.Sequential(nn.ReLU(), lived_in(nn.BatchNorm2d(5)), nn.Conv2d(5, 3, 1)).eval()
    x = torch.randn(1, 5, 4, 4)
    expected = network(x).detach()
    torch.testing.assert_close(fold(network)(x), expected)
    assert isinstance(network[1], nn.BatchNorm2d)


def test_folded_network_is_for_inference():
    folded = fold(conv_relu_norm().train())
    assert not folded.training
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    assert folded[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("name", "size"), [("deep", (16, 16)), ("deep", (72, 104)), ("wide", (72, 104))]
)
def test_folded_generator_equals_the_recorded_output(name, size, folded_of, golden):
    with torch.no_grad():
        output = folded_of(name)(torch.from_numpy(rule_input(*size)))
    recorded = torch.from_numpy(golden(name)["out_{}x{}".format(*size)])
    assert (output - recorded).abs().max() <= 1e-4


def test_lowered_generator_keeps_the_colours(network_of, golden):
    """In levels of 255 after denormalising, luminance aside: the mean is far below one level."""
    lowered = to_bfloat16(fold(copy.deepcopy(network_of("deep"))))
    with torch.no_grad():
        output = lowered(torch.from_numpy(rule_input(80, 80)).bfloat16())
    assert output.dtype == torch.float32
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    error = 255 * deviation * (output - torch.from_numpy(golden("deep")["out_80x80"]))
    luma = (torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1) * error).sum(1, keepdim=True)
    assert (error - luma).abs().mean() <= 0.2


def test_only_norms_without_a_conv_of_their_own_stay(folded_of):
    for name in ("deep", "wide"):
        modules = dict(folded_of(name).named_modules())
        norms = [path for path, module in modules.items() if isinstance(module, nn.BatchNorm2d)]
        assert norms == ["layers.1", *(f"layers.{block}.bn" for block in (4, 5, 6, 7))]
        assert not any(isinstance(module, NormalizedConv) for module in modules.values())


def test_folded_critic_equals_the_unfolded_one(network_of):
    x = torch.from_numpy(rule_input(64, 64))
    with torch.no_grad():
        expected = network_of("critic")(x)
        folded = fold(copy.deepcopy(network_of("critic")))
        assert (folded(x) - expected).abs().max() <= 1e-5


@pytest.fixture(scope="module")
def folded_of(network_of):
    built = {}

    def build(name):
        if name not in built:
            built[name] = fold(copy.deepcopy(network_of(name)))
        return built[name]

    return build
