"""A contact sheet: one photograph in several versions, labelled, one of them marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image, ImageDraw, ImageFont

from photochrom import photo
from photochrom.draft import Draft
from photochrom.models.card import LARGEST
from photochrom.photo import Photo
from photochrom.settings import Settings

CELL = 640
"""Longer side of each picture, in pixels."""
NARROWEST = 160
"""Sides of a thin picture's place, so that the label finds room."""
SMALLEST = 64
"""Render size below which none is tried for comparison."""
GAP = 12
LABEL = 34
"""Height of the line under each picture."""
PAPER, INK, MARK = (24, 24, 26), (200, 200, 204), (255, 196, 61)


def of_drafts(drafts: Sequence[Draft], settings: Settings, *, chosen: int) -> Photo:
    """Drafts of one photograph, rendered small, each over its render size.

    Args:
        chosen: number of the draft that is marked.
    """
    small = photo.to_image(drafts[0].photo)
    small.thumbnail((CELL, CELL))
    cell = photo.read(small)
    images = [photo.to_image(replace(draft, photo=cell).render(settings)) for draft in drafts]
    labels = [f"{draft.render_size} px" for draft in drafts]
    labels[chosen] += ", chosen"
    return photo.read(contact_sheet(images, labels, chosen=chosen))


def neighbours(sizes: Sequence[int], multiple: int) -> list[int]:
    """Render sizes with one more at either end where there is room, a quarter away at least.

    >>> neighbours([192, 256, 320], 32)
    [128, 192, 256, 320, 384]
    """
    first, last = min(sizes), max(sizes)
    step = (last - first) // max(len(sizes) - 1, 1) or max(first // 4 // multiple, 1) * multiple
    below = [first - step] if first - step >= SMALLEST else []
    above = [last + step] if last + step <= LARGEST else []
    return [*below, *sorted(sizes), *above]


def contact_sheet(
    images: Sequence[Image.Image], labels: Sequence[str], *, chosen: int
) -> Image.Image:
    """Pictures of one size on dark paper, in rows, each over its label.

    Args:
        chosen: number of the picture that gets a frame.
    """
    width, height = (max(side, NARROWEST) for side in images[0].size)
    rows = math.ceil(len(images) / math.ceil(math.sqrt(len(images) * 1.6 * height / width)))
    columns = math.ceil(len(images) / rows)
    across, down = width + GAP, height + LABEL + GAP
    sheet = Image.new("RGB", (columns * across + GAP, rows * down + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        left, top = GAP + number % columns * across, GAP + number // columns * down
        place = (left + (width - image.width) // 2, top + (height - image.height) // 2)
        sheet.paste(image.convert("RGB"), place)
        if number == chosen:
            box = (left - 5, top - 5, left + width + 4, top + height + 4)
            draw.rectangle(box, outline=MARK, width=5)
        ink = MARK if number == chosen else INK
        draw.text((left + 2, top + height + 9), label, fill=ink, font=font)
    return sheet
