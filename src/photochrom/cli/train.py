"""The verb ``train``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from photochrom.cli.report import say
from photochrom.errors import MissingExtra

app = typer.Typer(help="Train the networks (extra: train).")


@app.callback()
def train() -> None:
    """Train the networks (extra: train)."""


@app.command()
def generator(
    data: Annotated[
        list[Path], Option(metavar="PATH", help="Photographs in colour: folders or tar files.")
    ],
    run: Annotated[
        Path, Option(metavar="FOLDER", help="Run folder; what it holds already is gone on with.")
    ],
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
    """Train the bundled model's network, from ImageNet's weights or where the run was left.

    Checkpoints, figures (log.jsonl, TensorBoard) and contact sheets go into the run folder.
    """
    with _needs_training():
        from photochrom.training import loop
        from photochrom.training import recipe as recipes
        from photochrom.training.data import open_photographs
        from photochrom.training.watch import open_watch

        photographs = open_photographs(data, cache or run / "cache")
        trainer = loop.open_run(recipes.read(recipe), photographs, run)
        say(f"{len(photographs)} photographs, from step {trainer.step} of {trainer.recipe.steps}")
        if photographs.skipped:
            say(f"{len(photographs.skipped)} files could not be read: {photographs.skipped[0]} ...")
        loop.run(trainer, run, watch=open_watch(val) if val else None)


@contextmanager
def _needs_training() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "photochrom":
            raise
        raise MissingExtra("Training", "train") from None
