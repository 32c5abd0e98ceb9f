"""What a run says: results on standard output, progress and notes on standard error."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from photochrom.errors import OutputError, PhotochromError

if TYPE_CHECKING:
    from rich.progress import Progress

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes beside 0."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ELSEWHERE = "Free some space, or write elsewhere."


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one picture; a line of ``--json``."""

    source: str
    status: Literal["ok", "skipped", "failed"]
    target: str | None = None
    render_size: int | None = None
    seconds: float | None = None
    model: str | None = None
    engine: str | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None
    cure: str | None = None


class RunReport:
    """Says what becomes of each picture, as it happens; a progress bar where there is a terminal.

    Standard output gets the results' paths, or with ``machine`` a JSON object for each picture
    and one for the whole run; standard error gets the rest.
    """

    def __init__(self, total: int, *, machine: bool = False) -> None:
        self.total, self.machine = total, machine
        self.counts: Counter[str] = Counter()
        self.notes: list[str] = []
        self.began = time.perf_counter()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if self.total > 1 and sys.stderr.isatty():
            self._progress = _bar(self.total)
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress:
            self._progress.stop()
        self._sum_up(error)

    def note(self, text: str) -> None:
        """Something about the whole run."""
        self.notes.append(text)
        say(text)

    def add(self, outcome: Outcome) -> None:
        """One more picture is done, skipped or failed."""
        self.counts[outcome.status] += 1
        for text in outcome.notes:
            say(f"{outcome.source}: {text}")
        if outcome.error:
            word = "skipped" if outcome.status == "skipped" else "error"
            source = f"{outcome.source}: " if outcome.source else ""
            say(f"{word}: {source}{sentence(outcome.error, outcome.cure)}")
        if self.machine:
            _print(json.dumps({"event": "picture", **asdict(outcome)}))
        elif outcome.target not in (None, "-"):
            _print(str(outcome.target))
        if self._progress:
            self._progress.advance(self._progress.task_ids[0])

    @property
    def code(self) -> int:
        """The exit code."""
        return FAILED if self.counts["failed"] else 0

    def _sum_up(self, error: BaseException | None) -> None:
        if isinstance(error, BrokenPipeError):  # nobody reads on
            return
        seconds, counts = time.perf_counter() - self.began, self.counts
        interrupted = isinstance(error, KeyboardInterrupt)
        if self.machine and not _is_full(error):
            what, cure = told(error) if isinstance(error, Exception) else (None, None)
            summary = {
                "event": "summary",
                "total": self.total,
                **{word: counts[word] for word in ("ok", "skipped", "failed")},
                "interrupted": interrupted,
                "seconds": round(seconds, 3),
                "notes": self.notes,
                "error": what,
                "cure": cure,
            }
            _print(json.dumps(summary))
        words = [f"{counts[word]} {word}" for word in ("skipped", "failed") if counts[word]]
        told_all = ", ".join([f"{counts['ok']} of {self.total} done", *words, f"{seconds:.1f} s"])
        if interrupted:
            say(f"interrupted: {told_all}")
        elif self.total > 1 and error is None:
            say(told_all)


def _is_full(error: BaseException | None) -> bool:
    return isinstance(error, OutputError) and error.file == "standard output"


def _bar(total: int) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    # A bar redraws the terminal that it is on; results going elsewhere must not pass through it.
    progress = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),
        transient=True,
    )
    progress.add_task("", total=total)
    return progress


@contextmanager
def standard_output() -> Iterator[None]:
    """Around what is written there; nothing more is tried once it takes no more.

    Raises:
        OutputError: it cannot be written to, the disk behind it being full for example.
        BrokenPipeError: nobody reads on.
    """
    try:
        yield
    except BrokenPipeError:
        _silence()
        raise
    except OSError as error:
        _silence()
        full = error.errno in NO_ROOM
        what = "the disk is full" if full else f"cannot be written to ({error.strerror})"
        raise OutputError(what, file="standard output", cure=ELSEWHERE) from error


def _silence() -> None:
    """Standard output goes nowhere, so that what it still holds fails no more at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def say(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def _print(text: str) -> None:
    with standard_output():
        print(text, flush=True)


def explain(error: Exception) -> str:
    """An error in one line, with the file that it is about."""
    trace(error)
    return sentence(*told(error))


def sentence(what: str, cure: str | None) -> str:
    """A fault and its cure as sentences in one line."""
    return f"{what}. {cure or ''}".rstrip()


def trace(error: Exception) -> None:
    """Prints where an error comes from, if ``PHOTOCHROM_DEBUG`` is set."""
    if os.environ.get("PHOTOCHROM_DEBUG"):
        traceback.print_exception(error)


def told(error: Exception, *, about: str = "") -> tuple[str, str]:
    """What is wrong and what to do about it, each in one line.

    Args:
        about: the file that is named anyway; another one, such as the result, is put in front.
    """
    if isinstance(error, PhotochromError):
        named = error.file and error.file != about
        return one_line(f"{error.file}: {error.what}" if named else error.what), one_line(
            error.cure
        )
    if isinstance(error, MemoryError):
        return "does not fit into memory", "Make the picture smaller first."
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return "the disk is full", ELSEWHERE
    what = one_line(f"{type(error).__name__}: {error}")
    return f"unexpected {what}", "Please report it, with what PHOTOCHROM_DEBUG=1 prints."


def one_line(text: str) -> str:
    """The text without line breaks, which names of files may hold."""
    return " ".join(text.split())
