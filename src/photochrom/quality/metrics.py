"""How close a coloured picture is to the true one, and how sure a mean over pictures is.

Pure functions of NumPy arrays. RGB is sRGB in [0, 1], Lab is CIELAB under D65; the last axis holds
the three channels.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log10, pi, radians
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photochrom.color import lab_to_rgb, rgb_to_lab

Array = NDArray[np.float32]
Statistic = Callable[[NDArray[Any]], float]

PSNR_MAX = 100.0
"""What equal pictures get, in dB, so that a mean over pictures stays finite."""


def psnr(got: ArrayLike, want: ArrayLike) -> float:
    """Peak signal-to-noise ratio in dB over all channels of RGB in [0, 1]; higher is better.

    10 log10(1 / MSE), at most ``PSNR_MAX``.

    >>> round(psnr(np.zeros((2, 2, 3)), np.full((2, 2, 3), 0.1)), 6)
    20.0
    """
    error = np.mean(np.square(np.asarray(got, np.float64) - np.asarray(want, np.float64)))
    return -10 * log10(max(float(error), 10 ** (-PSNR_MAX / 10)))


def ciede2000(lab1: NDArray[Any], lab2: NDArray[Any]) -> NDArray[Any]:
    """Colour difference of each pixel, Lab (..., 3) twice to (...); lower is better.

    About 1 is just visible. float32 stays float32, which keeps three decimals.

    Source: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula", Color Research and
    Application 30 (2005), equations 2 to 22, with kL = kC = kH = 1.

    >>> pair = np.array([[50.0, 2.5, 0.0], [73.0, 25.0, -18.0]])
    >>> round(float(ciede2000(pair[0], pair[1])), 4)
    27.1492
    """
    kind = np.promote_types(np.float32, np.result_type(lab1, lab2))
    l1, a1, b1 = np.moveaxis(np.asarray(lab1, kind), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(lab2, kind), -1, 0)

    # The a axis is stretched for near-grey colours, where CIELAB is least even.
    stretch = 1.5 - 0.5 * _saturation((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1, chroma2 = np.hypot(a1, b1), np.hypot(a2, b2)
    hue1, hue2 = np.arctan2(b1, a1), np.arctan2(b2, a2)  # within -pi .. pi
    lightness, chroma = (l1 + l2) / 2, (chroma1 + chroma2) / 2
    hue = _mean_hue(hue1, hue2)  # of no weight where a grey has none: delta_h is 0

    weight = (
        1
        - 0.17 * np.cos(hue - radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + radians(6))
        - 0.20 * np.cos(4 * hue - radians(63))
    )
    middle = np.square(lightness - 50)
    delta_l = (l2 - l1) / (1 + 0.015 * middle / np.sqrt(20 + middle))
    delta_c = (chroma2 - chroma1) / (1 + 0.045 * chroma)
    # Half of a whole turn is half a turn: over the longer arc the sine has the other sign.
    delta_h = 2 * np.sqrt(chroma1 * chroma2) * np.sin((hue2 - hue1) / 2)
    delta_h = np.where(np.abs(hue2 - hue1) > pi, -delta_h, delta_h)
    delta_h = delta_h / (1 + 0.015 * chroma * weight)
    # Chroma and hue are not independent in the blues: the ellipses there lie askew.
    blue = np.exp(-np.square((np.degrees(hue) % 360 - 275) / 25))
    rotation = -2 * _saturation(chroma) * np.sin(radians(60) * blue)
    square = delta_l**2 + delta_c**2 + delta_h**2 + rotation * delta_c * delta_h
    difference: NDArray[Any] = np.sqrt(np.maximum(square, 0))
    return difference


def _saturation(chroma: NDArray[Any]) -> NDArray[Any]:
    """sqrt(C^7 / (C^7 + 25^7)), with C in units of 25 so that float32 holds the seventh power."""
    scaled = chroma / 25
    cube = scaled * scaled * scaled
    seventh = cube * cube * scaled
    root: NDArray[Any] = np.sqrt(seventh / (seventh + 1))
    return root


def _mean_hue(hue1: NDArray[Any], hue2: NDArray[Any]) -> NDArray[Any]:
    """The hue half-way on the shorter arc, in radians.

    Opposite hues have two half-way points; the formula takes that of angles counted from 0 to 360.
    """
    full = 2 * pi
    hue1, hue2 = np.where(hue1 < 0, hue1 + full, hue1), np.where(hue2 < 0, hue2 + full, hue2)
    total = hue1 + hue2
    turned = np.where(total < full, total + full, total - full)
    half_way: NDArray[Any] = np.where(np.abs(hue1 - hue2) > pi, turned, total) / 2
    return half_way


def colorfulness(rgb: ArrayLike) -> float:
    """How colourful a picture looks, on the usual scale of 0 (grey) to about 110.

    RGB (..., 3) in [0, 1] is brought to 0..255; with rg = R - G and yb = (R + G) / 2 - B:
    sqrt(std(rg)^2 + std(yb)^2) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2), all differences signed.

    Source: Hasler and Suesstrunk, "Measuring colourfulness in natural images", SPIE 5007 (2003).

    >>> colorfulness(np.full((2, 2, 3), 0.5))
    0.0
    >>> round(colorfulness([[1.0, 0.0, 0.0]]), 2)  # 0.3 sqrt(255^2 + 127.5^2)
    85.53
    """
    red, green, blue = np.moveaxis(np.asarray(rgb, np.float64) * 255, -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def with_lightness(rgb_got: ArrayLike, rgb_truth: ArrayLike) -> Array:
    """The got picture's a and b under the true picture's L, as RGB clipped to [0, 1].

    It takes the lightness out of a comparison: a colouriser is judged by its colour alone.

    >>> truth = np.array([[0.2, 0.4, 0.6]], np.float32)
    >>> np.allclose(with_lightness(truth * 0 + 0.5, truth).std(), 0, atol=1e-3)  # grey stays grey
    True
    """
    got = rgb_to_lab(np.asarray(rgb_got, np.float32))
    truth = rgb_to_lab(np.asarray(rgb_truth, np.float32))
    joined = np.concatenate([truth[..., :1], got[..., 1:]], axis=-1)
    return np.clip(lab_to_rgb(joined), 0, 1)


class Interval(NamedTuple):
    """An estimate and its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float


class Difference(NamedTuple):
    """a minus b, its 95 % bootstrap interval, and the share of resamples in which a is larger."""

    estimate: float
    low: float
    high: float
    probability: float


def mean(values: NDArray[Any]) -> float:
    """The plain mean, the statistic that is resampled unless another is given."""
    return float(values.mean())


def bootstrap(
    values: ArrayLike, statistic: Statistic = mean, *, n: int = 1000, seed: int = 0
) -> Interval:
    """How sure a statistic over pictures is: the percentile interval of 95 %.

    Args:
        values: one entry, or one row, for each picture; pictures are drawn with replacement.
        statistic: takes the drawn entries and returns one number.
        n: number of resamples.

    Raises:
        ValueError: there are no values.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.

    >>> bootstrap([3.0, 3.0, 3.0])
    Interval(estimate=3.0, low=3.0, high=3.0)
    """
    rows = np.asarray(values, np.float64)
    draws = [statistic(rows[drawn]) for drawn in _resamples(len(rows), n=n, seed=seed)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(statistic(rows), float(low), float(high))


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, statistic: Statistic = mean, *, n: int = 1000, seed: int = 0
) -> Difference:
    """Whether a differs from b on the same pictures: both are drawn together.

    The probability is the share of resamples in which a's statistic is larger, ties counted half:
    near 1 or 0 the difference is sure, near 0.5 it is chance.

    Raises:
        ValueError: there are no values, or a and b are not of one length.

    >>> paired_bootstrap([1.0, 2.0], [0.5, 1.5])
    Difference(estimate=0.5, low=0.5, high=0.5, probability=1.0)
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(left) != len(right):
        raise ValueError(f"pairs are needed, not {len(left)} and {len(right)} values")
    draws = np.array(
        [
            statistic(left[drawn]) - statistic(right[drawn])
            for drawn in _resamples(len(left), n=n, seed=seed)
        ]
    )
    low, high = np.percentile(draws, [2.5, 97.5])
    larger = float(np.mean(draws > 0) + np.mean(draws == 0) / 2)
    return Difference(statistic(left) - statistic(right), float(low), float(high), larger)


def _resamples(count: int, *, n: int, seed: int) -> NDArray[np.intp]:
    """Indices (n, count) drawn with replacement, the same for the same seed."""
    if count == 0:
        raise ValueError("no values to resample")
    return np.random.default_rng(seed).integers(0, count, size=(n, count))
