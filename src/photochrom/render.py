"""From a photograph's pixels and its chroma at render size to the colour picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from photochrom.color import Array, Depth, Pixels, join_pixels, luma
from photochrom.errors import EngineError
from photochrom.upsample import (
    bands,
    fit_lines,
    follow,
    ladder,
    over_strips,
    resize,
    shrink,
    upsample,
)


def render(
    pixels: Pixels,
    chroma: Array,
    *,
    strength: float = 1.0,
    saturation: float = 1.0,
    depth: Depth = 8,
    threads: int | None = None,
) -> Pixels:
    """The photograph in colour, (H, W, 3) uint8 or uint16, its luma kept.

    Chroma grows along the photograph's edges (`upsample`), is joined to the photograph's own luma
    and lowered where it would leave the gamut (`color.join_pixels`). Beside the result, memory
    holds the chroma and a few rows only.

    Args:
        pixels: grey (H, W) or RGB (H, W, 3), uint8, uint16 or float in [0, 1]; of RGB, the luma.
        chroma: colour differences (2, h, w) of any size; its picture covers the same frame,
            whatever its aspect.
        strength: 0 gives the grey picture, 1 the colour as it is; linear in colour differences.
        saturation: a second factor on the same differences.
        depth: bits per channel of the result.
        threads: all processors when not given; the result does not depend on it.

    Raises:
        EngineError: the chroma holds values that are not finite.
    """
    if not np.isfinite(chroma).all():
        raise EngineError("the network's answer is not finite", cure="Try another engine.")
    full = (pixels.shape[0], pixels.shape[1])
    lines = _lines(pixels, chroma * np.float32(strength * saturation), full, threads)
    out = np.empty((*full, 3), np.uint8 if depth == 8 else np.uint16)

    def work(rows: range) -> None:
        for band, planes in bands(lines, full, rows):
            light = luma(pixels[band])
            join_pixels(light, follow(planes, light), depth=depth, out=out[band])

    over_strips(work, full[0], threads=threads)
    return out


def _lines(pixels: Pixels, chroma: Array, full: tuple[int, int], threads: int | None) -> Array:
    """The last step's lines; a large enlargement has climbed the ladder before."""
    small = (min(full[0], chroma.shape[1]), min(full[1], chroma.shape[2]))
    if chroma.shape[1:] != small:
        chroma = np.stack([resize(plane, small) for plane in chroma])
    shapes = [small, *ladder(small, full)]
    lumas = [shrink(pixels, shapes[-1], threads=threads)]
    for shape in reversed(shapes[:-1]):
        lumas.insert(0, resize(lumas[0], shape))
    for light, finer in pairwise(lumas):
        chroma = upsample(chroma, light, finer, threads=threads)
    height, width = lumas[-1].shape
    return fit_lines(chroma, lumas[-1], enlargement=(full[0] / height, full[1] / width))
