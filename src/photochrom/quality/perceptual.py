"""How different two pictures look, by a network's features: ST-LPIPS on AlexNet.

Source: Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022, the variant with
stride 1 in the first convolution and blurred, reflection-padded sampling. The weights are those of
the package stlpips-pytorch. Its code is not used: it needs torchvision, torchsummary and IPython,
which it does not declare.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photochrom.errors import MissingExtra, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float32]
SIDE_MIN = 32
"""Below it, in pixels, nothing is left of a picture at the fifth level."""
_WEIGHTS = Path("weights", "vST0.0", "alex_shift_tolerant.pth")


def installed() -> bool:
    """Whether torch and the package that carries the weights are there; neither is loaded."""
    return bool(find_spec("torch") and find_spec("stlpips_pytorch"))


class Perceptual:
    """ST-LPIPS in float32 on the CPU; lower is better, 0 for equal pictures.

    The sides of a picture have to be ``SIDE_MIN`` pixels at least.

    Raises:
        MissingExtra: the extra ``train`` is not installed.
        WeightsError: the package is there without its weights.
    """

    name = "ST-LPIPS (AlexNet)"

    def __init__(self) -> None:
        self._weights = _load()

    def distance(self, got: ArrayLike, want: ArrayLike) -> Array:
        """Distances (N,) of RGB pictures (N, H, W, 3) in [0, 1]; want may be one for all of got."""
        import torch

        with torch.inference_mode():
            total = torch.zeros(1)
            pairs = zip(self._features(got), self._features(want), strict=True)
            for level, (one, other) in enumerate(pairs):
                weight = self._weights[f"lin{level}.model.1.weight"]
                total = total + ((one - other).square() * weight).sum(1).mean((1, 2))
        result: Array = total.numpy()
        return result

    def _features(self, rgb: ArrayLike) -> list[Tensor]:
        """The five ReLU maps of (N, H, W, 3), each pixel's features brought to length 1."""
        import torch

        pixels = torch.from_numpy(np.array(rgb, np.float32)).permute(0, 3, 1, 2)
        shift, scale = (self._weights[f"scaling_layer.{name}"] for name in ("shift", "scale"))
        first = self._convolve("slice1.0", (2 * pixels - 1 - shift) / scale, padding=2)
        maps = [_blur(first).relu_()]
        maps.append(self._convolve("slice2.5", _pool(maps[-1]), padding=2).relu_())
        maps.append(self._convolve("slice3.9", _pool(maps[-1]), padding=1).relu_())
        maps.append(self._convolve("slice4.11", maps[-1], padding=1).relu_())
        maps.append(self._convolve("slice5.13", maps[-1], padding=1).relu_())
        return [each / (each.square().sum(1, keepdim=True).sqrt() + 1e-10) for each in maps]

    def _convolve(self, name: str, values: Tensor, *, padding: int) -> Tensor:
        from torch.nn import functional as F

        weight, bias = (self._weights[f"net.{name}.{part}"] for part in ("weight", "bias"))
        return F.conv2d(values, weight, bias, padding=padding)


def _pool(values: Tensor) -> Tensor:
    """The greatest of each 3 x 3, then every second of it, blurred."""
    from torch.nn import functional as F

    return _blur(F.max_pool2d(values, kernel_size=3, stride=1))


def _blur(values: Tensor) -> Tensor:
    """Every second pixel after [1, 2, 1] / 4 along both axes, with two pixels reflected outside."""
    from torch.nn import functional as F

    tap = values.new_tensor([0.25, 0.5, 0.25])
    kernel = (tap[:, None] * tap).expand(values.shape[1], 1, 3, 3)
    padded = F.pad(values, (2, 2, 2, 2), mode="reflect")
    return F.conv2d(padded, kernel, stride=2, groups=values.shape[1])


def _load() -> dict[str, Tensor]:
    spec = find_spec("stlpips_pytorch")
    if spec is None or spec.origin is None or find_spec("torch") is None:
        raise MissingExtra("ST-LPIPS", "train")
    import torch

    file = Path(spec.origin).parent / _WEIGHTS
    if not file.is_file():
        raise WeightsError(
            "the package stlpips-pytorch has lost its weights",
            file=file,
            cure="Install it again: pip install --force-reinstall stlpips-pytorch",
        )
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return weights
