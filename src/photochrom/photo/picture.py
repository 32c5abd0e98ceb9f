"""Photo: pixels as they are in the file, turned upright, with everything that must survive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from photochrom.photo.metadata import Metadata
from photochrom.photo.toning import chroma_spread, mean_chroma

Pixels = NDArray[Any]
"""uint8 or uint16."""

_COLORED = 1.5  # levels of 255
_TINTED = 4.0  # levels of 255: less is hardly seen
_BLOCK = 1 << 20  # pixels worked on at a time


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph: what it shows, and what its file said about it."""

    pixels: Pixels
    """(H, W, 3) or (H, W), uint8 or uint16 as in the file."""
    alpha: Pixels | None = None
    """(H, W) of the same depth, or None: opaque."""
    metadata: Metadata = field(default_factory=Metadata)
    format: str = ""
    """Pillow's name of the file's format, JPEG for example; empty for pixels without a file."""
    mode: str = ""
    """How the file stored its pixels, in Pillow's words: L, P, CMYK, RGB;16 ..."""
    orientation: int = 1
    """The EXIF orientation in which the file stores the pixels; these are upright."""
    notes: tuple[str, ...] = ()
    """What a person should know of the reading: "animated GIF: first frame of 12 used"."""

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)) or dtype not in (
            np.uint8,
            np.uint16,
        ):
            raise ValueError(
                f"pixels are (H, W) or (H, W, 3), uint8 or uint16; these are {shape}, {dtype}"
            )
        if self.alpha is not None and (self.alpha.shape, self.alpha.dtype) != (shape[:2], dtype):
            raise ValueError(
                f"alpha is {self.alpha.shape}, {self.alpha.dtype}; the pixels are {shape}, {dtype}"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def depth(self) -> Literal[8, 16]:
        """Bits per channel."""
        return 8 if self.pixels.dtype.itemsize == 1 else 16

    def is_colored(self) -> bool:
        """Whether the picture has colours of its own; sepia, faded and split-toned prints are grey.

        Decided by `toning.chroma_spread`, which see for what was measured.
        """
        return self.pixels.ndim == 3 and chroma_spread(self.pixels) > _COLORED

    def is_tinted(self) -> bool:
        """Whether the picture is far from neutral on the whole: a toned print or a colour cast."""
        return self.pixels.ndim == 3 and mean_chroma(self.pixels) > _TINTED

    def with_pixels(self, pixels: Pixels) -> Photo:
        """The same photograph with other pixels, of either depth; alpha follows in depth."""
        if pixels.shape[:2] != self.pixels.shape[:2]:
            raise ValueError(
                f"the picture is {self.pixels.shape[:2]}, the new pixels are {pixels.shape[:2]}"
            )
        alpha = None if self.alpha is None else to_depth(self.alpha, pixels.dtype.itemsize * 8)
        return replace(self, pixels=pixels, alpha=alpha)

    def flattened(self, pixels: Pixels) -> Photo:
        """The same photograph with opaque 8-bit pixels of any size; notes say what that lost."""
        notes = ["16-bit values were reduced to 8 bit"] if self.depth == 16 else []
        if self.alpha is not None:
            notes.append("the transparency was left out")
        return replace(self, pixels=pixels, alpha=None).with_notes(*notes)

    def with_notes(self, *notes: str) -> Photo:
        """The same photograph with something more to say."""
        return replace(self, notes=self.notes + notes)


def to_depth(values: Pixels, depth: int) -> Pixels:
    """Values of 8 or 16 bit as 8 or 16 bit: x 257, or rounded to nearest; exact there and back."""
    if values.dtype.itemsize * 8 == depth:
        return values
    result = np.empty(values.shape, np.uint16 if depth == 16 else np.uint8)
    for rows in blocks(*values.shape[:2]):
        if depth == 16:
            result[rows] = values[rows].astype(np.uint16) * 257
        else:
            result[rows] = (values[rows].astype(np.uint32) + 128) // 257
    return result


def blocks(height: int, width: int) -> Iterator[slice]:
    """Row slices of about a million pixels, so that temporary copies stay small."""
    step = max(1, _BLOCK // max(width, 1))
    return (slice(start, start + step) for start in range(0, height, step))
