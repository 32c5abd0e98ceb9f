"""Models: found by name or file, recognised by content."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from photochrom import models
from photochrom.errors import SettingsError, WeightsError
from photochrom.models import Model, cards, find
from photochrom.settings import Settings

SOURCE = Path(models.__file__).resolve().parents[2]

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
    with pytest.raises(SettingsError, match="16 to 1024"):
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


# Which model a file is


def test_published_weights_without_torch_name_the_extra(tmp_path: Path) -> None:
    """In a process of its own: there, torch cannot be imported."""
    path = tmp_path / "ColorizeArtistic_gen.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    script = (
        f"import sys; sys.modules['torch'] = None; sys.path.insert(0, {str(SOURCE)!r})\n"
        "import photochrom\n"
        "from photochrom.errors import MissingExtra\n"
        f"try: photochrom.load({str(path)!r})\n"
        "except MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.startswith("Reading published weights needs the extra 'torch'"), done.stderr


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is, to the byte, what the card of 'video' says was published."""
    path = tmp_path / "renamed.pth"
    path.write_bytes(b"the weights of video")
    sum_of_it = hashlib.sha256(path.read_bytes()).hexdigest()
    video = replace(cards()["video"], bytes=path.stat().st_size, sha256=sum_of_it)
    known = cards() | {"video": video}
    monkeypatch.setattr(models, "cards", lambda: known)
    return path


def test_published_weights_are_known_under_any_name(published: Path) -> None:
    assert find(published).card == models.cards()["video"]


def test_published_weights_under_another_models_name_are_refused(published: Path) -> None:
    with pytest.raises(WeightsError, match="weights of 'video', not of 'stable'"):
        Model(models.cards()["stable"], published).check("wide")
    Model(models.cards()["video"], published).check("wide")


@pytest.mark.parametrize(
    ("name", "network", "message"),
    [
        ("artistic", "wide", "weights of 'stable' or 'video', not of 'artistic'"),
        ("stable", "deep", "weights of 'artistic', not of 'stable'"),
        ("video", "critic", "weights of a critic network, not of 'video'"),
    ],
)
def test_another_network_under_a_models_name_is_refused(
    tmp_path: Path, name: str, network: str, message: str
) -> None:
    path = tmp_path / cards()[name].file
    path.write_bytes(b"weights")
    with pytest.raises(WeightsError, match=message):
        Model(cards()[name], path).check(network)


def test_own_weights_under_a_models_name_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / cards()["artistic"].file
    path.write_bytes(b"tuned further")
    Model(cards()["artistic"], path).check("deep")


def test_a_file_is_hashed_once(tmp_path: Path) -> None:
    """Seen from outside: a change that hides behind size and time goes unnoticed."""
    path = tmp_path / "weights.pth"
    path.write_bytes(b"one")
    first, state = Model(cards()["stable"], path).sha256, path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert Model(cards()["stable"], path).sha256 == first


def test_a_file_is_hashed_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    for content in (b"one", b"another"):
        path.write_bytes(content)
        model = Model(cards()["stable"], path)
        assert model.sha256 == hashlib.sha256(content).hexdigest()
