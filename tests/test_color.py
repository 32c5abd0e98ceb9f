"""Colour may change, light may not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photochrom import color

pytestmark = pytest.mark.plain

REC601 = np.array([0.299, 0.587, 0.114])


def every_rgb(steps: int = 18) -> np.ndarray:
    axis = np.linspace(0, 1, steps, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(steps, -1, 3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # published for sRGB under D65 (B. Lindbloom's colour calculator; two decimals)
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.74, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((0, 255, 255), (91.11, -48.09, -14.13)),
        ((255, 255, 0), (97.14, -21.55, 94.48)),
        ((255, 255, 255), (100, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_lab_equals_the_published_values(rgb, lab):
    pixel = np.array([[rgb]], np.uint8)
    assert color.rgb_to_lab(pixel)[0, 0] == pytest.approx(lab, abs=0.015)
    assert color.rgb_to_lab(pixel.astype(np.uint16) * 257)[0, 0] == pytest.approx(lab, abs=0.015)


def test_srgb_curve_equals_the_standard():
    linear = color.to_linear(np.array([-0.1, 0, 0.04045, 0.5, 1], np.float32))
    assert linear == pytest.approx([-0.1 / 12.92, 0, 0.0031308, 0.2140411, 1], abs=1e-6)


def test_lab_and_back_is_the_same_colour():
    rgb = every_rgb()
    assert np.abs(color.lab_to_rgb(color.rgb_to_lab(rgb)) - rgb).max() < 1e-5


def test_difference_and_join_are_inverse():
    rgb = every_rgb()
    assert np.abs(color.join(color.luma(rgb), color.difference(rgb)) - rgb).max() < 1e-5


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_luma_is_rec601(kind):
    top = np.iinfo(kind).max
    pixels = np.random.default_rng(1).integers(0, top, (9, 7, 3), kind, endpoint=True)
    assert color.luma(pixels) == pytest.approx(pixels @ REC601 / top, abs=1e-6)
    assert np.array_equal(color.luma(pixels[..., 0]), color.to_float(pixels[..., 0]))


def test_ab_with_a_known_luma_finds_the_colour():
    rgb = every_rgb()
    ab = np.moveaxis(color.rgb_to_lab(rgb)[..., 1:], -1, 0)
    found = color.lab_to_difference(color.luma(rgb), ab)
    assert np.abs(found - color.difference(rgb)).max() < 1e-4
    again = color.rgb_to_lab(color.join(color.luma(rgb), found))
    assert np.abs(np.moveaxis(again[..., 1:], -1, 0) - ab).max() < 0.01


def test_ab_that_srgb_lacks_keeps_its_luma_and_its_side_of_grey():
    luma = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    ab = np.stack([np.full((8, 8), 120, np.float32), np.full((8, 8), 100, np.float32)])
    rgb = color.join(luma, color.lab_to_difference(luma, ab))
    assert np.abs(rgb @ REC601 - luma).max() < 1e-5
    inner = rgb.reshape(-1, 3)[1:-1]
    assert (inner[:, 0] >= inner[:, 2]).all()


def test_gamut_takes_the_largest_factor_that_fits():
    luma = np.full((1, 1), 0.5, np.float32)
    chroma = np.array([[[-0.2]], [[1.0]]], np.float32)
    fitted = color.fit_gamut(luma, chroma)
    assert fitted[:, 0, 0] == pytest.approx([-0.1, 0.5], abs=1e-6)
    inside = chroma * 0.3
    assert np.array_equal(color.fit_gamut(luma, inside), inside)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.0, 1e-3, 0.05, 0.3, 1.0, 50.0, 1e10, 3e38]),
    depth=st.sampled_from([8, 16]),
)
def test_luma_survives_any_chroma(seed, scale, depth):
    rng = np.random.default_rng(seed)
    luma = rng.random((24, 24), dtype=np.float32)
    luma[0], luma[1] = 0, 1
    chroma = (rng.uniform(-1, 1, (2, 24, 24)) * scale).astype(np.float32)
    top = 2**depth - 1
    got = color.join_pixels(luma, chroma, depth=depth) @ REC601
    assert np.abs(got - luma * np.float64(top)).max() <= (0.81 if depth == 8 else 1)
    assert np.abs(got - np.rint(luma * np.float32(top))).max() <= 0.3


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0, 2))
def test_pillow_reads_the_grey_photograph_back(seed, scale):
    grey = np.arange(256, dtype=np.uint8).repeat(8).reshape(32, 64)
    chroma = np.random.default_rng(seed).uniform(-scale, scale, (2, 32, 64)).astype(np.float32)
    picture = Image.fromarray(color.join_pixels(color.luma(grey), chroma))
    assert np.array_equal(np.asarray(picture.convert("L")), grey)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_no_chroma_leaves_every_level_grey(kind):
    grey = np.arange(np.iinfo(kind).max + 1).astype(kind).reshape(256, -1)
    depth = np.iinfo(kind).bits
    pixels = color.join_pixels(
        color.luma(grey), np.zeros((2, *grey.shape), np.float32), depth=depth
    )
    assert np.array_equal(pixels, np.repeat(grey[..., None], 3, axis=-1))
