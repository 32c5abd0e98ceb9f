"""The command line from its arguments to its exit code, with the painted engine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import photochrom
from photochrom.cli import main
from photochrom.cli.report import RunReport
from photochrom.models import cards

pytestmark = pytest.mark.plain

Run = Callable[..., "Done"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(photochrom.__file__).parents[1])}


class Done:
    """What a command line left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in an empty folder, inside this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        return Done(main([*arguments, "--engine", "painted"]), *capsys.readouterr())

    return run


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "photochrom", *arguments, "--engine", "painted"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT, **options}
    return subprocess.Popen(command, **options)


def grey(name: str, size: tuple[int, int] = (60, 40), **options: Any) -> Path:
    """A grey picture with some texture."""
    width, height = size
    values = np.add.outer(np.arange(height) * 3, np.arange(width) * 2) % 200 + 20
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path, **options)
    return path


def colored(path: str | Path) -> bool:
    with Image.open(path) as image:
        return image.mode == "RGB" and np.ptp(np.asarray(image), axis=2).max() > 20


def files() -> list[str]:
    return sorted(path.as_posix() for path in Path().rglob("*") if path.is_file())


class TestColorize:
    def test_the_result_lies_beside_the_picture_and_its_path_is_the_output(self, run: Run) -> None:
        grey("old.jpg")
        done = run("old.jpg")
        assert (done.code, done.out) == (0, "old.color.jpg\n")
        assert colored("old.color.jpg")

    def test_the_verb_may_be_said_and_a_file_may_have_its_name(self, run: Run) -> None:
        grey("info", format="PNG")
        assert run("colorize", "info").out == "info.color.png\n"
        assert run("./info", "-o", "out/").out == "out/info.png\n"

    def test_options_may_come_first(self, run: Run) -> None:
        grey("old.jpg")
        assert run("--strength", "0.5", "old.jpg").code == 0

    def test_a_folder_into_another(self, run: Run) -> None:
        grey("scans/a.jpg")
        grey("scans/1936/a.tif")
        done = run("scans", "-r", "-o", "colour")
        assert done.code == 0
        assert set(done.out.split()) == {"colour/a.jpg", "colour/1936/a.tif"}
        assert "2 of 2 done" in done.err

    def test_a_second_run_takes_no_result_for_a_picture(self, run: Run) -> None:
        grey("scans/a.jpg")
        run("scans", "-o", "colour")
        run("scans")
        done = run(".", "-r", "--json")
        assert "1 result of earlier runs left out" in done.err
        assert [(row["source"], row["status"]) for row in done.rows[:-1]] == [
            ("colour/a.jpg", "skipped"),
            ("scans/a.jpg", "failed"),
        ]
        assert len(files()) == 3

    def test_never_over_another_file_unless_asked(self, run: Run) -> None:
        grey("old.jpg")
        Path("old.color.jpg").write_text("mine")
        done = run("old.jpg")
        assert (done.code, done.out) == (1, "")
        assert "error: old.jpg: old.color.jpg: already exists." in done.err
        assert Path("old.color.jpg").read_text() == "mine"
        assert run("old.jpg", "--overwrite").code == 0
        assert colored("old.color.jpg")

    def test_a_picture_in_colour_is_skipped_and_that_is_said(self, run: Run) -> None:
        hues = np.full((40, 60, 3), (0, 200, 200), np.uint8)
        hues[..., 0] = np.arange(60) * 4
        Image.fromarray(hues, "HSV").convert("RGB").save("new.png")
        done = run("new.png")
        assert (done.code, done.out) == (0, "")
        assert "skipped: new.png: already in colour" in done.err
        assert run("new.png", "--force").code == 0

    def test_skipping_is_failing_where_the_result_was_named(self, run: Run) -> None:
        grey("old.jpg")
        run("old.jpg")
        assert run("old.color.jpg").code == 0
        assert run("old.color.jpg", "-o", "newer.jpg").code == 1

    def test_format_and_size_and_comparison(self, run: Run) -> None:
        grey("old.jpg", (300, 200))
        assert run("old.jpg", "--compare", "--format", "png").out == "old.compare.png\n"
        with Image.open("old.compare.png") as image:
            assert image.format == "PNG"
            assert image.width > 2 * 300
        row = run("old.jpg", "--render-factor", "12", "--json").rows[0]
        assert row["render_size"] == 192

    def test_contact_sheet_marks_the_chosen_size(self, run: Run) -> None:
        grey("old.jpg", (300, 200))
        row = run("old.jpg", "--contact-sheet", "--format", "png", "--json").rows[0]
        assert row["target"] == "old.sizes.png"
        assert row["render_size"] in cards()["lite"].auto_sizes
        with Image.open("old.sizes.png") as image:
            assert image.width > 900

    def test_contact_sheet_at_a_size_of_ones_own(self, run: Run) -> None:
        grey("old.jpg")
        row = run("old.jpg", "--contact-sheet", "--render-size", "224", "--json").rows[0]
        assert row["render_size"] == 224

    def test_saturation_changes_the_colour_and_strength_0_leaves_none(self, run: Run) -> None:
        grey("old.png")
        chroma = []
        for number, options in enumerate([("--strength", "0"), (), ("--saturation", "2")]):
            run("old.png", "-o", f"{number}.png", *options)
            with Image.open(f"{number}.png") as image:
                chroma.append(float(np.ptp(np.asarray(image.convert("RGB")), axis=2).mean()))
        assert chroma[0] < 1 < chroma[1] < chroma[2]

    def test_names_that_are_no_text(self, run: Run, tmp_path: Path) -> None:
        grey("x.jpg")
        name = os.fsdecode(b"sch\xf6n.jpg")
        try:
            os.rename("x.jpg", name)
        except OSError:
            pytest.skip("this file system takes text alone")
        process = start(name, cwd=tmp_path)
        assert process.communicate()[0] == b"sch\xf6n.color.jpg\n"
        assert json.loads(run(name, "--json", "--overwrite").rows[0] and "1")


class TestJson:
    def test_one_object_for_each_picture_and_one_for_the_run(self, run: Run) -> None:
        grey("a.jpg")
        Path("b.jpg").write_text("no picture")
        done = run("a.jpg", "b.jpg", "--json")
        first, second, summary = done.rows
        assert done.code == 1
        assert (first["source"], first["status"], first["target"]) == ("a.jpg", "ok", "a.color.jpg")
        assert (first["model"], first["engine"]) == ("painted", "painted")
        assert first["render_size"] in cards()["lite"].auto_sizes
        assert first["seconds"] > 0
        assert (second["status"], second["target"]) == ("failed", None)
        assert "text file" in second["error"]
        assert second["cure"]
        assert (summary["ok"], summary["skipped"], summary["failed"]) == (1, 0, 1)
        assert summary["event"] == "summary"

    def test_the_notes_are_there_too(self, run: Run) -> None:
        grey("a/x.jpg")
        grey("b/x.jpg")
        done = run("a/x.jpg", "b/x.jpg", "-o", "out/", "--json")
        assert done.rows[1]["notes"] == ["named x-2.jpg: a/x.jpg has x.jpg"]
        assert "painted" in done.rows[2]["notes"][0]

    @pytest.mark.usefixtures("run")
    def test_a_run_that_cannot_begin_says_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        grey("a.jpg")
        for engine in ("painted", "onnx"):
            code = main(["a.jpg", "--json", "--model", "nobody", "--engine", engine])
            done = Done(code, *capsys.readouterr())
            assert done.code == 1
            assert "error: there is no model or weight file 'nobody'" in done.err
            (summary,) = done.rows
            assert (summary["event"], summary["ok"]) == ("summary", 0)
            assert "no model or weight file 'nobody'" in summary["error"]
            assert "Models are lite" in summary["cure"]
        assert files() == ["a.jpg"]

    def test_a_fault_of_the_system_is_in_the_summary(self) -> None:
        ours = io.StringIO()
        with (
            contextlib.redirect_stdout(ours),
            contextlib.suppress(OSError),
            RunReport(1, machine=True),
        ):
            raise OSError("the weights' disk is gone")
        assert "disk is gone" in json.loads(ours.getvalue())["error"]


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("old.jpg", "--render-factor", "many"),
            ("old.jpg", "--render-factor", "46"),
            ("old.jpg", "--render-factor", "20", "--render-size", "320"),
            ("old.jpg", "--saturation", "-1"),
            ("old.jpg", "--render-size", "5"),
            ("old.jpg", "--exact"),
            ("old.jpg", "--no-post-process", "--strength", "0.5"),
            ("old.jpg", "--max-pixels", "0"),
            ("old.jpg", "--max-pixels", "nan"),
            ("old.jpg", "--format", "docx"),
            ("old.jpg", "--no-such-option"),
            ("old.jpg", "other.jpg", "-o", "new.jpg"),
            ("old.jpg", "-o", "old.jpg"),
            ("old.jpg", "-o", "-", "--json"),
            ("old.jpg", "--compare", "--contact-sheet"),
            ("--overwrite",),
        ],
    )
    def test_wrong_usage_is_2_and_nothing_is_done(
        self, run: Run, arguments: tuple[str, ...]
    ) -> None:
        before = grey("old.jpg").read_bytes()
        done = run(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "rror: " in done.err
        assert files() == ["old.jpg"]
        assert Path("old.jpg").read_bytes() == before

    @pytest.mark.parametrize("option", ["--device", "--engine"])
    @pytest.mark.usefixtures("run")
    def test_an_unknown_engine_or_device(
        self, option: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        grey("old.jpg")
        Path("weights.onnx").write_bytes(b"")
        assert main(["old.jpg", "--model", "weights.onnx", option, "abacus"]) == 2
        assert f"there is no {option[2:]} 'abacus'" in capsys.readouterr().err

    def test_alone_it_says_what_it_is_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([]) == 0
        text = capsys.readouterr().out
        assert "photochrom old.jpg" in text
        assert "Exit codes" in text

    def test_help_of_every_verb(self, capsys: pytest.CaptureFixture[str]) -> None:
        for verb in ("colorize", "info", "eval", "bench", "weights", "train"):
            assert main([verb, "--help"]) == 0
            assert "Usage: photochrom" in capsys.readouterr().out

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        from photochrom import __version__

        assert main(["--version"]) == 0
        assert capsys.readouterr().out == f"photochrom {__version__}\n"


class TestInfo:
    def test_says_how_a_result_was_made(self, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        grey("old.jpg")
        run("old.jpg", "--saturation", "1.5")
        assert main(["info", "old.color.jpg"]) == 0
        text = capsys.readouterr().out
        assert "model:    painted" in text
        assert '"saturation": 1.5' in text
        assert main(["info", "old.color.jpg", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["model"] == "painted"

    def test_other_pictures_are_other_peoples(
        self, run: Run, capsys: pytest.CaptureFixture[str]
    ) -> None:
        grey("old.jpg")
        assert main(["info", "old.jpg"]) == 1
        assert "error: old.jpg: says nothing of photochrom" in capsys.readouterr().err


class TestStreams:
    def test_the_installed_program(self, tmp_path: Path) -> None:
        program = Path(sys.executable).with_name("photochrom")
        if not program.exists():
            pytest.skip("photochrom is not installed here, its source is tested")
        grey(str(tmp_path / "old.jpg"))
        command = [program, "old.jpg", "none.jpg", "--engine", "painted"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "old.color.jpg\n")
        assert "error: none.jpg: does not exist." in done.stderr

    def test_standard_input_to_standard_output(self, tmp_path: Path) -> None:
        picture = grey(str(tmp_path / "old.jpg")).read_bytes()
        with start("-", stdin=subprocess.PIPE, cwd=tmp_path) as process:
            out, err = process.communicate(picture)
        assert process.returncode == 0, err
        with Image.open(io.BytesIO(out)) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (60, 40))
        assert files_in(tmp_path) == ["old.jpg"]

    def test_a_picture_that_is_waited_for_and_not_made_is_a_failure(self, tmp_path: Path) -> None:
        hues = np.full((40, 60, 3), (0, 200, 200), np.uint8)
        hues[..., 0] = np.arange(60) * 4
        Image.fromarray(hues, "HSV").convert("RGB").save(tmp_path / "new.png")
        with start("-", stdin=subprocess.PIPE, cwd=tmp_path) as process:
            out, err = process.communicate((tmp_path / "new.png").read_bytes())
        assert (process.returncode, out) == (1, b"")
        assert b"error: -: " in err

    def test_standard_input_that_is_no_picture(self, tmp_path: Path) -> None:
        with start("-", stdin=subprocess.PIPE, cwd=tmp_path) as process:
            out, err = process.communicate(b"<html>")
        assert (process.returncode, out) == (1, b"")
        assert b"error: -: standard input: is no picture" in err

    def test_a_reader_that_leaves_early_gets_no_traceback(self, tmp_path: Path) -> None:
        for number in range(6):
            grey(str(tmp_path / f"{number}.png"))
        with start(".", cwd=tmp_path) as process:
            assert process.stdout
            assert process.stdout.readline() == b"0.color.png\n"
            process.stdout.close()
            assert process.stderr
            assert b"Traceback" not in process.stderr.read()
        assert process.returncode == 1

    def test_interrupted_it_ends_at_once_and_leaves_nothing_half_written(
        self, tmp_path: Path
    ) -> None:
        for number in range(40):
            grey(str(tmp_path / f"{number:02}.png"), (900, 900))
        with start(".", cwd=tmp_path) as process:
            assert process.stdout
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        assert process.returncode == 130
        assert b"interrupted: " in err
        assert b" of 40 done" in err
        assert b"Traceback" not in err
        results = [path for path in tmp_path.iterdir() if ".color." in path.name]
        assert 1 <= len(results) < 40
        assert all(colored(path) for path in results)
        assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]

    def test_a_terminal_gets_a_bar_and_the_results_stay_clean(self, tmp_path: Path) -> None:
        pty = pytest.importorskip("pty")
        for number in range(3):
            grey(str(tmp_path / f"{number}.png"))
        ours, theirs = pty.openpty()
        with start(
            ".", cwd=tmp_path, stderr=theirs, env={**ENVIRONMENT, "TERM": "xterm"}
        ) as process:
            os.close(theirs)
            seen = b""
            try:
                while chunk := os.read(ours, 4096):
                    seen += chunk
            except OSError:  # the other end is closed
                pass
            assert process.stdout
            assert process.stdout.read() == b"0.color.png\n1.color.png\n2.color.png\n"
        os.close(ours)
        assert b"3 of 3 done" in seen
        assert b"\x1b[" in seen
        assert "━".encode() in seen

    def test_with_debug_a_traceback_comes_before_the_line(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "Traceback" not in run("none.jpg").err
        monkeypatch.setenv("PHOTOCHROM_DEBUG", "1")
        done = run("none.jpg")
        assert "Traceback" in done.err
        assert done.err.splitlines()[-1].startswith("error: none.jpg: does not exist.")


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
