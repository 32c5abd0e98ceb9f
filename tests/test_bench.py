"""The benchmark: every figure of a quick run is there; figures themselves are not tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from photochrom import bench
from photochrom.errors import OutputError

pytest.importorskip("torch")


def test_a_forward_is_timed_and_compared_with_the_unfolded_network(tmp_path: Path) -> None:
    peak = {"fp32_tflops": 1.0, "bf16_tflops": 1.0}
    arguments = {"model": "lite", "side": 64}
    rows = [
        {**arguments, "way": way} | bench.forward(tmp_path, **arguments, way=way)  # type: ignore[arg-type]
        for way in (bench.UNFOLDED, "onnx fp32")
    ]
    figures = bench._compared(tmp_path, rows[1], peak)
    assert rows[1]["milliseconds"] > 0
    assert figures["difference_max"] <= 1e-3
    assert figures["of_peak"] > 0
    assert bench._compared(tmp_path, rows[0], peak)["difference_max"] == 0


def test_a_fault_is_a_row_and_not_the_end(tmp_path: Path) -> None:
    row = bench._apart("forward", tmp_path, model="lite", side=64, way="abacus fp32")
    assert "there is no engine 'abacus'" in row["fault"]


def test_a_picture_and_a_cold_start_are_timed(tmp_path: Path) -> None:
    row = bench._apart("picture", tmp_path, engine="onnx", size="256")
    assert row["milliseconds"] > 0
    assert json.dumps(row)


def test_figures_are_not_written_over(tmp_path: Path) -> None:
    taken = tmp_path / "figures.json"
    taken.write_text("precious")
    with pytest.raises(OutputError, match=r"figures\.json"):
        bench.run(taken, quick=True)
    assert taken.read_text() == "precious"
