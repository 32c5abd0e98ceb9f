"""Pictures as people have them, read into a Photo; what is no picture is refused in one line."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import IO, Any, NamedTuple
from warnings import WarningMessage

import numpy as np
from PIL import Image, ImageFile

from photochrom.errors import InputError, MissingExtra, PhotochromError
from photochrom.photo import deep
from photochrom.photo.metadata import Metadata, collect, orientation
from photochrom.photo.modes import Planes, planes_of, split, to_array, turn
from photochrom.photo.picture import Photo
from photochrom.photo.sniff import looks_like, picture_format

Source = str | PathLike[str] | bytes | IO[bytes] | Image.Image

MAX_PIXELS = 250_000_000
"""Above this a picture is refused: a small file may unfold into more than the memory holds."""

_SAVE_AGAIN = "Open it in an image editor and save it again, or look for another copy."
_CUT_SHORT = (
    "truncated",
    "broken data stream",
    "unexpected end",
    "not enough image data",
    "incomplete",
)
_MANY_PICTURES = {
    "GIF": "animated GIF",
    "WEBP": "animated WebP",
    "PNG": "animated PNG",
    "AVIF": "animated AVIF",
}
_PILLOW_HAS_8_BIT = "a Pillow image has 8 bit per channel: give the path to keep 16"
_switch = threading.RLock()  # held while one of Pillow's global settings is changed


def read(source: Source, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Reads a picture and turns it upright.

    JPEG, PNG, TIFF, WebP, AVIF, GIF, BMP, PNM, JPEG 2000, and HEIC with the extra ``heif``. Bilevel
    and grey stay (H, W), all others become RGB: palettes by their table, CMYK and Lab by their ICC
    profile. 16 bit per channel stays 16 bit; 32-bit integers and floats become 16 bit.

    Args:
        source: a path, the bytes of a file, an open binary file, or a Pillow image.
        max_pixels: the most pixels that are accepted, whatever Pillow's own limit says.

    Raises:
        InputError: there is no such file, it is no picture, it is damaged or cut short, or has more
            than `max_pixels`.
        MissingExtra: it is HEIC, and pillow-heif is not installed.
    """
    with opening(source, max_pixels=max_pixels) as (image, reopen, warned):
        lay = _lies(image)
        if reopen:
            notes = _about_frames(image)
            planes = _planes(image, reopen)
        else:
            notes = (_PILLOW_HAS_8_BIT,) if deep.is_deep(image) else ()
            planes = planes_of(image)
        return _photo(image, planes, lay, notes).with_notes(*warnings_told(warned))


def metadata_of(source: Source) -> Metadata:
    """What a picture's file says beside its pixels. Raises as `read`."""
    with opening(source) as (image, *_):
        if image.format == "PNG":
            image.load()  # its texts may stand behind the pixels
        return collect(image, sideways=False)[0]


class Opened(NamedTuple):
    """A lazily read image, and how to open its file once more; None if it came without a file."""

    image: Image.Image
    reopen: Callable[[], ImageFile.ImageFile] | None
    warned: list[WarningMessage]
    """What Pillow warned of so far."""


@contextmanager
def opening(source: Source, *, max_pixels: int = MAX_PIXELS) -> Iterator[Opened]:
    """Opens a source for reading; failures inside the block are refusals that name the file.

    Raises:
        InputError, MissingExtra: as `read`.
    """
    if isinstance(source, Image.Image):
        _refuse_bomb(source, max_pixels)
        yield Opened(source, None, [])
        return
    with ExitStack() as stack:
        warned = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always", UserWarning)
        name, file = _file(source, stack)
        head = file.read(512)
        stack.enter_context(_refusals(name, head))
        image = stack.enter_context(opened(file, head))
        _refuse_bomb(image, max_pixels)
        stack.enter_context(_own_settings(image.width * image.height))
        yield Opened(image, lambda: opened(file, head), warned)


def warnings_told(warned: Iterable[WarningMessage]) -> tuple[str, ...]:
    """Pillow's warnings as notes, each once and in one line."""
    texts = (
        " ".join(str(one.message).split())
        for one in warned
        if issubclass(one.category, UserWarning)
    )
    return tuple(f"Pillow warns: {text[:160]}" for text in dict.fromkeys(texts))


def opened(file: IO[bytes], head: bytes) -> ImageFile.ImageFile:
    """A seekable binary file as a lazily read Pillow image; `head` are its first bytes.

    Raises:
        InputError: it is empty, or no picture.
        MissingExtra: HEIC without pillow-heif.
    """
    if not head:
        raise InputError("is empty (0 bytes)", cure="Copy it again from where it came.")
    kind = picture_format(head)
    if kind is None:
        raise InputError(
            f"is no picture: it looks like {looks_like(head)}",
            cure="Give a JPEG, PNG, TIFF, WebP, AVIF, HEIC, GIF, BMP or PNM file.",
        )
    if kind == "HEIF":
        register_heif()
    file.seek(0)
    with _switch:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=(kind, "MPO") if kind == "JPEG" else (kind,))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def register_heif() -> None:
    """Teaches Pillow HEIC; raises MissingExtra without pillow-heif."""
    try:
        import pillow_heif
    except ImportError:
        raise MissingExtra("Reading or writing HEIC", "heif") from None
    pillow_heif.register_heif_opener(thumbnails=False)


def _file(
    source: str | PathLike[str] | bytes | IO[bytes], stack: ExitStack
) -> tuple[str, IO[bytes]]:
    """The source's name and a seekable file that `stack` closes if it was opened here."""
    if isinstance(source, bytes):
        return "", io.BytesIO(source)
    if not isinstance(source, (str, PathLike)):
        name = getattr(source, "name", "")
        seekable = getattr(source, "seekable", lambda: False)()
        return name if isinstance(name, str) else "", source if seekable else io.BytesIO(
            source.read()
        )
    path = Path(source)
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise InputError(
            "is a pipe, a device or a socket",
            file=path,
            cure="Name a file, or give it as standard input.",
        )
    try:
        return str(path), stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        raise InputError(
            "does not exist", file=path, cure="Check the name and the folder."
        ) from None
    except IsADirectoryError:
        raise InputError("is a folder", file=path, cure="Name a picture in it.") from None
    except PermissionError:
        raise InputError(
            "may not be read", file=path, cure=f"Allow it: chmod +r '{path}'"
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot be opened ({error.strerror})", file=path, cure="Check the name."
        ) from None


@contextmanager
def _refusals(name: str, head: bytes) -> Iterator[None]:
    """Whatever the decoders raise on damaged files, as one line that names the file.

    They meet bytes from anywhere and raise nearly any exception there is; all mean the same here.
    """
    try:
        yield
    except MissingExtra:
        raise
    except PhotochromError as error:
        raise type(error)(
            error.what, file=name or "the picture", cure=error.cure
        ) from error.__cause__
    except MemoryError:
        raise InputError(
            "does not fit into memory", file=name, cure="Make it smaller first."
        ) from None
    except Exception as error:
        kind, reason = (
            picture_format(head),
            " ".join(str(error).split())[:120] or type(error).__name__,
        )
        if any(word in reason.lower() for word in _CUT_SHORT) or isinstance(error, EOFError):
            what, cure = f"is a {kind} file that ends too early", "Copy or download it again."
        else:
            what, cure = f"is a damaged {kind} file ({reason})", _SAVE_AGAIN
        raise InputError(what, file=name or "the picture", cure=cure) from error


def _refuse_bomb(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise InputError(
            f"has {width} x {height} = {_mega(width * height)} megapixels,"
            f" and {max_pixels / 1e6:g} are accepted",
            cure="If you trust the file, raise the limit (--max-pixels, max_pixels).",
        )


def _mega(pixels: int) -> str:
    millions = pixels / 1e6
    return f"{millions:.0f}" if millions >= 10 else f"{millions:.2g}"


def _about_frames(image: Image.Image) -> tuple[str, ...]:
    count = getattr(image, "n_frames", 1)
    if count <= 1 or image.format == "MPO":  # MPO: a camera's JPEG with previews behind it
        return ()
    if image.format == "TIFF":
        return (f"TIFF with {count} pages: first page used",)
    kind = _MANY_PICTURES.get(image.format or "", f"{image.format} with several pictures")
    return (f"{kind}: first frame of {count} used",)


@contextmanager
def _own_settings(pixels: int) -> Iterator[None]:
    """Pillow's global settings as they must be for `pixels` accepted pixels, put back afterwards.

    Somebody's ``LOAD_TRUNCATED_IMAGES = True`` would turn a cut file into a half-grey picture, and
    Pillow's own limit is not ours. Threads wait for each other only where one of the two is met.
    """
    lenient, limit = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    if not lenient and (limit is None or pixels <= limit):
        yield
        return
    with _switch:
        lenient, limit = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, None
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = lenient, limit


def _planes(image: Image.Image, reopen: Callable[[], ImageFile.ImageFile]) -> Planes:
    if not (isinstance(image, ImageFile.ImageFile) and deep.is_deep(image)):
        return planes_of(image)
    mode = deep.rawmode(image)[:-1]
    transparent: Any = image.info.get("transparency")
    planes = split(deep.read_deep(image, reopen, to_array))
    if planes.alpha is None and transparent is not None:
        see_through = (planes.pixels == np.array(transparent, np.uint16)).reshape(
            *planes.pixels.shape[:2], -1
        )
        planes = replace(planes, alpha=np.where(see_through.all(-1), 0, 65535).astype(np.uint16))
    return replace(planes, mode=mode)


def _lies(image: Image.Image) -> bool:
    """Whether a TIFF lies on its side; Pillow turns TIFFs itself, and then forgets how."""
    return image.format == "TIFF" and getattr(image, "tag_v2", {}).get(274, 1) in (5, 6, 7, 8)


def _photo(image: Image.Image, planes: Planes, lay: bool, notes: tuple[str, ...]) -> Photo:
    turned = 1 if image.format == "TIFF" else orientation(image)
    kept, lost = collect(image, sideways=lay or turned >= 5)
    return Photo(
        pixels=turn(planes.pixels, turned),
        alpha=None if planes.alpha is None else turn(planes.alpha, turned),
        metadata=replace(kept, icc=None) if planes.left_profile else kept,
        format="JPEG" if image.format == "MPO" else image.format or "",
        mode=planes.mode,
        orientation=turned,
        notes=notes + planes.notes + lost,
    )
