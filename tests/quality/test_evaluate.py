"""A report tells the truth about a colouriser: known colourisers get the figures they must get."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom.errors import InputError, MissingExtra, SettingsError
from photochrom.quality import perceptual
from photochrom.quality.evaluate import Photograph, Report, compare, evaluate, pictures

pytestmark = pytest.mark.plain

VALIDATION = Path(__file__).resolve().parents[2] / ".." / "shared" / "photos" / "val.tar"
SIZES = [(96, 64), (64, 80), (50, 50), (120, 90), (64, 64), (90, 40)]


def painting(seed: int, size: tuple[int, int]) -> Image.Image:
    """A soft picture of many colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


PAINTINGS = {f"{index}.png": painting(index, size) for index, size in enumerate(SIZES)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photographs"
    (root / "more").mkdir(parents=True)
    for name, image in PAINTINGS.items():
        image.save(root / name)
    (root / "readme.txt").write_text("not a picture")
    return root


def tarred(folder: Path) -> Path:
    """The folder as a tar file, its members in another order."""
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w") as tar:
        for file in sorted(folder.rglob("*.*"), reverse=True):
            tar.add(file, file.relative_to(folder))
    return path


def grey(pictures: list[Image.Image]) -> list[Image.Image]:
    return [picture.convert("RGB") for picture in pictures]


class Painted:
    """Knows the paintings, and gives them back at a share of their colour."""

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength
        self.batches: list[list[str]] = []
        self.known = {image.convert("L").tobytes(): image for image in PAINTINGS.values()}

    def __call__(self, pictures: list[Image.Image]) -> list[Image.Image]:
        self.batches.append([picture.mode for picture in pictures])
        return [
            Image.blend(picture.convert("RGB"), self.known[picture.tobytes()], self.strength)
            for picture in pictures
        ]


def report(colorize, photographs, **options) -> Report:
    return evaluate(colorize, photographs, perceptual=False, **options)


def test_the_truth_itself_scores_perfectly(folder):
    figures = report(Painted(), pictures(folder)).summary
    assert figures["ciede2000"].estimate < 0.01
    assert figures["psnr"].estimate > 80
    assert figures["colorfulness_ratio"].estimate == pytest.approx(1, abs=1e-3)


def test_a_picture_left_grey_scores_the_baseline(folder):
    measured = report(grey, pictures(folder))
    assert measured.grey["ciede2000"].estimate > 5
    for name in measured.metrics():
        assert measured.summary[name] == pytest.approx(measured.grey[name], abs=2e-3)
    assert measured.summary["colorfulness_ratio"].estimate == pytest.approx(0, abs=1e-3)


def test_only_colour_counts_since_the_true_lightness_is_put_in(folder):
    def dark(pictures):
        return [picture.point(lambda value: value * 0.5).convert("RGB") for picture in pictures]

    measured = report(dark, pictures(folder))
    assert measured.summary["psnr"] == pytest.approx(measured.grey["psnr"], abs=2e-3)


def test_half_the_colour_lies_between_grey_and_the_truth(folder):
    measured = report(Painted(0.5), pictures(folder))
    assert 0.3 < measured.summary["colorfulness_ratio"].estimate < 0.7
    assert 0 < measured.summary["ciede2000"].estimate < measured.grey["ciede2000"].estimate


def test_two_reports_are_compared_picture_by_picture(folder):
    better, worse = (report(Painted(strength), pictures(folder)) for strength in (0.6, 0.5))
    difference = compare(better, worse)
    assert difference["ciede2000"].high < 0
    assert difference["ciede2000"].probability == 0
    assert difference["psnr"].probability == 1
    assert difference["colorfulness_ratio"].low > 0


def test_reports_of_different_pictures_are_not_compared(folder):
    whole, half = report(grey, pictures(folder)), report(grey, pictures(folder, every=2))
    with pytest.raises(SettingsError, match="not of the same pictures"):
        compare(whole, half)


def test_a_tar_file_and_a_folder_give_the_same(folder):
    (folder / "more" / "6.png").write_bytes((folder / "0.png").read_bytes())
    from_tar = report(Painted(0.5), pictures(tarred(folder)))
    assert from_tar.rows == report(Painted(0.5), pictures(folder)).rows
    assert [row.name for row in from_tar.rows] == [*PAINTINGS, "more/6.png"]


def test_every_nth_by_name(folder):
    chosen = pictures(folder, every=4)
    assert len(chosen) == 2
    assert [name for name, _ in chosen] == ["0.png", "4.png"]


def test_pictures_come_grey_in_batches(folder):
    painted = Painted()
    report(painted, pictures(folder), batch=4)
    assert painted.batches == [["L"] * 4, ["L"] * 2]


def test_large_photographs_are_reduced_and_small_ones_never_enlarged():
    photographs = [
        Photograph(name, painting(1, size))
        for name, size in [("wide", (300, 200)), ("tall", (100, 250)), ("small", (90, 64))]
    ]
    rows = report(grey, photographs, size=150).rows
    assert [(row.width, row.height) for row in rows] == [(150, 100), (60, 150), (90, 64)]


def test_photographs_without_colour_or_too_small_are_left_out_and_listed(folder):
    Image.new("RGB", (64, 64), (90, 91, 90)).save(folder / "snow.png")
    painting(3, (200, 20)).save(folder / "strip.png")
    measured = report(grey, pictures(folder), batch=1)
    assert len(measured.rows) == len(PAINTINGS)
    assert measured.left_out["snow.png"].startswith("grey: mean chroma")
    assert measured.left_out["strip.png"] == "a side below 32 pixels"


def test_a_set_without_any_colour_is_refused():
    with pytest.raises(InputError, match="none of 1 photographs can be measured"):
        report(grey, [Photograph("fog", Image.new("RGB", (64, 64), "grey"))])


@pytest.mark.parametrize("pack", [lambda folder: folder, tarred])
@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"<html>not found</html>"],
)
def test_a_broken_picture_is_named(folder, pack, damage):
    whole = folder / "2.png"
    whole.write_bytes(damage(whole.read_bytes()))
    path = pack(folder)
    with pytest.raises(InputError, match=rf"{path.name}/2\.png: this picture cannot be read\."):
        report(grey, pictures(path))


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: neither a folder nor a tar file"):
        pictures(tmp_path / "nowhere")


def test_a_file_that_is_no_tar_is_named(folder):
    with pytest.raises(InputError, match=r"0\.png: neither a folder nor a tar file"):
        pictures(folder / "0.png")


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(InputError, match="no pictures in it"):
        pictures(tmp_path)


@pytest.mark.parametrize("nothing", [{"size": 0}, {"size": 31}, {"batch": 0}])
def test_a_size_or_batch_of_nothing_is_refused(folder, nothing):
    with pytest.raises(SettingsError, match="leaves nothing to measure"):
        report(grey, pictures(folder), **nothing)


def test_a_step_below_one_is_refused(folder):
    with pytest.raises(SettingsError, match="every 0"):
        pictures(folder, every=0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pictures: grey(pictures)[1:],
        lambda pictures: [picture.resize((8, 8)) for picture in grey(pictures)],
        lambda pictures: [np.asarray(picture) / 255 for picture in grey(pictures)],
        lambda pictures: pictures,
    ],
)
def test_a_colouriser_that_breaks_its_promise_is_told_so(folder, wrong):
    with pytest.raises(ValueError, match="colorize returned"):
        report(wrong, pictures(folder))


def test_json_holds_every_picture_and_figure(folder):
    measured = report(Painted(0.5), pictures(folder), facts={"model": "painted"})
    content = json.loads(measured.to_json())
    assert content["facts"] == {"model": "painted"}
    assert content["counts"] == {"measured": 6, "left_out": 0}
    assert content["summary"]["psnr"] == measured.summary["psnr"]._asdict()
    assert content["pictures"][5]["name"] == "5.png"
    assert content["pictures"][5]["got"]["ciede2000"] == measured.rows[5].got.ciede2000
    assert "256 px (Lanczos)" in content["protocol"]


def test_the_table_has_a_line_for_each_metric(folder):
    head, *lines = report(Painted(), pictures(folder)).table()
    assert [line[0] for line in lines] == [
        "CIEDE2000",
        "PSNR, dB",
        "colourfulness",
        "colourfulness ratio",
    ]
    assert all(len(line) == len(head) for line in lines)
    assert lines[3][1] == "1.000"


def test_perceptual_distance_without_its_extra_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"photochrom\[train\]"):
        evaluate(grey, pictures(folder), perceptual=True)
    measured = evaluate(grey, pictures(folder))
    assert "perceptual distance: not measured: it needs the extra 'train'" in measured.protocol
    assert "stlpips" not in measured.summary


@pytest.mark.skipif(not VALIDATION.exists(), reason="the photographs in ../shared are not here")
def test_grey_on_real_photographs():
    """Ten validation photographs; decoders of AVIF differ by less than the tolerance."""
    measured = report(grey, pictures(VALIDATION, every=100))
    assert len(measured.rows) == 10
    assert measured.grey["ciede2000"].estimate == pytest.approx(11.89, abs=0.05)
    assert measured.grey["psnr"].estimate == pytest.approx(20.95, abs=0.05)
    assert measured.truth_colorfulness.estimate == pytest.approx(48.75, abs=0.2)
