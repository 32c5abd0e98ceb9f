"""Sixteen bits per channel, which Pillow stores in files of many kinds but has no RGB mode for.

Reading: Pillow decodes such files to 8 bit by keeping the high byte of each value. Its decoders can
be asked for either byte order, so each file is decoded twice: as it is, for the high bytes, and as
if its bytes were swapped, for the low ones. Every compression, filter and tiling that Pillow reads
comes out exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

from photochrom.errors import InputError

Array16 = NDArray[np.uint16]
ToArray = Callable[[Image.Image], NDArray[np.uint8]]

_SWAPPED = {"B": "L", "L": "B", "N": "B" if np.little_endian else "L"}
_DEEP_MODES = ("RGB;16", "RGBA;16", "RGBX;16", "LA;16")
_PLANAR = 284


def rawmode(image: Image.Image) -> str:
    """How the file's decoder names its pixels, "RGB;16B" for example; empty once loaded."""
    tiles: list[Any] = getattr(image, "tile", [])
    if not tiles:
        return ""
    args = tiles[0][3]
    if tiles[0][0] == "ppm" and image.mode == "RGB" and args[1] > 255:
        return "RGB;16B"
    return str(args[0] if isinstance(args, tuple) else args)


def is_deep(image: Image.Image) -> bool:
    """Whether an opened, not yet loaded image has 16-bit colour, or grey with alpha."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PLANAR) == 2:
        # Pillow decodes separate planes of 16 bit wrongly or at 8 bit.
        if 16 in image.tag_v2.get(258, ()):
            raise InputError(
                "is a 16-bit TIFF with separate colour planes",
                cure="Save it again with interleaved channels, or as PNG.",
            )
        return False
    return rawmode(image)[:-1] in _DEEP_MODES


def read_deep(
    image: ImageFile.ImageFile, reopen: Callable[[], ImageFile.ImageFile], to_array: ToArray
) -> Array16:
    """(H, W, C) uint16 of an image for which `is_deep` holds; `reopen` opens its file again."""
    if rawmode(image).startswith("LA"):  # laid out as R, G, B, A of 8 bit would be
        image.tile = [tile._replace(args="RGBA") for tile in image.tile]
        return to_array(image).view(">u2").astype(np.uint16)
    if image.tile[0].codec_name == "ppm":
        return _read_ppm(image)
    values = to_array(image).astype(np.uint16)
    values <<= 8
    again = reopen()  # only now: both read through the same file
    again.tile = [tile._replace(args=_swap(tile.args)) for tile in again.tile]
    values |= to_array(again)
    return values


def _swap(args: Any) -> Any:
    if isinstance(args, tuple):
        return (_swap(args[0]), *args[1:])
    return args[:-1] + _SWAPPED[args[-1]]


def _read_ppm(image: ImageFile.ImageFile) -> Array16:
    """Pillow scales these to 8 bit (netpbm's ppm(5): two bytes each, the high one first)."""
    tile, count = image.tile[0], image.width * image.height * 3
    assert image.fp is not None
    assert isinstance(tile.args, tuple)
    image.fp.seek(tile.offset)
    data = image.fp.read(2 * count)
    if len(data) < 2 * count:
        raise OSError("image file is truncated")
    values = np.frombuffer(data, ">u2").reshape(image.height, image.width, 3)
    white = int(tile.args[1])
    if white == 65535:
        return values.astype(np.uint16)
    scaled: Array16 = (np.minimum(values, white).astype(np.uint32) * 65535 // white).astype(
        np.uint16
    )
    return scaled
