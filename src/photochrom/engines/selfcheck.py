"""Does an engine compute what torch computes? Asked once for each model, version and machine.

The engine answers the probe, a small made-up picture, and is compared with what torch answers in
float32. Results are kept in ``selfcheck.json`` in ``PHOTOCHROM_HOME``.
"""

from __future__ import annotations

import base64
import io
import json
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from photochrom.errors import EngineError
from photochrom.models import Model, home
from photochrom.whole import written_whole

from . import Array, Engine, Precision

BOUNDS: dict[Precision, float] = {"fp32": 1e-3, "bf16": 1.0}
"""How far from the reference an engine may be. fp32: the largest difference of its output; bf16:
the mean difference of chroma in levels of 255."""

_PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime", "torch": "torch"}


def check(model: Model, engine: Engine) -> str:
    """Compares an engine with the reference, or remembers having done so; says what was found.

    Raises:
        EngineError: the difference is larger than `BOUNDS` allows.
    """
    store = home() / "selfcheck.json"
    known = _read(store)
    how = [engine.name, engine.precision, engine.device, _version(engine), platform.node()]
    key = " ".join([model.sha256, *how])
    if key not in known:
        known[key] = distance(model, engine)
        _write(store, known)
    unit = " at most" if engine.precision == "fp32" else " of 255 on average"
    found = f"differs from the reference by {known[key]:.1g}{unit}"
    if not known[key] <= BOUNDS[engine.precision]:
        raise EngineError(found)
    return found


def distance(model: Model, engine: Engine) -> float:
    """How far an engine's answer to the probe is from torch's; see `BOUNDS` for the units."""
    example, wanted = _reference(model)
    got = engine.run(example)[model.card.output]
    return difference(model, got, wanted, engine.precision)


def difference(model: Model, got: Array, wanted: Array, precision: Precision) -> float:
    """The difference between two outputs (N, K, h, w) of a model; see `BOUNDS` for the units."""
    if precision == "fp32":
        return float(np.abs(got - wanted).max())
    grey = np.full(wanted.shape[2:], 0.5, np.float32)
    pairs = zip(got, wanted, strict=True)
    gaps = [model.card.read(a, grey)[0] - model.card.read(b, grey)[0] for a, b in pairs]
    return float(np.abs(gaps).mean()) * 255


def _reference(model: Model) -> tuple[Array, Array]:
    """The probe's input and torch's answer: those in the ONNX file, else torch is asked."""
    names = ("probe.input", f"probe.{model.card.output}")
    if model.path.suffix == ".onnx":
        from .onnx import OnnxEngine

        facts = OnnxEngine(model.path).facts
        if all(name in facts for name in names):
            given, answer = (np.load(io.BytesIO(base64.b64decode(facts[name]))) for name in names)
            return given, answer
    from .torch import TorchEngine

    y, x = np.mgrid[0:64, 0:96]
    light = 0.5 + 0.25 * np.sin(x / 7) * np.cos(y / 11) + ((5 * x + 3 * y) % 7) / 70
    example = model.card.prepare(light[None].astype(np.float32))
    return example, TorchEngine.of(model).run(example)[model.card.output]


def _version(engine: Engine) -> str:
    with suppress(PackageNotFoundError):
        return version(_PACKAGES[engine.name])
    return "unknown"


def _read(store: Path) -> dict[str, float]:
    with suppress(OSError, ValueError):
        found = json.loads(store.read_text())
        return found if isinstance(found, dict) else {}
    return {}


def _write(store: Path, known: dict[str, float]) -> None:
    # Where nothing can be kept, the check is merely made again next time.
    with suppress(OSError):
        store.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(store) as part:
            part.write_text(json.dumps(known, indent=1))
