"""A model's ONNX file: its own, or one made from its weights once and kept."""

from __future__ import annotations

from pathlib import Path

from photochrom.errors import EngineError
from photochrom.models import Model, home
from photochrom.whole import written_whole

FORM = 1
"""Of the converted files: a step up when exporting changes, so that older ones are left alone."""


def onnx_file(model: Model) -> Path:
    """The file that onnxruntime and OpenVINO open.

    Published weights are converted when first asked for, which takes torch and half a minute;
    the file is kept in ``PHOTOCHROM_HOME`` (``converted/``) and starts without torch from then on.

    Raises:
        MissingExtra: torch is needed and not installed.
        WeightsError: the weights are damaged or of another network.
        EngineError: the converted file cannot be kept.
    """
    if model.path.suffix == ".onnx":
        return model.path
    name = f"{model.card.network}-{model.sha256[:16]}-{FORM}.onnx"
    path = home() / "converted" / name
    if not path.exists():
        _convert(model, path)
    return path


def _convert(model: Model, path: Path) -> None:
    from .torch import network_of

    network = network_of(model)
    from photochrom.networks.export import export_lite, export_network
    from photochrom.networks.lite import Lite

    facts = {"network": model.card.network}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            if isinstance(network, Lite):
                export_lite(network, part, facts=facts)
            else:
                export_network(network, part, facts=facts)
    except OSError as error:
        raise EngineError(
            f"the converted network cannot be kept ({error.strerror})",
            file=path,
            cure="Set PHOTOCHROM_HOME to a folder with room, or take --engine torch.",
        ) from None
