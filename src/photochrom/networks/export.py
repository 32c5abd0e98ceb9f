"""Networks to ONNX files, agreement proved while exporting.

A file of ``lite`` is the bundled model's only form: its initialisers are the network's state dict
(names and values; matrices in float16, vectors in float32), widened by small Casts inside the
graph, so one file serves ONNX engines, torch and fine-tuning. Nothing is folded in it; engines
fold when they load. Facts about the model travel as the file's metadata.

Exporting goes through TorchScript: on these networks the newer exporter takes 15 times longer
and leaves a graph with 140 nodes that undo one another.
"""

from __future__ import annotations

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

from .lite import Lite

OPSET = 18
TOLERANCE = 1e-3
"""Largest difference between torch's output and the exported file's, in the network's units."""
PROBE = (2, 96, 160)
"""Pictures, height and width at which a file of ``lite`` is compared with torch."""


class _LiteOutputs(nn.Module):
    """Luminance to both outputs of the file: the annealed mean and the logits."""

    def __init__(self, network: Lite) -> None:
        super().__init__()
        self.network = network

    def forward(self, luminance: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(luminance)
        return self.network.colors(logits), logits


def export_lite(
    network: Lite, path: str | os.PathLike[str], *, facts: Mapping[str, str] | None = None
) -> float:
    """Writes ``lite`` as one ONNX file and returns its largest difference from torch.

    Input ``luminance`` (N, C, H, W); outputs ``ab`` (N, 2, H/4, W/4) and ``logits``
    (N, Q, H/4, W/4); batch and sizes are free.

    Args:
        facts: name, version, licence, training and so on, stored as metadata.

    Raises:
        EngineError: the file does not compute what torch computes; no file is left.
        MissingExtra: the package ``onnx`` is not installed.
    """
    onnx = _onnx()
    network = network.eval()
    channels = network.encoder.stem.conv.in_channels
    luminance = torch.rand(
        PROBE[0], channels, *PROBE[1:], generator=torch.Generator().manual_seed(0)
    )
    model = _trace(_LiteOutputs(network), luminance, ["luminance"], ["ab", "logits"])
    _store_halves(model, prefix="network.")
    onnx.helper.set_model_props(model, dict(facts or {}))
    path = Path(path)
    onnx.save(model, path)
    with torch.no_grad():
        wanted = _LiteOutputs(lite_from_onnx(path))(luminance)
    return _agreement(path, luminance, wanted)


def lite_from_onnx(path: str | os.PathLike[str]) -> Lite:
    """The torch network of a file that `export_lite` wrote, in eval mode.

    Raises:
        WeightsError: the file is not ONNX, or holds another network.
        MissingExtra: the package ``onnx`` is not installed.
    """
    onnx = _onnx()
    try:
        model = onnx.load(path)
        tensors = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
        weights = {key: torch.from_numpy(value.copy()).float() for key, value in tensors.items()}
        with torch.device("meta"):
            network = _empty_lite(weights)
        for key, value in network.state_dict().items():
            if key.endswith("num_batches_tracked"):
                weights[key] = torch.zeros_like(value, device="cpu")
        network.load_state_dict(weights, assign=True)
    except (KeyError, RuntimeError, onnx.onnx_cpp2py_export.checker.ValidationError) as error:
        raise WeightsError(f"not a 'lite' network ({_first_line(error)})", file=path) from None
    except Exception as error:  # protobuf's own errors have no public root
        raise WeightsError(f"not an ONNX file ({_first_line(error)})", file=path) from None
    return network.eval()


def _empty_lite(weights: Mapping[str, Tensor]) -> Lite:
    """A network of the shapes that the weights have."""
    widths = tuple(weights[f"decode{stride}.mix.0.weight"].shape[0] for stride in (16, 8, 4))
    channels = weights["encoder.stem.conv.weight"].shape[1]
    return Lite(weights["bins"], channels=channels, widths=widths)  # type: ignore[arg-type]


def _trace(network: nn.Module, example: Tensor, inputs: list[str], outputs: list[str]) -> Any:
    """The ONNX model of a network in eval mode, nothing folded, batch and sizes free."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # the tracer's deprecation is answered in the module's docstring; its other warnings are
        # about Python numbers taken from shapes, of which `_agreement` at another size is the test
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # EVAL would fold the batch norms
            do_constant_folding=False,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "n", 2: "h", 3: "w"} for name in inputs},
            opset_version=OPSET,
        )
    return _onnx().load_from_string(buffer.getvalue())


def _store_halves(model: Any, *, prefix: str) -> None:
    """Names the initialisers as the state dict does, and stores the matrices in float16."""
    onnx = _onnx()
    helper, graph = onnx.helper, model.graph
    casts, used_as = [], {}
    for tensor in graph.initializer:
        values, name = onnx.numpy_helper.to_array(tensor), tensor.name
        key = tensor.name = name.removeprefix(prefix)
        used_as[name] = key
        if values.ndim > 1:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), key))
            used_as[name] = wide = f"{key}.wide"
            casts.append(helper.make_node("Cast", [key], [wide], wide, to=onnx.TensorProto.FLOAT))
    for node in graph.node:
        node.input[:] = [used_as.get(name, name) for name in node.input]
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _agreement(path: Path, example: Tensor, wanted: tuple[Tensor, ...]) -> float:
    """The largest difference of the file's outputs from the wanted ones."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    got = session.run(None, {name: example.numpy()})
    gap = max(float(np.abs(g - w.numpy()).max()) for g, w in zip(got, wanted, strict=True))
    if not gap <= TOLERANCE:
        path.unlink()
        raise EngineError(f"the exported file differs from torch by {gap:.2g}", file=path)
    return gap


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise MissingExtra("Reading and writing ONNX files", "torch") from None
    return onnx
