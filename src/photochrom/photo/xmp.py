"""Provenance: how a picture was made, as an XMP packet that any reader of metadata shows.

The source type is IPTC's ``compositeWithTrainedAlgorithmicMedia`` ("augmentation ... using a
generative AI model"): the luminance is the photograph's own, the chroma is a trained model's
invention. ``algorithmicallyEnhanced`` would promise too much; it is for changes "without changing
the main content", such as sharpening (IPTC NewsCodes, digitalsourcetype, 2024-10).

Packets are edited as text, so that whatever else they hold stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr, unescape

from photochrom.errors import SettingsError

NAMESPACE = "urn:photochrom:provenance#"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">\n'
    '</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
)
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_OWN = re.compile(
    r"<photochrom:([\w.-]+)>[^<]*</photochrom:\1>\s*"
    r"|\sphotochrom:[\w.-]+\s*=\s*(\"[^\"]*\"|'[^']*')"
    r"|<xmp:CreatorTool>photochrom[^<]*</xmp:CreatorTool>\s*"
)
_EMPTIED = re.compile(
    r"<rdf:Description(?:\s+(?:xmlns:\w+|rdf:about)\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*>\s*</rdf:Description>\s*"
)
_CLOSE = re.compile(r"</(\w+):RDF\s*>")
_EMPTY_RDF = re.compile(r"<((\w+):RDF\b[^>]*?)\s*/>")
_ABOUT = re.compile(r"\b\w+:about\s*=\s*([\"'])(.*?)\1", re.DOTALL)
_OLD_TYPE = re.compile(
    r"\s\w+:DigitalSourceType\s*=\s*([\"'])(?P<attribute>.*?)\1"
    r"|<(\w+:DigitalSourceType)\s*>(?P<element>[^<]*)</\3\s*>"
    r"|<(\w+:DigitalSourceType)\s+[\w:]+\s*=\s*([\"'])(?P<resource>.*?)\6\s*/>",
    re.DOTALL,
)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def merge(packet: bytes | None, facts: Mapping[str, str]) -> bytes:
    """The XMP packet with `facts` in it; an earlier provenance is replaced, all else is kept.

    Args:
        packet: the photograph's own packet, or None.
        facts: names (letters, digits, ``_.-``) and values, for example version, model, settings.

    Raises:
        SettingsError: a name cannot be written in XML.
    """
    for name in facts:
        if not _KEY.fullmatch(name):
            raise SettingsError(f"provenance name {name!r} has characters that XMP does not allow")
    text = _opened(packet)
    text, before = _without_source_type(_OWN.sub("", text))
    text = _EMPTIED.sub("", text)
    if before:
        facts = {**facts, "sourceTypeBefore": before}
    elif earlier := (read_facts(packet) or {}).get("sourceTypeBefore"):
        facts = {**facts, "sourceTypeBefore": earlier}
    about = _ABOUT.search(text)
    ours = _description(
        facts, about=unescape(about[2]) if about else "", tool="CreatorTool" not in text
    )
    place = [match.start() for match in _CLOSE.finditer(text)][-1]
    return (text[:place] + ours + text[place:]).encode()


def _opened(packet: bytes | None) -> str:
    """The packet as text that has an end tag of rdf:RDF to write in front of."""
    text = _EMPTY_RDF.sub(r"<\1></\2:RDF>", _decoded(packet), count=1) if packet else ""
    return text if _CLOSE.search(text) else _EMPTY


def _without_source_type(text: str) -> tuple[str, str | None]:
    """A property may occur once: the photograph's own source type is taken out, and returned."""
    old = _OLD_TYPE.search(text)
    if not old:
        return text, None
    value = unescape(old["attribute"] or old["element"] or old["resource"] or "").strip()
    return text[: old.start()] + text[old.end() :], value if value != SOURCE_TYPE else None


def _decoded(packet: bytes) -> str:
    """UTF-8 as a rule; the specification allows UTF-16, recognisable by its zero bytes."""
    body = packet.rstrip(b"\0")
    if b"\0" in body[:64]:
        return packet.decode(
            "utf-16" if body[:1] in (b"\xff", b"\xfe") else _utf16(body), errors="replace"
        )
    return body.decode(errors="replace")


def _utf16(body: bytes) -> str:
    return "utf-16-be" if body[0] == 0 else "utf-16-le"


def _description(facts: Mapping[str, str], *, about: str, tool: bool) -> str:
    def element(name: str, value: str) -> str:
        text = escape(_NOT_XML.sub("", value), {"\r": "&#13;"})
        return f" <{name}>{text}</{name}>\n"

    body = "".join(element(f"photochrom:{name}", str(value)) for name, value in facts.items())
    if tool:
        body += element("xmp:CreatorTool", f"photochrom {facts.get('version', '')}".strip())
    return (
        f"<rdf:Description rdf:about={quoteattr(about)} xmlns:rdf={quoteattr(_RDF)}"
        f" xmlns:photochrom={quoteattr(NAMESPACE)} xmlns:xmp={quoteattr(_XMP)}"
        f" xmlns:Iptc4xmpExt={quoteattr(_IPTC_EXT)}>\n{body}"
        f"{element('Iptc4xmpExt:DigitalSourceType', SOURCE_TYPE)}</rdf:Description>\n"
    )


def read_facts(packet: bytes | None) -> dict[str, str] | None:
    """The provenance in an XMP packet, or None: the picture was not made by photochrom."""
    if not packet or NAMESPACE.encode() not in packet:
        return None
    text = _decoded(packet)
    try:
        root = ElementTree.fromstring(
            text[text.index("<x:xmpmeta") if "<x:xmpmeta" in text else 0 :]
        )
    except ElementTree.ParseError:
        return None
    mark = f"{{{NAMESPACE}}}"
    found = {
        part.tag.removeprefix(mark): part.text or ""
        for part in root.iter()
        if part.tag.startswith(mark)
    }
    return found or None
