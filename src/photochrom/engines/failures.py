"""What the runtimes raise, as photochrom's errors."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from photochrom.errors import EngineError, MissingExtra, OutOfMemory, PhotochromError

_NO_MEMORY = ("out of memory", "alloc", "not enough memory", "insufficient memory")


@contextmanager
def mapped(engine: str) -> Iterator[None]:
    """Turns what a runtime raises into `OutOfMemory` or `EngineError`.

    Runtimes have no common class for an allocation that failed; their messages say it.
    """
    try:
        yield
    except PhotochromError:
        raise
    except Exception as error:
        message = str(error).strip().partition("\n")[0][:300]
        if isinstance(error, MemoryError) or any(w in str(error).lower() for w in _NO_MEMORY):
            raise OutOfMemory(
                f"the picture does not fit into memory with the engine '{engine}'",
                cure="Give a smaller --render-size.",
            ) from error
        raise EngineError(f"the engine '{engine}' failed: {message}") from error


def require(package: str, engine: str, *, extra: str) -> ModuleType:
    """The runtime's package.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError:
        raise MissingExtra(f"The engine '{engine}'", extra) from None
