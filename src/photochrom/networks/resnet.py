"""ResNet encoders (He et al. 2016) without pooling and classifier, as the original cuts them.

Children are numbered: 0 conv, 1 norm, 2 ReLU, 3 max pool, 4 to 7 the four residual stages.
"""

from __future__ import annotations

from torch import Tensor, nn

TAPS = (2, 4, 5, 6)
"""Children whose outputs the decoder uses, at 1/2, 1/4, 1/8 and 1/16 of the input's size."""


def _conv(inputs: int, outputs: int, *, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(_conv(inputs, outputs, kernel=1, stride=stride), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (N, inputs, H, W) to (N, width, H/stride, W/stride)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, width, kernel=3, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, kernel=3)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu(x + shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1: (N, inputs, H, W) to (N, 4 width, H/stride, W/stride)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = self.expansion * width
        self.conv1 = _conv(inputs, width, kernel=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, kernel=3, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, outputs, kernel=1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        return self.relu(x + shortcut)


def _stage(
    block: type[BasicBlock | Bottleneck], inputs: int, width: int, count: int, stride: int
) -> nn.Sequential:
    outputs = width * block.expansion
    first = block(inputs, width, stride)
    return nn.Sequential(first, *(block(outputs, width, 1) for _ in range(count - 1)))


class ResNet(nn.Sequential):
    """Picture (N, 3, H, W) to its features: the four taps, finest first, then the last stage's."""

    def __init__(
        self, block: type[BasicBlock | Bottleneck], depths: tuple[int, int, int, int]
    ) -> None:
        stem = [
            nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        stages, inputs = [], 64
        for width, depth in zip((64, 128, 256, 512), depths, strict=True):
            stages.append(_stage(block, inputs, width, depth, stride=1 if width == 64 else 2))
            inputs = width * block.expansion
        super().__init__(*stem, *stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for index, child in enumerate(self):
            x = child(x)
            if index in TAPS:
                features.append(x)
        return [*features, x]


def resnet34() -> ResNet:
    """Encoder of *deep*: features of 64, 64, 128, 256 and 512 channels."""
    return ResNet(BasicBlock, (3, 4, 6, 3))


def resnet101() -> ResNet:
    """Encoder of *wide*: features of 64, 256, 512, 1024 and 2048 channels."""
    return ResNet(Bottleneck, (3, 4, 23, 3))
