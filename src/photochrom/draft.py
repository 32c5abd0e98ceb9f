"""A photograph whose colours are known, and which of several such opinions to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photochrom.photo import Photo
from photochrom.render import render
from photochrom.settings import Settings

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Draft:
    """A photograph whose colours are known: rendering it costs no network run."""

    photo: Photo
    chroma: Array
    """Colour differences (2, h, w), blue and red, at the network's output size."""
    picture: Array
    """The network's own picture (h, w, 3) in [0, 1]."""
    render_size: int
    """Side in pixels at which the network saw the photograph."""
    notes: tuple[str, ...] = ()
    """What was changed on the user's behalf."""

    def render(self, settings: Settings | None = None) -> Photo:
        """The photograph in colour: its own luminance, this draft's chroma; with the notes."""
        settings = settings or Settings()
        if settings.post_process:
            pixels = render(
                self.photo.pixels,
                self.chroma,
                strength=settings.strength,
                saturation=settings.saturation,
                depth=self.photo.depth,
            )
        else:
            pixels = _enlarged(self.picture, self.photo)
        return self.photo.with_pixels(pixels).with_notes(*self.notes)


def most_agreed(drafts: Sequence[Draft]) -> Draft:
    """The draft that the others differ from least: colours that hold at several sizes.

    Where the network is unsure its colours change with the size; the middle opinion is the
    safest. Chroma is compared at 32 x 32 places by mean absolute difference.
    """
    if len(drafts) == 1:
        return drafts[0]
    small = [np.stack([resized(p, (32, 32)) for p in draft.chroma]) for draft in drafts]
    distances = [sum(float(np.abs(a - b).mean()) for b in small) for a in small]
    return drafts[int(np.argmin(distances))]


def resized(plane: Array, size: tuple[int, int]) -> Array:
    """A plane (h, w) at another width and height, bilinear."""
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))


def _enlarged(picture: Array, one: Photo) -> NDArray[Any]:
    """The network's picture at the photograph's size and depth."""
    pixels = np.empty((*one.pixels.shape[:2], 3), one.pixels.dtype)
    top = np.iinfo(pixels.dtype).max
    for channel in range(3):
        plane = Image.fromarray(np.ascontiguousarray(picture[..., channel]))
        large = np.asarray(plane.resize(one.size, Image.Resampling.BICUBIC))
        pixels[..., channel] = np.rint(np.clip(large, 0, 1) * top)
    return pixels
