"""The torch engine: every published weight file, and graphics cards."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np

from . import Array, Device, Precision
from .failures import mapped, require

if TYPE_CHECKING:
    from torch import Tensor, nn

    from photochrom.models import Model


class TorchEngine:
    """Runs a network of `photochrom.networks`, folded and channels-last.

    Torch's number of threads belongs to the whole process and stays as it is.

    Args:
        network: ``Lite`` or a generator; it becomes the engine's own and is folded in place.
        device: where it runs.
        precision: of weights and activations; sums stay in float32.
    """

    name = "torch"

    def __init__(
        self, network: nn.Module, *, device: Device = "cpu", precision: Precision = "fp32"
    ) -> None:
        torch = require("torch", self.name, extra="torch")
        from photochrom.networks.fold import fold, to_bfloat16
        from photochrom.networks.lite import Lite
        from photochrom.networks.unet import UNet

        self.device: Device = device
        self.precision: Precision = precision
        self._lite = isinstance(network, Lite)
        # lite's colours are a mean over chroma bins that bfloat16 cannot tell apart: it runs
        # under autocast. The generators' weights are halved themselves, a fifth faster.
        self._dtype = torch.float32
        with mapped(self.name):
            network = fold(network)
            if precision == "bf16" and isinstance(network, UNet):
                network, self._dtype = to_bfloat16(network), torch.bfloat16
            self._network = network.to(device)

    @classmethod
    def of(
        cls, model: Model, *, device: Device = "cpu", precision: Precision = "fp32"
    ) -> TorchEngine:
        """The engine of a model's weight file.

        Raises:
            MissingExtra: torch is not installed.
            WeightsError: see `photochrom.networks.checkpoint.read`.
        """
        return cls(network_of(model), device=device, precision=precision)

    def run(self, batch: Array) -> dict[str, Array]:
        """See `Engine.run`."""
        import torch

        with mapped(self.name), torch.inference_mode(), self._settings():
            x = torch.from_numpy(batch).to(self.device, self._dtype)
            outputs = self._outputs(x.contiguous(memory_format=torch.channels_last))
            return {name: _array(values) for name, values in outputs.items()}

    def _outputs(self, x: Tensor) -> dict[str, Tensor]:
        if not self._lite:
            return {"rgb": self._network(x)}
        logits = self._network(x)
        return {"ab": self._network.colors(logits), "logits": logits}  # type: ignore[operator]

    def _settings(self) -> AbstractContextManager[object]:
        """What holds while the network runs, and no longer."""
        import torch

        if self.precision == "bf16" and self._lite:
            return torch.autocast(self.device, torch.bfloat16)
        if self.device == "cuda" and self.precision == "fp32":
            return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        return nullcontext()


def network_of(model: Model) -> nn.Module:
    """The torch network with a model's weights, unfolded, in eval mode.

    Raises:
        MissingExtra: torch is not installed.
        WeightsError: the file is damaged or of another network.
    """
    require("torch", "torch", extra="torch")
    if model.path.suffix == ".onnx":
        from photochrom.networks.export import lite_from_onnx

        return lite_from_onnx(model.path)
    from photochrom.networks import checkpoint

    found = checkpoint.read(model.path)
    model.check(found.network)
    return found.build().float()


def _array(values: Tensor) -> Array:
    array: Array = np.ascontiguousarray(values.float().cpu().numpy())
    return array
