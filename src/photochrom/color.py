"""Colour without touching light: luma and colour differences, sRGB, CIE Lab.

The currency of the house is the **colour difference**. Luma is Rec. 601's weighted sum of
gamma-coded sRGB, Y = 0.299 R + 0.587 G + 0.114 B (Pillow's "L"); chroma is the pair (B - Y, R - Y)
as planes (2, H, W) float32. Any pair added to a luma leaves that luma as it was, because green is
what the other two leave of it. Film's Cb and Cr are the same planes, scaled.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Pixels = NDArray[Any]
Depth = Literal[8, 16]

RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""Rec. 601 luma weights."""

# IEC 61966-2-1 primaries and D65, to the digits that float32 can hold.
_TO_XYZ = np.array(
    [
        [0.4123908, 0.3575843, 0.1804808],
        [0.2126390, 0.7151687, 0.0721923],
        [0.0193308, 0.1191948, 0.9505322],
    ]
)
_WHITE = _TO_XYZ.sum(axis=1)
_XYZ_FROM_RGB = (_TO_XYZ / _WHITE[:, None]).astype(np.float32)  # relative to white
_RGB_FROM_XYZ = np.linalg.inv(_TO_XYZ / _WHITE[:, None]).astype(np.float32)
_KNEE = 6 / 29  # CIE 15: below it the cube root is replaced by a line

_ABSURD = 4.0
"""No colour difference of a real colour passes 0.9; larger than this only invites overflow."""


def to_float(pixels: Pixels) -> Array:
    """uint8, uint16 or float pixels of any shape to float32, full scale 1."""
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32, copy=False)
    return pixels * np.float32(1 / np.iinfo(pixels.dtype).max)


def luma(pixels: Pixels) -> Array:
    """Grey (H, W) or RGB (H, W, 3) pixels, uint8, uint16 or float in [0, 1], to luma (H, W)."""
    if pixels.ndim == 2:
        return to_float(pixels)
    scale = 1.0 if pixels.dtype.kind == "f" else 1 / np.iinfo(pixels.dtype).max
    weights = np.array([RED * scale, GREEN * scale, BLUE * scale], np.float32)
    light: Array = weights[0] * pixels[..., 0]
    light += weights[1] * pixels[..., 1]
    light += weights[2] * pixels[..., 2]
    return light


def difference(rgb: Pixels) -> Array:
    """RGB (H, W, 3), uint8, uint16 or float in [0, 1], to chroma planes (B - Y, R - Y)."""
    rgb = to_float(rgb)
    return np.stack([rgb[..., 2], rgb[..., 0]]) - luma(rgb)


def green_difference(chroma: Array) -> Array:
    """G - Y (H, W), from (B - Y, R - Y): the three weighted differences sum to zero."""
    green: Array = chroma[0] * np.float32(-BLUE / GREEN)
    green -= np.float32(RED / GREEN) * chroma[1]
    return green


def fit_gamut(luma: Array, chroma: Array) -> Array:
    """Chroma (2, H, W) times the largest factor in [0, 1] that keeps RGB within [0, 1].

    One factor per pixel, so that hue stays; luma (H, W) in [0, 1] is never asked to give way.
    """
    chroma = np.clip(chroma, -_ABSURD, _ABSURD)
    green = green_difference(chroma)
    tiny = np.float32(1e-9)
    top = np.maximum(np.maximum(chroma[0], chroma[1]), green)
    bottom = np.minimum(np.minimum(chroma[0], chroma[1]), green)
    factor = (1 - luma) / np.maximum(top, tiny)
    np.minimum(factor, luma / np.maximum(-bottom, tiny), out=factor)
    chroma *= np.minimum(factor, 1, out=factor)
    return chroma


def join(luma: Array, chroma: Array) -> Array:
    """Luma (H, W) in [0, 1] and chroma (2, H, W) to RGB (H, W, 3) float32 in [0, 1]."""
    chroma = fit_gamut(luma, chroma)
    rgb = np.stack([luma + chroma[1], luma + green_difference(chroma), luma + chroma[0]], axis=-1)
    return np.clip(rgb, 0, 1, out=rgb)


def join_pixels(
    luma: Array, chroma: Array, *, depth: Depth = 8, out: Pixels | None = None
) -> Pixels:
    """Luma (H, W) in [0, 1] and chroma (2, H, W) to RGB (H, W, 3), uint8 or uint16.

    Luma is rounded to the depth first, red and blue next, and green takes up what their rounding
    did: the result's luma is within 0.3 of a level of the rounded luma, so Pillow's
    ``convert("L")`` gives a grey picture back unchanged, and no chroma gives equal channels.

    Args:
        luma: in [0, 1].
        chroma: any finite values; those out of gamut are lowered, see `fit_gamut`.
        depth: bits per channel of the result.
        out: where to write, (H, W, 3) of that depth; made when not given.
    """
    top = np.float32(255 if depth == 8 else 65535)
    if out is None:
        out = np.empty((*luma.shape, 3), np.uint8 if depth == 8 else np.uint16)
    light = np.rint(luma * top)
    chroma = fit_gamut(light * (1 / top), chroma)
    chroma *= top
    chroma += light
    blue, red = np.clip(np.rint(chroma, out=chroma), 0, top, out=chroma)
    out[..., 0], out[..., 2] = red, blue
    light *= np.float32(1 / GREEN)
    light -= np.multiply(red, np.float32(RED / GREEN), out=red)
    light -= np.multiply(blue, np.float32(BLUE / GREEN), out=blue)
    out[..., 1] = np.clip(np.rint(light, out=light), 0, top, out=light)
    return out


def to_linear(rgb: Array) -> Array:
    """Gamma-coded sRGB of any shape to linear light; below 0 the line goes on (IEC 61966-2-1)."""
    curve = ((np.maximum(rgb, 0.04) + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(rgb <= 0.04045, rgb / np.float32(12.92), curve)


def to_gamma(linear: Array) -> Array:
    """Linear light of any shape to gamma-coded sRGB; below 0 the line goes on."""
    curve = np.maximum(linear, 0.003) ** np.float32(1 / 2.4) * np.float32(1.055)
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), curve - np.float32(0.055))


def rgb_to_lab(rgb: Pixels) -> Array:
    """sRGB (..., 3), uint8, uint16 or float in [0, 1], to CIE Lab (..., 3), D65, L in [0, 100]."""
    xyz = to_linear(to_float(rgb)) @ _XYZ_FROM_RGB.T
    line = xyz * np.float32(1 / (3 * _KNEE**2)) + np.float32(4 / 29)
    x, y, z = np.moveaxis(np.where(xyz > _KNEE**3, np.cbrt(xyz), line), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lab: Array) -> Array:
    """CIE Lab (..., 3), D65, to sRGB (..., 3) float32; outside [0, 1] where out of gamut."""
    root = _lab_roots(lab[..., 0], lab[..., 1], lab[..., 2])
    return to_gamma(_cube(root) @ _RGB_FROM_XYZ.T)


def lab_to_difference(luma: Array, ab: Array, *, steps: int = 5) -> Array:
    """The chroma (2, H, W) whose colour has this luma (H, W) and, where it exists, this Lab ab.

    Lightness is not known beforehand: Newton's method finds the L whose colour has the luma,
    from the L of the grey of that luma. Colours that sRGB does not have lose chroma.

    Args:
        luma: (H, W) in [0, 1].
        ab: Lab a and b as planes (2, H, W).
        steps: of Newton's method; 5 leave |dL| < 0.01 for every colour within sRGB.
    """
    lightness = rgb_to_lab(np.repeat(luma[..., None], 3, axis=-1))[..., 0]
    for _ in range(steps):
        light, slope = _luma_of_lab(lightness, ab)
        step = np.clip((luma - light) / np.maximum(slope, 1e-3), -20, 20)
        lightness = np.clip(lightness + step, 0, 100)
    colour = lab_to_rgb(np.stack([lightness, ab[0], ab[1]], axis=-1))
    return fit_gamut(luma, difference(colour))


def _lab_roots(lightness: Array, a: Array, b: Array) -> Array:
    """The cube roots (..., 3) of XYZ relative to white."""
    y = (lightness + 16) * np.float32(1 / 116)
    return np.stack([y + a * np.float32(1 / 500), y, y - b * np.float32(1 / 200)], axis=-1)


def _cube(root: Array) -> Array:
    line = (root - np.float32(4 / 29)) * np.float32(3 * _KNEE**2)
    return np.where(root > _KNEE, root * root * root, line)


def _luma_of_lab(lightness: Array, ab: Array) -> tuple[Array, Array]:
    """Luma of Lab colours and its derivative by L, both (H, W)."""
    root = _lab_roots(lightness, ab[0], ab[1])
    linear = _cube(root) @ _RGB_FROM_XYZ.T
    rgb = to_gamma(linear)
    by_root = 3 * np.maximum(root, _KNEE) ** 2
    by_linear = np.where(
        linear <= 0.0031308, 12.92, (rgb + np.float32(0.055)) / (2.4 * np.maximum(linear, 0.003))
    )
    slope = by_linear * (by_root @ _RGB_FROM_XYZ.T) * np.float32(1 / 116)
    return luma(rgb), luma(slope.astype(np.float32, copy=False))
