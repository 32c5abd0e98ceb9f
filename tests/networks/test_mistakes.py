"""The golden comparison is sharp: each planted mistake is seen, and moves the output as recorded.

The figures are the largest differences that the original's own code showed with the same change
at 80x80 (ARCHITECTURE.md, "What a mistake looks like").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from photochrom.networks import layers, unet
from photochrom.networks.rulefill import rule_input

Plant = Callable[[nn.Module, pytest.MonkeyPatch], None]
TOLERANCE = 2e-5


def swap(patch: pytest.MonkeyPatch, parent: nn.Module, name: str, child: nn.Module) -> None:
    patch.setitem(parent._modules, name, child)


def of_kind(network: nn.Module, kind: type) -> Iterator[nn.Module]:
    return (module for module in network.modules() if isinstance(module, kind))


def no_last_blur(network, patch):
    swap(patch, network.layers[8], "pad", nn.Identity())
    swap(patch, network.layers[8], "blur", nn.Identity())


def blur_padded_with_zeros(network, patch):
    for up in of_kind(network, layers.ShuffleUp):
        swap(patch, up, "pad", nn.ZeroPad2d((1, 0, 1, 0)))


def norm_before_relu_in_convs(network, patch):
    for conv in of_kind(network, nn.Sequential):
        kinds = [type(child) for child in conv]
        if kinds[:3] == [layers.SpectralConv, nn.ReLU, nn.BatchNorm2d]:
            relu, norm = conv[1], conv[2]
            swap(patch, conv, "1", norm)
            swap(patch, conv, "2", relu)


def skip_first(network, patch):
    joined = torch.cat
    patch.setattr(torch, "cat", lambda parts, dim: joined(parts[::-1], dim=dim))
    swap(patch, network.layers, "9", FeaturesFirst(joined))


class FeaturesFirst(nn.Module):
    """The cross connection as it should be, while `torch.cat` turns its parts around."""

    def __init__(self, joined):
        super().__init__()
        self.joined = joined

    def forward(self, x, picture):
        return self.joined([x, picture], dim=1)


def no_attention(network, patch):
    gate = network.layers[5].conv2[3]
    patch.setitem(gate._parameters, "gamma", nn.Parameter(torch.zeros(1)))


def attend_with(change):
    """Attention written out, with one change to its map A from the logits f^T g."""

    def forward(self, x):
        f, g, h = (conv(x.flatten(2)) for conv in (self.query, self.key, self.value))
        seen = h @ change(f.transpose(1, 2) @ g)
        return self.gamma * seen.reshape_as(x) + x

    return lambda network, patch: patch.setattr(layers.SelfAttention, "forward", forward)


def norm_eps(eps: float) -> Plant:
    def plant(network, patch):
        for norm in of_kind(network, nn.BatchNorm2d):
            patch.setattr(norm, "eps", eps)

    return plant


def bilinear_resize(network, patch):
    bilinear = partial(F.interpolate, mode="bilinear", align_corners=False)
    patch.setattr(F, "interpolate", lambda x, *, size, mode: bilinear(x, size=size))


def raw_weight(network, patch):
    patch.setattr(layers.SpectralConv, "effective_weight", lambda self: self.weight_orig)


def power_step_in_eval(network, patch):
    for conv in of_kind(network, layers.SpectralConv):
        patch.setattr(conv, "training", True)
        for vector in ("weight_u", "weight_v"):  # a step writes to them
            patch.setitem(conv._buffers, vector, conv._buffers[vector].clone())


def gain_ignored(network, patch):
    conv = network.layers[8].conv[0]
    patch.setitem(conv._parameters, "weight_g", nn.Parameter(torch.ones_like(conv.weight_g)))


def no_bottom_norm(network, patch):
    swap(patch, network.layers, "1", nn.Identity())


def no_bottom_relu(network, patch):
    swap(patch, network.layers, "2", nn.Identity())


def bottom_relu_before_norm(network, patch):
    norm, relu = network.layers[1], network.layers[2]
    swap(patch, network.layers, "1", relu)
    swap(patch, network.layers, "2", norm)


def relu_after_the_sum(network, patch):
    swap(patch, network.layers[10].layers[1], "1", nn.Identity())
    swap(patch, network.layers, "10", nn.Sequential(network.layers[10], nn.ReLU()))


def tanh_head(network, patch):
    patch.setattr(unet.Bounded, "forward", lambda self, x: 3 * torch.tanh(x))


MISTAKES: dict[str, tuple[Plant, float]] = {
    "blur missing only in the last upsampling": (no_last_blur, 3.2),
    "blur pad with zeros": (blur_padded_with_zeros, 0.96),
    "decoder convs: batch norm before ReLU": (norm_before_relu_in_convs, 2.7),
    "concat skip first, upsampled second": (skip_first, 2.6),
    "attention left out": (no_attention, 0.033),
    "attention softmax over the keys": (attend_with(lambda a: a.softmax(dim=2)), 0.11),
    "attention map transposed": (attend_with(lambda a: a.softmax(1).transpose(1, 2)), 0.087),
    "attention logits scaled": (attend_with(lambda a: (a / 96**0.5).softmax(dim=1)), 0.012),
    "batch norm eps 1e-3": (norm_eps(1e-3), 0.0067),
    "batch norm eps 1e-6": (norm_eps(1e-6), 6.2e-5),
    "size mismatch: bilinear": (bilinear_resize, 0.002),
    "spectral norm left out": (raw_weight, 3.7),
    "spectral norm: one power step in eval": (power_step_in_eval, 1.5),
    "weight norm: gain ignored": (gain_ignored, 0.91),
    "bottleneck: no batch norm": (no_bottom_norm, 0.0015),
    "bottleneck: no ReLU": (no_bottom_relu, 0.00076),
    "bottleneck: ReLU before batch norm": (bottom_relu_before_norm, 0.00076),
    "final residual block: ReLU after the add": (relu_after_the_sum, 0.89),
    "output 3 tanh(x)": (tanh_head, 0.9),
}


def gap(network: nn.Module, recorded) -> float:
    """Largest difference to the recorded output at 80x80."""
    with torch.no_grad():
        output = network(torch.from_numpy(rule_input(80, 80)))
    return (output - torch.from_numpy(recorded["out_80x80"])).abs().max().item()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_caught(mistake, network_of, golden, monkeypatch):
    plant, recorded_gap = MISTAKES[mistake]
    plant(network_of("deep"), monkeypatch)
    found = gap(network_of("deep"), golden("deep"))
    assert found > TOLERANCE
    assert found == pytest.approx(recorded_gap, rel=0.1)


def test_attention_written_out_is_the_same(network_of, golden, monkeypatch):
    attend_with(lambda a: a.softmax(dim=1))(network_of("deep"), monkeypatch)
    assert gap(network_of("deep"), golden("deep")) <= TOLERANCE


def test_nothing_planted_is_left_behind(network_of, golden):
    assert gap(network_of("deep"), golden("deep")) <= TOLERANCE
