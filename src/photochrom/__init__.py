"""Colour for black-and-white photographs and film.

>>> import photochrom
>>> colorizer = photochrom.load("lite")
"""

from __future__ import annotations

from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

from photochrom.errors import PhotochromError

if TYPE_CHECKING:
    from photochrom.colorizer import Colorizer, Result
    from photochrom.draft import Draft
    from photochrom.photo import Photo
    from photochrom.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Colorizer",
    "Draft",
    "Photo",
    "PhotochromError",
    "Result",
    "Settings",
    "load",
]

_HOMES = {
    "Colorizer": "photochrom.colorizer",
    "Draft": "photochrom.draft",
    "Photo": "photochrom.photo",
    "Result": "photochrom.colorizer",
    "Settings": "photochrom.settings",
}


def __getattr__(name: str) -> Any:
    # NumPy and Pillow take a tenth of a second: they load when a picture is in sight.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(
    model: str | PathLike[str] = "lite", *, engine: str = "auto", device: str = "auto"
) -> Colorizer:
    """A colorizer, ready to use.

    Args:
        model: a name (``lite``, ``artistic``, ``stable``, ``video``) or a weight file.
        engine: ``onnx``, ``openvino``, ``torch``; ``auto`` takes the fastest one installed.
        device: ``cpu``, ``cuda``, ``mps``; ``auto`` takes the best one there is.

    Raises:
        WeightsError: the weights are missing or of another network.
        EngineError: the engine cannot run this model here.
        MissingExtra: the engine is not installed.
    """
    from photochrom.colorizer import Colorizer
    from photochrom.engines.choice import open_engine
    from photochrom.models import find

    found = find(model)
    opened, why = open_engine(found, engine=engine, device=device)
    return Colorizer(found, opened, why=why)
