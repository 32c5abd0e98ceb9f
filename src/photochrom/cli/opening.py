"""The options that say which network runs where, and the colorizer they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from photochrom.errors import SettingsError

if TYPE_CHECKING:
    from photochrom.colorizer import Colorizer

ENGINES = ("auto", "onnx", "openvino", "torch", "painted")
"""``painted`` answers with one colour everywhere: for trying things out without weights."""
DEVICES = ("auto", "cpu", "cuda", "mps")

Model = Annotated[
    str, Option(metavar="NAME|FILE", help="A model (photochrom weights list) or a weight file.")
]
Engine = Annotated[str, Option(metavar="auto|onnx|openvino|torch", help="What runs the network.")]
Device = Annotated[str, Option(metavar="auto|cpu|cuda|mps", help="Where the network runs.")]
RenderFactor = Annotated[
    str, Option(metavar="N|auto", help="Size for the network as in DeOldify, 7 to 45: 16 x N.")
]
RenderSize = Annotated[
    str, Option(metavar="PX|auto", help="The same in pixels; auto compares a few sizes.")
]


def open_colorizer(model: str, *, engine: str = "auto", device: str = "auto") -> Colorizer:
    """The colorizer that the options mean.

    Raises:
        SettingsError: an engine or device of no known name.
        PhotochromError: as ``photochrom.load``.
    """
    import photochrom

    for value, known in ((engine, ENGINES), (device, DEVICES)):
        if value not in known:
            raise SettingsError(f"{value!r} is not one of {', '.join(known)}")
    return (
        _painted() if engine == "painted" else photochrom.load(model, engine=engine, device=device)
    )


def _painted() -> Colorizer:
    from dataclasses import replace

    from photochrom.colorizer import Colorizer
    from photochrom.engines import painted
    from photochrom.models import Model, cards

    card = replace(cards()["lite"], name="painted", title="one colour everywhere")
    model = Model(card, Path(painted.__file__))
    return Colorizer(model, painted.PaintedEngine(), why="asked for")


def described(colorizer: Colorizer) -> str:
    """Model, engine and the reason for it, in one line."""
    engine = colorizer.engine
    why = f": {colorizer.why}" if colorizer.why else ""
    return (
        f"{colorizer.model.card.name} with {engine.name} ({engine.precision}, {engine.device}){why}"
    )


def chosen_size(factor: str, size: str) -> int | Literal["auto"]:
    """Render size in pixels from ``--render-factor`` and ``--render-size``.

    Raises:
        SettingsError: both are given, or one is no number.
    """
    from photochrom.colorizer import size_of_factor

    if factor != "auto" and size != "auto":
        raise SettingsError("--render-factor and --render-size are one thing", cure="Give one.")
    if factor != "auto":
        return size_of_factor(_number(factor, "--render-factor"))
    return "auto" if size == "auto" else _number(size, "--render-size")


def _number(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{option} {text!r} is neither 'auto' nor a whole number") from None
