"""What a run has to say: rows of ``log.jsonl``, TensorBoard, and the machine's share."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from photochrom.networks.count import multiply_adds
from photochrom.networks.lite import Lite
from photochrom.whole import written_whole


class Journal:
    """Writes figures and pictures of a run into its folder, for people and for TensorBoard.

    A run that goes on from ``step`` repeats the steps after it: what they left is taken out.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self.folder = folder
        self._cut(step)
        self._board = SummaryWriter(folder, purge_step=step + 1)

    def _cut(self, step: int) -> None:
        path = self.folder / "log.jsonl"
        if not path.exists():
            return
        rows = path.read_text().splitlines(keepends=True)
        kept = [row for row in rows if row.endswith("\n") and json.loads(row)["step"] <= step]
        with written_whole(path) as part:
            part.write_text("".join(kept))

    def row(self, step: int, figures: dict[str, float], *, group: str) -> None:
        """One row of ``log.jsonl`` and one point of each curve ``group/name``."""
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")
        for name, value in figures.items():
            self._board.add_scalar(f"{group}/{name}", value, step)
        self._board.flush()

    def picture(self, step: int, path: Path) -> None:
        """Shows a picture file in TensorBoard."""
        with Image.open(path) as sheet:
            self._board.add_image(
                path.stem.partition("-")[0], np.asarray(sheet), step, dataformats="HWC"
            )


def work_per_crop(network: Lite, size: int) -> float:
    """Operations of a training step on one crop: a forward pass, and twice that backward."""
    channels = network.encoder.stem.conv.in_channels
    return 2 * 3 * multiply_adds(network, torch.zeros(1, channels, size, size))


def matrix_peak(*, side: int = 2048, repeats: int = 4) -> float:
    """Operations a second of a bfloat16 matrix product, best of a few: the machine's limit."""
    a = torch.ones(side, side, dtype=torch.bfloat16)
    best = 0.0
    for _ in range(repeats):
        began = time.perf_counter()
        a @ a
        best = max(best, 2 * side**3 / (time.perf_counter() - began))
    return best


def share_of_peak(network: Lite, size: int, crops_per_second: float, peak: float) -> float:
    """How much of the machine's matrix peak a run at this rate uses, 0 to 1."""
    return work_per_crop(network, size) * crops_per_second / peak
