"""Before | after, and the mark in the corner."""

from __future__ import annotations

import numpy as np
import pytest

from photochrom.marks import compare, watermark

pytestmark = pytest.mark.plain


def test_compare_shows_both_pictures_untouched_below_the_tags() -> None:
    before = np.full((200, 300), 90, np.uint8)
    after = np.full((200, 300, 3), (200, 120, 60), np.uint8)
    sheet = compare(before, after)
    assert sheet.shape == (200, 603, 3)
    assert (sheet[60:, :300] == 90).all()
    assert (sheet[60:, 303:] == (200, 120, 60)).all()
    assert (sheet[:, 300:303] == 255).all()


def test_compare_writes_each_label_on_its_own_side() -> None:
    grey = np.full((200, 300, 3), 90, np.uint8)
    one = compare(grey, grey, labels=("first", "second"))
    two = compare(grey, grey, labels=("first", "third"))
    assert (one[:, :300] == two[:, :300]).all()
    assert (one[:40, 303:] != two[:40, 303:]).any()
    assert (one[:40, :300] > 180).any(), "light letters"


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3)])
def test_compare_takes_any_size(shape: tuple[int, int]) -> None:
    grey = np.zeros((*shape, 3), np.uint8)
    assert compare(grey, grey).shape[0] == shape[0]


def test_compare_refuses_different_sizes() -> None:
    with pytest.raises(ValueError, match="before is"):
        compare(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("height", [120, 600])
def test_watermark_stays_in_its_corner_and_grows_with_the_picture(dtype: type, height: int) -> None:
    picture = np.full((height, 900, 3), np.iinfo(dtype).max // 2, dtype)
    result, marked = watermark(picture)
    rows, columns = np.nonzero((result != picture).any(-1))
    side = max(16, height // 20)
    assert marked
    assert result.dtype == dtype
    assert columns.max() < 2 * side
    assert rows.min() > height - 2 * side
    assert 0.7 * side < np.ptp(rows) <= side
    assert result[rows, columns].std() > 0


@pytest.mark.parametrize("shape", [(119, 900, 3), (900, 119, 3), (1, 1, 3)])
def test_small_pictures_are_left_and_that_is_said(shape: tuple[int, int, int]) -> None:
    picture = np.zeros(shape, np.uint8)
    result, marked = watermark(picture)
    assert not marked
    assert result is picture


def test_the_picture_given_is_not_changed() -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    watermark(picture)
    assert not picture.any()
