"""The verb ``bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option


def bench(
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="Write the figures as JSON.")
    ] = None,
    quick: Annotated[bool, Option("--quick", help="A minute: the bundled model alone.")] = False,
) -> None:
    """Measure this machine: forward times by model and engine, a picture end to end, memory."""
    from photochrom.bench import run

    run(output, quick=quick)
