"""The options that say which network runs where, and the colorizer they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from photochrom.cli.report import one_line
from photochrom.errors import SettingsError

if TYPE_CHECKING:
    from photochrom.colorizer import Colorizer

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

    The engine ``painted`` answers with one colour everywhere: for trials without weights.

    Raises:
        PhotochromError: as ``photochrom.load``.
    """
    import photochrom

    if engine == "painted":
        return _painted(model)
    return photochrom.load(model, engine=engine, device=device)


def _painted(model: str) -> Colorizer:
    from dataclasses import replace

    from photochrom.colorizer import Colorizer
    from photochrom.engines import painted
    from photochrom.models import Model, cards, find

    if model not in cards():
        find(model)
    card = replace(cards()["lite"], name="painted", title="one colour everywhere")
    paint = Model(card, Path(painted.__file__))
    return Colorizer(paint, painted.PaintedEngine(), why="painted: one colour everywhere, as asked")


def described(colorizer: Colorizer) -> str:
    """Model, engine and the reason for it, in one line."""
    why = one_line(colorizer.why or colorizer.engine.name)
    return f"model {colorizer.model.card.name}, engine {why}"


def chosen_size(factor: str, size: str) -> int | Literal["auto"]:
    """Render size in pixels from ``--render-factor`` and ``--render-size``.

    Raises:
        SettingsError: both are given, or one is no number.
    """
    from photochrom.settings import size_of_factor

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
