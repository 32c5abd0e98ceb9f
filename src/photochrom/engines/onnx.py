"""The onnxruntime engine: what the plain install colours with."""

from __future__ import annotations

import os
from pathlib import Path

from photochrom.errors import WeightsError

from . import Array, Device, Precision
from .failures import mapped, require


class OnnxEngine:
    """Runs an ONNX file on the CPU in float32.

    Args:
        path: the file, with one input and any number of outputs.
        threads: of this engine; every core when None.

    Raises:
        MissingExtra: onnxruntime is not installed.
        WeightsError: not an ONNX file that onnxruntime reads.
    """

    name = "onnx"
    device: Device = "cpu"
    precision: Precision = "fp32"

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None) -> None:
        # Newer releases report their use to the maker, and leave files in the home folder.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        runtime = require("onnxruntime", self.name, extra="all")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or cores()
        options.log_severity_level = 4  # what fails is raised, and said once
        # Photographs come in many sizes: plans and pools kept for each would only grow.
        options.enable_mem_pattern = options.enable_cpu_mem_arena = False
        # Waiting threads that spin take the processor from the rest of the program.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = runtime.InferenceSession(
                Path(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            message = str(error).partition("\n")[0][:200]
            raise WeightsError(
                f"not a network that onnxruntime reads ({message})", file=path
            ) from None
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]

    @property
    def facts(self) -> dict[str, str]:
        """The file's metadata."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, batch: Array) -> dict[str, Array]:
        """See `Engine.run`."""
        with mapped(self.name):
            values = self._session.run(self._outputs, {self._input: batch})
        return dict(zip(self._outputs, values, strict=True))


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
