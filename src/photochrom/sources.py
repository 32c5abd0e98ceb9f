"""Which pictures are meant, and where their results go."""

from __future__ import annotations

import glob
import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Literal
from urllib.parse import unquote, urlsplit

from photochrom.errors import InputError, PhotochromError, SettingsError

WRITTEN = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif"})
"""Suffixes that a result keeps; sources with others become PNG."""
READ = WRITTEN | {
    *(".jpe", ".jfif", ".heic", ".heif", ".gif", ".bmp"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k"),
}
"""Suffixes of the files that are taken from a folder."""
MARKS = ("color", "compare", "sizes")
"""What stands before a result's suffix: ``old.color.jpg`` for ``old.jpg``."""

Kind = Literal["file", "url", "stdin"]


@dataclass(frozen=True)
class Source:
    """One picture to colour."""

    name: str
    """As the user knows it: a path, an address, or ``-``."""
    kind: Kind = "file"
    inside: PurePath | None = None
    """Its path below the folder or pattern that it was found by; None if it was named itself."""

    @property
    def path(self) -> PurePath:
        """Its path; of an address or standard input, what stands for it in a result's name."""
        if self.kind == "file":
            return PurePath(self.name)
        if self.kind == "stdin":
            return PurePath("stdin")
        last = unquote(PurePath(urlsplit(self.name).path).name)
        return PurePath(re.sub(r"[^\w.-]+", "_", last).lstrip(".") or "picture")

    def open(self) -> Path | IO[bytes]:
        """What ``photo.read`` takes: a path, or the content under the source's name.

        Raises:
            InputError: the address does not give a file, or standard input is closed.
        """
        if self.kind == "file":
            return Path(self.name)
        from photochrom import fetch

        if self.kind == "url":
            return fetch.named(fetch.fetch(self.name), self.name)
        if sys.stdin is None:
            raise InputError("standard input is closed", cure="Give it a picture: - < old.jpg")
        return fetch.named(sys.stdin.buffer.read(), "standard input")


@dataclass(frozen=True)
class Found:
    """What the arguments mean."""

    sources: tuple[Source, ...]
    faults: tuple[PhotochromError, ...]
    """Arguments that mean nothing, and folders that cannot be looked into."""
    results: int
    """How many results of earlier runs were left out."""


def find(arguments: Sequence[str], *, recursive: bool = False, output: str | None = None) -> Found:
    """The pictures that paths, folders, patterns, addresses and ``-`` stand for, each once.

    Folders and patterns give the files that have a picture's suffix, sorted, without hidden ones.
    Results of earlier runs (known by their names, or lying in the folder ``output``) are left out,
    unless such a file is all that is asked for.

    Args:
        recursive: look into the folders inside folders too.
        output: where the results will go.
    """
    search = _Search(recursive, output, several=len(arguments) > 1)
    for argument in arguments:
        search.add(argument)
    return Found(tuple(search.sources.values()), tuple(search.faults), search.results)


class _Search:
    def __init__(self, recursive: bool, output: str | None, *, several: bool) -> None:
        self.recursive, self.several = recursive, several
        self.output = None if output in (None, "-") else os.path.realpath(str(output))
        self.sources: dict[str, Source] = {}
        self.faults: list[PhotochromError] = []
        self.results = 0

    def add(self, argument: str) -> None:
        if not argument:
            cure = "Name a picture, a folder or a pattern."
            self.faults.append(InputError("an empty name", cure=cure))
        elif argument == "-":
            self.sources["-"] = Source("-", "stdin")
        elif match := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", argument):
            self._address(argument, match[1].lower())
        elif os.path.isdir(argument):
            self._folder(argument)
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            self._pattern(argument)
        elif self.several and is_result(PurePath(argument)):
            self.results += 1  # a shell's pattern meets them on every second run
        else:
            self._file(Source(argument))

    def _file(self, source: Source) -> None:
        self.sources.setdefault(os.path.abspath(source.name), source)

    def _address(self, address: str, scheme: str) -> None:
        try:
            urlsplit(address)
        except ValueError as error:
            what = f"is not a proper address ({error})"
            self.faults.append(InputError(what, file=address, cure="Check how it is written."))
            return
        if scheme in ("http", "https"):
            self.sources.setdefault(address, Source(address, "url"))
        else:
            cure = "Only http and https addresses are fetched."
            self.faults.append(
                InputError(f"{scheme} addresses are not read", file=address, cure=cure)
            )

    def _folder(self, folder: str) -> None:
        root = Path(os.path.abspath(folder)).name
        base = PurePath(root) if self.several else PurePath()
        files = [PurePath(name) for name in self._walk(folder)]
        found = [(file, base / file.relative_to(folder)) for file in files]
        deeper = not self.recursive and any(
            os.path.isdir(os.path.join(folder, name)) for name in _listed(folder)
        )
        cure = "Look into its folders too with --recursive." if deeper else "Name another folder."
        self._take(found, folder, InputError("no pictures in this folder", file=folder, cure=cure))

    def _walk(self, folder: str) -> Iterator[str]:
        for place, folders, files in os.walk(folder, onerror=self._closed):
            inner = (name for name in folders if not name.startswith("."))
            folders[:] = sorted(n for n in inner if not self._is_output(os.path.join(place, n)))
            paths = (os.path.join(place, name) for name in sorted(files))
            yield from (path for path in paths if not is_special(path))
            if not self.recursive:
                return

    def _is_output(self, folder: str) -> bool:
        return os.path.realpath(folder) == self.output

    def _closed(self, error: OSError) -> None:
        fault = InputError(f"cannot be looked into ({error.strerror})", file=error.filename)
        self.faults.append(fault)

    def _pattern(self, pattern: str) -> None:
        fixed = []
        for part in PurePath(pattern).parts[:-1]:
            if glob.has_magic(part):
                break
            fixed.append(part)
        files = (PurePath(file) for file in sorted(glob.glob(pattern, recursive=True)))
        found = [(file, file.relative_to(PurePath(*fixed))) for file in files]
        found = [pair for pair in found if os.path.isfile(pair[0])]
        fault = InputError("no picture has such a name", file=pattern, cure="Check the pattern.")
        self._take(found, pattern, fault)

    def _take(self, found: list[tuple[PurePath, PurePath]], name: str, nothing: InputError) -> None:
        seen = [pair for pair in found if pair[0].suffix.lower() in READ]
        seen = [pair for pair in seen if not pair[0].name.startswith(".")]
        chosen = [pair for pair in seen if not is_result(pair[0])]
        for file, inside in chosen:
            self._file(Source(str(file), inside=inside))
        self.results += len(seen) - len(chosen)
        if not seen and not any(fault.file == name for fault in self.faults):
            self.faults.append(nothing)


def _listed(folder: str) -> list[str]:
    """What is in a folder, without hidden things; nothing if that may not be seen."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return []


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether a name is that of a pipe, a device or a socket, which may never end."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def is_result(path: PurePath) -> bool:
    """Whether a file has a result's name: ``old.color.jpg``."""
    return PurePath(path.stem).suffix.lower().removeprefix(".") in MARKS


@dataclass(frozen=True)
class Job:
    """A picture and where its result goes."""

    source: Source
    target: Path | None
    """None is standard output."""
    notes: tuple[str, ...] = ()


def plan(
    sources: Sequence[Source],
    output: str | None = None,
    *,
    mark: str = "color",
    suffix: str | None = None,
) -> list[Job]:
    """Where each result goes; no two to one file, nor to one of the sources.

    Without ``output`` a result lies beside its picture as ``old.color.jpg`` (for an address, in
    the present folder; for standard input, it goes to standard output). An ``output`` that is or
    looks like a folder gets the pictures' own names, in the folders they were found in; what is not
    the coloured picture alone keeps its mark there too: ``old.sizes.jpg``. Names that are taken in
    this run, on any file system, are numbered: ``old-2.jpg``.

    Args:
        output: a file, a folder (made if need be), or ``-`` for standard output.
        mark: what stands before the suffix of a result beside its picture.
        suffix: of all results, with its dot; by default the picture's own, or ``.png``.

    Raises:
        SettingsError: many pictures for one file, or a result in the place of its picture.
    """
    single = len(sources) == 1 and sources[0].inside is None
    if output == "-" or (output is None and [s.kind for s in sources] == ["stdin"]):
        if not single:
            raise SettingsError("one picture fits into standard output", cure="Name a folder.")
        return [Job(sources[0], None)]
    if output is not None and not _means_folder(output, single):
        return [_single(sources, output, single, suffix)] if sources else []
    names = _Names(sources, mark)
    return [names.job(source, output, suffix) for source in sources]


def _means_folder(output: str, single: bool) -> bool:
    if output.endswith(("/", os.sep)) or os.path.isdir(output):
        return True
    ending = PurePath(output).suffix.lower()
    return ending not in READ and not (single and ending)


def _single(sources: Sequence[Source], output: str, single: bool, suffix: str | None) -> Job:
    if not single:
        raise SettingsError(
            f"-o {output} is one file, for more than one picture",
            cure="End its name with / to mean a folder.",
        )
    if suffix and PurePath(output).suffix.lower() != suffix:
        raise SettingsError(
            f"-o {output} and --format {suffix[1:]} contradict each other", cure="Give one of them."
        )
    if sources[0].kind == "file" and _key(Path(sources[0].name)) == _key(Path(output)):
        raise SettingsError(f"-o {output} is the picture itself", cure="Choose another name.")
    return Job(sources[0], Path(output))


def _key(path: Path) -> str:
    """Equal for names that some file system takes for one: case and composed letters aside."""
    whole = os.path.join(os.path.realpath(path.parent), path.name)
    return unicodedata.normalize("NFC", whole).casefold()


class _Names:
    """Gives names that are not yet taken."""

    def __init__(self, sources: Sequence[Source], mark: str) -> None:
        self.mark = mark
        files = [source for source in sources if source.kind == "file"]
        self.taken = {_key(Path(source.name)): source.name for source in files}

    def job(self, source: Source, output: str | None, suffix: str | None) -> Job:
        wanted = self._wanted(source, output, suffix)
        target, number = wanted, 1
        while (key := _key(target)) in self.taken:
            number += 1
            first, dot, rest = wanted.name[1:].partition(".")  # a hidden file's dot is no suffix's
            target = wanted.with_name(f"{wanted.name[0]}{first}-{number}{dot}{rest}")
        notes: tuple[str, ...] = ()
        if target != wanted:
            notes = (f"named {target.name}: {self.taken[_key(wanted)]} has {wanted.name}",)
        self.taken[key] = source.name
        return Job(source, target, notes)

    def _wanted(self, source: Source, output: str | None, suffix: str | None) -> Path:
        path = source.path
        own = path.suffix if path.suffix.lower() in WRITTEN else ".png"
        ending = suffix or own
        stem = path.stem if path.suffix.lower() in READ else path.name
        beside = Path(path.parent if source.kind == "file" else "")
        if output is None:
            return beside / f"{stem}.{self.mark}{ending}"
        place = Path(output, *(source.inside.parent.parts if source.inside else ()))
        same = source.kind == "file" and os.path.realpath(place) == os.path.realpath(beside)
        marked = same or self.mark != "color"
        return place / (f"{stem}.{self.mark}{ending}" if marked else f"{stem}{ending}")
