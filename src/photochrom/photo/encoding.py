"""A Photo as the bytes of a file: JPEG, PNG, TIFF, WebP, AVIF, HEIC."""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from photochrom.errors import OutputError, PhotochromError
from photochrom.photo import xmp
from photochrom.photo.metadata import (
    DAMAGED,
    PREFIX,
    described,
    profile_space,
    with_resolution,
)
from photochrom.photo.packing import png_bytes, tiff_bytes
from photochrom.photo.picture import Photo, Pixels, to_depth
from photochrom.photo.reading import register_heif, warnings_told

FORMATS: dict[str, str] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    ".png": "PNG",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".webp": "WEBP",
    ".avif": "AVIF",
    **dict.fromkeys((".heic", ".heif"), "HEIF"),
}
"""Suffixes that can be written, to the format's name."""

_LONGEST_SIDE = {"JPEG": 65535, "WEBP": 16383, "AVIF": 65535, "HEIF": 65535}
_XMP_IN_JPEG, _EXIF_IN_JPEG = 65504, 65527  # 65535 less the length and the name in front


_LOSSLESS = "Choose .png or .tif."
_TOO_LONG = "the photograph's {} is too long for a JPEG and was left out; .png or .tif keep it"


class Encoded(NamedTuple):
    """The bytes of a file, and what could not be kept in them."""

    data: memoryview
    notes: tuple[str, ...]


def encode(
    photo: Photo, format: str, *, quality: int = 95, provenance: Mapping[str, str] | None = None
) -> Encoded:
    """A photo as the bytes of a file.

    JPEG is written at quality 95 with 4:4:4 chroma: the colours are what was made here, and 4:2:0
    would store a quarter of them and let them bleed over edges. PNG, TIFF and 16 bit are lossless.

    Args:
        photo: pixels, alpha and the metadata that goes with them.
        format: one of the values of `FORMATS`.
        quality: 1 to 100, for JPEG, WebP, AVIF and HEIC.
        provenance: facts for the XMP packet, such as version, model and settings; see `photo.xmp`.

    Raises:
        OutputError: the picture is too large for the format, or its encoder failed.
        MissingExtra: HEIC without pillow-heif.
    """
    longest = max(photo.size)
    if longest > _LONGEST_SIDE.get(format, longest):
        raise OutputError(
            f"{format} holds {_LONGEST_SIDE[format]} pixels on a side, the picture has {longest}",
            cure=_LOSSLESS,
        )
    photo = _fitted(replace(photo, notes=()), format)
    if provenance is not None:
        packet = xmp.merge(photo.metadata.xmp, provenance)
        photo = replace(photo, metadata=replace(photo.metadata, xmp=packet))
    if format == "JPEG":
        photo = _short_enough(photo, provenance)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        data, notes = _encoded(photo, format, quality, provenance or {})
    return Encoded(data, notes + warnings_told(warned))


def _encoded(photo: Photo, format: str, quality: int, provenance: Mapping[str, str]) -> Encoded:
    """With the EXIF, or if that is damaged, without it."""
    try:
        return Encoded(_ENCODERS[format](photo, quality, provenance), photo.notes)
    except (MemoryError, PhotochromError):
        raise
    except Exception as error:  # Pillow meets damaged EXIF with any error there is
        if photo.metadata.exif:
            bare = replace(photo, metadata=replace(photo.metadata, exif=None))
            return _encoded(bare.with_notes(DAMAGED), format, quality, provenance)
        if not isinstance(error, (OSError, ValueError)):
            raise
        raise OutputError(f"cannot be encoded as {format} ({error})", cure=_LOSSLESS) from error


def _short_enough(photo: Photo, provenance: Mapping[str, str] | None) -> Photo:
    """JPEG keeps EXIF and XMP in one segment of 64 KiB each."""
    kept = photo.metadata
    if len(kept.xmp or b"") > _XMP_IN_JPEG:
        packet = xmp.merge(None, provenance) if provenance is not None else None
        photo = replace(photo, metadata=replace(kept, xmp=packet)).with_notes(
            _TOO_LONG.format("XMP")
        )
    if len(kept.exif or b"") > _EXIF_IN_JPEG:
        photo = replace(photo, metadata=replace(photo.metadata, exif=None)).with_notes(
            _TOO_LONG.format("EXIF")
        )
    return photo


def _fitted(photo: Photo, format: str) -> Photo:
    """The photo as far as the format can hold it, with a note for everything it cannot."""
    if photo.depth == 16 and format not in ("PNG", "TIFF"):
        photo = photo.with_pixels(to_depth(photo.pixels, 8)).with_notes(
            f"{format} holds 8 bit per channel: 16-bit values were rounded; .png or .tif keep them"
        )
    if photo.alpha is not None and format == "JPEG":
        photo = replace(photo, alpha=None).with_notes(
            "JPEG has no transparency: it was left out; .png keeps it"
        )
    space, fits = profile_space(photo.metadata.icc), "GRAY" if photo.pixels.ndim == 2 else "RGB"
    if photo.metadata.icc and space != fits:
        fault = (
            f"{space} colour profile does not fit {fits} pixels"
            if space
            else ("colour profile is damaged")
        )
        photo = replace(photo, metadata=replace(photo.metadata, icc=None)).with_notes(
            f"the {fault} and was left out"
        )
    return photo


def image_of(photo: Photo) -> Image.Image:
    """An 8-bit photo, or a 16-bit grey one, as a Pillow image: L, LA, RGB, RGBA or I;16."""
    image = Image.fromarray(np.ascontiguousarray(photo.pixels))
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(np.ascontiguousarray(photo.alpha)))
    return image


def to_image(photo: Photo) -> Image.Image:
    """A photo as an 8-bit Pillow image: L, LA, RGB or RGBA."""
    return image_of(photo.with_pixels(to_depth(photo.pixels, 8)))


def _stacked(photo: Photo, channels: tuple[int, ...]) -> Pixels:
    """Pixels and alpha as (H, W, C), grey repeated if C must be in `channels`."""
    pixels = photo.pixels[..., None] if photo.pixels.ndim == 2 else photo.pixels
    alpha = [] if photo.alpha is None else [photo.alpha[..., None]]
    if pixels.shape[2] + len(alpha) not in channels:
        pixels = np.repeat(pixels, 3, axis=2)
    return np.concatenate([pixels, *alpha], axis=2) if alpha else pixels


def _saved(image: Image.Image, format: str, **options: Any) -> memoryview:
    file = io.BytesIO()
    image.save(
        file, format, **{name: value for name, value in options.items() if value is not None}
    )
    return file.getbuffer()


def _jpeg(photo: Photo, quality: int, provenance: Mapping[str, str]) -> memoryview:
    kept = photo.metadata
    options: dict[str, Any] = {"icc_profile": kept.icc, "xmp": kept.xmp}
    options["exif"] = PREFIX + kept.exif if kept.exif else None
    options["dpi"] = None if kept.dpi is None else tuple(round(value) for value in kept.dpi)
    # Not optimize=True: Pillow's buffer is too small for it with grainy pictures of this quality.
    return _saved(image_of(photo), "JPEG", quality=quality, subsampling="4:4:4", **options)


def _webp(photo: Photo, quality: int, provenance: Mapping[str, str]) -> memoryview:
    kept = photo.metadata
    return _saved(
        image_of(photo),
        "WEBP",
        quality=quality,
        exif=_exif(photo),
        icc_profile=kept.icc,
        xmp=kept.xmp,
    )


def _avif(photo: Photo, quality: int, provenance: Mapping[str, str]) -> memoryview:
    kept = photo.metadata
    options: dict[str, Any] = {"exif": _exif(photo), "icc_profile": kept.icc, "xmp": kept.xmp}
    return _saved(image_of(photo), "AVIF", quality=quality, subsampling="4:4:4", **options)


def _heif(photo: Photo, quality: int, provenance: Mapping[str, str]) -> memoryview:
    register_heif()
    image, kept = image_of(photo), photo.metadata
    image.info.update({"icc_profile": kept.icc} if kept.icc else {})
    return _saved(image, "HEIF", quality=quality, chroma=444, exif=_exif(photo), xmp=kept.xmp)


def _exif(photo: Photo) -> bytes | None:
    """EXIF for formats without a place of their own for the resolution."""
    kept = photo.metadata
    return with_resolution(kept.exif, kept.dpi) if kept.dpi else kept.exif


def _png(photo: Photo, quality: int, provenance: Mapping[str, str]) -> memoryview:
    kept, texts = photo.metadata, dict(provenance)
    if photo.depth == 16:
        return memoryview(png_bytes(_stacked(photo, (1, 2, 3, 4)), _chunks(photo, texts)))
    text = PngImagePlugin.PngInfo()
    for name, value in _png_texts(kept.xmp, texts):
        text.add_itxt(name, value)
    return _saved(
        image_of(photo), "PNG", exif=kept.exif, icc_profile=kept.icc, dpi=kept.dpi, pnginfo=text
    )


def _png_texts(packet: bytes | None, provenance: Mapping[str, str]) -> list[tuple[str, str]]:
    texts = [("XML:com.adobe.xmp", packet.decode(errors="replace"))] if packet else []
    if provenance:
        texts.append(("Software", f"photochrom {provenance.get('version', '')}".strip()))
    return texts + [(f"photochrom:{name}"[:79], value) for name, value in provenance.items()]


def _chunks(photo: Photo, provenance: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """PNG's ancillary chunks in the order that the specification asks for (PNG 3rd ed., 5.6)."""
    kept, chunks = photo.metadata, []
    if kept.icc:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(kept.icc)))
    if kept.dpi:
        per_metre = (round(value / 0.0254).to_bytes(4, "big") for value in kept.dpi)
        chunks.append((b"pHYs", b"".join(per_metre) + b"\1"))
    if kept.exif:
        chunks.append((b"eXIf", kept.exif))
    for name, value in _png_texts(kept.xmp, provenance):
        chunks.append((b"iTXt", name.encode("latin-1") + b"\0\0\0\0\0" + value.encode()))
    return chunks


def _tiff(photo: Photo, quality: int, provenance: Mapping[str, str]) -> memoryview:
    kept, tags = photo.metadata, TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in described(kept.exif).items():
        tags[tag] = value
    for tag, content, kind in ((700, kept.xmp, 1), (34675, kept.icc, 7)):
        if content:
            tags.tagtype[tag] = kind
            tags[tag] = content
    if kept.dpi:
        tags[282], tags[283], tags[296] = *kept.dpi, 2
    # Pillow reads grey with alpha of 8 bit only.
    return memoryview(
        tiff_bytes(_stacked(photo, (1, 2, 3, 4) if photo.depth == 8 else (1, 3, 4)), tags)
    )


_ENCODERS: dict[str, Callable[[Photo, int, Mapping[str, str]], memoryview]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WEBP": _webp,
    "AVIF": _avif,
    "HEIF": _heif,
}
