"""How good a colouriser is on a set of colour photographs, with the doubt stated.

`pictures` reads the set, `evaluate` makes a `Report` of one colouriser, `compare` sets two reports
against each other. What is measured, and on what, is printed in the report itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from photochrom.color import rgb_to_lab
from photochrom.errors import InputError, SettingsError
from photochrom.quality.metrics import ciede2000, colorfulness, psnr, with_lightness
from photochrom.quality.perceptual import SIDE_MIN, Perceptual, installed
from photochrom.quality.photographs import Photograph, Photographs, pictures
from photochrom.quality.report import Report, Row, Scores, compare

__all__ = [
    "Colorize",
    "Photograph",
    "Photographs",
    "Report",
    "Row",
    "Scores",
    "compare",
    "evaluate",
    "pictures",
]

Colorize = Callable[[list[Image.Image]], Sequence[ArrayLike | Image.Image]]
"""Grey pictures (mode L) to as many RGB pictures of the same sizes, 8 bit."""

GREY_CHROMA = 2.0
"""A photograph of less mean Lab chroma has no colour to be judged by."""


def evaluate(
    colorize: Colorize,
    photographs: Iterable[Photograph],
    *,
    size: int = 256,
    batch: int = 8,
    perceptual: bool | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Report:
    """Colours grey copies of photographs and measures how near the truth the colours are.

    Args:
        colorize: grey pictures (mode L, of different sizes) to 8-bit RGB pictures.
        photographs: as `pictures` gives them.
        size: longer side in pixels that larger photographs are reduced to.
        batch: pictures handed to colorize at once.
        perceptual: whether to measure ST-LPIPS; by default where it is installed.
        facts: what the report shall say of the model and the set.

    Raises:
        InputError: no photograph is left to measure, or one cannot be read.
        SettingsError: size is below 32 or batch below 1.
        MissingExtra: ST-LPIPS was asked for and is not installed.
        ValueError: colorize returned too few pictures, or one of another size or depth.
    """
    if size < SIDE_MIN or batch < 1:
        raise SettingsError(
            f"size {size} with batch {batch} leaves nothing to measure",
            cure=f"Use a size of {SIDE_MIN} or more and a batch of 1 or more.",
        )
    metric = Perceptual() if (installed() if perceptual is None else perceptual) else None
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    remaining = iter(photographs)
    while chosen := list(islice(remaining, batch)):
        truths: list[Photograph] = []
        for name, image in chosen:
            truth = _reduced(image, size)
            if why := _unfit(truth):
                left_out[name] = why
            else:
                truths.append(Photograph(name, truth))
        coloured = _coloured(colorize, [truth.image.convert("L") for truth in truths])
        rows += [_row(*truth, got, metric) for truth, got in zip(truths, coloured, strict=True)]
    if not rows:
        raise InputError(
            f"none of {len(left_out)} photographs can be measured",
            cure=f"Choose pictures in colour with sides of at least {SIDE_MIN} pixels.",
        )
    return Report(tuple(rows), left_out, _protocol(size, metric), dict(facts or {}))


def _reduced(image: Image.Image, size: int) -> Image.Image:
    """The picture with its longer side at most size, by Pillow's Lanczos filter."""
    scale = size / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _unfit(truth: Image.Image) -> str:
    """Why a photograph cannot be measured; empty where it can."""
    if min(truth.size) < SIDE_MIN:
        return f"a side below {SIDE_MIN} pixels"
    lab = rgb_to_lab(_float(truth))
    chroma = float(np.hypot(lab[..., 1], lab[..., 2]).mean())
    return f"grey: mean chroma {chroma:.2f}" if chroma < GREY_CHROMA else ""


def _coloured(colorize: Colorize, greys: list[Image.Image]) -> list[NDArray[np.uint8]]:
    """What colorize makes of grey pictures; checked, since colorize may be anyone's."""
    if not greys:
        return []
    got = [np.asarray(each) for each in colorize(greys)]
    want = [(grey.height, grey.width, 3) for grey in greys]
    if [each.shape for each in got] != want or any(each.dtype != np.uint8 for each in got):
        found = [f"{each.shape} {each.dtype}" for each in got]
        raise ValueError(f"colorize returned {found}, not {want} uint8")
    return got


def _row(name: str, truth: Image.Image, got: NDArray[np.uint8], metric: Perceptual | None) -> Row:
    """Scores of the coloured picture and of grey, both under the true lightness."""
    want = _float(truth)
    lab = rgb_to_lab(want)
    pair = [with_lightness(each, want) for each in (_float(got), np.zeros_like(want))]
    distances = metric.distance(pair, want[None]) if metric else (None, None)
    scores, baseline = (
        Scores(
            ciede2000=float(ciede2000(rgb_to_lab(each), lab).mean()),
            psnr=psnr(each, want),
            colorfulness=colorfulness(each),
            stlpips=None if distance is None else float(distance),
        )
        for each, distance in zip(pair, distances, strict=True)
    )
    return Row(name, *truth.size, scores, baseline, colorfulness(want))


def _float(pixels: Image.Image | NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(pixels, np.float32) / np.float32(255)


def _protocol(size: int, metric: Perceptual | None) -> str:
    absent = "not measured" if installed() else "not measured: it needs the extra 'train'"
    lpips = metric.name if metric else absent
    return (
        f"Photographs reduced, never enlarged, to a longer side of {size} px (Lanczos); grey by"
        " Rec. 601 luma (8 bit); the true Lab lightness (D65) put under the colours before"
        " measuring; CIEDE2000 mean over pixels, PSNR over RGB, colourfulness by Hasler and"
        f" Suesstrunk (signed), perceptual distance: {lpips}. Means over pictures with 95 %"
        " percentile bootstrap intervals (1000 resamples). Left out: photographs of mean chroma"
        f" below {GREY_CHROMA:g} or with a side below {SIDE_MIN} px. The grey baseline has no"
        " colour under the same lightness."
    )
