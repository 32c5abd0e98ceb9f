"""Marks for people: before | after with labels, and a small drawn mark in the corner."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[Any]

_SMALLEST = 120  # pixels of height and width below which a mark would hide more than it says
_PETALS = ((214, 69, 65), (244, 179, 80), (92, 160, 90), (64, 140, 190), (124, 92, 170))


def compare(
    before: Pixels, after: Pixels, *, labels: tuple[str, str] = ("before", "after")
) -> Pixels:
    """Two pictures side by side, each with its label on a dark tag in the upper left corner.

    Args:
        before: (H, W) or (H, W, 3) uint8.
        after: the same height and width.
        labels: what the tags say.

    Returns:
        (H, 2 W + gap, 3) uint8; the gap is white, 1 % of the width.
    """
    if before.shape[:2] != after.shape[:2]:
        raise ValueError(f"before is {before.shape[:2]}, after is {after.shape[:2]}")
    height, width = before.shape[:2]
    gap = max(2, round(width / 100))
    sheet = Image.new("RGB", (2 * width + gap, height), "white")
    for pixels, label, left in ((before, labels[0], 0), (after, labels[1], width + gap)):
        sheet.paste(_tagged(pixels, label), (left, 0))
    return np.asarray(sheet)


def _tagged(pixels: Pixels, label: str) -> Image.Image:
    picture = Image.fromarray(pixels).convert("RGB")
    size = max(9, round(min(picture.size) / 24))
    font = ImageFont.load_default(size=size)
    pad = round(size * 0.55)
    left, top, right, bottom = font.getbbox(label)
    box = (pad, pad, 3 * pad + right - left, round(2.4 * pad) + bottom - top)
    tag = Image.new("RGBA", (int(box[2]) + 2, int(box[3]) + 2))
    draw = ImageDraw.Draw(tag)
    draw.rounded_rectangle(box, radius=pad * 0.8, fill=(0, 0, 0, 150))
    center = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    draw.text(center, label, font=font, anchor="mm", fill=(255, 255, 255, 255))
    picture.paste(tag, (0, 0), tag)
    return picture


class Marked(NamedTuple):
    """A picture, and whether it carries the mark."""

    pixels: Pixels
    marked: bool


def watermark(rgb: Pixels) -> Marked:
    """A ring of five coloured petals in the lower left corner, half transparent.

    Its size is 5 % of the height, at least 16 pixels. Pictures of less than 120 pixels of height or
    width are returned as they are, and that is said.

    Args:
        rgb: (H, W, 3) uint8 or uint16.
    """
    height, width = rgb.shape[:2]
    if min(height, width) < _SMALLEST:
        return Marked(rgb, False)
    side = min(max(16, round(height / 20)), width // 4)
    margin = max(6, side // 3)
    mark = np.asarray(petals(side), np.float32) / 255
    color, cover = mark[..., :3] * np.iinfo(rgb.dtype).max, mark[..., 3:]
    result = rgb.copy()
    place = np.s_[height - margin - side : height - margin, margin : margin + side]
    result[place] = np.rint(rgb[place] * (1 - cover) + color * cover)
    return Marked(result, True)


def petals(side: int) -> Image.Image:
    """The mark alone: RGBA of `side` x `side` pixels, drawn at four times its size."""
    big = 4 * side
    ring = Image.new("RGBA", (big, big))
    for turn, color in enumerate(_PETALS):
        petal = Image.new("RGBA", (big, big))
        box = (big * 0.335, big * 0.03, big * 0.665, big * 0.50)
        ImageDraw.Draw(petal).ellipse(
            box, fill=(*color, 150), outline=(255, 255, 255, 170), width=side // 12
        )
        petal = petal.rotate(-72 * turn, Image.Resampling.BICUBIC)
        ring = Image.alpha_composite(ring, petal)
    return ring.resize((side, side), Image.Resampling.BOX)
