"""Results into files, with what the photograph's file said and how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from photochrom.errors import OutputError
from photochrom.photo import xmp
from photochrom.photo.encoding import FORMATS, encode
from photochrom.photo.picture import Photo
from photochrom.photo.reading import Source, metadata_of, register_heif
from photochrom.photo.storing import refuse_taken, store


class Written(NamedTuple):
    """Where a result is, and what of it the format could not keep."""

    path: Path
    notes: tuple[str, ...]


def write(
    path: str | PathLike[str],
    photo: Photo,
    *,
    overwrite: bool = False,
    quality: int = 95,
    provenance: Mapping[str, str] | None = None,
) -> Written:
    """Writes a photo, whole or not at all, in the format that the suffix names.

    EXIF, ICC profile, resolution, XMP and alpha go with it; 16 bit stays 16 bit in PNG and TIFF.
    A result is `write(path, photo.with_pixels(rgb))`. See `encoding.encode` for the formats and
    `storing.store` for what whole or not at all means.

    Args:
        path: .jpg, .png, .tif, .webp, .avif or .heic; missing folders are created.
        photo: what to write.
        overwrite: whether a file of this name may be replaced.
        quality: 1 to 100, for the formats that lose something.
        provenance: facts about the making, such as version, model, weights and settings.

    Raises:
        OutputError: the name is taken or its suffix unknown, the folder cannot be written to, the
            disk is full, or the picture is too large for the format.
        MissingExtra: HEIC without pillow-heif.
    """
    format, path = writable(path, overwrite=overwrite), Path(path)
    try:
        encoded = encode(photo, format, quality=quality, provenance=provenance)
    except OutputError as error:
        raise OutputError(error.what, file=path, cure=error.cure) from error
    store(path, encoded.data, overwrite=overwrite)
    return Written(path, encoded.notes)


def writable(path: str | PathLike[str], *, overwrite: bool = False) -> str:
    """The format of a result, before any work is spent on it.

    Raises:
        OutputError: the name is taken, or its suffix unknown.
        MissingExtra: HEIC without pillow-heif.
    """
    format = format_of(Path(path))
    if format == "HEIF":
        register_heif()
    refuse_taken(Path(path), overwrite=overwrite)
    return format


def format_of(path: Path) -> str:
    """The format that a file's suffix names.

    Raises:
        OutputError: none that is written here.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        what = (
            f"has the suffix '{path.suffix}', which is not written here"
            if path.suffix
            else "has no suffix"
        )
        raise OutputError(
            what, file=path, cure="Use .jpg, .png, .tif, .webp, .avif or .heic."
        ) from None


def provenance(source: Source) -> dict[str, str] | None:
    """How photochrom made a picture, as given to `write`; None if it did not.

    Raises:
        InputError, MissingExtra: as `read`.
    """
    return xmp.read_facts(metadata_of(source).xmp)
