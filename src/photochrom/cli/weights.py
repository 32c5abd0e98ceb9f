"""The verb ``weights``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from photochrom.errors import MissingExtra, SettingsError

LONGEST = 400
"""Characters of a fact that are printed."""

app = typer.Typer(help="Weight files: which there are, what is in one, another format.")


@app.command("list")
def list_models() -> None:
    """List the models known by name, and where their weights are."""
    from photochrom.models import cards, home, places

    for card in cards().values():
        here = any(place.is_file() for place in places(card))
        title = card.title.partition(" (")[0]
        print(f"{card.name:<10}{title:<50}{'here' if here else f'needs {card.file}'}")
    print(f"Files that are needed belong into {home() / 'weights'}.")


@app.command()
def info(
    file: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A weight file or a model.")],
) -> None:
    """Say what is in a weight file."""
    from photochrom.models import cards, find, weight_file

    path = find(file).path if file in cards() else weight_file(file)
    facts = _onnx_facts(path) if path.suffix == ".onnx" else _checkpoint_facts(path)
    for name, value in facts.items():
        if name.startswith("probe."):  # pictures that engines check themselves with
            continue
        # Stored pictures and arrays are for programs.
        print(f"{name + ':':<10}{value if len(value) <= LONGEST else f'({len(value)} characters)'}")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A weight file, .pth for example.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
) -> None:
    """Write a weight file anew as safetensors, its facts with it."""
    if target.suffix.lower() != ".safetensors":
        raise SettingsError(
            f"'{target}' is not named .safetensors", cure="That is what is written."
        )
    from photochrom.models import weight_file

    weight_file(source)
    with _torch_needed():
        from photochrom.networks import checkpoint

        checkpoint.convert(source, target, overwrite=overwrite)
    print(target)


def _onnx_facts(path: Path) -> dict[str, str]:
    from photochrom.engines.onnx import OnnxEngine
    from photochrom.models import find

    return {"file": str(path), "sha256": find(path).sha256, **OnnxEngine(path).facts}


def _checkpoint_facts(path: Path) -> dict[str, str]:
    from photochrom.models import cards

    with _torch_needed():
        from photochrom.networks import checkpoint

        found = checkpoint.read(path)
    known = next((card.title for card in cards().values() if card.sha256 == found.sha256), "none")
    return {
        "file": str(path),
        "sha256": found.sha256,
        "known as": known,
        "network": found.network,
        "layout": found.layout,
        "values": f"{sum(value.numel() for value in found.weights.values()):,}",
        **found.metadata,
    }


@contextmanager
def _torch_needed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("Reading weight files", "torch") from None
