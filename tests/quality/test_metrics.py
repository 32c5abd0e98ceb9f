"""Colour differences, colourfulness and intervals agree with published and hand-worked values."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photochrom.color import rgb_to_lab
from photochrom.quality import metrics
from photochrom.quality.metrics import (
    PSNR_MAX,
    bootstrap,
    ciede2000,
    colorfulness,
    paired_bootstrap,
    psnr,
    with_lightness,
)

pytestmark = pytest.mark.plain

# Table 1 of Sharma, Wu, Dalal (2005): L, a, b twice, then the difference.
SHARMA = np.array(
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)
OPPOSITE_HUES = [9, 13]  # exactly 180 degrees apart: which half-way hue is chance in float32


def by_the_paper(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """CIEDE2000 of two colours, equation by equation, in degrees."""

    def sin(degrees: float) -> float:
        return math.sin(math.radians(degrees))

    def cos(degrees: float) -> float:
        return math.cos(math.radians(degrees))

    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean_c**7 / (mean_c**7 + 25**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn, mean_h = h2 - h1, (h1 + h2) / 2
    if c1 * c2 == 0:
        turn, mean_h = 0, h1 + h2
    elif abs(turn) > 180:
        turn += -360 if turn > 180 else 360
        mean_h += 180 if h1 + h2 < 360 else -180
    dl, dc, dh = l2 - l1, c2 - c1, 2 * math.sqrt(c1 * c2) * sin(turn / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    t = 1 - 0.17 * cos(mean_h - 30) + 0.24 * cos(2 * mean_h)
    t += 0.32 * cos(3 * mean_h + 6) - 0.20 * cos(4 * mean_h - 63)
    turned = 30 * math.exp(-(((mean_h - 275) / 25) ** 2))
    rotation = -2 * math.sqrt(mean_c**7 / (mean_c**7 + 25**7)) * sin(2 * turned)
    sl = 1 + 0.015 * (mean_l - 50) ** 2 / math.sqrt(20 + (mean_l - 50) ** 2)
    dl, dc, dh = dl / sl, dc / (1 + 0.045 * mean_c), dh / (1 + 0.015 * mean_c * t)
    return math.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh)


lab = st.tuples(
    st.floats(0, 100, width=32), st.floats(-110, 110, width=32), st.floats(-110, 110, width=32)
)


def test_doctests_hold():
    assert doctest.testmod(metrics).failed == 0


def test_ciede2000_gives_the_published_differences():
    np.testing.assert_allclose(ciede2000(SHARMA[:, :3], SHARMA[:, 3:6]), SHARMA[:, 6], atol=5.1e-5)


def test_ciede2000_in_float32_keeps_three_decimals():
    pairs = np.delete(SHARMA, OPPOSITE_HUES, axis=0).astype(np.float32)
    got = ciede2000(pairs[:, :3], pairs[:, 3:6])
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, pairs[:, 6], atol=5e-4)


def test_ciede2000_agrees_with_the_equations_one_by_one():
    """Random colours, those on the axes among them, where hues wrap around."""
    rng = np.random.default_rng(0)
    pairs = rng.uniform([0, -100, -100], [100, 100, 100], (4000, 2, 3))
    pairs[:500, :, 2] *= 0.05  # near the a axis, often on opposite sides
    pairs[500:700, 0, 1:] = 0  # one of the two is grey
    want = [by_the_paper(*pair) for pair in pairs.tolist()]
    np.testing.assert_allclose(ciede2000(pairs[:, 0], pairs[:, 1]), want, rtol=1e-9)


@given(lab, lab)
@settings(max_examples=300, deadline=None)
def test_ciede2000_is_symmetric_and_never_negative(one, other):
    there, back = (
        ciede2000(np.array(one), np.array(other)),
        ciede2000(np.array(other), np.array(one)),
    )
    assert there >= 0
    np.testing.assert_allclose(there, back, rtol=1e-9, atol=1e-9)


@given(lab)
@settings(deadline=None)
def test_ciede2000_is_zero_on_itself(one):
    assert ciede2000(np.array(one, np.float32), np.array(one, np.float32)) == 0


def test_ciede2000_keeps_the_shape_of_a_picture():
    assert ciede2000(np.zeros((4, 5, 3)), np.ones((4, 5, 3))).shape == (4, 5)


def test_psnr_by_hand():
    want = np.zeros((2, 2, 3))
    got = want.copy()
    got[0, 0, 0] = 1.0  # MSE 1/12
    assert psnr(got, want) == pytest.approx(10 * np.log10(12))


def test_psnr_of_equal_pictures_is_finite():
    assert psnr(np.ones((2, 2, 3)), np.ones((2, 2, 3))) == PSNR_MAX


def test_colorfulness_by_hand():
    """Red and blue: rg 255, 0; yb 127.5, -255."""
    spread = np.hypot(127.5, 191.25)
    offset = np.hypot(127.5, 63.75)
    red_and_blue = [[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]
    assert colorfulness(red_and_blue) == pytest.approx(spread + 0.3 * offset)


def test_colorfulness_is_signed():
    """Red beside green: the signed differences spread (255), their absolute values do not (0)."""
    assert colorfulness([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]) == pytest.approx(255 + 0.3 * 127.5)


def test_with_lightness_takes_colour_from_one_and_lightness_from_the_other():
    got = np.array([[0.5, 0.45, 0.4]], np.float32)
    truth = np.array([[0.6, 0.6, 0.7]], np.float32)
    joined = rgb_to_lab(with_lightness(got, truth))
    np.testing.assert_allclose(joined[..., 0], rgb_to_lab(truth)[..., 0], atol=0.01)
    np.testing.assert_allclose(joined[..., 1:], rgb_to_lab(got)[..., 1:], atol=0.01)


def test_with_lightness_stays_inside_rgb():
    blue, white = np.array([[0.0, 0.0, 1.0]]), np.array([[1.0, 1.0, 1.0]])
    joined = with_lightness(blue, white)
    assert joined.min() >= 0
    assert joined.max() <= 1


def test_bootstrap_interval_covers_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(1)
    intervals = [bootstrap(rng.normal(5, 2, size=60), n=300, seed=i) for i in range(200)]
    covered = np.mean([low <= 5 <= high for _, low, high in intervals])
    assert 0.90 <= covered <= 0.985
    width = np.mean([high - low for _, low, high in intervals])
    assert width == pytest.approx(2 * 1.96 * 2 / np.sqrt(60), rel=0.08)


def test_bootstrap_is_the_same_for_the_same_seed_only():
    values = np.random.default_rng(0).normal(size=50)
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3)
    assert bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_bootstrap_resamples_rows_for_a_ratio():
    rows = np.random.default_rng(0).uniform(1, 2, size=(50, 1)) * [1.0, 2.0]
    ratio = bootstrap(rows, lambda drawn: float(drawn[:, 0].mean() / drawn[:, 1].mean()))
    assert ratio == pytest.approx((0.5, 0.5, 0.5))


def test_pairs_show_a_difference_that_separate_intervals_hide():
    rng = np.random.default_rng(2)
    hard = rng.normal(10, 5, size=100)
    better = hard - 0.2 + rng.normal(0, 0.1, size=100)
    difference = paired_bootstrap(better, hard)
    assert difference.high < 0
    assert difference.probability == 0
    assert bootstrap(better).high > bootstrap(hard).low


def test_a_pair_of_equals_is_a_coin_toss():
    assert paired_bootstrap([1.0, 2.0], [1.0, 2.0]).probability == 0.5


def test_pairs_of_different_length_are_refused():
    with pytest.raises(ValueError, match="not 1 and 2 values"):
        paired_bootstrap([1.0], [1.0, 2.0])


def test_nothing_to_resample_is_refused():
    with pytest.raises(ValueError, match="no values"):
        bootstrap([])
