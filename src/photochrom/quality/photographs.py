"""Sets of photographs to measure on: a folder or a tar file, by name."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, NamedTuple, cast

from PIL import Image, ImageOps

from photochrom.errors import InputError, SettingsError

SUFFIXES = {".avif", ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}

_UNREADABLE = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    tarfile.TarError,
    Image.DecompressionBombError,
)


class Photograph(NamedTuple):
    """One photograph of a set, RGB and upright, with its path inside the set."""

    name: str
    image: Image.Image


@dataclass(frozen=True)
class Photographs:
    """The photographs of a folder or tar file by name; read from the file again at each walk."""

    path: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Photograph]:
        """Raises InputError, naming the member, for one that cannot be read."""
        for name, source in self.sources():
            yield self._decode(name, source)

    def sources(self) -> Iterator[tuple[str, Path | IO[bytes]]]:
        """The name and the encoded file of each, by name; a tar's is open until the next one."""
        if self.path.is_dir():
            yield from ((name, self.path / name) for name in self.names)
            return
        with tarfile.open(self.path) as tar:
            for name in self.names:
                yield name, cast(IO[bytes], tar.extractfile(name))

    def _decode(self, name: str, source: Path | IO[bytes]) -> Photograph:
        try:
            with Image.open(source) as image:
                return Photograph(name, ImageOps.exif_transpose(image).convert("RGB"))
        except _UNREADABLE as fault:
            raise InputError(
                "this picture cannot be read",
                file=self.path / name,
                cure="Take it out of the set, or replace it by a whole copy.",
            ) from fault


def pictures(path: str | PathLike[str], *, every: int = 1) -> Photographs:
    """The photographs in a folder (with its subfolders) or a tar file, sorted by name.

    Args:
        every: take the first and then every so many.

    Raises:
        InputError: there is no such folder or tar file, or no picture in it.
        SettingsError: every is below 1.
    """
    path = Path(path)
    if every < 1:
        raise SettingsError(f"every {every} is not a step", cure="Use 1 or more.")
    names = sorted(name for name in _members(path) if Path(name).suffix.lower() in SUFFIXES)
    if not names:
        raise InputError(
            "no pictures in it", file=path, cure=f"Known are {', '.join(sorted(SUFFIXES))}."
        )
    return Photographs(path, tuple(names[::every]))


def _members(path: Path) -> set[str]:
    if path.is_dir():
        return {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    try:
        with tarfile.open(path) as tar:
            return {member.name for member in tar if member.isfile()}
    except (OSError, tarfile.TarError) as fault:
        raise InputError(
            "neither a folder nor a tar file of photographs",
            file=path,
            cure="Give the path of one or the other.",
        ) from fault
