"""Which engine runs a model here, and why: the fastest one installed that computes correctly."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from photochrom.errors import EngineError, MissingExtra, PhotochromError, SettingsError
from photochrom.models import Model

from . import Device, Engine, Precision
from .failures import require
from .selfcheck import check

Name = Literal["openvino", "onnx", "torch"]


@dataclass(frozen=True)
class Choice:
    """An engine, how it computes, where, and why it was taken."""

    engine: Name
    precision: Precision
    device: Device
    why: str = ""

    def __str__(self) -> str:
        return f"{self.engine} {self.precision} on {self.device}"


def choose(
    model: Model,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision | None = None,
) -> Choice:
    """What `open_engine` would open."""
    return _open_first(model, engine, device, precision)[1]


def open_engine(
    model: Model,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision | None = None,
) -> tuple[Engine, str]:
    """The engine for a model, and why this one.

    Args:
        engine: ``openvino``, ``onnx``, ``torch``, or ``auto``: the fastest that is right.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto``.
        precision: ``fp32``, ``bf16``, or None: bf16 where the device computes in it and the
            colours agree.

    Raises:
        SettingsError: no such engine or device.
        MissingExtra: what was asked for is not installed.
        EngineError: it cannot run here, or does not compute what torch computes.
    """
    opened, choice = _open_first(model, engine, device, precision)
    return opened, choice.why


def _open_first(
    model: Model, engine: str, device: str, precision: Precision | None
) -> tuple[Engine, Choice]:
    """Opens the first candidate that can be opened and passes its check."""
    faults: list[PhotochromError] = []
    skipped: list[str] = []
    for choice in _candidates(model, engine, device, precision):
        try:
            opened = _open(model, choice)
            found = check(model, opened)
        except EngineError as error:
            faults.append(error)
            skipped.append(f"{choice}: {error.what}")
        except MissingExtra as error:
            faults.append(error)
            skipped.append(f"{choice.engine} needs the extra '{error.extra}'")
        else:
            place = "the fastest here" if engine == "auto" else "as asked"
            why = "; ".join([f"{choice}: {place}, {found}", *dict.fromkeys(skipped)])
            return opened, replace(choice, why=why)
    if faults and all(isinstance(fault, MissingExtra) for fault in faults):
        raise faults[-1]
    reasons = "; ".join(dict.fromkeys(skipped)) or "none has this device and precision"
    raise EngineError(f"no engine can run '{model.card.name}' here ({reasons})")


def _candidates(
    model: Model, engine: str, device: str, precision: Precision | None
) -> Iterator[Choice]:
    """Every way to run the model that was asked for, fastest first."""
    if engine not in ("auto", *get_args(Name)):
        raise SettingsError(
            f"there is no engine {engine!r}", cure=f"Engines are auto, {', '.join(get_args(Name))}."
        )
    if device not in ("auto", *get_args(Device)):
        raise SettingsError(
            f"there is no device {device!r}",
            cure=f"Devices are auto, {', '.join(get_args(Device))}.",
        )
    for choice in (*_on_card(model, device), *_on_processor(model, device)):
        if engine in ("auto", choice.engine) and precision in (None, choice.precision):
            yield choice


def _on_card(model: Model, device: str) -> Iterator[Choice]:
    """``lite`` takes a graphics card when told to: importing torch costs more than it saves."""
    if device == "auto" and model.card.network != "lite":
        device = _graphics_card()
    if device == "cuda":
        yield Choice("torch", "bf16", "cuda")
        yield Choice("torch", "fp32", "cuda")
    if device == "mps":
        yield Choice("torch", "fp32", "mps")


def _on_processor(model: Model, device: str) -> Iterator[Choice]:
    """The order is that of `photochrom bench`'s times on two processors."""
    if device not in ("auto", "cpu"):
        return
    lite, halves = model.card.network == "lite", has_bf16()
    if halves and not lite:  # lite is quick as it is, and unsure colours tip over in bfloat16
        yield Choice("openvino", "bf16", "cpu")
    yield Choice("openvino", "fp32", "cpu")
    if lite:
        yield Choice("onnx", "fp32", "cpu")
    if halves and not lite:
        yield Choice("torch", "bf16", "cpu")
    yield Choice("torch", "fp32", "cpu")
    if halves and lite:  # when asked for
        yield Choice("openvino", "bf16", "cpu")
        yield Choice("torch", "bf16", "cpu")
    if not lite:
        yield Choice("onnx", "fp32", "cpu")


@cache
def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 matrices itself (AVX512-BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@cache
def _graphics_card() -> str:
    """``cuda`` or ``mps`` where torch can use one, else nothing; torch is asked only if likely."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    if not (apple or shutil.which("nvidia-smi")):
        return ""
    try:
        import torch
    except ModuleNotFoundError:
        return ""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else ""


def _open(model: Model, choice: Choice) -> Engine:
    if choice.engine == "torch":
        from .torch import TorchEngine

        return TorchEngine.of(model, device=choice.device, precision=choice.precision)
    from .convert import onnx_file

    if choice.engine == "openvino":
        from .openvino import OpenvinoEngine

        require("openvino", "openvino", extra="openvino")  # before anything is converted for it
        return OpenvinoEngine(onnx_file(model), precision=choice.precision)
    from .onnx import OnnxEngine

    return OnnxEngine(onnx_file(model))
