"""What must survive of a picture's file: EXIF, ICC profile, resolution, XMP.

EXIF blocks are kept byte for byte and patched in place, because re-serialising them would break the
offsets inside the makers' notes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, TiffImagePlugin

PREFIX = b"Exif\0\0"
"""In front of an EXIF block in JPEG."""
DAMAGED = "the photograph's EXIF is damaged and was left out"

_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:\s*=\s*["\']|>))\s*[1-8]')

DESCRIPTIVE_TAGS = (
    270,
    271,
    272,
    305,
    306,
    315,
    316,
    33432,
    0x9C9B,
    0x9C9C,
    0x9C9D,
    0x9C9E,
    0x9C9F,
)
"""TIFF tags that speak about the photograph (title, camera, date, author, rights), not its file."""


@dataclass(frozen=True)
class Metadata:
    """Everything beside the pixels that a result inherits from its photograph."""

    exif: bytes | None = None
    """A TIFF-structured EXIF block without the ``Exif\\0\\0`` prefix, orientation 1."""
    icc: bytes | None = None
    """The ICC profile of the pixels."""
    dpi: tuple[float, float] | None = None
    """Dots per inch, horizontal and vertical."""
    xmp: bytes | None = None
    """The XMP packet, UTF-8."""


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it is nonsense."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF comes as any error there is; the picture is worth more
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def collect(image: Image.Image, *, sideways: bool) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata of a loaded image, and a note if some of it is lost.

    Args:
        sideways: turning the image upright swaps its width and height.
    """
    notes: tuple[str, ...] = ()
    try:
        exif = _exif(image)
        exif = upright_exif(exif, sideways=sideways) if exif else None
    except Exception:  # as in `orientation`
        exif, notes = None, (DAMAGED,)
    dpi, xmp = _dpi(image), image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if dpi and sideways:
        dpi = dpi[1], dpi[0]
    kept = Metadata(
        exif=exif,
        icc=image.info.get("icc_profile") or None,
        dpi=dpi,
        xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", bytes(xmp)) if xmp else None,
    )
    return kept, notes


def described(exif: bytes | None) -> dict[int, Any]:
    """The descriptive TIFF tags of an EXIF block; those of its two sub-blocks as dictionaries."""
    source = Image.Exif()
    source.load(exif or b"")
    return _descriptive(source)


def _descriptive(source: Image.Exif) -> dict[int, Any]:
    tags: dict[int, Any] = {tag: source[tag] for tag in DESCRIPTIVE_TAGS if tag in source}
    for block in (_EXIF_IFD, _GPS_IFD):
        if entries := dict(source.get_ifd(block)):
            tags[block] = entries
    return tags


def _exif(image: Image.Image) -> bytes | None:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _exif_of_tiff(image)
    raw = image.info.get("exif")
    return bytes(raw).removeprefix(PREFIX) or None if raw else None


def _exif_of_tiff(image: TiffImagePlugin.TiffImageFile) -> bytes | None:
    """A TIFF's tags mix description and layout; the description and the two sub-blocks are kept."""
    kept = Image.Exif()
    kept.update(_descriptive(image.getexif()))
    return kept.tobytes().removeprefix(PREFIX) if len(kept) else None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    given: Any = image.info.get("dpi")
    if given is None:
        given = _dpi_of_exif(image)
    try:
        x, y = (float(value) for value in given)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    # 1 x 1 is what files without a resolution say.
    return (x, y) if 1 < x < 1e6 and 1 < y < 1e6 else None


def _dpi_of_exif(image: Image.Image) -> tuple[float, float] | None:
    try:
        exif = image.getexif()
        inches = {2: 1.0, 3: 2.54}[exif.get(_RESOLUTION_UNIT, 2)]
        return float(exif[_X_RESOLUTION]) * inches, float(exif[_Y_RESOLUTION]) * inches
    except Exception:
        return None


def with_resolution(exif: bytes | None, dpi: tuple[float, float]) -> bytes:
    """EXIF that tells the resolution, for formats that have no other place for it.

    A block without one is serialised anew, the one exception to this module's rule.
    """
    block = Image.Exif()
    if exif:
        block.load(exif)
    if _X_RESOLUTION in block:
        return exif or b""
    block[_X_RESOLUTION], block[_Y_RESOLUTION], block[_RESOLUTION_UNIT] = *dpi, 2
    return block.tobytes().removeprefix(PREFIX)


def upright_exif(exif: bytes, *, sideways: bool) -> bytes:
    """An EXIF block for the turned pixels: orientation 1, sides swapped, old thumbnail unlinked.

    `exif` starts with its TIFF header (Exif 2.32, 4.5.2).

    Raises:
        struct.error: it cannot be followed.
    """
    order: Literal["<", ">"] = "<" if exif[:2] == b"II" else ">"
    block = bytearray(exif)
    (first,) = struct.unpack_from(order + "L", block, 4)
    for tag, value in _entries(block, order, first):
        if tag == _ORIENTATION:
            struct.pack_into(order + "HH", block, value, 1, 0)
        elif tag == _EXIF_IFD and sideways:
            _swap_sides(block, order, struct.unpack_from(order + "L", block, value)[0])
    (count,) = struct.unpack_from(order + "H", block, first)
    after = first + 2 + 12 * count
    if after + 4 <= len(block):  # the thumbnail shows the picture before its colours
        struct.pack_into(order + "L", block, after, 0)
    return bytes(block)


def _entries(block: bytearray, order: str, offset: int) -> Iterator[tuple[int, int]]:
    """The tags of one directory, each with the place of its value or value offset."""
    (count,) = struct.unpack_from(order + "H", block, offset)
    for place in range(offset + 2, offset + 2 + 12 * count, 12):
        yield struct.unpack_from(order + "H", block, place)[0], place + 8


def _swap_sides(block: bytearray, order: str, offset: int) -> None:
    places = dict(_entries(block, order, offset))
    if _PIXEL_WIDTH in places and _PIXEL_HEIGHT in places:
        width, height = (
            slice(places[tag] - 6, places[tag] + 4) for tag in (_PIXEL_WIDTH, _PIXEL_HEIGHT)
        )
        block[width], block[height] = block[height], block[width]


def profile_space(icc: bytes | None) -> str | None:
    """The colour space an ICC profile is for: RGB, GRAY, CMYK, Lab (ICC.1:2022, 7.2.8)."""
    return icc[16:20].decode("latin-1").strip() if icc and len(icc) >= 128 else None
