"""Networks to ONNX files, agreement with torch proved while exporting.

A file of ``lite`` is the bundled model's only form: its initialisers are the network's state dict
(names and values; matrices in float16, vectors in float32), widened by small Casts inside the
graph, so one file serves ONNX engines, torch and fine-tuning. Nothing is folded in it; engines
fold when they load. A file of a generator is for ONNX engines alone: folded, in float32.

The facts of a model travel as the file's metadata, and with them a probe: a small input and what
torch answers to it, by which any engine can be checked later.

Exporting goes through TorchScript: on these networks the newer exporter takes 15 times longer
and leaves 140 nodes that undo one another.
"""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from photochrom.errors import EngineError, MissingExtra, WeightsError

from .fold import fold
from .lite import Lite

OPSET = 18
TOLERANCE = 1e-3
"""Largest difference between torch's output and the exported file's, in the network's units."""
PROBE = (64, 96)
"""Height and width of the probe."""


class _LiteOutputs(nn.Module):
    """Luminance to both outputs of the file: the annealed mean and the logits."""

    def __init__(self, network: Lite) -> None:
        super().__init__()
        self.network = network

    def forward(self, luminance: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(luminance)
        return self.network.colors(logits), logits


class _Picture(nn.Module):
    """A generator whose outputs are counted, as those of ``lite`` are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor]:
        return (self.network(picture),)


def export_lite(
    network: Lite, path: str | os.PathLike[str], *, facts: Mapping[str, str] | None = None
) -> float:
    """Writes ``lite`` as one ONNX file; returns its largest difference from torch.

    Input ``luminance`` (N, C, H, W); outputs ``ab`` (N, 2, H/4, W/4) and ``logits``
    (N, Q, H/4, W/4); batch and sizes are free.

    Args:
        facts: name, version, licence, training and so on, stored as metadata.

    Raises:
        EngineError: the file does not compute what torch computes; none is left.
        MissingExtra: the package ``onnx`` is not installed.
    """
    onnx, path = _onnx(), Path(path)
    channels = network.encoder.stem.conv.in_channels
    _trace(
        _LiteOutputs(network.eval()), path, _pictures(channels, 64), "luminance", ["ab", "logits"]
    )
    model = onnx.load(path)
    _store_halves(model, prefix="network.")
    onnx.save(model, path)
    halved = _LiteOutputs(lite_from_onnx(path))
    gap = max(_gap(path, halved, _pictures(channels, *size)) for size in (PROBE, (160, 96)))
    _add_facts(path, {**(facts or {}), **_probe(halved, _pictures(channels, *PROBE), "ab")})
    return gap


def export_network(
    network: nn.Module, path: str | os.PathLike[str], *, facts: Mapping[str, str] | None = None
) -> float:
    """Writes a generator as one ONNX file; returns its largest difference from torch.

    The network is folded in place. Input ``picture`` (N, 3, H, W), ImageNet-normalised, 16
    divides H and W; output ``rgb`` of the same size.

    Raises:
        EngineError: the file does not compute what torch computes; none is left.
        MissingExtra: the package ``onnx`` is not installed.
    """
    path, folded = Path(path), _Picture(fold(network))
    # 80 is an odd multiple of 16: only there does the encoder round up, so that the trace holds
    # the decoder's first resize. At even multiples that resize changes nothing.
    _trace(folded, path, _pictures(3, 80), "picture", ["rgb"])
    gap = max(_gap(path, folded, _pictures(3, *size)) for size in (PROBE, (112, 80)))
    _add_facts(path, {**(facts or {}), **_probe(folded, _pictures(3, *PROBE), "rgb")})
    return gap


def lite_from_onnx(path: str | os.PathLike[str]) -> Lite:
    """The torch network of a file that `export_lite` wrote, in eval mode.

    Raises:
        WeightsError: the file is not ONNX, or holds another network.
        MissingExtra: the package ``onnx`` is not installed.
    """
    onnx = _onnx()
    try:
        initialisers = onnx.load(path).graph.initializer
    except Exception as error:  # protobuf's errors have no public root
        raise WeightsError(f"not an ONNX file ({_one_line(error)})", file=path) from None
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in initialisers}
    weights = {key: torch.from_numpy(values.astype(np.float32)) for key, values in arrays.items()}
    try:
        network = Lite.shaped_like(weights)
        network.load_state_dict(weights | _counters(network), assign=True)
    except (KeyError, IndexError, RuntimeError) as error:
        raise WeightsError(f"not a 'lite' network ({_one_line(error)})", file=path) from None
    return network.eval()


def _counters(network: nn.Module) -> dict[str, Tensor]:
    """The batch norms' step counters, which no inference uses and no file holds."""
    keys = network.state_dict()
    return {key: torch.tensor(0) for key in keys if key.endswith("num_batches_tracked")}


def _trace(
    network: nn.Module, path: Path, example: Tensor, source: str, outputs: list[str]
) -> None:
    """Writes the network's graph as it is, nothing folded, batch and sizes free."""
    _onnx()
    with warnings.catch_warnings():
        # The deprecation is answered at the top of this file. The others are about numbers taken
        # from shapes: whether they hold at other sizes is what `_gap` measures.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # EVAL would fold the batch norms
            do_constant_folding=False,
            input_names=[source],
            output_names=outputs,
            dynamic_axes={source: {0: "n", 2: "h", 3: "w"}},
            opset_version=OPSET,
        )


def _store_halves(model: Any, *, prefix: str) -> None:
    """Names the initialisers as the state dict does, and stores the matrices in float16."""
    onnx, graph = _onnx(), model.graph
    casts, read_as = [], {}
    for tensor in graph.initializer:
        name, values = tensor.name, onnx.numpy_helper.to_array(tensor)
        key = tensor.name = read_as[name] = name.removeprefix(prefix)
        if values.ndim > 1:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), key))
            read_as[name] = wide = f"{key}.wide"
            float32 = onnx.TensorProto.FLOAT
            casts.append(onnx.helper.make_node("Cast", [key], [wide], wide, to=float32))
    for node in graph.node:
        node.input[:] = [read_as.get(name, name) for name in node.input]
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _pictures(channels: int, height: int, width: int | None = None) -> Tensor:
    """Two made-up pictures (2, channels, height, width) in [0, 1]: waves, edges, texture."""
    width = width or height
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = 0.5 + 0.25 * torch.sin(x / 7) * torch.cos(y / 11)
    first = waves + 0.2 * ((x // 24 + y // 16) % 2) - 0.1 + ((x * 5 + y * 3) % 7) / 70
    return torch.stack([first, 1 - first.flip(1)])[:, None].repeat(1, channels, 1, 1)


def _gap(path: Path, network: nn.Module, example: Tensor) -> float:
    """The largest difference between the file's outputs and the network's."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as engines.onnx does
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        wanted = network(example)
    got = session.run(None, {session.get_inputs()[0].name: example.numpy()})
    gap = max(float(np.abs(g - w.numpy()).max()) for g, w in zip(got, wanted, strict=True))
    if not gap <= TOLERANCE:
        path.unlink()
        raise EngineError(f"the exported file differs from torch by {gap:.2g}", file=path)
    return gap


def _probe(network: nn.Module, example: Tensor, output: str) -> dict[str, str]:
    """A picture and the network's first output for it, as facts; arrays are base64 of .npy."""
    example = example[:1]
    with torch.inference_mode():
        wanted = network(example)[0]
    return {"probe.input": _as_text(example), f"probe.{output}": _as_text(wanted)}


def _as_text(values: Tensor) -> str:
    buffer = io.BytesIO()
    np.save(buffer, values.numpy())
    return base64.b64encode(buffer.getvalue()).decode()


def _add_facts(path: Path, facts: Mapping[str, str]) -> None:
    """Appends metadata to the file without reading it: protobuf messages merge when joined."""
    onnx = _onnx()
    more = onnx.ModelProto()
    onnx.helper.set_model_props(more, dict(facts))
    with open(path, "ab") as file:
        file.write(more.SerializeToString())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _onnx() -> Any:
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtra("Reading and writing ONNX files", "torch") from None
    return onnx
