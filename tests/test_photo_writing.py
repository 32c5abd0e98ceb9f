"""Results: whole or not at all, never over another file, with all that must survive."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from photochrom.errors import OutputError, SettingsError
from photochrom.photo import FORMATS, Metadata, Photo, provenance, read, storing, write, xmp

pytestmark = pytest.mark.plain

SUFFIXES = [".jpg", ".png", ".tif", ".webp", ".avif", ".heic"]
FACTS = {"version": "0.1.0", "model": "lite", "weights": "ab" * 32, "settings": '{"a": "<ä & ü>"}'}


@pytest.fixture
def photo() -> Photo:
    exif = Image.Exif()
    exif[0x010F], exif[0x8298] = "Graflex", "public domain"
    exif.get_ifd(0x8769)[0x9003] = "1936:03:01 12:00:00"
    rgb = np.asarray(Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 40).convert("RGB"))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kept = Metadata(exif=exif.tobytes()[6:], icc=profile, dpi=(300.0, 200.0), xmp=OTHER_XMP)
    return Photo(rgb, metadata=kept)


OTHER_XMP = b"""<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='uuid:7' xmlns:dc='http://purl.org/dc/elements/1.1/'
  xmlns:Iptc4xmpExt='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'
  Iptc4xmpExt:DigitalSourceType='http://cv.iptc.org/newscodes/digitalsourcetype/negativeFilm'>
 <dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Nipomo</rdf:li></rdf:Alt></dc:title>
</rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""


def skip_without_heif(suffix: str) -> None:
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything_survives_in_every_format(tmp_path: Path, photo: Photo, suffix: str) -> None:
    skip_without_heif(suffix)
    path, notes = write(tmp_path / f"a{suffix}", photo, provenance=FACTS)
    again = read(path)
    assert notes == ()
    assert again.size == photo.size
    assert again.metadata.icc == photo.metadata.icc
    assert again.metadata.dpi == pytest.approx(photo.metadata.dpi, abs=0.02)
    exif = Image.Exif()
    exif.load(again.metadata.exif or b"")
    assert (exif[0x010F], exif[0x8298]) == ("Graflex", "public domain")
    assert exif.get_ifd(0x8769)[0x9003] == "1936:03:01 12:00:00"
    assert b"Nipomo" in (again.metadata.xmp or b"")
    assert provenance(path) == {
        **FACTS,
        "sourceTypeBefore": "http://cv.iptc.org/newscodes/digitalsourcetype/negativeFilm",
    }


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_everything_survives_at_sixteen_bit(tmp_path: Path, photo: Photo, suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
    path, notes = write(tmp_path / f"a{suffix}", photo.with_pixels(pixels), provenance=FACTS)
    again = read(path)
    assert notes == ()
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.metadata.icc == photo.metadata.icc
    assert again.metadata.dpi == pytest.approx(photo.metadata.dpi, abs=0.02)
    assert b"Graflex" in (again.metadata.exif or b"")
    assert (provenance(path) or {})["settings"] == FACTS["settings"]
    assert np.asarray(Image.open(path)).shape == (48, 64, 3), "others read it too"


def test_jpeg_keeps_full_chroma(tmp_path: Path, photo: Photo) -> None:
    path, _ = write(tmp_path / "a.jpg", photo)
    with Image.open(path) as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    deep = np.zeros((4, 5, 3), np.uint16)
    gray_profile = b"\0" * 16 + b"GRAY" + b"\0" * 120
    photo = Photo(deep, np.zeros((4, 5), np.uint16), Metadata(icc=gray_profile))
    path, notes = write(tmp_path / "a.jpg", photo)
    assert [note.split(":")[0] for note in notes] == [
        "JPEG holds 8 bit per channel",
        "JPEG has no transparency",
        "the GRAY colour profile does not fit RGB pixels and was left out",
    ]
    assert read(path).metadata.icc is None


def test_a_profile_that_is_none_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    grey = Photo(np.zeros((4, 5), np.uint8), metadata=Metadata(icc=b"short"))
    notes = write(tmp_path / "a.png", grey).notes
    assert notes == ("the colour profile is damaged and was left out",)


def exif_of(tag: int, kind: int, count: int, value: bytes) -> bytes:
    """An EXIF block of one entry (TIFF 6.0, section 2)."""
    entry = struct.pack("<HHL", tag, kind, count) + value
    return b"II*\0\x08\0\0\0\x01\0" + entry + b"\0" * 4


LEFT_OUT = "the photograph's EXIF is damaged and was left out"
DAMAGED = {
    "no TIFF header": b"XX",
    "a title that is a fraction": exif_of(270, 5, 1, b"\1\0\0\0"),
    "a title that is a float": exif_of(270, 11, 1, b"\xff" * 4),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("exif", DAMAGED.values(), ids=DAMAGED)
def test_damaged_exif_is_left_out_and_that_is_said(
    tmp_path: Path, photo: Photo, suffix: str, exif: bytes
) -> None:
    skip_without_heif(suffix)
    kept = Metadata(exif=exif, dpi=(300.0, 300.0))
    path, notes = write(tmp_path / f"a{suffix}", Photo(photo.pixels, metadata=kept))
    assert read(path).size == photo.size
    assert notes == (() if suffix in (".jpg", ".png") else (LEFT_OUT,))  # those keep it as it is


def test_pillows_warnings_are_notes(tmp_path: Path, photo: Photo) -> None:
    behind = exif_of(0x010F, 2, 0xFFFF, b"\xff\xff\xff\x7f")
    kept = Metadata(exif=behind)
    path, notes = write(tmp_path / "a.tif", Photo(photo.pixels, metadata=kept))
    assert notes == ("Pillow warns: Tag data larger than file. Skipping tag 271",)
    path, _ = write(tmp_path / "a.png", Photo(photo.pixels, metadata=kept))
    assert read(path).notes == notes


def test_a_long_name_of_many_bytes(tmp_path: Path, photo: Photo) -> None:
    path, _ = write(tmp_path / ("\u5199" * 83 + ".png"), photo)
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_photo_gives_the_same_bytes(tmp_path: Path, photo: Photo) -> None:
    for suffix in (".jpg", ".png", ".tif", ".webp"):
        one = write(tmp_path / f"1{suffix}", photo, provenance=FACTS).path.read_bytes()
        assert one == write(tmp_path / f"2{suffix}", photo, provenance=FACTS).path.read_bytes()


@pytest.mark.parametrize("suffix", [".gif", ".txt", ""])
def test_unknown_suffix(tmp_path: Path, photo: Photo, suffix: str) -> None:
    with pytest.raises(OutputError, match=r"Use \.jpg, \.png"):
        write(tmp_path / f"a{suffix}", photo)
    assert set(FORMATS.values()) == {"JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"}


def test_a_picture_too_long_for_its_format(tmp_path: Path) -> None:
    strip = Photo(np.zeros((2, 70000), np.uint8))
    with pytest.raises(OutputError, match=r"a\.jpg: JPEG holds 65535 pixels.*\.png"):
        write(tmp_path / "a.jpg", strip)
    assert list(tmp_path.iterdir()) == []
    assert read(write(tmp_path / "a.png", strip).path).size == (70000, 2)


def test_never_over_another_file_unless_asked(tmp_path: Path, photo: Photo) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"already exists.*--overwrite"):
        write(path, photo)
    assert path.read_bytes() == b"precious"
    write(path, photo, overwrite=True)
    assert read(path).size == photo.size
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    honest = storing._write_synced

    def and_somebody_else(part: Path, data: bytes) -> None:
        honest(part, data)
        path.write_bytes(b"somebody's")

    monkeypatch.setattr(storing, "_write_synced", and_somebody_else)
    with pytest.raises(OutputError, match="already exists"):
        storing.store(path, b"ours")
    assert path.read_bytes() == b"somebody's"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_one_wins(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:  # as on FAT

        def no_links(*_: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", no_links)
    path, refused = tmp_path / "a.bin", []

    def writer(number: int) -> None:
        try:
            storing.store(path, bytes([number]) * 100_000)
        except OutputError:
            refused.append(number)

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = path.read_bytes()
    assert len(refused) == 7
    assert data == data[:1] * 100_000
    assert data[0] not in refused
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    def interrupted(_: int) -> None:
        raise interruption

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(interruption):
        storing.store(tmp_path / "a.bin", b"data")
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_made_and_files_get_the_usual_rights(
    tmp_path: Path, photo: Photo
) -> None:
    path, _ = write(tmp_path / "new" / "folders" / "a.png", photo)
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_path_below_a_file(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "a.png", tmp_path / "file" / "deep" / "a.png"):
        with pytest.raises(OutputError, match="file is a file, not a folder"):
            write(path, photo)


SAVE = """
import resource, os, sys, numpy as np
from photochrom.photo import Photo, write
from photochrom.errors import OutputError
photo = Photo(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
{before}
try:
    write(sys.argv[1], photo)
except OutputError as error:
    print(error)
"""


def saved_in_another_process(path: Path, before: str) -> str:
    run = [sys.executable, "-c", SAVE.format(before=before), str(path)]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX resource limits")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    """A limit on file sizes makes the kernel refuse the write halfway, as a full disk does."""
    limit = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    )
    path = tmp_path / f"a{suffix}"
    said = saved_in_another_process(path, limit)
    assert said.startswith(f"{path}: the disk is full. Free some space (0.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs POSIX users")
def test_a_read_only_folder() -> None:
    """The superuser may write anywhere: as such, the process becomes somebody else first."""
    drop = "os.setuid(65534)" if os.getuid() == 0 else ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.parent.chmod(0o555)
        said = saved_in_another_process(path, f"import PIL.PngImagePlugin; {drop}")
        path.parent.chmod(0o755)
    assert said == f"{path}: the folder cannot be written to. Choose another folder with -o.\n"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_grain_at_full_size_is_no_trouble(tmp_path: Path, suffix: str) -> None:
    skip_without_heif(suffix)
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    path, _ = write(tmp_path / f"a{suffix}", Photo(noise), quality=100)
    assert read(path).size == (300, 300)


MEASURE = """
import resource, sys
import numpy as np
from photochrom.photo import read, write
photo = read(sys.argv[1])
write(sys.argv[1] + ".out.jpg", photo)
print(photo.size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
def test_a_hundred_megapixels_need_less_than_two_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    tile = np.random.default_rng(0).integers(0, 65536, (1000, 1000, 3), dtype=np.uint16)
    write(path, Photo(np.tile(tile // 256 * 256, (10, 10, 1))))
    run = [sys.executable, "-c", MEASURE, str(path)]
    size, peak = subprocess.check_output(run, text=True).rsplit(maxsplit=1)
    assert size == "(10000, 10000)"
    assert int(peak) < 2_000_000


def test_pictures_of_others_have_no_provenance(tmp_path: Path, photo: Photo) -> None:
    assert provenance(write(tmp_path / "a.png", photo).path) is None
    broken = OTHER_XMP + xmp.NAMESPACE.encode() + b"<"
    assert xmp.read_facts(broken) is None


def test_provenance_is_plain_text_in_png_too(tmp_path: Path, photo: Photo) -> None:
    with Image.open(write(tmp_path / "a.png", photo, provenance=FACTS).path) as image:
        image.load()
        assert image.info["photochrom:model"] == "lite"
        assert image.info["Software"] == "photochrom 0.1.0"


def test_a_second_colouring_replaces_the_facts_and_keeps_the_rest() -> None:
    once = xmp.merge(OTHER_XMP, FACTS)
    twice = xmp.merge(once, {"version": "0.2.0"})
    assert xmp.read_facts(twice) == {
        "version": "0.2.0",
        "sourceTypeBefore": "http://cv.iptc.org/newscodes/digitalsourcetype/negativeFilm",
    }
    assert twice.count(b"DigitalSourceType>") == 2  # one element: its start and its end
    assert twice.count(b"<rdf:Description") == 2
    assert b"Nipomo" in twice
    assert b'rdf:about="uuid:7"' in twice
    assert xmp.merge(once, FACTS) == xmp.merge(xmp.merge(once, FACTS), FACTS)


@pytest.mark.parametrize(
    "packet",
    [
        None,
        b"",
        b"not xml at all",
        OTHER_XMP.decode().encode("utf-16"),
        OTHER_XMP.decode().encode("utf-16-be"),
    ],
)
def test_any_packet_can_take_the_facts(packet: bytes | None) -> None:
    facts = xmp.read_facts(xmp.merge(packet, FACTS)) or {}
    assert {name: facts[name] for name in FACTS} == FACTS


def test_a_name_that_xml_does_not_allow() -> None:
    with pytest.raises(SettingsError, match="provenance name 'two words'"):
        xmp.merge(None, {"two words": ""})


def test_xmp_too_long_for_a_jpeg_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    long = OTHER_XMP.replace(b"Nipomo", b"N" * 70000)
    photo = Photo(np.zeros((4, 4, 3), np.uint8), metadata=Metadata(xmp=long))
    path, notes = write(tmp_path / "a.jpg", photo, provenance=FACTS)
    assert notes == (
        "the photograph's XMP is too long for a JPEG and was left out; .png or .tif keep it",
    )
    assert provenance(path) == FACTS
    assert b"N" * 70000 in (read(write(tmp_path / "a.png", photo).path).metadata.xmp or b"")


def test_a_stream_can_be_the_source_of_provenance(tmp_path: Path, photo: Photo) -> None:
    path, _ = write(tmp_path / "a.jpg", photo, provenance=FACTS)
    assert (provenance(io.BytesIO(path.read_bytes())) or {})["model"] == "lite"
