"""Exact mode from file to picture, against the original's recorded runs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from photochrom.colorizer import Colorizer, Settings
from photochrom.engines.torch import TorchEngine
from photochrom.models import Model, cards

CASES = (
    "rgb_97x61",
    "rgb_200x150",
    "rgb_320x240",
    "gray_33x120",
    "rgba_64x48",
    "palette_56x40",
    "la_40x50",
    "gray16_44x30",
    "rgb_5x7",
)


@pytest.fixture(scope="module")
def colorizer(
    network_of: Callable[[str], nn.Module], tmp_path_factory: pytest.TempPathFactory
) -> Colorizer:
    weights = tmp_path_factory.mktemp("weights") / "rule.pth"
    weights.write_bytes(b"the rule's")
    card = replace(cards()["artistic"], name="rule")
    return Colorizer(Model(card, weights), TorchEngine(copy.deepcopy(network_of("deep"))))


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_picture_comes_out_again(
    case: str, reference: Path, colorizer: Colorizer, tmp_path: Path
) -> None:
    """A float difference of 1e-6 may flip a truncated pixel by one, the merge makes that three."""
    recorded = np.load(reference / "pipeline" / "steps.npz")
    side = 16 * int(recorded[f"{case}/render_factor"])
    settings = Settings(exact=True, render_size=side)
    colorizer.colorize_file(
        reference / "pipeline" / f"{case}.png",
        tmp_path / "out.png",
        settings=settings,
        force=True,
    )
    with Image.open(tmp_path / "out.png") as written:
        got = np.asarray(written).astype(int)
    difference = np.abs(got - recorded[f"{case}/merged"])
    assert difference.max() <= 3
    assert (difference > 0).mean() <= 0.005
