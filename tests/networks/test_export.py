"""Exported files: names and values are the state dict's, agreement is proved, damage is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from photochrom.errors import EngineError, WeightsError
from photochrom.networks import export
from photochrom.networks.checkpoint import empty
from photochrom.networks.export import export_lite, export_network, lite_from_onnx
from photochrom.networks.lite import Lite
from photochrom.networks.rulefill import rule_input, rule_weights


def small_lite(channels: int = 1) -> Lite:
    """Few bins, and norms from one pass, so that every layer's values are of order one."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = Lite(torch.tensor([[0.0, 0.0], [20, 10], [-10, 20]]), channels=channels)
        nn.init.constant_(network.attention.gate, 0.5)
        nn.init.normal_(network.head.weight, 0, 0.01)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        with torch.no_grad():
            network.train()(export._pictures(channels, 96))
    return network.eval()


@pytest.fixture(scope="module")
def network() -> Lite:
    return small_lite()


@pytest.fixture(scope="module")
def file(network: Lite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "small.onnx"
    export_lite(network, path, facts={"name": "small", "licence": "MIT"})
    return path


def test_initialisers_are_the_state_dict(network: Lite, file: Path) -> None:
    found = {tensor.name: tensor for tensor in onnx.load(file).graph.initializer}
    wanted = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        stored = onnx.numpy_helper.to_array(found[key])
        assert stored.dtype == (np.float16 if value.ndim > 1 else np.float32), key
        assert np.array_equal(stored, value.numpy().astype(stored.dtype)), key


def test_the_file_is_valid_and_carries_its_facts(file: Path) -> None:
    model = onnx.load(file)
    onnx.checker.check_model(model)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert (facts["name"], facts["licence"]) == ("small", "MIT")
    assert [opset.version for opset in model.opset_import] == [export.OPSET]


def test_onnxruntime_folds_every_norm_and_cast(file: Path, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "folded.onnx")
    onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    folded = onnx.load(tmp_path / "folded.onnx").graph
    assert "BatchNormalization" not in {node.op_type for node in folded.node}
    halves = [t.name for t in folded.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert halves == []


def test_there_and_back_and_there_again_is_the_same_file(file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.onnx"
    export_lite(lite_from_onnx(file), again, facts={"name": "small", "licence": "MIT"})
    first, second = onnx.load(file), onnx.load(again)
    assert first.graph.initializer == second.graph.initializer
    assert first.metadata_props == second.metadata_props


def test_what_comes_back_can_be_trained_on(file: Path) -> None:
    network = lite_from_onnx(file).train()
    network(torch.rand(2, 1, 64, 64)).mean().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(
        value.dtype in (torch.float32, torch.int64) for value in network.state_dict().values()
    )


def test_channels_for_hints_are_exported_too(tmp_path: Path) -> None:
    path = tmp_path / "hints.onnx"
    assert export_lite(small_lite(channels=4), path) <= export.TOLERANCE
    assert lite_from_onnx(path).encoder.stem.conv.in_channels == 4


def test_a_file_that_computes_something_else_is_not_left(
    network: Lite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wrong.onnx"
    halve = export._store_halves

    def spoil(model: onnx.ModelProto, *, prefix: str) -> None:
        halve(model, prefix=prefix)
        relu = next(node for node in model.graph.node if node.op_type == "Relu")  # the deepest
        relu.op_type = "Identity"

    monkeypatch.setattr(export, "_store_halves", spoil)
    with pytest.raises(EngineError, match="differs from torch by"):
        export_lite(network, path)
    assert not path.exists()


def test_other_files_are_refused_by_name(file: Path, tmp_path: Path) -> None:
    letter, foreign = tmp_path / "letter.onnx", tmp_path / "foreign.onnx"
    letter.write_text("Dear Sir")
    with pytest.raises(WeightsError, match=r"letter\.onnx: not an ONNX file"):
        lite_from_onnx(letter)
    model = onnx.load(file)
    model.graph.initializer[3].name = "another.name"
    onnx.save(model, foreign)
    with pytest.raises(WeightsError, match=r"foreign\.onnx: not a 'lite' network"):
        lite_from_onnx(foreign)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    """The deep generator, folded by its own export."""
    network = empty("deep")
    network.load_state_dict(rule_weights(network), assign=True)
    path = tmp_path_factory.mktemp("deep") / "deep.onnx"
    export_network(network.eval(), path)
    return network, path


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (80, 80), (48, 112), (144, 64)])
def test_a_generator_agrees_at_even_and_odd_levels(
    generator: tuple[nn.Module, Path], size: tuple[int, int]
) -> None:
    network, path = generator
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = rule_input(*size)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(given)).numpy()
    (got,) = session.run(None, {"picture": given})
    assert np.abs(got - wanted).max() <= export.TOLERANCE
