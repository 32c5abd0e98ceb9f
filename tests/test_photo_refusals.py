"""Bad input gets one line that names the file and the cure, and never half a picture."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from photochrom.errors import InputError, PhotochromError
from photochrom.photo import read

pytestmark = pytest.mark.plain


def picture(format: str, **options: object) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def refusal(source: object) -> str:
    with pytest.raises(InputError) as caught:
        read(source)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.cure
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.jpg") == (
        f"{tmp_path}/no.jpg: does not exist. Check the name and the folder."
    )


def test_folder(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs POSIX users")
def test_no_permission() -> None:
    """The superuser may read anything: as such, the process becomes somebody else first."""
    code = (
        "import os, sys\n"
        "from photochrom.photo import read\n"
        "from photochrom.errors import InputError\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: read(sys.argv[1])\n"
        "except InputError as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "locked.png"
        path.write_bytes(picture("PNG"))
        path.chmod(0)
        path.parent.chmod(0o755)
        said = subprocess.check_output([sys.executable, "-c", code, str(path)], text=True)
    assert said == f"{path}: may not be read. Allow it: chmod +r '{path}'\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("zero.png", b"", "is empty (0 bytes)"),
        ("notes.png", "Dear Ann,\nthe picture is späte".encode(), "looks like a text file"),
        ("cut.txt.png", "ä".encode()[:1] * 0 + ("x" * 511 + "ä").encode(), "a text file"),
        ("scan.jpg", b"%PDF-1.7\n%\xe2\xe3", "looks like a PDF document"),
        ("page.jpg", b"\n<!DOCTYPE html><html><body>404", "looks like a web page (HTML)"),
        ("film.jpg", b"\0\0\0\x20ftypisom\0\0\2\0", "looks like an MP4 or QuickTime film"),
        ("film.jpg", b"\x1aE\xdf\xa3\x01\0\0", "looks like a Matroska or WebM film"),
        ("film.png", b"RIFF\0\0\0\0AVI LIST", "looks like an AVI film"),
        ("box.png", b"PK\x03\x04\x14\0", "looks like a ZIP archive"),
        ("raw.jpg", b"\0\0\0\x18ftypcrx \0\0\0\1", "looks like a camera raw file"),
        ("bytes.png", bytes(range(128, 200)), "no picture format that is read here"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(path)
    assert said in message
    assert message.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {}),
        ("AVIF", {}),
        ("BMP", {}),
        ("PPM", {}),
        ("GIF", {}),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("lenient", [False, True])
def test_a_file_cut_short_is_never_half_a_picture(
    format: str,
    options: dict[str, object],
    share: float,
    lenient: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    whole = picture(format, **options)
    assert f"{format} file" in refusal(whole[: int(len(whole) * share)])


def test_a_truncated_jpeg_says_so(tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    path.write_bytes(picture("JPEG")[:2000])
    assert refusal(path) == (
        f"{path}: is a JPEG file that ends too early. Copy or download it again."
    )


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunks = [
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_decompression_bomb() -> None:
    assert "60000 x 60000 = 3600 megapixels, and 250 are accepted" in refusal(
        png_header(60000, 60000)
    )


def test_small_limits_are_told_in_small_numbers() -> None:
    with pytest.raises(InputError, match=r"320 x 256 = 0\.082 megapixels, and 0\.05 are accepted"):
        read(png_header(320, 256), max_pixels=50_000)


def test_the_limit_is_the_callers_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for format in ("PNG", "JPEG", "TIFF", "WEBP"):
        assert read(picture(format)).size == (80, 60)
    with pytest.raises(InputError, match="max_pixels"):
        read(picture("PNG"), max_pixels=4799)
    assert read(picture("PNG"), max_pixels=4800).size == (80, 60)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused_and_nothing_else(
    format: str, damage: list[tuple[float, int]]
) -> None:
    data = bytearray(picture(format))
    for place, value in damage:
        data[min(int(place * len(data)), len(data) - 1)] = value
    try:
        photo = read(bytes(data), max_pixels=10_000_000)
    except PhotochromError as error:
        refused = str(error)
        assert "\n" not in refused
    else:
        assert photo.pixels.shape[:2] == photo.size[::-1]
