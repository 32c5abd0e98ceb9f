"""The critic of the NoGAN training: real or coloured, judged patch by patch."""

from __future__ import annotations

from torch import nn

from photochrom.networks.layers import SelfAttention, SpectralConv


def _conv(
    inputs: int, outputs: int, *, kernel: int, stride: int, bend: bool = True
) -> nn.Sequential:
    """A conv with its leaky ReLU; without one (`bend` off) it has no padding and no bias either."""
    conv = SpectralConv(
        inputs, outputs, kernel=(kernel, kernel), stride=stride, padding=int(bend), bias=bend
    )
    return nn.Sequential(conv, nn.LeakyReLU(0.2, inplace=True)) if bend else nn.Sequential(conv)


def critic() -> nn.Sequential:
    """Picture (N, 3, H, W), ImageNet-normalised, to logits (N, (H/16 - 3)(W/16 - 3)); real is 1.

    H and W are at least 64 and multiples of 16; 94.6 M values.
    """
    return nn.Sequential(
        _conv(3, 256, kernel=4, stride=2),
        nn.Dropout2d(0.075),
        _conv(256, 256, kernel=3, stride=1),
        nn.Dropout2d(0.15),
        _conv(256, 512, kernel=4, stride=2).append(SelfAttention(512)),
        _conv(512, 512, kernel=3, stride=1),
        nn.Dropout2d(0.15),
        _conv(512, 1024, kernel=4, stride=2),
        _conv(1024, 1024, kernel=3, stride=1),
        nn.Dropout2d(0.15),
        _conv(1024, 2048, kernel=4, stride=2),
        _conv(2048, 2048, kernel=3, stride=1),
        _conv(2048, 1, kernel=4, stride=1, bend=False),
        nn.Flatten(),
    )
