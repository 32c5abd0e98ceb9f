"""The verb ``info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture.")],
    machine: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Print how a picture was made: version, model, weights, settings."""
    from photochrom import photo
    from photochrom.errors import InputError

    facts = photo.provenance(file)
    if facts is None:
        raise InputError("says nothing of photochrom", file=file, cure="It was not made by it.")
    if machine:
        print(json.dumps({"file": str(file), **facts}))
    else:
        print("\n".join(f"{name + ':':<10}{value}" for name, value in facts.items()))
