"""Models: found by name or file, recognised by content."""

from __future__ import annotations

from pathlib import Path

import pytest

from photochrom import models
from photochrom.errors import SettingsError, WeightsError
from photochrom.models import cards, find
from photochrom.settings import Settings

pytestmark = pytest.mark.plain


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("PHOTOCHROM_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return home


def test_the_bundled_model_is_in_the_package() -> None:
    model = find("lite")
    assert model.path.is_file()
    assert len(model.sha256) == 64
    assert model.path.stat().st_size <= 16e6


def test_missing_weights_say_which_file_and_where_to_put_it(empty_home: Path) -> None:
    with pytest.raises(WeightsError, match=r"ColorizeStable_gen\.pth.*home.weights.*'lite'"):
        find("stable")


@pytest.mark.parametrize("folder", ["home/weights", "models"])
def test_weights_are_found_where_they_may_lie(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "ColorizeVideo_gen.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    assert find("video").path.resolve() == path


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match="lite, artistic, stable, video"):
        find("bold")


def test_the_originals_are_square_and_lite_keeps_the_shape() -> None:
    assert cards()["artistic"].network_size((1500, 1000), 560) == (560, 560)
    assert cards()["lite"].network_size((1500, 1000), 256) == (256, 160)


@pytest.mark.parametrize("size", [5, 15, 4097])
def test_a_render_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(SettingsError, match="16 to 4096"):
        Settings(render_size=size)


def test_the_published_sums_are_those_of_the_reference(shared: Path) -> None:
    table = (shared / "reference" / "deoldify" / "WEIGHTS.md").read_text()
    for card in cards().values():
        if card.sha256:
            assert f"| {card.file} |" in table
            assert card.sha256 in table
            assert str(card.bytes) in table


def test_the_home_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PHOTOCHROM_HOME")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert models.home() == tmp_path / "cache" / "photochrom"
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert models.home().parts[-3:] == ("Library", "Caches", "photochrom")
