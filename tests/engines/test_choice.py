"""The choice of an engine says why, remembers its checks, and never falls back in silence."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from photochrom.engines import choice
from photochrom.engines.choice import choose, open_engine
from photochrom.engines.onnx import OnnxEngine
from photochrom.errors import EngineError, MissingExtra, SettingsError
from photochrom.models import Model, cards, find

pytestmark = pytest.mark.plain

needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="OpenVINO is not installed")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def lite() -> Model:
    return find("lite")


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)


def test_without_extras_onnxruntime_is_taken_and_said(
    lite: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    without("openvino", monkeypatch)
    engine, why = open_engine(lite)
    assert (engine.name, engine.precision, engine.device) == ("onnx", "fp32", "cpu")
    assert "the fastest here" in why
    assert "openvino needs the extra 'openvino'" in why


@needs_openvino
def test_openvino_comes_first_in_float32(lite: Model) -> None:
    taken = choose(lite)
    assert (taken.engine, taken.precision) == ("openvino", "fp32")


@pytest.mark.parametrize(("units", "precision"), [(True, "bf16"), (False, "fp32")])
def test_the_originals_are_halved_where_the_processor_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, units: bool, precision: str
) -> None:
    monkeypatch.setattr(choice, "has_bf16", lambda: units)
    artistic = Model(cards()["artistic"], tmp_path / "any.pth")
    ways = list(choice._candidates(artistic, "auto", "cpu", None))
    assert (ways[0].engine, ways[0].precision) == ("openvino", precision)
    assert any(way.precision == "bf16" for way in ways) is units


def test_an_engine_that_was_found_wrong_is_skipped_with_the_reason(
    lite: Model, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without("openvino", monkeypatch)
    choose(lite)
    verdicts = json.loads((home / "selfcheck.json").read_text())
    assert list(verdicts.values()) == [pytest.approx(0, abs=1e-3)]
    (home / "selfcheck.json").write_text(json.dumps(dict.fromkeys(verdicts, 0.25)))
    without("torch", monkeypatch)
    with pytest.raises(EngineError, match=r"onnx fp32 on cpu: differs from the reference by 0\.2"):
        choose(lite)


def test_a_file_whose_answers_are_not_its_own_is_refused(
    lite: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without("openvino", monkeypatch)
    without("torch", monkeypatch)
    answer = OnnxEngine(lite.path).facts["probe.ab"]
    buffer = io.BytesIO()
    np.save(buffer, np.load(io.BytesIO(base64.b64decode(answer))) + np.float32(0.5))
    other = base64.b64encode(buffer.getvalue())
    spoilt = tmp_path / "spoilt.onnx"
    spoilt.write_bytes(lite.path.read_bytes().replace(answer.encode(), other))
    with pytest.raises(EngineError, match=r"differs from the reference by 0\.5"):
        choose(find(spoilt))


def test_a_verdict_that_cannot_be_kept_stops_nothing(
    lite: Model, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_by_a_file = home / "file"
    taken_by_a_file.write_text("")
    monkeypatch.setenv("PHOTOCHROM_HOME", str(taken_by_a_file / "below"))
    assert choose(lite, "onnx").engine == "onnx"


@pytest.mark.parametrize("content", ["", "[1, 2]", "{"])
def test_a_damaged_store_is_measured_anew(lite: Model, home: Path, content: str) -> None:
    (home / "selfcheck.json").write_text(content)
    assert choose(lite, "onnx").engine == "onnx"
    assert len(json.loads((home / "selfcheck.json").read_text())) == 1


def test_what_was_asked_for_and_is_not_there_is_never_replaced(
    lite: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    without("openvino", monkeypatch)
    with pytest.raises(MissingExtra, match=r'pip install "photochrom\[openvino\]"'):
        open_engine(lite, "openvino")
    with pytest.raises(EngineError, match="none has this device and precision"):
        open_engine(lite, "onnx", "cuda")
    with pytest.raises(EngineError, match="none has this device and precision"):
        open_engine(lite, "onnx", precision="bf16")


@pytest.mark.parametrize(("engine", "device"), [("abacus", "auto"), ("auto", "tpu")])
def test_unknown_names_list_the_known(lite: Model, engine: str, device: str) -> None:
    with pytest.raises(SettingsError, match="are auto, "):
        open_engine(lite, engine, device)


def test_the_choice_brings_in_no_runtime() -> None:
    runtimes = {"torch", "onnxruntime", "openvino"}
    code = f"import photochrom.engines.choice, sys; print({runtimes} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
