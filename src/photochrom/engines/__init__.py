"""Engines run a network: onnxruntime, OpenVINO, torch, and a painted one for tests."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Device = Literal["cpu", "cuda", "mps"]
Precision = Literal["fp32", "bf16"]


class Engine(Protocol):
    """Runs one network on batches of one size.

    An engine knows nothing of pictures: the model's card prepares its input and reads its output.
    """

    name: str
    """onnx, openvino, torch or painted."""
    device: Device
    precision: Precision

    def run(self, batch: Array) -> dict[str, Array]:
        """Network input (N, C, H, W) float32 to named outputs, each (N, K, h, w) float32.

        Raises:
            OutOfMemory: the batch does not fit; nothing is returned half-done.
        """
        ...
