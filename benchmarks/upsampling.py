"""Chroma enlarged along luma edges against plain bilinear and bicubic enlargement.

    python benchmarks/upsampling.py ../shared/photos/hires.tar [--json FILE]

Each photograph's true chroma is averaged down to a longer side of 256 and of 64 pixels, enlarged
again and joined to the true luma. Columns: mean CIEDE2000, the same over the tenth of the pixels
with the steepest luma, mean absolute error of the colour differences in levels of 255; then the
time of the whole way to uint8 for 1500 x 1000 pixels. Lower is better throughout.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image

from photochrom.color import Array, Pixels, difference, join_pixels, luma, rgb_to_lab
from photochrom.quality.metrics import ciede2000
from photochrom.render import render
from photochrom.upsample import resize

SIDES = (256, 64)
FIGURES = ("ciede2000", "ciede2000_edges", "chroma_error")
Method = Callable[[Pixels, Array], Pixels]


def photographs(path: Path) -> Iterator[Pixels]:
    """The RGB pixels of every picture in a tar."""
    with tarfile.open(path) as tar:
        for member in filter(tarfile.TarInfo.isfile, tar):
            data = tar.extractfile(member)
            assert data is not None
            yield np.asarray(Image.open(io.BytesIO(data.read())).convert("RGB"))


def plain(filter_: Image.Resampling) -> Method:
    """Pillow's enlargement of each plane."""

    def enlarge(rgb: Pixels, chroma: Array) -> Pixels:
        size = (rgb.shape[1], rgb.shape[0])
        planes = [np.asarray(Image.fromarray(plane).resize(size, filter_)) for plane in chroma]
        return join_pixels(luma(rgb), np.stack(planes))

    return enlarge


METHODS: dict[str, Method] = {
    "bilinear": plain(Image.Resampling.BILINEAR),
    "bicubic": plain(Image.Resampling.BICUBIC),
    "photochrom": render,
}


def small_chroma(rgb: Pixels, side: int) -> Array:
    """True chroma averaged down to a longer side."""
    factor = side / max(rgb.shape[:2])
    shape = (round(rgb.shape[0] * factor), round(rgb.shape[1] * factor))
    return np.stack([resize(plane, shape) for plane in difference(rgb)])


def errors(got: Pixels, rgb: Pixels) -> list[float]:
    """The figures of one picture, CIEDE2000 on every third pixel each way."""
    steep = np.hypot(*np.gradient(luma(rgb)))[::3, ::3]
    delta = ciede2000(rgb_to_lab(got[::3, ::3]), rgb_to_lab(rgb[::3, ::3]))
    edges = delta[steep >= np.quantile(steep, 0.9)]
    chroma = np.abs(difference(got) - difference(rgb)).mean() * 255
    return [float(delta.mean()), float(edges.mean()), float(chroma)]


def milliseconds(method: Method, rgb: Pixels, side: int, *, repeats: int = 9) -> float:
    """The fastest of some runs on a grey 1500 x 1000 picture."""
    grey = np.asarray(Image.fromarray(rgb).resize((1500, 1000)).convert("L"))
    chroma, times = small_chroma(rgb, side), []
    for _ in range(repeats):
        start = perf_counter()
        method(grey, chroma)
        times.append((perf_counter() - start) * 1e3)
    return min(times)


def measure(pictures: list[Pixels]) -> list[dict[str, float | str]]:
    """One row per side and method: the means over the pictures."""
    rows: list[dict[str, float | str]] = []
    for side in SIDES:
        for name, method in METHODS.items():
            found = [errors(method(rgb, small_chroma(rgb, side)), rgb) for rgb in pictures]
            means = dict(zip(FIGURES, np.mean(found, axis=0).tolist(), strict=True))
            time = milliseconds(method, pictures[0], side)
            rows.append({"side": side, "method": name, **means, "ms": time})
    return rows


def main() -> None:
    """Prints the table; writes it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path, help="a tar of photographs")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    asked = parser.parse_args()
    rows = measure(list(photographs(asked.photographs)))
    print(f"{'side':>5} {'method':<11}" + "".join(f"{name:>17}" for name in (*FIGURES, "ms")))
    for row in rows:
        figures = "".join(f"{row[name]:17.3f}" for name in (*FIGURES, "ms"))
        print(f"{row['side']:>5} {row['method']:<11}{figures}")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
