"""The models: what is known of each, where its weights lie, the bundled one."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

from photochrom.errors import MissingExtra, WeightsError

from .card import Card, cards

__all__ = ["Card", "Model", "cards", "find", "home"]


@dataclass(frozen=True)
class Model:
    """A card and the weight file that goes with it."""

    card: Card
    path: Path

    @property
    def sha256(self) -> str:
        """Fingerprint of the weight file, in hexadecimal."""
        return _sha256(self.path)

    def check(self, network: str) -> None:
        """Whether the file is what its name promises, ``network`` being what was found in it.

        Raises:
            WeightsError: it is of another network, or another model's published weights.
        """
        published = _published(self.path)
        if network == self.card.network and published in (None, self.card):
            return
        known = [published] if published else [c for c in cards().values() if c.network == network]
        seeming = " or ".join(f"'{card.name}'" for card in known) or f"a {network} network"
        raise WeightsError(
            f"these look like the weights of {seeming}, not of '{self.card.name}'",
            file=self.path,
            cure="Give the file its own name, or choose it by its path.",
        )


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
    path = weight_file(text)
    return Model(_published(path) or _recognise(path), path)


def weight_file(name: str | os.PathLike[str]) -> Path:
    """The path of a file that can be a weight file by its first bytes; torch is not needed.

    Raises:
        WeightsError: there is no such file, or it is something else.
    """
    from photochrom.networks.disguise import looks_like

    path, cure = Path(name).expanduser(), "Name a file."
    if not os.path.exists(path):
        raise WeightsError(
            f"there is no model or weight file {os.fspath(name)!r}",
            cure=f"Models are {', '.join(cards())}; or give the path of a weight file.",
        )
    if os.path.isdir(path):
        raise WeightsError("this is a folder, not a weight file", file=path, cure=cure)
    if not os.path.isfile(path):
        raise WeightsError("this is no regular file", file=path, cure=cure)
    if path.suffix == ".onnx" or _published(path):
        return path
    try:
        seeming = looks_like(path)
    except OSError as fault:
        raise WeightsError(f"cannot be read ({fault.strerror})", file=path) from fault
    if seeming.weights is None:
        what = f"this is {seeming.name}, not a weight file"
        raise WeightsError(what, file=path, cure=seeming.cure)
    return path


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


def _published(path: Path) -> Card | None:
    """The card whose published weights a file is, to the byte."""
    size = path.stat().st_size  # only what may be one is worth a second of hashing
    possible = [card for card in cards().values() if card.bytes == size]
    return next((card for card in possible if card.sha256 == _sha256(path)), None)


def _recognise(path: Path) -> Card:
    """The card of a file's network, under the file's own name.

    Of cards that share a network the one whose file has this name says how it is run.
    """
    network = "lite" if path.suffix == ".onnx" else _network_in(path)
    same = [card for card in cards().values() if card.network == network]
    if not same:
        raise WeightsError(f"holds a {network} network, not a colouriser", file=path)
    card = next((card for card in same if card.file == path.name), same[0])
    mine = replace(card, name=path.stem, title="a file", file=path.name, bundled=False)
    return replace(mine, bytes=None, sha256=None)


def _network_in(path: Path) -> str:
    try:
        from photochrom.networks import checkpoint
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("Reading published weights", "torch") from None
    return checkpoint.read(path, mapped=True).network


def _sha256(path: Path) -> str:
    """Hashed once for as long as the file stays the same: the published ones are large."""
    state = path.stat()
    return _hashed(path, state.st_size, state.st_mtime_ns)


@lru_cache
def _hashed(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
