"""The models: what is known of each, where its weights lie, the bundled one."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path

from photochrom.errors import WeightsError

from .card import Card, cards

__all__ = ["Card", "Model", "cards", "find", "home"]


@dataclass(frozen=True)
class Model:
    """A card and the weight file that goes with it."""

    card: Card
    path: Path

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of the weight file, in hexadecimal."""
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def home() -> Path:
    """Folder of weights and caches: ``PHOTOCHROM_HOME``, else the platform's cache folder."""
    if chosen := os.environ.get("PHOTOCHROM_HOME"):
        return Path(chosen).expanduser()
    system = platform.system()
    if system == "Windows":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "photochrom"
    if system == "Darwin":
        return Path.home() / "Library/Caches/photochrom"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "photochrom"


def find(name: str | os.PathLike[str]) -> Model:
    """The model of a name, or of a weight file.

    A name's file is looked for in the package, in ``PHOTOCHROM_HOME`` (``weights/``) and, as
    DeOldify has it, in ``./models``. A file's network is recognised by its content.

    Raises:
        WeightsError: no such name or file, or the file is not one of the known networks.
    """
    text = os.fspath(name)
    if card := cards().get(text):
        return Model(card, _locate(card))
    path = Path(text).expanduser()
    if not path.exists():
        raise WeightsError(
            f"there is no model or weight file {text!r}",
            cure=f"Models are {', '.join(cards())}; or give the path of a weight file.",
        )
    return Model(_recognise(path), path)


def places(card: Card) -> list[Path]:
    """Where the weight file of a card may lie, in the order searched."""
    if card.bundled:
        return [Path(str(resources.files("photochrom.models") / card.file))]
    return [home() / "weights" / card.file, Path("models") / card.file]


def _locate(card: Card) -> Path:
    for path in places(card):
        if path.is_file():
            return path
    raise WeightsError(
        f"the weights of '{card.name}' ({card.file}) are not on this machine",
        cure=f"Put the file into {places(card)[0].parent}, or use the bundled model 'lite'.",
    )


def _recognise(path: Path) -> Card:
    """The card of the network that a file's keys belong to, under the file's own name."""
    if path.suffix == ".onnx":
        card = cards()["lite"]
        return replace(card, name=path.stem, file=path.name, bundled=False, title="a file")
    from photochrom.networks import checkpoint

    network = checkpoint.read(path).network
    for card in cards().values():
        if card.network == network:
            same = replace(card, name=path.stem, title="a file", bytes=None, sha256=None)
            return replace(same, file=path.name, bundled=False)
    raise WeightsError(f"holds a {network or 'foreign'} network, not a colouriser", file=path)
