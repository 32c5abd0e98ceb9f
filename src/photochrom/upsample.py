"""Edge-aware enlargement of chroma: colour follows the photograph's own luma.

Around every cell of the small chroma a line is fitted, chroma = offset + slope * luma, with the
slope drawn to zero where luma hardly varies (the local model of He, Sun, Tang, "Guided Image
Filtering", PAMI 2013, eq. 5) or has little to do with chroma. Unlike their filter, the offset is
not averaged: every line passes through its own cell, so flat areas come out as plain bilinear
enlargement gives them and nothing gets blurred. Offsets and slopes are enlarged bilinearly and meet
the full-size luma there, held within the range that the small luma has around the cell: a highlight
brighter than anything the line was fitted to gets no colour from beyond it. docs/trials.md has what
else was tried.

The work goes band by band over the rows; every value depends on its place alone, so that neither
bands nor threads change a bit of the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photochrom.color import Array, Pixels
from photochrom.color import luma as luma_of

Shape = tuple[int, int]

FRINGE = 0.01
"""How far sharpening may pass grey: less than three of 255 levels."""
RIDGE = 2e-3
"""Luma variance at which a slope is halved: a spread of 11 of 255 levels."""
STEEPEST = 16
"""A larger enlargement goes in steps of `STEP`, so that the lines see the luma's finer edges."""
STEP = 4
STRIP = 64
"""Rows handled by one thread at a time."""
BAND_PIXELS = 16384
"""Pixels per band: its float32 planes stay within the processor's cache."""


def upsample(
    chroma: Array, luma_small: Array, luma_full: Array, *, threads: int | None = None
) -> Array:
    """Chroma (2, h, w) to (2, H, W) along the edges of the full-size luma.

    Args:
        chroma: colour differences, at most as large as the full size in each direction.
        luma_small: (h, w), the area mean of the full luma, see `shrink`.
        luma_full: (H, W) in [0, 1].
        threads: all processors when not given; the result does not depend on it.
    """
    height, width = luma_full.shape
    lines = fit_lines(
        chroma, luma_small, enlargement=(height / chroma.shape[1], width / chroma.shape[2])
    )
    out = np.empty((2, height, width), np.float32)

    def work(rows: range) -> None:
        for band, planes in bands(lines, (height, width), rows):
            out[:, band] = follow(planes, luma_full[band])

    over_strips(work, height, threads=threads)
    return out


def shrink(pixels: Pixels, shape: Shape, *, threads: int | None = None) -> Array:
    """Area mean (h, w) of the luma of grey (H, W) or RGB (H, W, 3) pixels, no larger than they."""
    rows = np.empty((pixels.shape[0], shape[1]), np.float32)

    def work(strip: range) -> None:
        part = slice(strip.start, strip.stop)
        rows[part] = resize(luma_of(pixels[part]), (len(strip), shape[1]))

    over_strips(work, len(rows), threads=threads)
    return resize(rows, shape)


def resize(plane: Array, shape: Shape) -> Array:
    """One plane to its area mean at a smaller shape."""
    image = Image.fromarray(np.ascontiguousarray(plane))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BOX))


def ladder(small: Shape, full: Shape) -> list[Shape]:
    """The shapes between small and full at which to stop on the way, ascending; often none."""
    rungs: list[Shape] = []
    while max(full[0] / small[0], full[1] / small[1]) > STEEPEST:
        small = (min(full[0], small[0] * STEP), min(full[1], small[1] * STEP))
        rungs.append(small)
    return rungs


def fit_lines(chroma: Array, luma: Array, *, enlargement: tuple[float, float]) -> Array:
    """The lines (6, h, w) of chroma (2, h, w) over luma (h, w), enlarged by factors (down, across).

    Planes: offset of (B - Y, R - Y), slope of the same, lowest and highest luma around the cell.
    """
    luma = _sharpen(luma, enlargement)
    chroma = _same_side(_sharpen(chroma, enlargement), chroma)
    mean, means = _blur(luma), _blur(chroma)
    variance: Array = _blur(luma * luma) - mean * mean
    own: Array = (_blur(chroma * chroma) - means * means).sum(axis=0)
    shared: Array = _blur(chroma * luma) - means * mean
    square = (shared * shared).sum(axis=0) / np.maximum(own * variance, np.float32(1e-9))
    correlation = np.sqrt(np.minimum(square, 1))
    slopes = _blur(shared * (correlation / (variance + np.float32(RIDGE))))
    lines = np.empty((6, *luma.shape), np.float32)
    lines[:2], lines[2:4] = chroma - slopes * luma, slopes
    lines[4], lines[5] = _around(luma, np.minimum), _around(luma, np.maximum)
    return lines


def follow(planes: list[Array], luma: Array) -> Array:
    """Chroma (2, n, W) of a band, from its six enlarged planes and its luma (n, W)."""
    *offsets_and_slopes, low, high = planes
    held = np.clip(luma, low, high)
    chroma = np.empty((2, *luma.shape), np.float32)
    for k in (0, 1):
        np.multiply(offsets_and_slopes[2 + k], held, out=chroma[k])
        chroma[k] += offsets_and_slopes[k]
    return chroma


def bands(lines: Array, full: Shape, rows: range) -> Iterator[tuple[slice, list[Array]]]:
    """The lines enlarged bilinearly to the full shape, a few of the given rows at a time."""
    first, second, weight = _neighbours(lines.shape[1], full[0])
    top = first[rows.start]
    wide = _widen(lines[:, top : second[rows.stop - 1] + 1], full[1])
    step = max(1, BAND_PIXELS // full[1])
    for start in range(rows.start, rows.stop, step):
        band = slice(start, min(start + step, rows.stop))
        yield (
            band,
            [
                _between(plane[first[band] - top], plane[second[band] - top], weight[band, None])
                for plane in wide
            ],
        )


def over_strips(work: Callable[[range], None], height: int, *, threads: int | None = None) -> None:
    """Calls work with every strip of rows, on several threads; NumPy lets go of the lock."""
    strips = [range(top, min(top + STRIP, height)) for top in range(0, height, STRIP)]
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        list(pool.map(work, strips))


def _widen(lines: Array, width: int) -> Array:
    first, second, weight = _neighbours(lines.shape[2], width)
    return _between(np.take(lines, first, axis=2), np.take(lines, second, axis=2), weight)


def _between(first: Array, second: Array, weight: Array) -> Array:
    """The point at weight (0..1) on the way from first to second; both are overwritten."""
    second -= first
    second *= weight
    first += second
    return first


def _neighbours(small: int, full: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """The two cells next to each pixel's centre, and how far it is on its way to the second."""
    place = ((np.arange(full) + 0.5) * (small / full) - 0.5).clip(0, small - 1)
    first = place.astype(np.intp)
    return first, np.minimum(first + 1, small - 1), (place - first).astype(np.float32)


def _sharpen(planes: Array, enlargement: tuple[float, float]) -> Array:
    """Undoes beforehand the softness of bilinear enlargement, for (..., h, w).

    Enlarged n times and averaged back, a cell has given (1 - 1/n^2) / 8 to either neighbour.
    Two rounds of van Cittert's iteration (1931) take most of that back.
    """
    sides = [np.float32((1 - 1 / max(n, 1) ** 2) / 8) for n in enlargement]
    sharp = planes
    for _ in range(2):
        sharp = sharp + planes - _weigh(_weigh(sharp, sides[0], axis=-2), sides[1], axis=-1)
    return sharp


def _same_side(sharp: Array, chroma: Array) -> Array:
    """Sharp chroma, at most twice as deep as the cells around and not turned into its opposite.

    Grey beside red would otherwise become faintly green.
    """
    low = 2 * np.minimum(_around(chroma, np.minimum), 0) - np.float32(FRINGE)
    high = 2 * np.maximum(_around(chroma, np.maximum), 0) + np.float32(FRINGE)
    return np.clip(sharp, low, high)


def _blur(planes: Array) -> Array:
    return _weigh(_weigh(planes, np.float32(0.25), axis=-2), np.float32(0.25), axis=-1)


def _weigh(planes: Array, side: np.float32, *, axis: int) -> Array:
    """Each cell with its two neighbours along an axis at weight side, edges repeated."""
    part = np.moveaxis(planes * side, axis, 0)
    weighed = planes * (1 - 2 * side)
    line = np.moveaxis(weighed, axis, 0)
    line[1:] += part[:-1]
    line[:-1] += part[1:]
    line[0] += part[0]
    line[-1] += part[-1]
    return weighed


def _around(planes: Array, pick: np.ufunc) -> Array:
    """Least or greatest of the 3 x 3 cells around each, for (..., h, w)."""
    for axis in (-2, -1):
        source, planes = np.moveaxis(planes, axis, 0), planes.copy()
        line = np.moveaxis(planes, axis, 0)
        pick(line[1:], source[:-1], out=line[1:])
        pick(line[:-1], source[1:], out=line[:-1])
    return planes
