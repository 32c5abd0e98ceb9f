"""``lite``: the small colouriser that ships with photochrom.

A U-Net on an EfficientNet-Lite2 encoder. From luminance it predicts, at a quarter of the input
size, a distribution over quantised chroma (Zhang, Isola, Efros 2016, arXiv 1603.08511); the
colour is the distribution's annealed mean.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .efficientnet import TAPS, EfficientNetLite
from .layers import ShuffleUp, start_as_nearest

TEMPERATURE = 0.38
"""Of the annealed mean: 1 is the plain mean (dull), 0 the mode (blotchy)."""


class ConvReLU(nn.Sequential):
    """Convolution, batch norm, ReLU; the size stays."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class MultiHeadAttention(nn.Module):
    """Every place looks at every other: (N, C, H, W) to the same, gated to start at identity."""

    def __init__(self, channels: int, *, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        query, key, value = self.qkv(x).reshape(n, 3, self.heads, c // self.heads, h * w).unbind(1)
        weights = torch.softmax(query.transpose(2, 3) @ key * (c // self.heads) ** -0.5, -1)
        seen = (value @ weights.transpose(2, 3)).reshape(n, c, h, w)
        return x + self.gate * self.out(seen)


class Decode(nn.Module):
    """One step up: the coarse features enlarged, joined with the encoder's, convolved."""

    def __init__(self, coarse: int, skip: int, outputs: int) -> None:
        super().__init__()
        expand = nn.Conv2d(coarse, 4 * outputs, 1, bias=False)
        start_as_nearest(expand.weight)
        self.up = ShuffleUp(nn.Sequential(expand, nn.BatchNorm2d(4 * outputs)))
        self.mix = ConvReLU(outputs + skip, outputs)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.mix(torch.cat([self.up(coarse), skip], 1))


class Lite(nn.Module):
    """Luminance (N, 1, H, W) in [0, 1] to logits over chroma bins (N, Q, H/4, W/4).

    32 divides H and W. ``colors`` turns logits into ab.

    Args:
        bins: (Q, 2) centres of the chroma bins in Lab's ab.
        channels: input channels; those beyond luminance are free for hints.
        widths: of the decoder at 1/16, 1/8 and 1/4.
    """

    bins: Tensor

    def __init__(
        self, bins: Tensor, *, channels: int = 1, widths: tuple[int, int, int] = (256, 160, 112)
    ) -> None:
        super().__init__()
        quarter, eighth, sixteenth, deepest = TAPS.values()
        self.encoder = EfficientNetLite(channels)
        self.middle = ConvReLU(deepest, widths[0], kernel=1)
        self.decode16 = Decode(widths[0], sixteenth, widths[0])
        self.attention = MultiHeadAttention(widths[0])
        self.decode8 = Decode(widths[0], eighth, widths[1])
        self.decode4 = Decode(widths[1], quarter, widths[2])
        self.head = nn.Conv2d(widths[2], len(bins), 1)
        self.register_buffer("bins", bins.float())

    @classmethod
    def shaped_like(cls, weights: Mapping[str, Tensor]) -> Lite:
        """A network of the shapes that the weights have, on the meta device but for its bins.

        Raises:
            KeyError, IndexError: an entry that tells a shape is missing, or has fewer dimensions.
        """
        widths = (weights[f"decode{n}.mix.0.weight"].shape[0] for n in (16, 8, 4))
        sixteenth, eighth, quarter = widths
        channels = weights["encoder.stem.conv.weight"].shape[1]
        with torch.device("meta"):
            return cls(weights["bins"], channels=channels, widths=(sixteenth, eighth, quarter))

    def forward(self, luminance: Tensor) -> Tensor:
        quarter, eighth, sixteenth, deepest = self.encoder(luminance)
        x = self.attention(self.decode16(self.middle(deepest), sixteenth))
        x = self.decode8(x, eighth)
        return self.head(self.decode4(x, quarter))

    def colors(self, logits: Tensor, temperature: float = TEMPERATURE) -> Tensor:
        """Logits (N, Q, h, w) to the annealed mean: ab (N, 2, h, w)."""
        weights = torch.softmax(logits.float() / temperature, 1)
        return torch.einsum("nqhw,qc->nchw", weights, self.bins)
