"""Which model a weight file is, by its network and then by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from photochrom.models import find
from photochrom.networks.checkpoint import empty


def saved(network: str, path: Path) -> Path:
    """A file of the network's keys and shapes, with one stored number for each tensor."""
    weights = {
        key: torch.tensor(2, dtype=value.dtype).expand(value.shape)
        for key, value in empty(network).state_dict().items()
    }
    torch.save(weights, path)
    return path


@pytest.mark.parametrize(
    ("network", "file", "render_size", "known"),
    [
        ("wide", "ColorizeVideo_gen.pth", 336, "wide"),
        ("wide", "ColorizeStable_gen.pth", 560, "wide"),
        ("wide", "ColorizeArtistic_gen.pth", 560, "wide"),
        ("deep", "ColorizeVideo_gen.pth", 560, "deep"),
        ("deep", "mine.pth", 560, "deep"),
    ],
)
def test_a_well_known_name_counts_where_the_network_agrees(
    tmp_path: Path, network: str, file: str, render_size: int, known: str
) -> None:
    card = find(saved(network, tmp_path / file)).card
    assert (card.network, card.render_size) == (known, render_size)
    assert (card.name, card.sha256) == (Path(file).stem, None)
