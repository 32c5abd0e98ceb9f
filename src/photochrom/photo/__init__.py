"""Pictures as people have them: read, turned upright, and written with all that must survive."""

from photochrom.photo.encoding import FORMATS, Encoded, encode, to_image
from photochrom.photo.metadata import Metadata
from photochrom.photo.picture import Photo, to_depth
from photochrom.photo.reading import MAX_PIXELS, Source, read
from photochrom.photo.writing import Written, provenance, writable, write

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Encoded",
    "Metadata",
    "Photo",
    "Source",
    "Written",
    "encode",
    "provenance",
    "read",
    "to_depth",
    "to_image",
    "writable",
    "write",
]
