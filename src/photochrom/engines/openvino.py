"""The OpenVINO engine: the fastest one on processors."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

import numpy as np

from photochrom.errors import WeightsError

from . import Array, Device, Precision
from .failures import mapped, require
from .onnx import cores


class OpenvinoEngine:
    """Runs an ONNX file on the CPU. Safe to call from several threads, which take turns.

    The network is compiled once, with free sizes: a size seen for the first time costs the time
    of about one run, while compiling for each size would cost ten.

    Args:
        path: the file, with one input and any number of outputs.
        precision: bf16 pays on processors that compute in it.
        threads: of this engine; every core when None.

    Raises:
        MissingExtra: OpenVINO is not installed.
        WeightsError: not an ONNX file that OpenVINO reads.
    """

    name = "openvino"
    device: Device = "cpu"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        precision: Precision = "fp32",
        threads: int | None = None,
    ) -> None:
        runtime = require("openvino", self.name, extra="openvino")
        self.precision: Precision = precision
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": threads or cores(),
            # Threads bound to cores wait for whatever else runs on them.
            "ENABLE_CPU_PINNING": False,
        }
        core = runtime.Core()
        try:
            # Not openvino.convert_model: that one reports its use to the maker.
            model = core.read_model(Path(path))
        except Exception as error:
            reason = str(error).strip().rpartition("\n")[2][:200]
            raise WeightsError(f"not a network that OpenVINO reads ({reason})", file=path) from None
        self._outputs = [output.get_any_name() for output in model.outputs]
        with mapped(self.name):
            compiled = core.compile_model(model, "CPU", options)
            self._request = compiled.create_infer_request()
        self._turn = Lock()

    def run(self, batch: Array) -> dict[str, Array]:
        """See `Engine.run`."""
        with mapped(self.name), self._turn:
            values = self._request.infer({0: np.ascontiguousarray(batch)})
            return {name: values[name] for name in self._outputs}
