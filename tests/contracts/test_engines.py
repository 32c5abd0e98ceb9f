"""One contract, every engine: each model x engine x precision computes what torch computes.

The reference is the network as it is written, in torch and float32, nothing folded.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from photochrom.engines import Array, Engine  # noqa: E402
from photochrom.engines.convert import onnx_file  # noqa: E402
from photochrom.engines.onnx import OnnxEngine  # noqa: E402
from photochrom.engines.openvino import OpenvinoEngine  # noqa: E402
from photochrom.engines.selfcheck import BOUNDS, difference  # noqa: E402
from photochrom.engines.torch import TorchEngine, network_of  # noqa: E402
from photochrom.models import Model, cards, find  # noqa: E402
from photochrom.networks.checkpoint import empty  # noqa: E402
from photochrom.networks.rulefill import rule_input, rule_weights  # noqa: E402

MODELS = {"lite": "lite", "bundled": "lite", "deep": "artistic", "wide": "stable"}
"""Network, or the bundled model's trained one, to the name of a card that it goes with."""
ODD = {"lite": (96, 32), "bundled": (96, 32), "deep": (80, 48), "wide": (80, 48)}
"""Sizes at which the levels of the networks do not halve evenly."""
WAYS: dict[str, Callable[[Model], Engine]] = {
    "onnx-fp32": lambda model: OnnxEngine(onnx_file(model)),
    "openvino-fp32": lambda model: OpenvinoEngine(onnx_file(model)),
    "openvino-bf16": lambda model: OpenvinoEngine(onnx_file(model), precision="bf16"),
    "torch-fp32": lambda model: TorchEngine.of(model),
    "torch-bf16": lambda model: TorchEngine.of(model, precision="bf16"),
}


@dataclass
class Kind:
    """A model, three inputs of 64 x 64 in one batch, an odd one, and the reference's answers."""

    model: Model
    batch: Array
    odd: Array
    batch_answer: Array
    odd_answer: Array


# of a wider scope than the engines, so that each model is written and converted only once
@pytest.fixture(scope="session", params=MODELS)
def kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kind]:
    network = request.param
    if network == "lite":
        model = request.getfixturevalue("lite")
    elif network == "bundled":
        model = find("lite")
    else:
        model = written(network, tmp_path_factory.mktemp(network))
    batch = np.concatenate([input_of(model, 64, 64, shift) for shift in (0, 9, 31)])
    odd = input_of(model, *ODD[network], 0)
    yield Kind(model, batch, odd, *reference(model, batch, odd))
    if model.card.network != "lite":  # up to two gigabytes with the converted file
        onnx_file(model).unlink()
        model.path.unlink()


@pytest.fixture(scope="module", params=WAYS)
def engine(request: pytest.FixtureRequest, kind: Kind) -> Iterator[Engine]:
    if request.param.startswith("openvino"):
        pytest.importorskip("openvino")
    yield WAYS[request.param](kind.model)
    gc.collect()


def written(network: str, folder: Path) -> Model:
    """A weight file filled by the rule."""
    path = folder / f"{network}.pth"
    torch.save(rule_weights(empty(network)), path)
    return Model(cards()[MODELS[network]], path)


def input_of(model: Model, height: int, width: int, shift: int) -> Array:
    """A made-up input (1, C, height, width), another one for each shift."""
    picture = np.roll(rule_input(height, width), shift, axis=(2, 3))
    if model.card.input == "luminance":
        picture = (picture[:, :1] + 2.2) / 5
    return np.ascontiguousarray(picture)


def reference(model: Model, *inputs: Array) -> list[Array]:
    network = network_of(model)
    with torch.inference_mode():
        outputs = [network(torch.from_numpy(values)) for values in inputs]
        if model.card.network == "lite":
            outputs = [network.colors(logits) for logits in outputs]
    return [values.numpy() for values in outputs]


def test_computes_what_torch_computes(kind: Kind, engine: Engine) -> None:
    got = engine.run(kind.batch)[kind.model.card.output]
    gap = difference(kind.model, got, kind.batch_answer, engine.precision)
    assert gap <= BOUNDS[engine.precision]


def test_odd_levels_too(kind: Kind, engine: Engine) -> None:
    got = engine.run(kind.odd)[kind.model.card.output]
    assert got.shape == kind.odd_answer.shape
    gap = difference(kind.model, got, kind.odd_answer, engine.precision)
    assert gap <= BOUNDS[engine.precision]


def test_a_batch_of_three_is_three_singles(kind: Kind, engine: Engine) -> None:
    together = engine.run(kind.batch)
    for name, outputs in together.items():
        for index, output in enumerate(outputs):
            alone = engine.run(kind.batch[index : index + 1])[name][0]
            scale = np.abs(output).max()
            limit = 1e-4 if engine.precision == "fp32" else 1e-2
            assert np.abs(alone - output).mean() <= limit * scale, name


def test_the_same_input_gives_the_same_bytes(kind: Kind, engine: Engine) -> None:
    first = {name: values.tobytes() for name, values in engine.run(kind.batch).items()}
    engine.run(kind.odd)  # another size in between leaves nothing behind
    again = {name: values.tobytes() for name, values in engine.run(kind.batch).items()}
    assert first == again


def test_outputs_are_named_float32_and_the_callers_own(kind: Kind, engine: Engine) -> None:
    first = engine.run(kind.odd)
    expected = {"ab", "logits"} if kind.model.card.network == "lite" else {"rgb"}
    assert set(first) == expected
    kept = {name: values.copy() for name, values in first.items()}
    engine.run(kind.odd[..., ::-1].copy())
    for name, values in first.items():
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        assert np.array_equal(values, kept[name])
