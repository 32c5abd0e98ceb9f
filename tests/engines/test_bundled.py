"""The bundled model on the plain install's engine: sizes, memory, speed of its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from photochrom.engines.onnx import OnnxEngine
from photochrom.engines.selfcheck import distance
from photochrom.models import find

pytestmark = pytest.mark.plain

MANY_SIZES = """
import sys
from pathlib import Path
import numpy as np
from photochrom.engines.onnx import OnnxEngine

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 / 1024

engine, sizes = OnnxEngine(sys.argv[1]), np.random.default_rng(0).integers(3, 13, (40, 2)) * 32
for number, size in enumerate(sizes):
    engine.run(np.zeros((1, 1, *size), np.float32))
    if number == 9:
        before = held()
print(held() - before)
"""


@pytest.fixture(scope="module")
def engine() -> OnnxEngine:
    return OnnxEngine(find("lite").path)


def test_it_is_small_and_says_what_it_is(engine: OnnxEngine) -> None:
    assert find("lite").path.stat().st_size <= 16e6
    assert {"name", "version", "licence", "recipe", "probe.input", "probe.ab"} <= set(engine.facts)


def test_it_answers_as_torch_did_when_it_was_made(engine: OnnxEngine) -> None:
    assert distance(find("lite"), engine) <= 1e-3


@pytest.mark.parametrize("size", [(32, 32), (192, 256), (256, 160), (320, 320)])
def test_outputs_are_a_quarter_of_any_size(engine: OnnxEngine, size: tuple[int, int]) -> None:
    outputs = engine.run(np.full((1, 1, *size), 0.5, np.float32))
    quarter = (size[0] // 4, size[1] // 4)
    assert outputs["ab"].shape == (1, 2, *quarter)
    assert outputs["logits"].shape[2:] == quarter
    assert np.abs(outputs["ab"]).max() < 110


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory the Linux way")
def test_memory_does_not_grow_with_the_number_of_sizes() -> None:
    command = [sys.executable, "-c", MANY_SIZES, str(find("lite").path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 32  # MiB; one pass of the largest size takes about as much


def test_it_is_read_from_where_it_lies_and_nothing_is_written(tmp_path: Path) -> None:
    copy = tmp_path / "lite.onnx"
    copy.write_bytes(find("lite").path.read_bytes())
    copy.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert OnnxEngine(copy).facts["name"] == "lite"
    finally:
        tmp_path.chmod(0o755)
    assert [path.name for path in tmp_path.iterdir()] == ["lite.onnx"]
