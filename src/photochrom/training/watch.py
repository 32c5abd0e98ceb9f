"""Watch points: figures on held-out photographs and a contact sheet to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from photochrom import color
from photochrom.errors import TrainingError
from photochrom.networks.lite import Lite
from photochrom.quality.metrics import ciede2000, colorfulness

from .data import Bytes, contents, decode, listed

SIDE = 256
"""Longer side of the held-out photographs, in pixels."""


@dataclass(frozen=True)
class Watch:
    """Held-out photographs: ``measure`` gives figures, ``sheet`` the pictures of the first ones."""

    photographs: tuple[Bytes, ...]

    def measure(self, network: Lite) -> dict[str, float]:
        """Mean CIEDE2000 with the true lightness, and colourfulness as a share of the truth's."""
        errors, got, truth = [], [], []
        for rgb in self.photographs:
            lab = color.rgb_to_lab(rgb)
            mine = np.dstack([lab[..., :1], predict(network, rgb)])
            errors.append(float(ciede2000(mine, lab).mean()))
            got.append(colorfulness(np.clip(color.lab_to_rgb(mine), 0, 1) * 255))
            truth.append(colorfulness(rgb))
        return {"ciede2000": float(np.mean(errors)), "colorfulness": sum(got) / sum(truth)}

    def sheet(self, network: Lite, path: Path, *, columns: int = 6, count: int = 36) -> None:
        """Coloured photographs over the true ones, in rows."""
        cells = []
        for rgb in self.photographs[:count]:
            luma = color.luma(rgb)
            chroma = color.lab_to_difference(luma, predict(network, rgb).transpose(2, 0, 1))
            got = np.rint(color.join(luma, chroma) * 255).astype(np.uint8)
            cells.append(_cell(np.vstack([got, rgb])))
        rows = [np.hstack(cells[k : k + columns]) for k in range(0, len(cells), columns)]
        width = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
        Image.fromarray(np.vstack(rows)).save(path)


def _cell(rgb: Bytes, *, width: int = 200, height: int = 320) -> Bytes:
    image = Image.fromarray(rgb)
    image.thumbnail((width, height))
    cell = np.zeros((height, width, 3), np.uint8)
    cell[: image.height, : image.width] = np.asarray(image)
    return cell


def open_watch(source: Path, *, count: int = 100) -> Watch:
    """``count`` photographs spread evenly over a shard or folder, at 256 px, sides in 32s.

    Raises:
        TrainingError: there is no such shard or folder, or none of these can be read.
    """
    found = listed(source)
    places = np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)
    chosen = replace(found, names=tuple(found.names[place] for place in places))
    pictures = (decode(data, 10**6) for _, data in contents(chosen))
    fitted = tuple(_fit(rgb) for rgb in pictures if rgb is not None)
    if not fitted:
        raise TrainingError("none of its pictures can be read", file=source)
    return Watch(fitted)


def _fit(rgb: Bytes) -> Bytes:
    height, width = rgb.shape[:2]
    scale = SIDE / max(height, width)
    columns, rows = (max(32, 32 * round(side * scale / 32)) for side in (width, height))
    return np.asarray(Image.fromarray(rgb).resize((columns, rows), Image.Resampling.LANCZOS))


@torch.no_grad()
def predict(network: Lite, rgb: Bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The ab (H, W, 2) that the network sees in a photograph (H, W, 3) turned grey."""
    luminance = torch.from_numpy(color.luma(rgb))[None, None]
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(luminance.contiguous(memory_format=torch.channels_last))
    ab = F.interpolate(network.colors(logits), rgb.shape[:2], mode="bilinear", align_corners=False)
    return np.ascontiguousarray(ab[0].permute(1, 2, 0).numpy())
