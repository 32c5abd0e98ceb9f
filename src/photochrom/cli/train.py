"""The verb ``train``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from photochrom.cli.report import say
from photochrom.errors import MissingExtra

if TYPE_CHECKING:
    from photochrom.training.loop import Trainer

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

        photographs = open_photographs(data, cache or run / "cache")
        trainer = loop.open_run(recipes.read(recipe), photographs, run)
        say(f"{len(photographs)} photographs, from step {trainer.step} of {trainer.recipe.steps}")
        loop.run(trainer, run, watch=_watch(val, run), say=print)


def _watch(val: Path | None, run: Path) -> Callable[[Trainer], dict[str, float]]:
    """Figures and a contact sheet of the held-out photographs, into TensorBoard too."""
    import numpy as np
    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    from photochrom.training.watch import open_watch

    if val is None:
        return lambda trainer: {}
    watch, board = open_watch(val), SummaryWriter(run)

    def look(trainer: Trainer) -> dict[str, float]:
        figures, path = watch.measure(trainer.average), run / f"sheet-{trainer.step:07d}.png"
        watch.sheet(trainer.average, path)
        for name, value in figures.items():
            board.add_scalar(f"val/{name}", value, trainer.step)
        with Image.open(path) as sheet:
            board.add_image("sheet", np.asarray(sheet), trainer.step, dataformats="HWC")
        board.flush()
        return figures

    return look


@contextmanager
def _needs_training() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "photochrom":
            raise
        raise MissingExtra("Training", "train") from None
