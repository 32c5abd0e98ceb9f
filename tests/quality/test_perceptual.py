"""ST-LPIPS gives what the package that carries its weights gives."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("stlpips_pytorch")

import torch
from PIL import Image

from photochrom.errors import WeightsError
from photochrom.quality import perceptual
from photochrom.quality.evaluate import Photograph, evaluate
from photochrom.quality.perceptual import Perceptual


@pytest.fixture(scope="module")
def metric() -> Perceptual:
    return Perceptual()


@pytest.fixture
def pair() -> np.ndarray:
    """Two smooth random pictures (2, 70, 93, 3) in [0, 1]."""
    waves = np.random.default_rng(0).normal(size=(2, 70, 93, 3)).cumsum(1).cumsum(2)
    low, high = waves.min((1, 2), keepdims=True), waves.max((1, 2), keepdims=True)
    return ((waves - low) / (high - low)).astype(np.float32)


@pytest.fixture
def published(monkeypatch):
    """The package's own class; what it imports without using is stood in for by empty modules."""
    for name, needed in [
        ("torchvision", "models"),
        ("torchsummary", "summary"),
        ("IPython", "embed"),
    ]:
        if importlib.util.find_spec(name) is None:
            module = ModuleType(name)
            setattr(module, needed, None)
            monkeypatch.setitem(sys.modules, name, module)
    module = importlib.import_module("stlpips_pytorch.stlpips")
    return module.LPIPS(net="alex", variant="shift_tolerant", verbose=False)


def test_distances_equal_those_of_the_published_code(metric, pair, published):
    one, other = (torch.from_numpy(each[None]).permute(0, 3, 1, 2) for each in pair)
    with torch.no_grad():
        want = published(one, other, normalize=True).item()
    assert metric.distance(pair[:1], pair[1:])[0] == pytest.approx(want, abs=1e-6)
    assert want > 0.05


def test_equal_pictures_are_at_no_distance(metric, pair):
    np.testing.assert_array_equal(metric.distance(pair, pair), [0, 0])


def test_one_picture_is_compared_with_all(metric, pair):
    apart = [metric.distance(each[None], pair[:1])[0] for each in pair]
    np.testing.assert_allclose(metric.distance(pair, pair[:1]), apart, atol=1e-6)


def test_a_grey_copy_is_further_away_than_a_pale_one(metric, pair):
    grey = pair.mean(-1, keepdims=True).repeat(3, axis=-1)
    pale = (pair + grey) / 2
    assert (metric.distance(grey, pair) > metric.distance(pale, pair)).all()


def test_lost_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(perceptual, "_WEIGHTS", tmp_path / "alex.pth")
    with pytest.raises(WeightsError, match=r"alex\.pth.*Install it again"):
        Perceptual()


def test_a_report_measures_it_where_it_is_installed(pair):
    photographs = [
        Photograph(str(index), Image.fromarray((each * 255).astype(np.uint8)))
        for index, each in enumerate(pair)
    ]
    truths = [np.asarray(image) for _, image in photographs]
    report = evaluate(lambda grey: truths, photographs)
    assert report.summary["stlpips"].estimate == pytest.approx(0, abs=1e-5)
    assert report.grey["stlpips"].estimate > 0.05
    assert Perceptual.name in report.protocol
    assert "ST-LPIPS" in [line[0] for line in report.table()]
