"""Multiply-adds, against sums worked out by hand."""

from __future__ import annotations

import torch
from torch import nn

from photochrom.networks.count import multiply_adds
from photochrom.networks.layers import SpectralConv
from photochrom.networks.lite import Lite


def test_depthwise_and_spectral_convolutions_are_counted_by_hand() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1, groups=4),  # 8 * 8 places, 4 channels, 9 each
        SpectralConv(4, 6, kernel=(1, 1)),  # 8 * 8 places, 6 channels, 4 each
    )
    assert multiply_adds(network, torch.zeros(1, 4, 8, 8)) == 64 * (4 * 9 + 6 * 4)


def test_counting_leaves_frozen_parts_frozen() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.BatchNorm2d(1)).train()
    network[1].eval()
    multiply_adds(network, torch.zeros(1, 1, 4, 4))
    assert [module.training for module in network] == [True, False, True]


def test_lite_keeps_to_its_budget() -> None:
    """At most 8 M values, and 4 G multiply-adds at 256 px."""
    network = Lite(torch.zeros(200, 2))
    assert sum(p.numel() for p in network.parameters()) <= 8e6
    assert multiply_adds(network, torch.zeros(1, 1, 256, 256)) <= 4e9
