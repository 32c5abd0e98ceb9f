"""The verb ``train``."""

from __future__ import annotations

import glob
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from photochrom.cli.report import say
from photochrom.errors import MissingExtra, TrainingError

app = typer.Typer(help="Train the networks.")


@app.callback()
def train() -> None:
    """Train the networks (extra: train)."""


@app.command()
def generator(
    data: Annotated[
        list[str],
        Option(metavar="PATH", help="Photographs in colour: folders, tar files, a pattern."),
    ],
    run: Annotated[
        Path, Option(metavar="FOLDER", help="Run folder; a run that is in it is gone on with.")
    ],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="More of --data.", show_default=False)
    ] = None,
    recipe: Annotated[
        str, Option(metavar="NAME|FILE", help="A recipe: lite, tiny or a .toml file.")
    ] = "lite",
    val: Annotated[
        Path | None, Option(metavar="PATH", help="Photographs to measure on, never trained on.")
    ] = None,
    cache: Annotated[
        Path | None, Option(metavar="FOLDER", help="Decoded photographs; else in the run folder.")
    ] = None,
) -> None:
    """Train the bundled model's network, from ImageNet's weights or from where the run was left.

    Checkpoints, figures (log.jsonl, TensorBoard) and contact sheets go into the run folder.
    """
    with _training_needed():
        from photochrom.training import data as photographs
        from photochrom.training import loop, watch
        from photochrom.training import recipe as recipes

        plan = recipes.read(recipe)
        found = photographs.open_photographs(_paths([*data, *(more or [])]), cache or run / "cache")
        trainer = loop.open_run(plan, found, run)
        say(f"{len(found)} photographs, from step {trainer.step} of {plan.steps}")
        if found.skipped:
            say(f"{len(found.skipped)} files could not be read: {found.skipped[0]} ...")
        held_out = watch.open_watch(val) if val else None
        with _interrupt_waits() as interrupted:
            loop.run(trainer, run, watch=held_out, say=say, stop=interrupted)
        if interrupted():
            say(f"interrupted, saved at step {trainer.step}; the same command goes on from there")
            raise KeyboardInterrupt


def _paths(names: list[str]) -> list[Path]:
    """Paths of names and patterns, in order of name."""
    paths: list[Path] = []
    for name in names:
        found = sorted(glob.glob(name)) if glob.has_magic(name) else [name]
        if not found:
            raise TrainingError("nothing has such a name", file=name, cure="Check the pattern.")
        paths += map(Path, found)
    return paths


@contextmanager
def _interrupt_waits() -> Iterator[Callable[[], bool]]:
    """Ctrl-C waits for the step's end, or what is saved would be half a step; a second does not."""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True
        say("interrupted: saving after this step")
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _training_needed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "photochrom":
            raise
        raise MissingExtra("Training", "train") from None
