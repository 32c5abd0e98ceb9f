"""Colours of its own, or a toned print? How far chroma strays from being a function of tone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIDE = 32  # cells on the longer side: averages out grain and the blur of JPEG's chroma
_KNOTS = 9
_ROWS_PER_CELL = 64


def chroma_spread(pixels: NDArray[Any]) -> float:
    """The spread of chroma that neither tone nor place explain, in levels of 255; 0 for pure grey.

    The picture is averaged to 32 cells on its longer side. Cb and Cr (Rec. 601) are fitted by a
    piecewise linear function of luma (sepia, cyanotype, split toning) plus a second-degree
    polynomial of place (yellowed edges, uneven fading). Of the residual, the standard deviation
    along its minor axis and a third of its whole RMS are added: toning errors lie on one line in
    the chroma plane, the colours of things do not.

    Measured by `tests/test_photo_toning.py` on the 1000 photographs of `val.tar` (256 px
    wide) at the threshold 1.5: 99.0 % of them are seen as colour; of six kinds of toned prints made
    from them, 100 % are seen as grey as PNG and as JPEG of quality 85, 96 % at quality 60, where
    such small pictures have lost most of their chroma. Prints of 1000 px stay grey down to 60.

    Args:
        pixels: (H, W, 3) uint8 or uint16.
    """
    luma, chroma = _chroma(pixels)
    chroma = chroma.reshape(-1, 2)
    terms = _terms(luma)
    gram = terms.T @ terms + 1e-3 * np.eye(terms.shape[1])
    rest = chroma - terms @ np.linalg.solve(gram, terms.T @ chroma)
    minor = np.linalg.eigvalsh(rest.T @ rest / len(rest))[0]
    return float(np.sqrt(max(minor, 0.0)) + np.sqrt((rest**2).sum(1).mean()) / 3)


def mean_chroma(pixels: NDArray[Any]) -> float:
    """Mean length of (Cb, Cr) over 32 cells on the longer side, in levels of 255; 0 for grey.

    Args:
        pixels: (H, W, 3) uint8 or uint16.
    """
    return float(np.sqrt((_chroma(pixels)[1] ** 2).sum(-1)).mean())


def _chroma(pixels: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Luma (h, w) and chroma (h, w, 2) of the cells, in levels of 255 (Rec. 601)."""
    cells = _averaged(pixels) * (255 / np.iinfo(pixels.dtype).max)
    red, green, blue = np.moveaxis(cells, -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma, np.stack([(blue - luma) / 1.772, (red - luma) / 1.402], -1)


def _averaged(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """(H, W, 3) to the means of at most 32 x 32 cells; of tall cells, 64 rows are enough."""
    height, width = pixels.shape[:2]
    scale = max(1.0, max(height, width) / _SIDE)
    rows, columns = max(1, round(height / scale)), max(1, round(width / scale))
    tops = np.arange(rows + 1) * height // rows
    lefts = np.arange(columns) * width // columns
    widths = np.diff(np.append(lefts, width))[:, None]
    cells = np.empty((rows, columns, 3))
    for row, (top, bottom) in enumerate(pairwise(tops)):
        band = pixels[top : bottom : max(1, (bottom - top) // _ROWS_PER_CELL)]
        cells[row] = np.add.reduceat(band.mean(0, dtype=np.float64), lefts, axis=0) / widths
    return cells


def _terms(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """(h, w) luma to (h w, 14): hat functions of luma and the monomials of place up to degree 2."""
    height, width = luma.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    knots = np.linspace(0, 255, _KNOTS)
    hats = np.maximum(0, 1 - np.abs(luma[..., None] - knots) / knots[1])
    places = np.stack([x, y, x * x, y * y, x * y], -1)
    return np.concatenate([hats, places], -1).reshape(height * width, -1)
