"""What each network expects and returns, as data: engines and the Colorizer stay general."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from photochrom import color

Array = NDArray[np.float32]

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]

SMALLEST, LARGEST = 16, 1024
"""Render sizes that make sense, in pixels: attention's memory grows with the fourth power."""
FACTOR = 16
"""Pixels of render size per unit of DeOldify's render factor."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """The facts of one network; see ``catalog.toml`` for what the words mean."""

    name: str
    title: str
    network: Literal["lite", "deep", "wide"]
    input: Literal["luminance", "imagenet"]
    output: Literal["ab", "rgb"]
    fit: Literal["aspect", "square"]
    multiple: int
    render_size: int
    auto_sizes: tuple[int, ...]
    file: str
    licence: str
    bytes: int | None = None
    sha256: str | None = None
    bundled: bool = False

    def network_size(self, size: tuple[int, int], render_size: int) -> tuple[int, int]:
        """Width and height at which the network sees a picture of ``size`` (width, height)."""
        if self.fit == "square":
            side = self.rounded(render_size)
            return side, side
        scale = render_size / max(size)
        return self.rounded(size[0] * scale), self.rounded(size[1] * scale)

    def rounded(self, side: float) -> int:
        """The nearest side that the network takes."""
        return max(1, round(side / self.multiple)) * self.multiple

    def prepare(self, luma: Array) -> Array:
        """Luma (N, H, W) in [0, 1] to the network's input (N, C, H, W)."""
        if self.input == "luminance":
            return luma[:, None]
        return (luma[:, None] - IMAGENET_MEAN) / IMAGENET_STD

    def read(self, output: Array, luma: Array) -> tuple[Array, Array]:
        """One output of the network (K, h, w) to chroma (2, h, w) and its own picture (h, w, 3).

        Chroma are colour differences, see ``color``; the picture is RGB in [0, 1]. ``luma``
        (h, w) is the photograph's own, at the output's size.
        """
        if self.output == "ab":
            chroma = color.lab_to_difference(luma, output)
            return chroma, color.join(luma, chroma)
        rgb = np.clip(output * IMAGENET_STD + IMAGENET_MEAN, 0, 1)
        picture = np.ascontiguousarray(rgb.transpose(1, 2, 0))
        return color.difference(picture), picture


@cache
def cards() -> dict[str, Card]:
    """Every model known by name, in the catalogue's order."""
    text = (resources.files("photochrom.models") / "catalog.toml").read_text()
    rows = tomllib.loads(text)
    return {
        name: Card(name=name, **{**row, "auto_sizes": tuple(row["auto_sizes"])})
        for name, row in rows.items()
    }
