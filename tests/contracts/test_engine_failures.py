"""What engines say when something is missing, broken or too large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from photochrom.engines.onnx import OnnxEngine
from photochrom.engines.openvino import OpenvinoEngine
from photochrom.engines.torch import TorchEngine
from photochrom.errors import EngineError, MissingExtra, WeightsError
from photochrom.models import Model

HUNGRY = """
import resource, sys
import numpy as np
from pathlib import Path
from photochrom.errors import OutOfMemory
from photochrom.models import Model, cards
from photochrom.engines.choice import open_engine

engine, _ = open_engine(Model(cards()["lite"], Path(sys.argv[1])), sys.argv[2], precision="fp32")
engine.run(np.zeros((1, 1, 64, 64), np.float32))
batch = np.zeros((48, 1, 1024, 1024), np.float32)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, -1))
try:
    engine.run(batch)
except OutOfMemory as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory the Linux way")
@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_too_little_memory_is_said(lite: Model, engine: str) -> None:
    pytest.importorskip(engine if engine != "onnx" else "onnxruntime")
    command = [sys.executable, "-c", HUNGRY, str(lite.path), engine]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert f"does not fit into memory with the engine '{engine}'" in done.stdout, done.stderr
    assert "--render-size" in done.stdout


@pytest.mark.parametrize(
    ("package", "engine", "extra"),
    [("openvino", OpenvinoEngine, "openvino"), ("torch", TorchEngine.of, "torch")],
)
def test_a_missing_extra_is_named(
    lite: Model, monkeypatch: pytest.MonkeyPatch, package: str, engine: type, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf'pip install "photochrom\[{extra}\]"'):
        engine(lite if package == "torch" else lite.path)


@pytest.mark.parametrize("engine", [OnnxEngine, OpenvinoEngine])
def test_a_file_that_is_no_network_is_named(tmp_path: Path, engine: type) -> None:
    if engine is OpenvinoEngine:
        pytest.importorskip("openvino")
    path = tmp_path / "letter.onnx"
    path.write_text("Dear Sir, enclosed please find no network.")
    with pytest.raises(WeightsError, match=r"letter\.onnx: not a network that"):
        engine(path)


@pytest.mark.parametrize("engine", [OnnxEngine, OpenvinoEngine])
def test_a_wrong_input_is_an_engine_error(lite: Model, engine: type) -> None:
    if engine is OpenvinoEngine:
        pytest.importorskip("openvino")
    with pytest.raises(EngineError, match=engine.name):
        engine(lite.path).run(np.zeros((1, 2, 64, 64), np.float32))
