"""The original's picture path, step by step, against recorded runs of the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photochrom import exact
from photochrom.errors import InputError

pytestmark = pytest.mark.plain

CASES = Path(__file__).resolve().parents[1] / ".." / "shared/reference/deoldify/pipeline"
NAMES = sorted(path.stem for path in CASES.glob("*.png"))
if not NAMES:
    pytest.skip("shared/reference is not beside the repository", allow_module_level=True)


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    with np.load(CASES / "steps.npz") as steps:
        start = f"{request.param}/"
        found = {name.removeprefix(start): steps[name] for name in steps if name.startswith(start)}
    return {**found, "file": np.array(str(CASES / f"{request.param}.png"))}


def test_all_nine_recorded_cases_are_there() -> None:
    assert len(NAMES) == 9


def test_opening(case: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(exact.open_as_original(str(case["file"])), case["rgb"])


def test_opening_keeps_to_the_limit_on_pixels() -> None:
    with pytest.raises(InputError, match="megapixels"):
        exact.open_as_original(Image.new("L", (20, 10)), max_pixels=199)


def test_square(case: dict[str, np.ndarray]) -> None:
    side = 16 * int(case["render_factor"])
    np.testing.assert_array_equal(exact.resize(case["rgb"], side, side), case["square"])


def test_grey_and_tensor(case: dict[str, np.ndarray]) -> None:
    gray, tensor = exact.network_input(case["rgb"], 16 * int(case["render_factor"]))
    np.testing.assert_array_equal(np.repeat(gray[..., None], 3, 2), case["gray"])
    level = np.moveaxis(case["gray"], -1, 0).astype(np.float32) / np.float32(255)
    expected = (level - exact.MEAN.reshape(3, 1, 1)) / exact.STD.reshape(3, 1, 1)
    np.testing.assert_array_equal(tensor[0], expected)
    assert tensor.dtype == np.float32


def test_back_to_pixels(case: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(exact.to_pixels(case["net_out"]), case["model8"])


def test_unsquare(case: dict[str, np.ndarray]) -> None:
    size = case["rgb"].shape[:2]
    np.testing.assert_array_equal(exact.resize(case["model8"], *size), case["unsquared"])


def test_luminance_merge(case: dict[str, np.ndarray]) -> None:
    merged = exact.merge_luminance(case["rgb"], case["unsquared"])
    np.testing.assert_array_equal(merged, case["merged"])


def test_from_the_networks_answer_to_the_picture(case: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(exact.finish(case["net_out"], case["rgb"]), case["merged"])
    raw = exact.finish(case["net_out"][None], case["rgb"], post_process=False)
    np.testing.assert_array_equal(raw, case["unsquared"])


def test_watermark_changes_what_the_original_changed(case: dict[str, np.ndarray]) -> None:
    """The original's mark is its own; any mark must touch the same pixels, by its arithmetic."""
    merged, marked = case["merged"].astype(int), case["watermarked"].astype(int)
    white = exact.watermark(case["merged"], np.full((185, 185, 3), 255, np.uint8))
    touched = (white != merged) | (merged == 255)
    assert ((marked == merged) | touched).all()
    assert ((marked >= merged) & (marked <= white)).all()
    assert (marked != merged).any() == (min(merged.shape[:2]) >= 20)


def test_watermark_adds_half_rounded_to_even() -> None:
    picture = np.full((40, 40, 3), [[[2, 3, 250]]], np.uint8)
    marked = exact.watermark(picture, np.full((185, 185, 3), 21, np.uint8))
    assert marked[28, 10].tolist() == marked[29, 11].tolist() == [12, 14, 255]
    assert (marked != picture).any(-1).sum() == 4


@pytest.mark.parametrize("shape", [(19, 100, 3), (40, 11, 3)])
def test_watermark_leaves_small_pictures(shape: tuple[int, int, int]) -> None:
    picture = np.zeros(shape, np.uint8)
    assert not exact.watermark(picture, np.full((185, 185, 3), 255, np.uint8)).any()


def test_area_shrink_is_the_mean_over_boxes() -> None:
    mark = np.random.default_rng(0).integers(0, 256, (185, 185, 3), dtype=np.uint8)
    fine = np.repeat(np.repeat(mark, 6, 0), 6, 1).reshape(6, 185, 6, 185, 3)
    expected = fine.mean((1, 3))
    assert np.abs(exact.shrink_area(mark, 6) - expected).max() <= 0.5 + 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 90)] * 2),
    st.tuples(*[st.integers(1, 90)] * 2),
    st.integers(0, 2**32 - 1),
)
def test_resize_is_one_of_pillows_two_orders(
    size: tuple[int, int], goal: tuple[int, int], seed: int
) -> None:
    """Pillow 13 sometimes runs the vertical pass first; a single pass has no order."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    across = image.resize((goal[1], size[0]), Image.Resampling.BILINEAR)
    both = across.resize((goal[1], goal[0]), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(exact.resize(pixels, size[0], goal[1]), np.asarray(across))
    np.testing.assert_array_equal(exact.resize(pixels, *goal), np.asarray(both))


def test_grey_equals_pillows_for_a_cube_of_colours() -> None:
    steps = np.arange(0, 256, 3, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(len(steps), -1, 3)
    np.testing.assert_array_equal(
        exact.to_gray(cube), np.asarray(Image.fromarray(cube).convert("L"))
    )


def test_a_wrong_order_or_rounding_would_be_seen() -> None:
    """Plants the likely mistakes in the recorded cases: each of them changes a result."""
    with np.load(CASES / "steps.npz") as steps:
        rgb, output = steps["rgb_200x150/rgb"], steps["rgb_200x150/net_out"]
        model8, merged = steps["rgb_200x150/model8"], steps["rgb_200x150/merged"]
    vertical_first = exact.resize(exact.resize(rgb, 80, 200), 80, 80)
    assert (vertical_first != exact.resize(rgb, 80, 80)).any()
    planes = output * exact.STD[:, None, None] + exact.MEAN[:, None, None]
    rounded = np.rint(np.clip(planes, 0, 1) * 255).transpose(1, 2, 0)
    assert (rounded != model8).any()
    gray = np.repeat(exact.to_gray(rgb)[..., None], 3, 2)
    assert (exact.finish(output, gray) != merged).any()
