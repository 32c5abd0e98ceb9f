"""A toned print is grey, a photograph in colour is not: figures on the validation photographs."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom.photo import Photo, read

pytestmark = pytest.mark.plain

PHOTOS = Path(__file__).resolve().parents[1] / ".." / "shared" / "photos"
needs_photos = pytest.mark.skipif(
    not PHOTOS.is_dir(), reason="shared/photos is not beside the repository"
)


def toned(grey: Image.Image, tone: str) -> Image.Image:
    t = np.asarray(grey, np.float32) / 255
    y, x = np.meshgrid(*(np.linspace(-0.5, 0.5, side) for side in t.shape), indexing="ij")
    edge, stain = 2 * (x * x + y * y), np.exp(-(((x + 0.2) / 0.15) ** 2) - ((y - 0.1) / 0.1) ** 2)
    high = 1 / (1 + np.exp(-12 * (t - 0.5)))
    s = t * (1 - t)
    parts = {
        "sepia": (t * 1.07 + 0.05, t * 0.9 + 0.02, t * 0.68),
        "faded": (0.35 + 0.55 * t, 0.3 + 0.52 * t, 0.2 + 0.45 * t),
        "split": tuple(
            t + s * 1.5 * (a * (1 - high) + b * high)
            for a, b in ((-0.12, 0.18), (-0.02, 0.06), (0.16, -0.2))
        ),
        "cyanotype": (t**1.6, t**1.1, 0.15 + 0.85 * t**0.8),
        "yellowed": tuple(t * k * (1 - edge * e) for k, e in ((1, 0.02), (0.93, 0.1), (0.8, 0.3))),
        "stained": tuple(
            t * k * (1 - stain * e) for k, e in ((1, 0.05), (0.95, 0.15), (0.82, 0.3))
        ),
    }[tone]
    return Image.fromarray((np.clip(np.stack(parts, -1), 0, 1) * 255 + 0.5).astype(np.uint8))


TONES = ("sepia", "faded", "split", "cyanotype", "yellowed", "stained")


def compressed(image: Image.Image, quality: int | None) -> bytes:
    file = io.BytesIO()
    image.save(
        file,
        *(["PNG"] if quality is None else ["JPEG"]),
        **({} if quality is None else {"quality": quality}),
    )
    return file.getvalue()


def validation_photographs(every: int) -> list[Image.Image]:
    with tarfile.open(PHOTOS / "val.tar") as tar:
        members = [member for member in tar if member.isfile()][::every]
        files = [tar.extractfile(member) for member in members]
        return [Image.open(io.BytesIO(file.read())).convert("RGB") for file in files if file]


@needs_photos
def test_photographs_in_colour_are_seen_as_such() -> None:
    photographs = validation_photographs(every=2)
    coloured = [Photo(np.asarray(image)).is_colored() for image in photographs]
    assert np.mean(coloured) >= 0.985


@needs_photos
@pytest.mark.parametrize("quality", [None, 85, 60])
def test_toned_prints_count_as_grey(quality: int | None) -> None:
    greys = [image.convert("L") for image in validation_photographs(every=15)]
    found = {
        tone: np.mean([read(compressed(toned(g, tone), quality)).is_colored() for g in greys])
        for tone in TONES
    }
    assert np.mean(list(found.values())) < (0.01 if quality != 60 else 0.06), found


@needs_photos
@pytest.mark.parametrize("tone", TONES)
def test_historical_photographs_stay_grey_however_toned(tone: str) -> None:
    for path in sorted((PHOTOS / "historical").glob("*.jpg")):
        assert not read(path).is_colored()
        assert not read(compressed(toned(Image.open(path).convert("L"), tone), 60)).is_colored(), (
            path.name
        )


def test_a_red_coat_in_a_grey_street_is_colour() -> None:
    rng = np.random.default_rng(3)
    houses = np.kron(rng.integers(40, 200, (12, 16)), np.ones((20, 20)))
    street = np.repeat(houses[..., None], 3, axis=2).astype(np.uint8)
    assert not Photo(street).is_colored()
    street[90:170, 140:180] = (180, 30, 40)
    assert Photo(street).is_colored()
    assert Photo(street.astype(np.uint16) * 257).is_colored()


@pytest.mark.parametrize("shape", [(1, 1), (3, 30000), (30000, 3), (2, 2)])
def test_any_size_has_an_answer(shape: tuple[int, int]) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (*shape, 1), dtype=np.uint8)
    assert not Photo(np.repeat(grey, 3, axis=2)).is_colored()
    assert not Photo(grey[..., 0]).is_colored()
