"""Layers that the generators and the critic share.

Parameters are laid out as the published weight files have them: `weight_orig`, `weight_u`,
`weight_v` for spectral norm, `weight_g`, `weight_v` for weight norm.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SPECTRAL_EPS = 1e-12


class NormalizedConv(nn.Module):
    """A convolution whose weight is computed from other parameters on every forward.

    Args:
        inputs: channels of the input (N, inputs, L) or (N, inputs, H, W).
        outputs: channels of the output.
        kernel: size of the kernel, one number per spatial dimension.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: tuple[int, ...],
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.shape = (outputs, inputs, *kernel)
        self.stride, self.padding = stride, padding
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def effective_weight(self) -> Tensor:
        """The weight (outputs, inputs, *kernel) that the convolution uses."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        convolve = F.conv1d if len(self.shape) == 3 else F.conv2d
        return convolve(x, self.effective_weight(), self.bias, self.stride, self.padding)

    def folded(self) -> nn.Conv1d | nn.Conv2d:
        """A plain convolution with the weight of this moment."""
        outputs, inputs, *kernel = self.shape
        plain = nn.Conv1d if len(kernel) == 1 else nn.Conv2d
        with torch.device("meta"):
            conv = plain(inputs, outputs, tuple(kernel), self.stride, self.padding)  # type: ignore[arg-type]
        conv.weight = nn.Parameter(self.effective_weight().detach())
        conv.bias = self.bias
        return conv


class SpectralConv(NormalizedConv):
    """Convolution with spectral norm (Miyato et al. 2018, algorithm 1).

    The weight is `weight_orig` / (u . W v), W being `weight_orig` as (outputs, rest). In training
    every forward first moves u and v by one power step; otherwise they are used as stored.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: tuple[int, ...],
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__(inputs, outputs, kernel=kernel, stride=stride, padding=padding, bias=bias)
        self.weight_orig = nn.Parameter(nn.init.kaiming_normal_(torch.empty(self.shape)))
        rest = self.weight_orig[0].numel()
        self.register_buffer("weight_u", _unit(torch.randn(outputs)))
        self.register_buffer("weight_v", _unit(torch.randn(rest)))

    def effective_weight(self) -> Tensor:
        """`weight_orig` over its spectral norm as far as u and v tell it."""
        # sigma divides the whole weight: half precision would change every value of it
        with _without_autocast(self.weight_orig.device):
            u, v = self._power_step() if self.training else (self.weight_u, self.weight_v)
            sigma = torch.dot(u, torch.mv(self.weight_orig.flatten(1), v))
            weight: Tensor = self.weight_orig / sigma
        return weight

    @torch.no_grad()
    def _power_step(self) -> tuple[Tensor, Tensor]:
        """Next u and v; new tensors, since backward still needs those of an earlier forward."""
        matrix = self.weight_orig.flatten(1)
        v = _unit(torch.mv(matrix.t(), self.weight_u))
        u = _unit(torch.mv(matrix, v))
        self.weight_u.copy_(u)
        self.weight_v.copy_(v)
        return u, v


def _without_autocast(device: torch.device) -> AbstractContextManager[object]:
    if not torch.amp.is_autocast_available(device.type):  # such as meta
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def _unit(vector: Tensor) -> Tensor:
    return F.normalize(vector, dim=0, eps=SPECTRAL_EPS)


class WeightNormConv(NormalizedConv):
    """Convolution with weight norm (Salimans and Kingma 2016): g v / |v| per output channel."""

    def __init__(self, inputs: int, outputs: int, *, kernel: tuple[int, ...]) -> None:
        super().__init__(inputs, outputs, kernel=kernel)
        direction = nn.init.kaiming_normal_(torch.empty(self.shape))
        self.weight_g = nn.Parameter(_channel_norm(direction))
        self.weight_v = nn.Parameter(direction)

    def effective_weight(self) -> Tensor:
        """`weight_v` at the length `weight_g`, per output channel."""
        return self.weight_v * (self.weight_g / _channel_norm(self.weight_v))


def _channel_norm(weight: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)
    return norm


class ShuffleUp(nn.Module):
    """Twice the size: 1x1 conv, ReLU, pixel shuffle, then a 2x2 mean against checkerboards.

    (N, inputs, H, W) to (N, outputs, 2H, 2W). The mean looks to the left and to the top, where
    the border is repeated.

    Args:
        conv: maps `inputs` to four times `outputs` channels, normalisation included.
    """

    def __init__(self, conv: nn.Sequential) -> None:
        super().__init__()
        self.conv = conv
        self.relu = nn.ReLU(inplace=True)
        self.shuf = nn.PixelShuffle(2)
        self.pad = nn.ReplicationPad2d((1, 0, 1, 0))
        self.blur = nn.AvgPool2d(2, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shuf(self.relu(self.conv(x)))
        return self.blur(self.pad(x))


@torch.no_grad()
def start_as_nearest(weight: Tensor) -> None:
    """ICNR (Aitken et al. 2017): before training, a shuffled conv enlarges without a pattern.

    The four output channels that become one 2x2 cell get equal weights, in place.
    """
    weight.copy_(weight[::4].repeat_interleave(4, dim=0))


class SelfAttention(nn.Module):
    """Every place looks at every other one (Zhang et al. 2019), (N, C, H, W) to the same.

    Weights are normalised over the places of `query`, so for the usual attention function the
    original's key is the query. `gamma` starts at 0: at first the layer changes nothing.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = SpectralConv(channels, channels // 8, kernel=(1,), bias=False)
        self.key = SpectralConv(channels, channels // 8, kernel=(1,), bias=False)
        self.value = SpectralConv(channels, channels, kernel=(1,), bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        places = x.flatten(2)
        query, key, value = (
            conv(places).transpose(1, 2) for conv in (self.query, self.key, self.value)
        )
        seen = F.scaled_dot_product_attention(key, query, value, scale=1.0)
        return self.gamma * seen.transpose(1, 2).reshape_as(x) + x
