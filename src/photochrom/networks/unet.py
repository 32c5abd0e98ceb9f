"""The original's generators: U-Nets on a ResNet, *deep* (artistic) and *wide* (stable, video).

Input (N, 3, H, W), ImageNet-normalised, H and W even; output of the same size in (-3, 3), in the
same colour space. In the decoder the batch norm comes after the ReLU.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.networks.layers import (
    SelfAttention,
    ShuffleUp,
    SpectralConv,
    WeightNormConv,
    start_as_nearest,
)
from photochrom.networks.resnet import ResNet, resnet34, resnet101

TO_RGB = 11
"""Position of the last convolution, features to three channels, in `UNet.layers`."""


class Stage(NamedTuple):
    """One step of the decoder: enlarge to `up` channels, join `skip` channels, convolve."""

    up: int
    skip: int
    convs: tuple[int, ...]
    attention: bool = False


DEEP = (
    Stage(up=256, skip=256, convs=(768, 768)),
    Stage(up=384, skip=128, convs=(768, 768), attention=True),
    Stage(up=384, skip=64, convs=(672, 672)),
    Stage(up=336, skip=64, convs=(300, 300)),
)
WIDE = (
    Stage(up=512, skip=1024, convs=(512,)),
    Stage(up=512, skip=512, convs=(512,), attention=True),
    Stage(up=512, skip=256, convs=(512,)),
    Stage(up=256, skip=64, convs=(256,)),
)


class UNet(nn.Module):
    """A generator, read from top to bottom.

    Args:
        encoder: yields four skips, finest first, and the bottom of the U.
        bottom: channels at the bottom of the U.
        stages: the decoder, coarsest first.
    """

    def __init__(self, encoder: ResNet, *, bottom: int, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        middle = nn.Sequential(
            _conv_relu_norm(bottom, 2 * bottom), _conv_relu_norm(2 * bottom, bottom)
        )
        inputs = (bottom, *(stage.convs[-1] for stage in stages))
        decoder = [DecoderBlock(n, stage) for n, stage in zip(inputs, stages, strict=False)]
        last = inputs[-1]
        self.layers = nn.ModuleList(
            [
                encoder,
                _small_start(nn.BatchNorm2d(bottom)),
                nn.ReLU(inplace=True),
                middle,
                *decoder,
                ShuffleUp(nn.Sequential(WeightNormConv(last, 4 * last, kernel=(1, 1)))),
                Join(),
                Residual(last + 3),
                nn.Sequential(SpectralConv(last + 3, 3, kernel=(1, 1))),
                Bounded(),
            ]
        )

    def forward(self, picture: Tensor) -> Tensor:
        encoder, norm, relu, middle, *decoder, enlarge, join, refine, to_rgb, bound = self.layers
        *skips, x = encoder(picture)
        x = middle(relu(norm(x)))
        for block, skip in zip(decoder, reversed(skips), strict=True):
            x = block(x, skip)
        x = join(enlarge(x), picture)
        return bound(to_rgb(refine(x)))


class DecoderBlock(nn.Module):
    """Features (N, inputs, h, w) and a skip of about twice their size to features of its size.

    Children are declared in the order they run; the weight files know them by name.
    """

    def __init__(self, inputs: int, stage: Stage) -> None:
        super().__init__()
        up = SpectralConv(inputs, 4 * stage.up, kernel=(1, 1), bias=False)
        start_as_nearest(up.weight_orig)
        self.shuf = ShuffleUp(nn.Sequential(up, nn.BatchNorm2d(4 * stage.up)))
        self.bn = _small_start(nn.BatchNorm2d(stage.skip))
        self.relu = nn.ReLU(inplace=True)
        names = ["conv"] if len(stage.convs) == 1 else ["conv1", "conv2"]
        widths = (stage.up + stage.skip, *stage.convs)
        for index, name in enumerate(names):
            self.add_module(name, _conv_relu_norm(widths[index], widths[index + 1]))
        if stage.attention:
            self.get_submodule(names[-1]).append(SelfAttention(widths[-1]))  # type: ignore[operator]

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        enlarge, norm, relu, *convs = self.children()
        x = enlarge(x)
        if x.shape[2:] != skip.shape[2:]:  # the encoder rounded an odd side up
            x = F.interpolate(x, size=skip.shape[2:], mode="nearest")
        x = relu(torch.cat([x, norm(skip)], dim=1))
        for conv in convs:
            x = conv(x)
        return x


def _conv_relu_norm(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        SpectralConv(inputs, outputs, kernel=(3, 3), padding=1, bias=False),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(outputs),
    )


def _small_start(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """Before training the original starts these norms at a bias of 0.001, all others at 0."""
    nn.init.constant_(norm.bias, 1e-3)
    return norm


class Join(nn.Module):
    """Features (N, C, H, W), then the network's own input (N, 3, H, W), as (N, C + 3, H, W)."""

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        # parts of two memory formats would be joined in the slower one
        if x.is_contiguous(memory_format=torch.channels_last):
            picture = picture.contiguous(memory_format=torch.channels_last)
        return torch.cat([x, picture], dim=1)


class Residual(nn.Module):
    """Two 3x3 convolutions, each with its ReLU, added to their input; nothing after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_conv_relu(channels), _conv_relu(channels), Add()])

    def forward(self, x: Tensor) -> Tensor:
        first, second, add = self.layers
        return add(x, second(first(x)))


def _conv_relu(channels: int) -> nn.Sequential:
    conv = SpectralConv(channels, channels, kernel=(3, 3), padding=1)
    return nn.Sequential(conv, nn.ReLU(inplace=True))


class Add(nn.Module):
    """The sum of two tensors of one shape."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Bounded(nn.Module):
    """Any number to (-3, 3), the span of ImageNet-normalised colours with room to spare."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x) * 6 - 3


def deep() -> UNet:
    """The artistic generator: ResNet-34, 63.6 M values."""
    return UNet(resnet34(), bottom=512, stages=DEEP)


def wide() -> UNet:
    """The stable and the video generator: ResNet-101, 218 M values."""
    return UNet(resnet101(), bottom=2048, stages=WIDE)
