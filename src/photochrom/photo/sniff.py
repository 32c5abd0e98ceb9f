"""What a file looks like by its first bytes, for refusals that name the real trouble."""

from __future__ import annotations

import codecs

PICTURES: dict[bytes, str] = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"\0\0\0\x0cjP  ": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
    **{
        f"P{digit}".encode() + space: "PPM"
        for digit in "123456fF"
        for space in (b"\n", b" ", b"\r", b"\t")
    },
}
"""First bytes to Pillow's name of the format."""

_OTHERS: dict[bytes, str] = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x1aE\xdf\xa3": "a Matroska or WebM film",
    b"\0\0\x01\xba": "an MPEG film",
    b"\0\0\x01\xb3": "an MPEG film",
    b"FLV\x01": "a Flash film",
    b"8BPS": "a Photoshop document",
    b"FUJIFILMCCD-RAW": "a camera raw file",
    b"version https://git-lfs": "a Git LFS pointer instead of the file itself",
    b"ID3": "a sound file",
    b"fLaC": "a sound file",
    b"OggS": "an Ogg sound or film",
}
_BRANDS: dict[bytes, str] = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"
    ),
    b"crx ": "a camera raw file",
}


def picture_format(head: bytes) -> str | None:
    """Pillow's format name for the first bytes (64 are enough) of a picture, or None."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brand = _BRANDS.get(head[8:12], "")
        # mif1 is the brand of every still in this container; the kind is among the compatible ones.
        if brand == "HEIF" and head[8:12] == b"mif1" and b"avif" in head[16:64]:
            return "AVIF"
        return brand if brand.isupper() else None
    return next((name for magic, name in PICTURES.items() if head.startswith(magic)), None)


def looks_like(head: bytes) -> str:
    """The first bytes (512 are enough) of what is no picture, in words: "a PDF document"."""
    known = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), None)
    if known:
        return known
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "an MP4 or QuickTime film")
    if head[:4] == b"RIFF":
        return {b"AVI ": "an AVI film", b"WAVE": "a sound file"}.get(head[8:12], "a RIFF file")
    return _looks_like_text(head) or "no picture format that is read here"


def _looks_like_text(head: bytes) -> str | None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page (HTML)"
    if b"<svg" in start:
        return "an SVG drawing"
    if start.startswith(b"<?xml"):
        return "an XML document"
    try:  # incremental: a character cut at the end of `head` is no fault
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return None
    printable = all(character.isprintable() or character in "\t\n\r\f" for character in text)
    return "a text file" if text and printable else None
