"""Colour stops where the photograph's own light changes."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom import color, upsample
from photochrom.render import render

pytestmark = pytest.mark.plain

HIRES = Path(__file__).resolve().parents[1] / ".." / "shared" / "photos" / "hires.tar"


def two_colours(height: int = 240, width: int = 320, slant: float = 0.3) -> np.ndarray:
    """Dark red left, light blue right of a slanted edge, with a little shading in each."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    right = (x > width / 2 + slant * (y - height / 2))[..., None]
    shade = (0.04 * np.sin(x / 9) * np.cos(y / 7))[..., None]
    return np.where(right, [0.70, 0.78, 0.90], [0.50, 0.16, 0.12]).astype(np.float32) + shade


def shrunk(rgb: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The true chroma and luma of a picture at a longer side."""
    factor = side / max(rgb.shape[:2])
    shape = (round(rgb.shape[0] * factor), round(rgb.shape[1] * factor))
    chroma = np.stack([upsample.resize(plane, shape) for plane in color.difference(rgb)])
    return chroma, upsample.shrink(rgb, shape)


def bilinear(chroma: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    images = [Image.fromarray(plane) for plane in chroma]
    size = (shape[1], shape[0])
    return np.stack([np.asarray(i.resize(size, Image.Resampling.BILINEAR)) for i in images])


def edge_error(got: np.ndarray, rgb: np.ndarray) -> float:
    """Mean chroma error, in levels of 255, over the tenth of the pixels with the steepest luma."""
    steep = np.hypot(*np.gradient(color.luma(rgb)))
    edge = steep >= np.quantile(steep, 0.9)
    return float(np.abs(got - color.difference(rgb))[:, edge].mean() * 255)


@pytest.mark.parametrize("slant", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("side", [20, 64])
def test_colour_does_not_bleed_over_a_luma_edge(side, slant):
    rgb = two_colours(slant=slant)
    chroma, luma = shrunk(rgb, side)
    ours = upsample.upsample(chroma, luma, color.luma(rgb))
    assert edge_error(ours, rgb) < 0.4 * edge_error(bilinear(chroma, rgb.shape[:2]), rgb)


def test_grey_beside_red_of_the_same_luma_does_not_turn_green():
    rgb = two_colours()
    rgb[color.luma(rgb) > 0.5] = color.luma(rgb[:1, :1])
    chroma, luma = shrunk(rgb, 20)
    ours = upsample.upsample(chroma, luma, color.luma(rgb))
    assert ours[1].min() > -0.015


def test_a_highlight_gets_no_colour_from_beyond_the_line():
    rgb = two_colours()
    chroma, luma = shrunk(rgb, 20)
    light = color.luma(rgb)
    light[100:102, 100:220] = 1.0
    light[140:142, 100:220] = 0.0
    ours = upsample.upsample(chroma, luma, light)
    for got, true in zip(ours, color.difference(rgb), strict=True):
        assert true.min() - 0.06 < got.min()
        assert got.max() < true.max() + 0.06


def test_even_colour_stays_even_whatever_the_luma():
    light = np.random.default_rng(3).random((90, 70), dtype=np.float32)
    chroma = np.empty((2, 9, 7), np.float32)
    chroma[0], chroma[1] = -0.12, 0.2
    ours = upsample.upsample(chroma, upsample.shrink(light, (9, 7)), light)
    assert np.abs(ours - chroma[:, :1, :1]).max() < 1e-6


def test_flat_light_leaves_plain_bilinear_enlargement():
    ramp = np.linspace(-0.2, 0.2, 16, dtype=np.float32)
    chroma = np.stack([np.tile(ramp, (12, 1)), np.tile(-ramp, (12, 1))])
    flat = np.full((120, 160), 0.5, np.float32)
    ours = upsample.upsample(chroma, flat[:12, :16], flat)
    inner = np.s_[:, :, 25:-25]  # past the last cells, whose neighbours are repeated
    assert np.abs(ours - bilinear(chroma, flat.shape))[inner].max() < 1e-5


def test_nothing_changes_at_the_same_size():
    rng = np.random.default_rng(4)
    light, chroma = (
        rng.random((20, 30), dtype=np.float32),
        rng.random((2, 20, 30), dtype=np.float32),
    )
    assert np.abs(upsample.upsample(chroma, light, light) - chroma).max() < 1e-5


def test_ladder_stops_only_on_a_long_way():
    assert upsample.ladder((171, 256), (1000, 1500)) == []
    assert upsample.ladder((43, 64), (1000, 1500)) == [(172, 256)]
    assert upsample.ladder((64, 64), (3, 30000)) == [(3, 256), (3, 1024), (3, 4096)]


def test_shrink_is_the_area_mean():
    pixels = np.random.default_rng(5).integers(0, 256, (300, 40, 3), np.uint8)
    mean = color.luma(pixels).reshape(30, 10, 8, 5).mean(axis=(1, 3))
    assert upsample.shrink(pixels, (30, 8)) == pytest.approx(mean, abs=1e-6)


@pytest.mark.skipif(not HIRES.exists(), reason="the shared photographs are not here: hires.tar")
@pytest.mark.parametrize(("side", "mean"), [(64, 0.84), (256, 0.82)])
def test_photographs_bleed_less_than_with_bilinear(side, mean):
    ratios = []
    with tarfile.open(HIRES) as tar:
        for member in tar.getmembers()[::2]:
            photo = Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB")
            rgb = color.to_float(np.asarray(photo))
            chroma, _ = shrunk(rgb, side)
            ours = color.difference(render(np.asarray(photo), chroma))
            ratios.append(edge_error(ours, rgb) / edge_error(bilinear(chroma, rgb.shape[:2]), rgb))
    assert max(ratios) < 1.02, ratios
    assert np.mean(ratios) < mean, ratios
