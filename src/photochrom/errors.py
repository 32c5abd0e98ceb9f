"""Every error that photochrom raises on purpose: one line that a person can act on.

PhotochromError
├── InputError       a picture cannot be read, or is not one
├── OutputError      a result cannot be written
├── SettingsError    an option has a value that makes no sense
├── WeightsError     a weight file is missing, broken, or of another network
├── EngineError      an engine cannot run this model here
├── OutOfMemory      even the smallest render size does not fit
├── MissingExtra     a part of photochrom is not installed
└── TrainingError    a recipe, a data folder or a run folder is not usable
"""

from __future__ import annotations

from os import PathLike, fspath


class PhotochromError(Exception):
    """What is wrong, with which file, and what to do about it, in one line.

    Args:
        what: the fault, as a phrase without a full stop.
        file: the file it is about, put in front.
        cure: what the reader can do, as a sentence.
    """

    def __init__(
        self, what: str, *, file: str | PathLike[str] | None = None, cure: str = ""
    ) -> None:
        self.what, self.file, self.cure = what, None if file is None else fspath(file), cure
        place = f"{self.file}: " if self.file else ""
        super().__init__(f"{place}{what}." + (f" {cure}" if cure else ""))


class InputError(PhotochromError):
    """A picture cannot be read, or is not one."""


class OutputError(PhotochromError):
    """A result cannot be written where it was asked for."""


class SettingsError(PhotochromError):
    """An option has a value that makes no sense."""


class WeightsError(PhotochromError):
    """A weight file is missing, broken, or belongs to another network."""


class EngineError(PhotochromError):
    """An engine cannot run this model on this machine."""


class OutOfMemory(EngineError):
    """Even the smallest render size does not fit into memory."""


class TrainingError(PhotochromError):
    """A recipe, a data folder or a run folder cannot be used."""


class MissingExtra(PhotochromError):
    """A part of photochrom that was asked for is not installed.

    Args:
        what: what needs it, for example "The torch engine".
        extra: the name inside ``pip install "photochrom[...]"``.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"{what} needs the extra '{extra}'",
            cure=f'Install it: pip install "photochrom[{extra}]"',
        )
