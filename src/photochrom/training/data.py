"""Photographs for training: decoded once into a memory-mapped file, cropped by position.

The crop drawn at a position of the run depends on the seed and the position alone, so a run
that was cut off goes on with the very pictures it would have seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photochrom import photo
from photochrom.errors import InputError, MissingExtra, TrainingError
from photochrom.quality import photographs as pictures

SHORT_SIDE = 176
"""Shorter side, in pixels, of the photographs in the cache."""
CHUNK = 256
"""Files that are in memory at once while the cache is made."""

Bytes = NDArray[np.uint8]


def listed(source: Path) -> pictures.Photographs:
    """The names of the pictures in a folder tree or tar file.

    Raises:
        TrainingError: it is missing, neither of both, or holds no pictures.
    """
    try:
        return pictures.pictures(source)
    except InputError as error:
        raise TrainingError(error.what, file=error.file, cure=error.cure) from None


def contents(found: pictures.Photographs) -> Iterator[tuple[str, bytes]]:
    """Name and file content of each picture, in order of name, one at a time."""
    for name, source in found.sources():
        yield name, source.read_bytes() if isinstance(source, Path) else source.read()


def decode(data: bytes, short_side: int = SHORT_SIDE) -> Bytes | None:
    """Upright RGB (H, W, 3), the shorter side at most ``short_side``; None if it is no picture."""
    try:
        pixels = photo.read(data).pixels
    except (InputError, MissingExtra):
        return None
    rgb = Image.fromarray(photo.to_depth(pixels, 8)).convert("RGB")
    scale = short_side / min(rgb.size)
    if scale < 1:
        width, height = (max(short_side, round(side * scale)) for side in rgb.size)
        rgb = rgb.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(rgb)


@dataclass(frozen=True)
class Photographs:
    """Read-only RGB photographs, straight from a memory-mapped file."""

    pixels: Bytes
    index: NDArray[np.int64]
    """(N, 3): offset, height, width."""
    skipped: tuple[str, ...]
    """Names of files that could not be decoded."""
    fingerprint: str
    """Changes when the set of photographs does."""

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> Bytes:
        offset, height, width = (int(v) for v in self.index[number])
        return self.pixels[offset : offset + height * width * 3].reshape(height, width, 3)


def fingerprint(sources: list[Path]) -> str:
    """Of names and sizes, and of how pictures are decoded."""
    files = [p for s in sources for p in ([s] if s.is_file() else sorted(s.rglob("*")))]
    rows = [f"{p.name} {p.stat().st_size}" for p in files if p.is_file()]
    how = f"upright, {SHORT_SIDE}"
    return hashlib.sha256("\n".join([*rows, how]).encode()).hexdigest()[:16]


def open_photographs(sources: list[Path], cache: Path) -> Photographs:
    """The photographs of shards and folders, decoded into ``cache`` unless they are there.

    Raises:
        TrainingError: a source is missing, is neither folder nor tar file, or holds no pictures.
    """
    found = [listed(source) for source in sources]
    mark = fingerprint(sources)
    home = cache / mark
    if not (home / "done.json").exists():
        _decode_all(found, home)
    facts = json.loads((home / "done.json").read_text())
    index = np.load(home / "index.npy")
    if not len(index):
        raise TrainingError("none of its pictures can be read", file=sources[0])
    pixels = np.memmap(home / "pixels.u8", np.uint8, "r")
    return Photographs(pixels, index, tuple(facts["skipped"]), mark)


def _decode_all(sources: list[pictures.Photographs], home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    rows, skipped, offset = [], [], 0
    with ThreadPoolExecutor() as pool, open(home / "pixels.u8", "wb") as file:
        files = chain.from_iterable(contents(source) for source in sources)
        while chunk := list(islice(files, CHUNK)):
            decoded = pool.map(decode, (data for _, data in chunk))
            for (name, _), rgb in zip(chunk, decoded, strict=True):
                if rgb is None:
                    skipped.append(name)
                    continue
                rows.append((offset, *rgb.shape[:2]))
                offset += file.write(rgb.tobytes())
    np.save(home / "index.npy", np.array(rows, np.int64).reshape(-1, 3))
    (home / "done.json").write_text(json.dumps({"skipped": skipped}))


def crop_at(photographs: Photographs, position: int, size: int, seed: int) -> Bytes:
    """The (size, size, 3) crop at a position of the endless shuffled stream of a seed.

    Every photograph comes once in each pass; the place of the crop and the flip are drawn anew.
    Smaller photographs are enlarged.
    """
    epoch, place = divmod(position, len(photographs))
    order = _order(len(photographs), epoch, seed)
    draw = np.random.Generator(np.random.Philox(key=[seed, position]))
    rgb = photographs[int(order[place])]
    height, width = rgb.shape[:2]
    if min(height, width) < size:
        scale = size / min(height, width)
        wanted = (max(size, round(width * scale)), max(size, round(height * scale)))
        rgb = np.asarray(Image.fromarray(rgb).resize(wanted, Image.Resampling.BICUBIC))
        height, width = rgb.shape[:2]
    top, left = draw.integers(height - size + 1), draw.integers(width - size + 1)
    crop = rgb[top : top + size, left : left + size]
    return crop[:, ::-1] if draw.random() < 0.5 else crop


@lru_cache(maxsize=2)
def _order(count: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)


def batch_at(photographs: Photographs, position: int, *, count: int, size: int, seed: int) -> Bytes:
    """``count`` crops from ``position`` on: (count, size, size, 3)."""
    crops = [crop_at(photographs, position + k, size, seed) for k in range(count)]
    return np.stack(crops)
