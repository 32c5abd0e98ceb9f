"""What a file is that was given as weights: known by its first bytes, so that errors can say it."""

from __future__ import annotations

import zipfile
from codecs import getincrementaldecoder
from pathlib import Path
from typing import Literal, NamedTuple

_DOWNLOAD = "Download it again, through a link to the file itself."
_CONVERT = "Use the .pth or .safetensors file that it was made from."
_WRONG_FILE = "Choose a .pth or .safetensors file."


class Seeming(NamedTuple):
    """What a file looks like.

    Attributes:
        name: with its article, to be put after "this is".
        weights: how to read it, if it can be a weight file.
        cure: what to do if it cannot.
    """

    name: str
    weights: Literal["torch", "safetensors"] | None = None
    cure: str = _WRONG_FILE


_TORCH_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")
_BEGINNINGS = (
    (b"\x89HDF\r\n\x1a\n", Seeming("an HDF5 (Keras) file", cure=_CONVERT)),
    (b"\x1f\x8b", Seeming("a gzip archive", cure="Unpack it first.")),
    (b"7z\xbc\xaf\x27\x1c", Seeming("a 7z archive", cure="Unpack it first.")),
    (b"GGUF", Seeming("a GGUF file", cure=_CONVERT)),
    (b"\x89PNG", Seeming("a PNG picture")),
    (b"\xff\xd8\xff", Seeming("a JPEG picture")),
    (b"version https://git-lfs", Seeming("a Git LFS pointer", cure="Run: git lfs pull")),
)


def looks_like(path: Path) -> Seeming:
    """What the file looks like from its first bytes (and, for a zip, its list of members).

    Raises:
        OSError: the file cannot be read.
    """
    if path.is_dir():
        return Seeming("a folder", cure="Name the file in it.")
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        return Seeming("an empty file", cure=_DOWNLOAD)
    for beginning, seeming in _BEGINNINGS:
        if head.startswith(beginning):
            return seeming
    if head.startswith(b"PK"):
        return _zip(path)
    return _by_structure(head)


def _by_structure(head: bytes) -> Seeming:
    if _is_safetensors(head):
        return Seeming("a safetensors file", weights="safetensors")
    if head[0] == 0x80 and head[1:2] <= b"\x05":
        return _pickle(head)
    if _is_onnx(head):
        return Seeming("an ONNX model", cure=_CONVERT)
    if head.lstrip().startswith(b"<"):
        return Seeming("a web page (HTML)", cure=_DOWNLOAD)
    if _is_text(head):
        return Seeming("a text file", cure=_DOWNLOAD)
    return Seeming("a file of an unknown kind", cure=_DOWNLOAD)


def _zip(path: Path) -> Seeming:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except zipfile.BadZipFile:
        return Seeming("a zip file that is cut off or damaged", cure=_DOWNLOAD)
    if any(name.endswith("/constants.pkl") for name in members):
        return Seeming("a TorchScript program", cure=_CONVERT)
    if any(name.endswith("/data.pkl") for name in members):
        return Seeming("a torch file", weights="torch")
    return Seeming("a zip archive without weights", cure="Unpack it first.")


def _pickle(head: bytes) -> Seeming:
    # the old torch format opens with a magic number, pickled by itself
    if _TORCH_MAGIC in head[:16]:
        return Seeming("a torch file", weights="torch")
    return Seeming("a pickle that torch did not write")


def _is_safetensors(head: bytes) -> bool:
    """Eight bytes of header length (100 MB at most), then the header, which is JSON."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= 100_000_000


def _is_onnx(head: bytes) -> bool:
    """A protobuf: field 1 (a small version number), then another field of the model."""
    return head[0] == 0x08 and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x1a", b":", b"B")


def _is_text(head: bytes) -> bool:
    try:
        text = getincrementaldecoder("utf-8")().decode(head)  # the last letter may be cut
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)
