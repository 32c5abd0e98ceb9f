"""A picture takes its colour from the chroma and its light from the photograph alone."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photochrom import upsample
from photochrom.errors import EngineError
from photochrom.render import render

pytestmark = pytest.mark.plain

side = st.integers(1, 90)


def noise(*shape: int, kind: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)


def chroma_of(height: int, width: int, scale: float = 0.3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, scale, (2, height, width)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(full=st.tuples(side, side), small=st.tuples(side, side), scale=st.floats(0, 10))
def test_pillow_reads_the_photograph_back_at_any_size(full, small, scale):
    grey = noise(*full)
    picture = render(grey, chroma_of(*small, scale=scale))
    assert np.array_equal(np.asarray(Image.fromarray(picture).convert("L")), grey)


def test_colour_photographs_keep_their_luma():
    rgb = noise(120, 90, 3)
    got = render(rgb, chroma_of(12, 9)) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(got - rgb @ np.array([0.299, 0.587, 0.114])).max() < 0.81


@pytest.mark.parametrize("shape", [(70, 50), (70, 50, 3)])
def test_sixteen_bits_stay_sixteen_bits(shape):
    pixels = noise(*shape, kind=np.uint16)
    picture = render(pixels, chroma_of(7, 5), depth=16)
    weights = np.array([0.299, 0.587, 0.114])
    luma = pixels @ weights if pixels.ndim == 3 else pixels
    assert picture.dtype == np.uint16
    assert np.abs(picture @ weights - luma).max() < 1


def test_strength_zero_is_the_grey_photograph():
    grey = noise(50, 60)
    assert np.array_equal(
        render(grey, chroma_of(5, 6), strength=0), np.repeat(grey[..., None], 3, axis=-1)
    )


def test_strength_and_saturation_scale_the_differences():
    grey, chroma = noise(50, 60), chroma_of(5, 6, scale=0.05)
    half = render(grey, chroma * np.float32(0.5))
    assert np.array_equal(render(grey, chroma, strength=0.5), half)
    assert np.array_equal(render(grey, chroma, saturation=0.5), half)


def test_bands_and_threads_do_not_change_a_bit(monkeypatch):
    grey, chroma = noise(301, 203), chroma_of(11, 8)
    whole = render(grey, chroma, threads=1)
    assert np.array_equal(render(grey, chroma, threads=3), whole)
    monkeypatch.setattr(upsample, "STRIP", 23)
    monkeypatch.setattr(upsample, "BAND_PIXELS", 1000)
    assert np.array_equal(render(grey, chroma, threads=2), whole)


def test_memory_beside_the_result_is_a_few_rows():
    grey, chroma = noise(3000, 2000), chroma_of(384, 256)
    tracemalloc.start()
    picture = render(grey, chroma, threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - picture.nbytes < 20e6


def test_chroma_that_is_no_number_is_refused():
    chroma = chroma_of(4, 4)
    chroma[1, 2, 2] = np.nan
    with pytest.raises(EngineError, match="not finite"):
        render(noise(9, 9), chroma)
