"""One photograph in colour: what the Colorizer promises whatever the network says."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photochrom import photo, sheet
from photochrom.colorizer import Colorizer
from photochrom.draft import Draft, most_agreed
from photochrom.engines import Array
from photochrom.engines.painted import PaintedEngine
from photochrom.errors import AlreadyColored, MissingExtra, OutOfMemory, OutputError, SettingsError
from photochrom.models import Model, cards
from photochrom.models.card import Card
from photochrom.settings import Settings, size_of_factor

pytestmark = pytest.mark.plain


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"painted")
    return path


@pytest.fixture
def colorizer(weights: Path) -> Colorizer:
    return Colorizer(Model(cards()["lite"], weights), PaintedEngine())


def ramp(width: int, height: int, mode: str = "L") -> Image.Image:
    """A photograph with every grey and some noise."""
    light = np.linspace(0, 255, width)[None] + np.random.default_rng(0).normal(
        0, 8, (height, width)
    )
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).convert(mode)


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(1, 130),
    height=st.integers(1, 130),
    a=st.floats(-120, 120),
    b=st.floats(-120, 120),
    saturation=st.floats(0, 3),
    strength=st.floats(0, 1),
)
def test_the_photographs_luminance_is_never_changed(
    width: int, height: int, a: float, b: float, saturation: float, strength: float
) -> None:
    colorizer = Colorizer(Model(cards()["lite"], Path(__file__)), PaintedEngine((a, b)))
    grey = ramp(width, height)
    colored = colorizer(grey, saturation=saturation, strength=strength, render_size=64)
    difference = np.asarray(colored.convert("L"), int) - np.asarray(grey, int)
    assert colored.size == grey.size
    assert np.abs(difference).max() <= 1


def test_the_painted_colour_arrives(colorizer: Colorizer) -> None:
    from photochrom.color import rgb_to_lab

    grey = Image.new("L", (64, 48), 128)
    lab = rgb_to_lab(np.asarray(colorizer(grey)))
    assert np.allclose(lab[..., 1:], (20, 30), atol=1)


def test_strength_0_is_the_grey_picture(colorizer: Colorizer) -> None:
    grey = ramp(90, 60)
    assert np.array_equal(np.asarray(colorizer(grey, strength=0)), np.asarray(grey.convert("RGB")))


def test_lists_give_lists_and_a_batch_equals_its_pictures_alone(colorizer: Colorizer) -> None:
    pictures = [ramp(90, 60), ramp(60, 90), ramp(90, 60).rotate(180)]
    together = colorizer(pictures)
    assert [np.asarray(one).tobytes() for one in together] == [
        np.asarray(colorizer(one)).tobytes() for one in pictures
    ]


def test_alpha_stays(colorizer: Colorizer) -> None:
    picture = ramp(40, 30, "LA")
    picture.putalpha(Image.linear_gradient("L").resize((40, 30)))
    colored = colorizer(picture)
    assert colored.mode == "RGBA"
    assert colored.getchannel("A").tobytes() == picture.getchannel("A").tobytes()


def test_a_draft_renders_again_without_the_network(colorizer: Colorizer) -> None:
    draft = colorizer.draft(photo.read(ramp(90, 60)))
    colorizer.engine.run = None  # type: ignore[assignment]
    pale, rich = (draft.render(Settings(saturation=s)).pixels for s in (0.3, 1.0))
    assert np.ptp(rich.astype(int), axis=2).mean() > np.ptp(pale.astype(int), axis=2).mean()


def test_16_bit_stays_16_bit(colorizer: Colorizer, tmp_path: Path) -> None:
    light = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(light).save(tmp_path / "deep.png")
    colorizer.colorize_file(tmp_path / "deep.png", tmp_path / "out.png")
    after = photo.read(tmp_path / "out.png")
    assert after.depth == 16
    luma = after.pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma - light).max() <= 4


class Cramped(PaintedEngine):
    """An engine with memory for a few pixels only."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels, self.asked = pixels, []

    def run(self, batch: Array) -> dict[str, Array]:
        self.asked.append(batch.shape)
        if batch[0, 0].size > self.pixels:
            raise OutOfMemory("no memory")
        return super().run(batch)


def test_out_of_memory_lowers_the_size_and_says_so(weights: Path) -> None:
    colorizer = Colorizer(Model(cards()["lite"], weights), Cramped(160 * 160))
    draft = colorizer.draft(photo.read(ramp(300, 300)), Settings(render_size=256))
    assert draft.render_size == 128  # three quarters, twice, as the network takes it
    assert draft.notes[0].startswith("not enough memory at render size 256")
    assert np.ptp(draft.render().pixels.astype(int), axis=2).max() > 20  # and not grey


class Narrow(Cramped):
    """An engine with memory for one picture at a time."""

    def run(self, batch: Array) -> dict[str, Array]:
        if len(batch) > 1:
            raise OutOfMemory("no memory")
        return super().run(batch)


def test_a_batch_that_does_not_fit_goes_one_by_one_at_its_size(weights: Path) -> None:
    colorizer = Colorizer(Model(cards()["lite"], weights), Narrow(10**6))
    photos = [photo.read(ramp(90, 60)) for _ in range(3)]
    drafts = colorizer.drafts(photos, Settings(render_size=256, strict=True))
    assert [draft.render_size for draft in drafts] == [256] * 3
    assert not any(draft.notes for draft in drafts)


def test_what_was_changed_is_never_silent(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    colorizer = Colorizer(Model(cards()["lite"], weights), Cramped(160 * 160))
    picture = ramp(300, 300)
    colorizer(picture, render_size=256)
    assert [record.name for record in caplog.records] == ["photochrom"] * 2
    assert caplog.messages[0].startswith("not enough memory at render size 256")
    (one,) = colorizer.colorize([photo.read(picture)], Settings(render_size=256))
    assert one.notes == tuple(caplog.messages)
    picture.save(tmp_path / "old.png")
    result = colorizer.colorize_file(
        tmp_path / "old.png", tmp_path / "new.png", settings=Settings(render_size=256)
    )
    assert result.notes == one.notes


def test_the_render_size_that_is_told_is_the_one_that_was_used(weights: Path) -> None:
    engine = Cramped(10**6)
    colorizer = Colorizer(Model(cards()["lite"], weights), engine)
    draft = colorizer.draft(photo.read(ramp(300, 300)), Settings(render_size=200))
    assert draft.render_size == 192 == engine.asked[0][-1]
    assert "render size 192 instead of 200" in draft.notes[0]


def test_out_of_memory_is_an_error_if_strict_or_hopeless(weights: Path) -> None:
    model = Model(cards()["lite"], weights)
    with pytest.raises(OutOfMemory, match="render size 256"):
        Colorizer(model, Cramped(160 * 160)).draft(
            photo.read(ramp(300, 300)), Settings(render_size=256, strict=True)
        )
    with pytest.raises(OutOfMemory, match="smaller --render-size"):
        Colorizer(model, Cramped(1)).draft(photo.read(ramp(300, 300)))


def test_auto_takes_the_size_that_the_others_agree_with() -> None:
    one = photo.read(ramp(30, 20))
    planes = [np.full((2, 8, 8), value, np.float32) for value in (0.0, 0.1, 0.5)]
    drafts = [Draft(one, p, np.zeros((8, 8, 3), np.float32), n) for n, p in enumerate(planes)]
    assert most_agreed(drafts).render_size == 1


def test_a_colour_picture_is_left_alone_unless_forced(colorizer: Colorizer, tmp_path: Path) -> None:
    colors = np.random.default_rng(0).integers(0, 255, (4, 4, 3), np.uint8)
    source = tmp_path / "colour.png"
    Image.fromarray(colors).resize((64, 64)).save(source)
    with pytest.raises(AlreadyColored, match="--force"):
        colorizer.colorize_file(source, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()
    colorizer.colorize_file(source, tmp_path / "out.png", force=True)
    assert (tmp_path / "out.png").exists()


def test_nothing_is_written_over(colorizer: Colorizer, tmp_path: Path) -> None:
    source, target = tmp_path / "old.png", tmp_path / "new.png"
    ramp(40, 30).save(source)
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"new\.png"):
        colorizer.colorize_file(source, target)
    assert target.read_bytes() == b"precious"


def test_the_result_says_how_it_was_made(colorizer: Colorizer, tmp_path: Path) -> None:
    ramp(40, 30).save(tmp_path / "old.jpg")
    result = colorizer.colorize_file(tmp_path / "old.jpg", tmp_path / "new.jpg")
    facts = photo.provenance(tmp_path / "new.jpg")
    assert facts is not None
    assert facts["model"] == "lite"
    assert facts["weights"] == colorizer.model.sha256
    assert f'"render_size": {result.render_size}' in facts["settings"]


def test_exact_is_refused_for_lite(colorizer: Colorizer) -> None:
    with pytest.raises(SettingsError, match="artistic, stable or video"):
        colorizer(ramp(40, 30), exact=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"saturation": -1},
        {"saturation": float("nan")},
        {"strength": 1.1},
        {"render_size": "large"},
        {"render_size": 5},
        {"exact": True, "strength": 0.5},
        {"exact": True, "saturation": 2.0},
        {"post_process": False, "strength": 0.5},
        {"post_process": False, "saturation": 2.0},
    ],
)
def test_a_senseless_setting_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Settings(**wrong)


def test_render_factors_are_sixteenths() -> None:
    assert size_of_factor(35) == 560
    with pytest.raises(SettingsError, match="7 to 45"):
        size_of_factor(46)


@given(width=st.integers(1, 40000), height=st.integers(1, 40000), size=st.integers(16, 720))
def test_network_sizes_fit_the_network(width: int, height: int, size: int) -> None:
    for card in cards().values():
        sides = card.network_size((width, height), size)
        assert all(side % card.multiple == 0 and side > 0 for side in sides)
        assert max(sides) <= size + card.multiple


def test_cards_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        cards()["lite"].name = "other"  # type: ignore[misc]
    assert isinstance(cards()["video"], Card)


def test_a_path_is_not_taken_for_a_list(colorizer: Colorizer) -> None:
    for wrong in ("old.jpg", Path("old.jpg"), ["old.jpg"]):
        with pytest.raises(TypeError, match="colorize_file takes paths"):
            colorizer(wrong)  # type: ignore[arg-type]


class Echo(PaintedEngine):
    """Answers with the grey picture that it got, as DeOldify's networks answer."""

    def run(self, batch: Array) -> dict[str, Array]:
        return {"rgb": batch}


@pytest.fixture
def original(weights: Path) -> Colorizer:
    return Colorizer(Model(cards()["artistic"], weights), Echo())


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("compare", [False, True])
def test_exact_mode_turns_nothing_and_says_so(
    original: Colorizer, tmp_path: Path, orientation: int, compare: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    ramp(60, 40).save(tmp_path / "old.jpg", exif=exif)
    settings = Settings(exact=True, render_size=112)
    result = original.colorize_file(
        tmp_path / "old.jpg", tmp_path / "new.png", settings=settings, compare=compare
    )
    assert any("not turned upright" in note for note in result.notes) == (orientation != 1)
    with Image.open(tmp_path / "new.png") as image:
        assert image.height == 40
        assert image.getexif().get(0x0112, 1) == 1


def test_what_exact_mode_and_comparisons_lose_is_said(
    original: Colorizer, colorizer: Colorizer, tmp_path: Path
) -> None:
    deep = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    alpha = np.full((48, 64), 40000, np.uint16)
    photo.write(tmp_path / "deep.png", photo.Photo(deep, alpha))
    lost = {"16-bit values were reduced to 8 bit", "the transparency was left out"}
    exact = original.colorize_file(
        tmp_path / "deep.png", tmp_path / "exact.png", settings=Settings(exact=True)
    )
    compared = colorizer.colorize_file(
        tmp_path / "deep.png", tmp_path / "compared.png", compare=True
    )
    assert set(exact.notes) == set(compared.notes) == lost


def test_the_networks_own_picture_keeps_the_photographs_depth(colorizer: Colorizer) -> None:
    deep = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    (raw,) = colorizer.colorize([photo.Photo(deep)], Settings(post_process=False))
    assert raw.depth == 16
    assert len(np.unique(raw.pixels)) > 1000


def test_a_result_is_known_again_whatever_it_comes_from(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    ramp(40, 30).save(tmp_path / "old.png")
    colorizer.colorize_file(
        tmp_path / "old.png", tmp_path / "grey.png", settings=Settings(strength=0)
    )
    with (tmp_path / "grey.png").open("rb") as file, pytest.raises(AlreadyColored):
        colorizer.colorize_file(file, tmp_path / "again.png")


def test_what_cannot_be_written_is_refused_before_the_network_runs(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp(40, 30).save(tmp_path / "old.png")
    colorizer.engine.run = None  # type: ignore[assignment]
    with pytest.raises(OutputError, match="not written here"):
        colorizer.colorize_file(tmp_path / "old.png", tmp_path / "new.bmp")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtra, match="heif"):
        colorizer.colorize_file(tmp_path / "old.png", tmp_path / "new.heic")


def test_a_contact_sheet_is_not_compared(colorizer: Colorizer, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="exclude each other"):
        colorizer.colorize_file("none.png", tmp_path / "b.png", compare=True, contact_sheet=True)


def test_a_contact_sheet_of_a_thin_picture_at_the_largest_size(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    ramp(300, 3).save(tmp_path / "thin.png")
    result = colorizer.colorize_file(
        tmp_path / "thin.png",
        tmp_path / "sheet.png",
        settings=Settings(render_size=1024),
        contact_sheet=True,
    )
    assert result.render_size == 1024
    with Image.open(tmp_path / "sheet.png") as page:
        assert page.height > sheet.NARROWEST


def test_neighbours_stay_within_the_sizes_that_make_sense() -> None:
    assert sheet.neighbours([64], 32) == [64, 96]
    assert sheet.neighbours([1024], 32) == [768, 1024]


def test_a_photograph_is_never_replaced_by_its_own_result(
    colorizer: Colorizer, tmp_path: Path
) -> None:
    path = tmp_path / "old.png"
    ramp(40, 30).save(path)
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    with path.open("rb") as file:
        for source, target in ((path, path), (path, tmp_path / "link.png"), (file, path)):
            with pytest.raises(OutputError, match="source and target are one file"):
                colorizer.colorize_file(source, target, overwrite=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("tint", "noted"), [((1, 1, 1), False), ((1, 0.99, 0.97), False), ((1, 0.85, 0.65), True)]
)
def test_a_tint_that_is_replaced_is_said(
    colorizer: Colorizer, tmp_path: Path, tint: tuple[float, ...], noted: bool
) -> None:
    toned = np.asarray(ramp(80, 60))[..., None] * np.array(tint)
    Image.fromarray(toned.astype(np.uint8)).save(tmp_path / "old.png")
    done = colorizer.colorize_file(tmp_path / "old.png", tmp_path / "new.png")
    assert ("its tint was taken for toning and replaced" in done.notes) is noted
