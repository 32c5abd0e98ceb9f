"""One picture after the other, whatever becomes of each."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from photochrom import photo
from photochrom.cli.report import Outcome, standard_output, told, trace
from photochrom.colorizer import Result
from photochrom.errors import AlreadyColored
from photochrom.photo.sniff import picture_format
from photochrom.sources import Job

Work = Callable[[Path | IO[bytes], Path], Result]
"""Colours a source into a target."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """How the pictures of a run are coloured."""

    work: Work
    suffix: str | None
    """Of the results, if one was asked for."""
    named: bool
    """The result was named, or is waited for: leaving the picture as it is is a failure."""

    def outcome(self, job: Job) -> Outcome:
        """Colours one picture; what goes wrong with it is its outcome, not the run's."""
        try:
            return self._colored(job)
        except BrokenPipeError:
            raise
        except Exception as error:
            outcome = failed(job.source.name, error)
            spared = isinstance(error, AlreadyColored) and not self.named
            return replace(outcome, status="skipped") if spared else outcome

    def _colored(self, job: Job) -> Outcome:
        content = job.source.open()
        result = self.work(content, job.target) if job.target else self._piped(content)
        return Outcome(
            source=job.source.name,
            status="ok",
            target=str(job.target or "-"),
            render_size=result.render_size,
            seconds=round(result.seconds, 3),
            model=result.model,
            engine=result.engine,
            notes=(*job.notes, *result.notes),
        )

    def _piped(self, content: Path | IO[bytes]) -> Result:
        """To standard output: whole before its first byte goes out, in the picture's own format."""
        suffix = self.suffix or _own_suffix(content)
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, f"picture{suffix}")
            result = self.work(content, target)
            with standard_output():
                sys.stdout.buffer.write(target.read_bytes())
                sys.stdout.buffer.flush()
        return result


def failed(source: str, error: Exception) -> Outcome:
    """The outcome of a picture, or of an argument, that an error was raised about."""
    trace(error)
    what, cure = told(error, about=source)
    return Outcome(source=source, status="failed", error=what, cure=cure)


def _own_suffix(content: Path | IO[bytes]) -> str:
    if isinstance(content, Path):
        if not content.is_file():
            return ".png"
        with content.open("rb") as file:
            head = file.read(64)
    else:
        head = content.read(64)
        content.seek(0)
    kind = picture_format(head)
    return next((suffix for suffix, name in photo.FORMATS.items() if name == kind), ".png")
