"""Every mode, depth and orientation that people's files have, read as it is and turned upright."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps

from photochrom.errors import InputError, MissingExtra
from photochrom.photo import Photo, encode, read

pytestmark = pytest.mark.plain


def noise(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM"])
def test_grey_stays_grey_and_colour_is_rgb(format: str) -> None:
    grey, rgb = noise(9, 7), noise(9, 7, 3)
    photo = read(saved(Image.fromarray(grey), format))
    np.testing.assert_array_equal(photo.pixels, grey)
    assert photo.format == format
    np.testing.assert_array_equal(read(saved(Image.fromarray(rgb), format)).pixels, rgb)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_lossy_formats_come_close(format: str) -> None:
    smooth = np.asarray(Image.fromarray(noise(4, 4, 3)).resize((64, 48), Image.Resampling.BICUBIC))
    photo = read(saved(Image.fromarray(smooth), format, quality=95))
    assert photo.size == (64, 48)
    assert np.abs(photo.pixels.astype(int) - smooth).mean() < 4


def test_heic_with_the_extra() -> None:
    pytest.importorskip("pillow_heif")
    photo = Photo(np.full((40, 60, 3), (200, 90, 30), np.uint8))
    data = bytes(encode(photo, "HEIF").data)
    assert np.abs(read(data).pixels.astype(int) - photo.pixels).max() < 6


def test_heic_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtra, match=r'pip install "photochrom\[heif\]"'):
        read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_bilevel_is_grey() -> None:
    bits = noise(5, 11) > 127
    photo = read(saved(Image.fromarray(bits), "PNG"))
    np.testing.assert_array_equal(photo.pixels, bits * np.uint8(255))


def test_palette_with_transparency() -> None:
    image = Image.fromarray(noise(8, 8, 4)).convert("P")
    image.info["transparency"] = bytes([0, 128] + [255] * 254)
    expected = np.asarray(image.convert("RGBA"))
    photo = read(saved(image, "PNG"))
    np.testing.assert_array_equal(photo.pixels, expected[..., :3])
    np.testing.assert_array_equal(photo.alpha, expected[..., 3])
    assert photo.mode == "P"


def test_a_transparent_colour_becomes_alpha() -> None:
    rgb = noise(6, 6, 3)
    photo = read(saved(Image.fromarray(rgb), "PNG", transparency=tuple(rgb[2, 3].tolist())))
    assert photo.alpha is not None
    assert np.argwhere(photo.alpha == 0).tolist() == [[2, 3]]


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_alpha(mode: str) -> None:
    rgba = Image.fromarray(noise(8, 9, 4))
    image = rgba.convert(mode)
    photo = read(image)
    np.testing.assert_array_equal(photo.alpha, np.asarray(image.getchannel("A")))
    assert photo.pixels.ndim == (2 if mode == "LA" else 3)


@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_grey_tiff_of_both_byte_orders(order: str) -> None:
    grey = noise(5, 6, dtype=np.uint16)
    image = Image.frombytes(
        "I;16" if order == "<" else "I;16B", (6, 5), grey.astype(order + "u2").tobytes()
    )
    photo = read(saved(image, "TIFF"))
    assert photo.depth == 16
    np.testing.assert_array_equal(photo.pixels, grey)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["PNG", "TIFF"]),
    st.sampled_from([np.uint8, np.uint16]),
    st.booleans(),
    st.booleans(),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(0, 99),
)
def test_lossless_formats_give_back_every_value(
    format: str, dtype: type, colored: bool, transparent: bool, size: tuple[int, int], seed: int
) -> None:
    pixels = noise(*size, *([3] if colored else []), dtype=dtype, seed=seed)
    alpha = noise(*size, dtype=dtype, seed=seed + 1) if transparent else None
    photo = read(bytes(encode(Photo(pixels, alpha), format).data))
    if photo.pixels.ndim == 3 and not colored:  # 16-bit grey with alpha goes into TIFF as RGBA
        assert (format, dtype, transparent) == ("TIFF", np.uint16, True)
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    np.testing.assert_array_equal(photo.pixels, pixels)
    if transparent:
        np.testing.assert_array_equal(photo.alpha, alpha)
    else:
        assert photo.alpha is None


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_deep_grey_tiff_compressions(compression: str) -> None:
    grey = noise(20, 30, dtype=np.uint16)
    photo = read(saved(Image.fromarray(grey), "TIFF", compression=compression))
    np.testing.assert_array_equal(photo.pixels, grey)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}]
)
def test_deep_colour_tiff_of_another_writer(order: str, options: dict[str, Any]) -> None:
    tifffile = pytest.importorskip("tifffile")
    rgb, file = noise(20, 30, 3, dtype=np.uint16), io.BytesIO()
    tifffile.imwrite(file, rgb, photometric="rgb", byteorder=order, **options)
    photo = read(file.getvalue())
    assert photo.mode == "RGB;16"
    np.testing.assert_array_equal(photo.pixels, rgb)


def test_deep_tiff_of_separate_planes_is_refused_not_misread() -> None:
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(
        file, noise(3, 20, 30, dtype=np.uint16), photometric="rgb", planarconfig="separate"
    )
    with pytest.raises(InputError, match="separate colour planes"):
        read(file.getvalue())


@pytest.mark.parametrize("white", [65535, 1023])
def test_deep_ppm(white: int) -> None:
    rgb = np.minimum(noise(4, 5, 3, dtype=np.uint16), white)
    photo = read(f"P6 5 4 {white}\n".encode() + rgb.astype(">u2").tobytes())
    np.testing.assert_array_equal(photo.pixels, rgb.astype(int) * 65535 // white)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 70, 65535]], np.int32), [0, 70, 65535]),
        (np.array([[-100, 0, 100]], np.int32), [0, 32768, 65535]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 32768, 65535]),
        (np.array([[0, 51, 255]], np.float32), [0, 13107, 65535]),
    ],
)
def test_integers_and_floats_become_sixteen_bit(values: np.ndarray, expected: list[int]) -> None:
    assert read(saved(Image.fromarray(values), "TIFF")).pixels.tolist() == [expected]


def test_cmyk_is_read_through_its_profile_or_it_is_said() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    photo = read(saved(image, "JPEG", quality=100))
    assert photo.pixels[4, 4].tolist() == pytest.approx([255, 0, 0], abs=3)
    assert photo.notes == ("CMYK without colour profile: converted by a plain formula",)


def test_lab() -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    rgb = np.full((4, 4, 3), (180, 120, 60), np.uint8)
    image = ImageCms.profileToProfile(Image.fromarray(rgb), srgb, lab, outputMode="LAB")
    assert image is not None
    assert np.abs(read(saved(image, "TIFF")).pixels.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_upright(format: str, orientation: int) -> None:
    image, exif = Image.fromarray(noise(6, 10)).resize((40, 24)).convert("RGB"), Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({0xA002: 40, 0xA003: 24})
    data = saved(image, format, exif=exif, dpi=(300, 150))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    photo = read(data)
    np.testing.assert_array_equal(photo.pixels, np.asarray(expected))
    again = Image.Exif()
    again.load(photo.metadata.exif or b"")
    assert again.get(0x0112, 1) == 1
    if format != "WEBP":
        dpi = (150, 300) if orientation >= 5 else (300, 150)
        assert photo.metadata.dpi == pytest.approx(dpi, abs=0.02)


def test_the_thumbnail_from_before_the_colours_is_unlinked() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    raw = exif.tobytes()[6:]
    place = 10 + 12 * 1  # behind the only entry of the first directory
    linked = raw[:place] + b"\0\0\0\x08" + raw[place + 4 :]
    photo = read(saved(Image.new("L", (4, 4)), "PNG", exif=linked))
    assert photo.metadata.exif == raw


def test_first_frame_of_an_animation_and_it_is_said() -> None:
    frames = [Image.fromarray(np.full((5, 5), level, np.uint8)) for level in (10, 90, 200)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    photo = read(data)
    assert (photo.pixels == 10).all()
    assert photo.notes == ("animated GIF: first frame of 3 used",)
    pages = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert read(pages).notes == ("TIFF with 3 pages: first page used",)


def test_sources_of_every_kind(tmp_path: Path) -> None:
    rgb = noise(5, 6, 3)
    path = tmp_path / "a.png"
    Image.fromarray(rgb).save(path)
    with path.open("rb") as file, Image.open(path) as image:
        for source in (path, str(path), path.read_bytes(), file, image, Image.fromarray(rgb)):
            np.testing.assert_array_equal(read(source).pixels, rgb)


@pytest.mark.parametrize("shape", [(1, 1), (3, 30000), (30000, 3)])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_odd_shapes(format: str, shape: tuple[int, int]) -> None:
    assert read(saved(Image.fromarray(noise(*shape)), format)).size == shape[::-1]


def test_pillows_settings_are_left_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert read(saved(Image.fromarray(noise(9, 9)), "PNG")).size == (9, 9)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == (10, True)


def test_exif_that_cannot_be_followed_is_left_out_and_that_is_said() -> None:
    photo = read(saved(Image.new("L", (4, 4)), "PNG", exif=b"II*\0\xff\xff\xff\x7f"))
    assert photo.metadata.exif is None
    assert "the photograph's EXIF is damaged and was left out" in photo.notes
