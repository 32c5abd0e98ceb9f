"""A contact sheet: one photograph in several versions, labelled, one of them marked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

CELL = 640
"""Longer side of each picture, in pixels."""
GAP = 12
LABEL = 34
"""Height of the line under each picture."""
PAPER, INK, MARK = (24, 24, 26), (200, 200, 204), (255, 196, 61)


def contact_sheet(
    images: Sequence[Image.Image], labels: Sequence[str], *, chosen: int
) -> Image.Image:
    """Pictures of one size on dark paper, in rows, each over its label.

    Args:
        chosen: number of the picture that gets a frame.
    """
    width, height = images[0].size
    rows = math.ceil(len(images) / math.ceil(math.sqrt(len(images) * 1.6 * height / width)))
    columns = math.ceil(len(images) / rows)
    across, down = width + GAP, height + LABEL + GAP
    sheet = Image.new("RGB", (columns * across + GAP, rows * down + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        left, top = GAP + number % columns * across, GAP + number // columns * down
        sheet.paste(image.convert("RGB"), (left, top))
        if number == chosen:
            box = (left - 5, top - 5, left + width + 4, top + height + 4)
            draw.rectangle(box, outline=MARK, width=5)
        ink = MARK if number == chosen else INK
        draw.text((left + 2, top + height + 9), label, fill=ink, font=font)
    return sheet
