"""The feature loss: how different two coloured pictures look to VGG16.

As DeOldify's ``FeatureLoss`` (pixels, and the ReLUs before the last three pools, weighted 20, 70
and 10), with the VGG16 that the package ``stlpips-pytorch`` carries: blurred pools and no batch
norm, so its scale is its own and the recipe's ``feature`` weight has to be chosen for it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from photochrom.errors import MissingExtra

WEIGHTS = {"slice3": 20.0, "slice4": 70.0, "slice5": 10.0}
"""Blocks of VGG16 whose last ReLU is compared, and DeOldify's weights for them."""
BLOCKS = {
    "slice1": (0, 2),
    "slice2": (6, 8),
    "slice3": (12, 14, 16),
    "slice4": (20, 22, 24),
    "slice5": (28, 30, 32),
}


class FeatureLoss(nn.Module):
    """Mean absolute difference of pixels and VGG16 features of two RGB pictures in [0, 1].

    Raises:
        MissingExtra: the package with the weights is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        spec = find_spec("stlpips_pytorch")
        if spec is None or spec.origin is None:
            raise MissingExtra("The feature loss", "train")
        file = Path(spec.origin).parent / "weights/vST0.0/vgg_shift_tolerant.pth"
        weights = torch.load(file, map_location="cpu", weights_only=True)
        for name, value in weights.items():
            self.register_buffer(name.replace(".", "_"), value, persistent=False)

    def forward(self, got: Tensor, want: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) to one number; no gradient flows into ``want``."""
        with torch.no_grad():
            truth = self.features(want)
        mine = self.features(got)
        loss = F.l1_loss(got, want)
        for name, weight in WEIGHTS.items():
            loss = loss + weight * F.l1_loss(mine[name], truth[name])
        return loss

    def features(self, rgb: Tensor) -> dict[str, Tensor]:
        """The last ReLU of each compared block."""
        x = (2 * rgb - 1 - self._get("scaling_layer_shift")) / self._get("scaling_layer_scale")
        found = {}
        for block, convolutions in BLOCKS.items():
            if block != "slice1":
                x = self._pool(x, block, convolutions[0] - 1)
            for number in convolutions:
                weight, bias = (self._get(f"net_{block}_{number}_{p}") for p in ("weight", "bias"))
                x = F.relu(F.conv2d(x, weight, bias, padding=1))
            if block in WEIGHTS:
                found[block] = x
        return found

    def _pool(self, x: Tensor, block: str, number: int) -> Tensor:
        """Maximum of 2x2 at stride 1, then a blur at stride 2."""
        kernel = self._get(f"net_{block}_{number}_filt")
        x = F.pad(F.max_pool2d(x, 2, 1), (1, 1, 1, 1), mode="reflect")
        return F.conv2d(x, kernel, stride=2, groups=x.shape[1])

    def _get(self, name: str) -> Tensor:
        return self.get_buffer(name)


def lab_to_rgb(lightness: Tensor, ab: Tensor) -> Tensor:
    """L (N, 1, H, W) in [0, 100] and ab (N, 2, H, W) to sRGB (N, 3, H, W) in [0, 1], D65."""
    fy = (lightness + 16) / 116
    f = torch.cat([fy + ab[:, :1] / 500, fy, fy - ab[:, 1:] / 200], 1)
    line = (f - 4 / 29) * (3 * (6 / 29) ** 2)
    white = f.new_tensor([0.95047, 1.0, 1.08883])[:, None, None]
    xyz = torch.where(f > 6 / 29, f**3, line) * white
    matrix = f.new_tensor(
        [[3.24045, -1.53714, -0.49853], [-0.96927, 1.87601, 0.04156], [0.05564, -0.20403, 1.05723]]
    )
    linear = torch.einsum("rc,nchw->nrhw", matrix, xyz).clamp(0, 1)
    # The clamp keeps the gradient of the power finite where a channel is black.
    curve = 1.055 * linear.clamp(min=1e-4) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, curve, 12.92 * linear)


def coloured(luminance: Tensor, ab: Tensor) -> Tensor:
    """Luminance (N, 1, H, W) in [0, 1] under ab (N, 2, H/4, W/4), enlarged: RGB in [0, 1]."""
    linear = torch.where(
        luminance > 0.04045, ((luminance + 0.055) / 1.055) ** 2.4, luminance / 12.92
    )
    lightness = torch.where(
        linear > (6 / 29) ** 3, 116 * linear.clamp(min=1e-6) ** (1 / 3) - 16, 903.3 * linear
    )
    full = F.interpolate(ab, luminance.shape[2:], mode="bilinear", align_corners=False)
    return lab_to_rgb(lightness, full)
