"""Bad input: one line naming file and cure, exit code 1, the others done, nothing half-written."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import photochrom
from photochrom.cli import main

pytestmark = pytest.mark.plain


def noise(size: tuple[int, int]) -> Image.Image:
    width, height = size
    values = np.random.default_rng(0).integers(0, 255, (height, width), np.uint8)
    return Image.fromarray(values)


def missing(path: Path) -> None: ...


def empty(path: Path) -> None:
    path.touch()


def truncated(path: Path) -> None:
    noise((200, 200)).save(path)
    path.write_bytes(path.read_bytes()[:9000])


def text(path: Path) -> None:
    path.write_text("This is a letter, not a photograph.\n")


def web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><title>404</title>")


def bomb(path: Path) -> None:
    """A PNG of 60000 x 60000 pixels in a few hundred bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        sum_ = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", sum_)

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(60001))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def folder_without_pictures(path: Path) -> None:
    path.mkdir()
    (path / "letter.txt").write_text("Dear")


BAD: list[tuple[str, Callable[[Path], None], str]] = [
    ("none.jpg", missing, "does not exist"),
    ("empty.jpg", empty, "empty"),
    ("empty.png", empty, "empty"),
    ("cut.jpg", truncated, "ends too early|truncated|cut"),
    ("letter.png", text, "text file"),
    ("page.jpg", web_page, "web page"),
    ("bomb.png", bomb, "3600 megapixels"),
    ("folder", folder_without_pictures, "no pictures"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    noise((60, 40)).save("good.png")
    return tmp_path


def run(*arguments: str) -> int:
    return main([*arguments, "--engine", "painted"])


@pytest.mark.parametrize(("name", "make", "says"), BAD, ids=[row[0] for row in BAD])
def test_one_line_with_file_and_cure_and_the_other_file_done(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    make: Callable[[Path], None],
    says: str,
) -> None:
    import re

    make(folder / name)
    before = {path.name for path in folder.iterdir()}
    code = run(name, "good.png")
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"error: {name}: ")
    assert re.search(says, lines[0])
    assert lines[0].count(". ") >= 1, "a cure follows"
    assert out == "good.color.png\n"
    assert {path.name for path in folder.iterdir()} == before | {"good.color.png"}


def test_the_limit_on_pixels_is_the_users(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("good.png", "--max-pixels", "0.002") == 1
    said = capsys.readouterr().err
    assert "megapixels" in said
    assert "--max-pixels" in said
    assert run("good.png", "--max-pixels", "0.0024") == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (30000, 3), (3, 30000)])
def test_odd_shapes_are_coloured_at_their_size(folder: Path, size: tuple[int, int]) -> None:
    noise(size).save("odd.png")
    assert run("odd.png") == 0
    with Image.open("odd.color.png") as image:
        assert image.size == size


def test_an_animated_gif_gives_its_first_frame_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [noise((50, 30)).rotate(90 * turn) for turn in range(3)]
    frames[0].save("film.gif", save_all=True, append_images=frames[1:])
    assert run("film.gif") == 0
    out, err = capsys.readouterr()
    assert out == "film.color.png\n"
    assert "first frame of 3 used" in err


def lay_down_rights() -> None:
    """Before exec: even root may then not write where the mode forbids it."""
    drop_from_bounding_set, override_modes = 24, 1
    ctypes.CDLL(None).prctl(drop_from_bounding_set, override_modes, 0, 0, 0)


def process(
    *arguments: str, limit: str = "", **options: object
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "photochrom", *arguments, "--engine", "painted"]
    if limit:
        command = ["sh", "-c", f'{limit}; exec "$@"', "sh", *command]
    environment = {**os.environ, "PYTHONPATH": str(Path(photochrom.__file__).parents[1])}
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)  # type: ignore[call-overload]


@pytest.mark.skipif(sys.platform != "linux", reason="takes root's rights away as Linux does")
def test_a_read_only_output_folder(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o555)
    done = process("good.png", "-o", "closed/", preexec_fn=lay_down_rights)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert lines == [
        "error: good.png: closed/good.png: the folder cannot be written to. "
        "Choose another folder with -o."
    ]
    assert not list((folder / "closed").iterdir())


@pytest.mark.skipif(os.name != "posix", reason="ulimit is the shell's")
def test_a_full_disk(folder: Path) -> None:
    noise((400, 300)).save("large.png")
    done = process("large.png", "good.png", limit="ulimit -f 40")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert lines[0].startswith("error: large.png: large.color.png: the disk is full. Free some")
    assert done.stdout == "good.color.png\n"
    assert {path.name for path in folder.iterdir()} == {"good.png", "large.png", "good.color.png"}


def test_an_output_folder_that_is_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "taken").write_text("")
    assert run("good.png", "-o", "taken/") == 1
    assert "taken" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX's")
def test_pipes_are_neither_waited_for_nor_taken_from_folders(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    done = process("pipe.jpg", ".", timeout=60)
    assert (done.returncode, done.stdout) == (1, "good.color.png\n")
    assert "error: pipe.jpg: is a pipe, a device or a socket. " in done.stderr
    done = process(".", "-o", "out/", timeout=60)
    assert (done.returncode, done.stdout) == (0, "out/good.png\n")


def test_a_name_that_becomes_too_long(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "g" * 248 + ".png"
    (folder / "good.png").rename(name)
    assert run(name) == 1
    assert (
        capsys.readouterr()
        .err.rstrip()
        .endswith("cannot be written (File name too long). Choose another name or folder with -o.")
    )
    assert run(name, "-o", "short.png") == 0


@pytest.mark.skipif(os.name != "posix", reason="the shell closes it")
def test_closed_standard_input(folder: Path) -> None:
    done = process("-", "-o", "new.png", limit="exec <&-")
    assert done.returncode == 1
    assert "error: -: standard input is closed. " in done.stderr


def test_an_address_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("http://[::1/x.jpg") == 1
    assert "error: http://[::1/x.jpg: is not a proper address" in capsys.readouterr().err


def test_an_empty_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("") == 1
    assert "error: an empty name. " in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux's")
@pytest.mark.parametrize(
    "arguments", [["good.png"], ["good.png", "-o", "-"], ["good.png", "--json"]]
)
def test_a_full_standard_output(folder: Path, arguments: list[str]) -> None:
    done = process(*arguments, limit="exec >/dev/full")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if not line.startswith("model ")]
    assert len(said) == 1
    assert "standard output: the disk is full. " in said[0]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux's")
def test_a_list_to_a_full_disk(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(photochrom.__file__).parents[1])}
    command = [sys.executable, "-m", "photochrom", "weights", "list"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
    assert done.returncode == 1
    assert done.stderr.endswith("the disk is full. Free some space, or write elsewhere.\n")
    assert len(done.stderr.splitlines()) == 1
