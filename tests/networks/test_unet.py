"""Sizes and widths of the generators, the encoders and the critic, without memory for weights."""

from __future__ import annotations

import pytest
import torch

from photochrom.networks.checkpoint import empty
from photochrom.networks.resnet import resnet34, resnet101


@pytest.mark.parametrize(
    ("encoder", "channels"),
    [(resnet34, (64, 64, 128, 256, 512)), (resnet101, (64, 256, 512, 1024, 2048))],
)
def test_encoder_yields_its_taps_finest_first(encoder, channels):
    with torch.device("meta"):
        features = encoder()(torch.zeros(1, 3, 64, 96))
    strides = (2, 4, 8, 16, 32)
    expected = [(1, c, 64 // s, 96 // s) for c, s in zip(channels, strides, strict=True)]
    assert [tuple(feature.shape) for feature in features] == expected


@pytest.mark.parametrize("size", [(2, 2), (32, 64), (18, 34), (560, 336)])
@pytest.mark.parametrize("name", ["deep", "wide"])
def test_generator_keeps_every_even_size(name, size):
    network = empty(name).eval()
    picture = torch.zeros(2, 3, *size, device="meta")
    assert network(picture).shape == picture.shape


def test_generator_refuses_an_odd_side():
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        empty("deep").eval()(torch.zeros(1, 3, 32, 33, device="meta"))


@pytest.mark.parametrize(
    ("name", "millions"), [("deep", 63.646881), ("wide", 218.222197), ("critic", 94.555649)]
)
def test_number_of_parameters(name, millions):
    assert sum(p.numel() for p in empty(name).parameters()) == round(millions * 1e6)


def test_critic_judges_patches():
    judged = empty("critic").eval()(torch.zeros(2, 3, 96, 160, device="meta"))
    assert judged.shape == (2, (96 // 16 - 3) * (160 // 16 - 3))
