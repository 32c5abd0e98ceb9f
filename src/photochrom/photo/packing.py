"""PNG of 16 bit per channel and TIFF, written here: Pillow has no RGB mode of 16 bit."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from itertools import accumulate
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin


def png_bytes(values: NDArray[np.uint16], chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of 16 bit: (H, W, C), C = 1 to 4: grey, grey + alpha, RGB, RGBA (PNG 3rd ed., 11.2).

    Args:
        values: the pixels.
        chunks: ancillary chunks, type and content, put before the pixels.
    """
    height, width, channels = values.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    out = io.BytesIO()
    out.write(b"\x89PNG\r\n\x1a\n")
    _chunk(out, b"IHDR", pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0))
    for kind, content in chunks:
        _chunk(out, kind, content)
    squeeze = zlib.compressobj(6)
    for block in _filtered(values):
        if data := squeeze.compress(block):
            _chunk(out, b"IDAT", data)
    _chunk(out, b"IDAT", squeeze.flush())
    _chunk(out, b"IEND", b"")
    return out.getvalue()


def _chunk(out: io.BytesIO, kind: bytes, content: bytes) -> None:
    out.write(pack(">I", len(content)) + kind)
    out.write(content)
    out.write(pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _filtered(values: NDArray[np.uint16]) -> Iterator[bytes]:
    """Rows with PNG's filter 2, Up: each byte less the one above (9.2)."""
    height, width, channels = values.shape
    above = np.zeros((1, width * channels * 2), np.uint8)
    step = max(1, (1 << 20) // max(1, width))
    for start in range(0, height, step):
        rows = (
            values[start : start + step]
            .astype(">u2")
            .view(np.uint8)
            .reshape(-1, width * channels * 2)
        )
        lines = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
        lines[:, 0] = 2
        np.subtract(rows, np.concatenate([above, rows[:-1]]), out=lines[:, 1:])
        above = rows[-1:]
        yield lines.tobytes()


def tiff_bytes(values: NDArray[Any], tags: TiffImagePlugin.ImageFileDirectory_v2) -> bytearray:
    """A little-endian TIFF: (H, W, C), C = 1 to 4 for grey, grey + alpha, RGB, RGBA.

    Deflate with horizontal differencing (TIFF 6.0, sections 6, 14, 18; Supplement 2).

    Args:
        values: the pixels, uint8 or uint16; alpha is not multiplied in.
        tags: descriptive tags; those of the layout are added.
    """
    height, width, channels = values.shape
    bits = values.dtype.itemsize * 8
    step = max(1, (1 << 20) // max(1, width * channels))
    starts = range(0, height, step)
    layout: dict[int, Any] = {256: width, 257: height, 258: (bits,) * channels, 259: 8}
    layout |= {262: 1 if channels < 3 else 2, 277: channels, 278: min(step, height), 284: 1, 317: 2}
    layout |= {273: (0,) * len(starts), 279: (0,) * len(starts)}
    layout |= {338: 2} if channels in (2, 4) else {}
    tags.tagtype.update({273: 4, 279: 4})
    for tag, value in layout.items():
        tags[tag] = value
    # The directory comes first, empty; so no strip is held twice.
    whole, sizes = bytearray(8 + len(tags.tobytes(8))), []
    for start in starts:
        rows = values[start : start + step].astype(f"<u{bits // 8}")
        rows[:, 1:] = np.diff(rows, axis=1)
        strip = zlib.compress(rows.data, 6)
        sizes.append(len(strip))
        whole += strip
    # Pillow counts strip offsets from the end of the directory.
    tags[273], tags[279] = tuple(accumulate(sizes, initial=0))[:-1], tuple(sizes)
    directory = tags.tobytes(8)
    whole[: 8 + len(directory)] = b"II*\0\x08\0\0\0" + directory
    return whole
