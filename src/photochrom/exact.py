"""DeOldify's picture path around the network, bit for bit, whatever the Pillow.

The original squeezes the picture into a square, makes it grey, normalises it, and afterwards takes
the colours back to the picture's size and lays them under its luminance, all in 8 bit. Here the
same arithmetic is written out in integers, because Pillow 13 resizes differently from the versions
that the original ran with.

>>> rgb = np.full((4, 6, 3), 90, np.uint8)
>>> gray, tensor = network_input(rgb, side=16)
>>> gray.shape, tensor.shape, tensor.dtype
((16, 16), (1, 3, 16, 16), dtype('float32'))
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from photochrom.photo.reading import MAX_PIXELS, Source, opening

Array8 = NDArray[np.uint8]
Array32 = NDArray[np.float32]

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
"""ImageNet's statistics, in R, G, B."""

_BITS = 22  # of the resize weights' fractions
_BLOCK = 1 << 20  # values worked on at a time


def open_as_original(source: Source, *, max_pixels: int = MAX_PIXELS) -> Array8:
    """(H, W, 3) uint8 as the original opens a picture.

    EXIF orientation and ICC profile are ignored, alpha is dropped, 16-bit grey is clipped at 255.

    Raises:
        InputError, MissingExtra: as `photo.read`.
    """
    with opening(source, max_pixels=max_pixels) as (image, *_):
        if image.mode.startswith("I") or image.mode == "F":
            gray = np.clip(np.asarray(image), 0, 255).astype(np.uint8)
            return np.repeat(gray[..., None], 3, axis=2)
        return np.asarray(image.convert("RGB"))


def network_input(rgb: Array8, side: int) -> tuple[Array8, Array32]:
    """The grey square that the network sees, and its tensor.

    Args:
        rgb: (H, W, 3) uint8.
        side: 16 x render factor.

    Returns:
        (side, side) uint8, and (1, 3, side, side) float32 normalised by ImageNet's statistics.
    """
    gray = to_gray(resize(rgb, side, side))
    channels = np.repeat(gray[None], 3, axis=0).astype(np.float32) / np.float32(255)
    return gray, ((channels - MEAN[:, None, None]) / STD[:, None, None])[None]


def finish(output: Array32, rgb: Array8, *, post_process: bool = True) -> Array8:
    """The network's answer as a picture of the original's size.

    Args:
        output: (3, S, S) or (1, 3, S, S) float32, ImageNet-normalised.
        rgb: (H, W, 3) uint8, the picture that was opened.
        post_process: whether the picture's own luminance is put back.

    Returns:
        (H, W, 3) uint8.
    """
    unsquared = resize(to_pixels(output), *rgb.shape[:2])
    return merge_luminance(rgb, unsquared) if post_process else unsquared


def to_pixels(output: Array32) -> Array8:
    """Network output (3, S, S) or (1, 3, S, S) to (S, S, 3) uint8, truncated, not rounded."""
    planes = output.reshape(output.shape[-3:]) * STD[:, None, None] + MEAN[:, None, None]
    levels = np.clip(planes, np.float32(0), np.float32(1)) * np.float32(255)
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0))


def to_gray(rgb: Array8) -> Array8:
    """Pillow's RGB to L: (19595 R + 38470 G + 7471 B + 32768) >> 16."""
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    gray: Array8 = ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)
    return gray


def resize(rgb: Array8, height: int, width: int) -> Array8:
    """BILINEAR of Pillow 9 to 12: horizontal pass, then vertical, each rounded to 8 bit."""
    across = _resize_rows(rgb.swapaxes(0, 1), width).swapaxes(0, 1)
    return _resize_rows(across, height)


def _resize_rows(values: Array8, size: int) -> Array8:
    """One pass: (N, ...) to (size, ...) along the first axis; the same size is left alone."""
    count = len(values)
    if count == size:
        return values
    rows = np.ascontiguousarray(values).reshape(count, -1)
    result = np.empty((size, rows.shape[1]), np.uint8)
    for i, (first, weights) in enumerate(_taps(count, size)):
        # 255 * 2^22 is the most that the weights of one tap set add up to: it fits into 31 bits.
        total = np.full(rows.shape[1], 1 << (_BITS - 1), np.int32)
        for row, weight in zip(rows[first : first + len(weights)], weights, strict=True):
            total += row.astype(np.int32) * weight
        result[i] = np.clip(total >> _BITS, 0, 255)
    return result.reshape(size, *values.shape[1:])


def _taps(count: int, size: int) -> list[tuple[int, NDArray[np.int32]]]:
    """For each output the first input and the integer weights: a triangle, widened to shrink."""
    scale = count / size
    reach = max(scale, 1.0)
    taps = []
    for i in range(size):
        center = (i + 0.5) * scale
        first, last = max(int(center - reach + 0.5), 0), min(int(center + reach + 0.5), count)
        weights = 1 - np.abs(np.arange(first, last) - center + 0.5) * (1 / reach)
        weights = np.maximum(weights, 0)
        weights /= sum(weights.tolist())  # in order, as C adds them
        taps.append((first, (weights * (1 << _BITS) + 0.5).astype(np.int32)))
    return taps


def merge_luminance(luminance_of: Array8, chroma_of: Array8) -> Array8:
    """OpenCV's 8-bit YUV there and back: Y of one picture, U and V of the other; (H, W, 3)."""
    result = np.empty_like(luminance_of)
    step = max(1, _BLOCK // max(1, luminance_of.shape[1]))
    for start in range(0, len(result), step):
        rows = slice(start, start + step)
        result[rows] = _merged(
            luminance_of[rows].astype(np.int32), chroma_of[rows].astype(np.int32)
        )
    return result


def _merged(original: NDArray[np.int32], colored: NDArray[np.int32]) -> NDArray[np.int32]:
    y, own = _luma14(original), _luma14(colored)
    red, _, blue = np.moveaxis(colored, -1, 0)
    u = np.clip(((blue - own) * 8061 + (128 << 14) + 8192) >> 14, 0, 255) - 128
    v = np.clip(((red - own) * 14369 + (128 << 14) + 8192) >> 14, 0, 255) - 128
    parts = 18678 * v, -6472 * u - 9519 * v, 33292 * u
    levels = np.stack([y + ((part + 8192) >> 14) for part in parts], -1)
    return np.clip(levels, 0, 255, out=levels)


def _luma14(rgb: NDArray[np.int32]) -> NDArray[np.int32]:
    red, green, blue = np.moveaxis(rgb, -1, 0)
    luma: NDArray[np.int32] = (4899 * red + 9617 * green + 1868 * blue + 8192) >> 14
    return luma


def watermark(rgb: Array8, mark: Array8) -> Array8:
    """The original's watermark: half of the mark added in the lower left corner, 5 % of the height.

    Pictures less than 20 pixels high, or too narrow, are returned as they are.

    Args:
        rgb: (H, W, 3) uint8.
        mark: (M, M, 3) uint8, square.
    """
    height, width = rgb.shape[:2]
    side = int(0.05 * height)
    if side < 1 or side + 10 > width or side + 10 > height:
        return rgb
    result = rgb.copy()
    corner = result[height - side - 10 : height - 10, 10 : 10 + side]
    corner[:] = np.minimum(np.rint(0.5 * shrink_area(mark, side) + corner), 255)
    return result


def shrink_area(mark: Array8, side: int) -> Array8:
    """OpenCV's INTER_AREA, shrinking a square: means over fractional boxes, rounded."""
    edges = np.arange(side + 1) * (len(mark) / side)
    pixels = np.arange(len(mark))
    cover = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.maximum(cover, 0) * (side / len(mark))
    small: Array8 = np.rint(np.einsum("ia,abc,jb->ijc", weights, mark, weights)).astype(np.uint8)
    return small
