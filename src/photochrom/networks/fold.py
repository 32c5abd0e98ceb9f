"""Folding: the same network for inference, without spectral norm, weight norm and most batch norms.

A batch norm in eval mode is y = scale x + shift per channel. After a convolution it goes into
that convolution's weight and bias. After a convolution and a ReLU it does too: for a scale >= 0,

    scale max(z, 0) + shift = max(scale z + shift, shift),

so the convolution takes scale and shift and the ReLU becomes a clamp at the shift (from above
where the scale is negative). Handing the shift on to the *next* convolution would be wrong at
the borders, where that one sees zeros. Norms of skips and of the middle have no convolution of
their own before them and stay.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from photochrom.networks.layers import NormalizedConv
from photochrom.networks.unet import TO_RGB, UNet

Network = TypeVar("Network", bound=nn.Module)
_CONVS = (nn.Conv1d, nn.Conv2d)


class Clamp(nn.Module):
    """(N, C, H, W) held between bounds (C, 1, 1), in place: a ReLU with a folded batch norm."""

    low: Tensor
    high: Tensor | None

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        shift = shift[:, None, None]
        flipped = (scale < 0)[:, None, None]
        self.register_buffer("low", shift.masked_fill(flipped, -torch.inf))
        high = shift.masked_fill(~flipped, torch.inf) if flipped.any() else None
        self.register_buffer("high", high)

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp_(self.low, self.high)


@torch.no_grad()
def fold(network: Network) -> Network:
    """Make `network` an inference network, in place, and return it; its state dict changes.

    Works on every network whose modules declare a convolution, its norm and the ReLU between
    them in the order in which they run. Convolutions get channels-last memory.
    """
    network.eval().requires_grad_(False)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, NormalizedConv):
                setattr(module, name, child.folded())
    for module in network.modules():
        _fold_norms(module)
    network.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


class Precise(nn.Module):
    """A module that stays in float32 within a network of lower precision."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.float())


def to_bfloat16(network: UNet) -> UNet:
    """Lower a folded generator to bfloat16, in place; takes bfloat16 input, returns float32.

    The last convolution stays in float32: it costs next to nothing, and rounding its three
    channels alone would make two thirds of the whole error.
    """
    last = network.layers[TO_RGB]
    network.layers[TO_RGB] = nn.Identity()  # out of the way: its weight must not be rounded
    network.bfloat16()
    network.layers[TO_RGB] = Precise(last)
    return network


def _fold_norms(parent: nn.Module) -> None:
    """Fold the batch norms among the direct children of one module."""
    children = list(parent.named_children())
    for (_, conv), (name, norm) in pairwise(children):
        if isinstance(conv, _CONVS) and isinstance(norm, nn.BatchNorm2d):
            _scale_conv(conv, *_affine(norm))
            setattr(parent, name, nn.Identity())
    for (_, conv), (relu_name, relu), (name, norm) in zip(
        children, children[1:], children[2:], strict=False
    ):
        if (
            isinstance(conv, _CONVS)
            and isinstance(relu, nn.ReLU)
            and isinstance(norm, nn.BatchNorm2d)
        ):
            scale, shift = _affine(norm)
            _scale_conv(conv, scale, shift)
            setattr(parent, relu_name, Clamp(scale, shift))
            setattr(parent, name, nn.Identity())


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift (C,) of a batch norm in eval mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _scale_conv(conv: nn.Conv1d | nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    """Make the convolution's output scale x + shift."""
    bias = torch.zeros_like(shift) if conv.bias is None else conv.bias
    conv.bias = nn.Parameter(bias * scale + shift)
    conv.weight = nn.Parameter(conv.weight * scale.view(-1, *[1] * (conv.weight.dim() - 1)))
