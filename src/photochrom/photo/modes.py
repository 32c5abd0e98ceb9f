"""Pillow's modes to arrays: grey or RGB of 8 or 16 bit, and alpha."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from photochrom.photo.deep import rawmode
from photochrom.photo.metadata import profile_space
from photochrom.photo.picture import Pixels, blocks

_SMALL = 1 << 22  # pixels that may be copied as a whole
_GREY = ("1", "L", "LA", "La")


@dataclass(frozen=True, eq=False)
class Planes:
    """The arrays of one decoded image, and how they came about."""

    pixels: Pixels
    alpha: Pixels | None = None
    mode: str = ""
    left_profile: bool = False
    """The pixels were converted to sRGB: the file's ICC profile no longer describes them."""
    notes: tuple[str, ...] = ()


def planes_of(image: Image.Image) -> Planes:
    """An image of any of Pillow's modes as (H, W) or (H, W, 3), uint8 or uint16, and alpha."""
    mode, raw = image.mode, rawmode(image)
    if mode.startswith("I;16"):
        return _deep_grey(image)
    if mode in ("I", "F"):
        return _from_numbers(image)
    if mode in ("CMYK", "LAB"):
        planes = _through_profile(image)
    else:
        kind = "L" if mode in _GREY else "RGB"
        wanted = kind + ("A" if image.has_transparency_data else "")
        image.load()
        planes = split(to_array(image if mode == wanted else image.convert(wanted)), mode)
    if raw[:-1].endswith(";16"):
        note = f"16-bit {mode} of this kind is read at 8 bit"
        return Planes(planes.pixels, planes.alpha, mode, planes.left_profile, (*planes.notes, note))
    return planes


def split(values: Pixels, mode: str = "") -> Planes:
    """(H, W), or (H, W, C) with C = 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha."""
    if values.ndim == 2 or values.shape[2] == 3:
        return Planes(values, None, mode)
    pixels = values[..., 0] if values.shape[2] == 2 else values[..., :3]
    return Planes(np.ascontiguousarray(pixels), np.ascontiguousarray(values[..., -1]), mode)


def to_array(image: Image.Image) -> Pixels:
    """The pixels of an image; large ones strip by strip: copied once, not three times."""
    image.load()
    width, height = image.size
    if width * height <= _SMALL:
        values = np.array(image)
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    first = np.asarray(image.crop((0, 0, width, 1)))
    values = np.empty((height, *first.shape[1:]), first.dtype.newbyteorder("="))
    for rows in blocks(height, width):
        stop = min(rows.stop, height)
        values[rows] = np.asarray(image.crop((0, rows.start, width, stop)))
    return values


def turn(values: Pixels, orientation: int) -> Pixels:
    """Values (H, W, ...) stored in an EXIF orientation, upright (Exif 2.32, tag 0x0112)."""
    if orientation in (3, 4, 7):
        values = values[::-1]
    if orientation in (2, 3, 7):
        values = values[:, ::-1]
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation == 6:
        values = values[:, ::-1]
    if orientation == 8:
        values = values[::-1]
    return np.ascontiguousarray(values)


def _deep_grey(image: Image.Image) -> Planes:
    values = to_array(image)
    transparent = image.info.get("transparency")
    alpha = (
        np.where(values == transparent, 0, 65535).astype(np.uint16)
        if isinstance(transparent, int)
        else None
    )
    return Planes(values, alpha, image.mode)


def _from_numbers(image: Image.Image) -> Planes:
    """32-bit integers and floats, whose white is nowhere written down, as 16 bit."""
    values = to_array(image)
    if not np.isfinite(values).all():
        raise ValueError("values that are not numbers")
    low, high = float(values.min()), float(values.max())
    for white in (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,):
        if low >= 0 and high <= white:
            return Planes(_scaled(values, 0.0, white), None, image.mode)
    note = f"values from {low:g} to {high:g} were stretched to black and white"
    return Planes(_scaled(values, low, high), None, image.mode, notes=(note,))


def _scaled(values: Pixels, black: float, white: float) -> Pixels:
    result = np.empty(values.shape, np.uint16)
    for rows in blocks(*values.shape):
        result[rows] = np.rint(
            (values[rows].astype(np.float64) - black) * (65535 / max(white - black, 1e-30))
        )
    return result


def _through_profile(image: Image.Image) -> Planes:
    """CMYK and Lab to sRGB: by the embedded profile, or else by a plain formula, which is said."""
    image.load()
    icc = image.info.get("icc_profile")
    try:
        if image.mode == "LAB":
            profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif icc and profile_space(icc) == "CMYK":
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        else:
            return _unprofiled(image, "without")
        srgb = ImageCms.createProfile("sRGB")
        rgb = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return _unprofiled(image, "with a broken")
    assert rgb is not None
    return Planes(to_array(rgb), None, image.mode, left_profile=True)


def _unprofiled(image: Image.Image, how: str) -> Planes:
    note = f"{image.mode} {how} colour profile: converted by a plain formula"
    return Planes(to_array(image.convert("RGB")), None, image.mode, True, (note,))
