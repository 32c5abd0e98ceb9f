"""One photograph in colour: the network runs once, rendering is cheap and may be repeated."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import IO, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photochrom import __version__, marks, photo, sheet
from photochrom.draft import Draft, most_agreed, resized
from photochrom.engines import Engine
from photochrom.errors import AlreadyColored, OutOfMemory, OutputError, SettingsError
from photochrom.models import Model
from photochrom.photo import Photo
from photochrom.photo.xmp import read_facts
from photochrom.settings import Settings
from photochrom.upsample import shrink

Array = NDArray[np.float32]

BATCH = 8
"""Pictures of one size that go through the network together."""
LEAST = 64
"""Render size, in pixels, below which running out of memory is an error."""
_log = logging.getLogger("photochrom")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one file."""

    source: str
    target: Path
    render_size: int
    seconds: float
    model: str
    engine: str
    notes: tuple[str, ...] = field(default=())


class Colorizer:
    """Colours photographs with one model on one engine.

    >>> from PIL import Image
    >>> import photochrom
    >>> colorizer = photochrom.load("lite")
    >>> colorizer(Image.new("L", (64, 48), 128)).size
    (64, 48)
    """

    def __init__(self, model: Model, engine: Engine, *, why: str = "") -> None:
        self.model, self.engine, self.why = model, engine, why

    @overload
    def __call__(self, image: Image.Image, **settings: Any) -> Image.Image: ...
    @overload
    def __call__(self, image: Sequence[Image.Image], **settings: Any) -> list[Image.Image]: ...
    def __call__(
        self, image: Image.Image | Sequence[Image.Image], **settings: Any
    ) -> Image.Image | list[Image.Image]:
        """A picture, or a list of them as a batch, in colour: RGB (or RGBA) of the same size.

        What was changed on the user's behalf, a smaller render size for example, is logged as a
        warning of the logger ``photochrom``.

        Args:
            image: Pillow images of any mode; what colour they have is not looked at.
            **settings: see ``Settings``.
        """
        chosen = Settings(**settings)
        images = [image] if isinstance(image, (Image.Image, str, PathLike)) else list(image)
        for one in images:
            if not isinstance(one, Image.Image):
                kind = type(one).__name__
                raise TypeError(
                    f"a Pillow image is coloured, not {kind}; colorize_file takes paths"
                )
        photos = [photo.read(one) for one in images]
        if chosen.exact:
            photos = [
                _as_original(*pair, photo.MAX_PIXELS) for pair in zip(images, photos, strict=True)
            ]
        done = self.colorize(photos, chosen)
        for note in dict.fromkeys(note for one in done for note in one.notes):
            _log.warning(note)
        made = [photo.to_image(one) for one in done]
        return made[0] if isinstance(image, Image.Image) else made

    def check(
        self, settings: Settings, *, compare: bool = False, contact_sheet: bool = False
    ) -> None:
        """Refuses what this model cannot do, and options that contradict each other.

        Raises:
            SettingsError: exact mode with a model that is not DeOldify's, or a contact sheet in
                exact mode or compared.
        """
        if settings.exact and self.model.card.output != "rgb":
            raise SettingsError(
                f"exact mode is for DeOldify's networks, not for '{self.model.card.name}'",
                cure="Give --model artistic, stable or video.",
            )
        if contact_sheet and (settings.exact or compare):
            other = "exact mode" if settings.exact else "a comparison"
            raise SettingsError(f"the contact sheet and {other} exclude each other")

    def colorize(self, photos: Sequence[Photo], settings: Settings | None = None) -> list[Photo]:
        """Photographs in colour, in their order; their notes say what was changed."""
        settings = settings or Settings()
        if not settings.exact:
            return [draft.render(settings) for draft in self.drafts(photos, settings)]
        notes = self._about_size(settings)
        return [
            one.flattened(self.exact(_rgb8(one), settings)).with_notes(*notes) for one in photos
        ]

    def colorize_file(
        self,
        source: str | PathLike[str] | IO[bytes],
        target: str | PathLike[str],
        *,
        settings: Settings | None = None,
        force: bool = False,
        overwrite: bool = False,
        compare: bool = False,
        contact_sheet: bool = False,
        watermark: bool = False,
        max_pixels: int = photo.MAX_PIXELS,
    ) -> Result:
        """Colours one file into another, written whole or not at all.

        Args:
            source: a path, or an open file, whose ``name`` is then spoken of.
            target: its suffix chooses the format; its folder is made if need be.
            force: colour a picture anew that has colour already.
            compare: write the picture before and after, side by side.
            contact_sheet: write it small at the sizes that ``auto`` compares and the ones beside
                them, the chosen one marked.
            watermark: draw photochrom's mark into the lower left corner.

        Raises:
            SettingsError: as ``check``.
            InputError: the source is not a readable picture.
            AlreadyColored: it has colour, or is a result, and ``force`` is not set.
            OutputError, MissingExtra: the target exists, cannot be written, or is the source.
        """
        settings, began = settings or Settings(), time.perf_counter()
        name = os.fspath(source) if isinstance(source, (str, PathLike)) else str(source.name)
        self.check(settings, compare=compare, contact_sheet=contact_sheet)
        _refuse_itself(name, target)
        photo.writable(target, overwrite=overwrite)
        before = photo.read(source, max_pixels=max_pixels)
        colored = before.is_colored()
        if not force and (colored or read_facts(before.metadata.xmp)):
            raise AlreadyColored(name)
        if not colored and before.is_tinted():
            before = before.with_notes("its tint was taken for toning and replaced")
        if settings.exact:
            before = _as_original(source, before, max_pixels)
        after, size = (self._sheet if contact_sheet else self._colored)(before, settings)
        if watermark:
            after = _watermarked(after)
        if compare:
            after = after.flattened(marks.compare(_rgb8(before), _rgb8(after)))
        written = photo.write(
            target, after, overwrite=overwrite, provenance=self.provenance(settings, size)
        )
        return Result(
            source=name,
            target=Path(target),
            render_size=size,
            seconds=time.perf_counter() - began,
            model=self.model.card.name,
            engine=self.engine.name,
            notes=tuple(dict.fromkeys((*after.notes, *written.notes))),
        )

    def _colored(self, before: Photo, settings: Settings) -> tuple[Photo, int]:
        """The photograph in colour, and at which render size."""
        if settings.exact:
            return self.colorize([before], settings)[0], self._size(settings)
        draft = self.draft(before, settings)
        return draft.render(settings), draft.render_size

    def _sheet(self, before: Photo, settings: Settings) -> tuple[Photo, int]:
        """The contact sheet, and the render size that is marked on it."""
        tried = self._sizes(settings)
        sizes = sheet.neighbours(tried, self.model.card.multiple)
        seen = [Seen(before, reduced(before, 2 * max(sizes)))]
        drafts = [self._drafts_at(seen, size, strict=settings.strict)[0] for size in sizes]
        chosen = most_agreed([d for d, size in zip(drafts, sizes, strict=True) if size in tried])
        marked = next(number for number, draft in enumerate(drafts) if draft is chosen)
        page = sheet.of_drafts(drafts, settings, chosen=marked)
        notes = (*before.notes, *self._about_size(settings), *chosen.notes)
        return page.with_notes(*notes), chosen.render_size

    def provenance(self, settings: Settings, render_size: int) -> dict[str, str]:
        """How a result is made, as stored in its metadata."""
        facts = {**asdict(settings), "render_size": render_size}
        engine = f"{self.engine.name} {self.engine.precision} {self.engine.device}"
        return {
            "version": __version__,
            "model": self.model.card.name,
            "weights": self.model.sha256,
            "engine": engine,
            "settings": json.dumps(facts, sort_keys=True),
        }

    def draft(self, one: Photo, settings: Settings | None = None) -> Draft:
        """The colours of one photograph, not yet rendered."""
        return self.drafts([one], settings)[0]

    def drafts(self, photos: Sequence[Photo], settings: Settings | None = None) -> list[Draft]:
        """The colours of photographs; those of one size go through the network together."""
        settings = settings or Settings()
        sizes, notes = self._sizes(settings), self._about_size(settings)
        seen = [Seen(one, reduced(one, 2 * max(sizes))) for one in photos]
        tries = [self._drafts_at(seen, size, strict=settings.strict) for size in sizes]
        drafts = [most_agreed(candidates) for candidates in zip(*tries, strict=True)]
        return [replace(draft, notes=(*notes, *draft.notes)) for draft in drafts]

    def _drafts_at(self, photos: Sequence[Seen], size: int, *, strict: bool) -> list[Draft]:
        groups: dict[tuple[int, int], list[int]] = {}
        for number, one in enumerate(photos):
            groups.setdefault(self.model.card.network_size(one.photo.size, size), []).append(number)
        drafts: dict[int, Draft] = {}
        for (width, height), numbers in groups.items():
            for start in range(0, len(numbers), BATCH):
                group = numbers[start : start + BATCH]
                members = [photos[number] for number in group]
                try:
                    made = self._run(members, (width, height), size)
                except (OutOfMemory, MemoryError) as error:
                    if len(members) == 1:
                        made = [self._smaller(members[0], size, strict, error)]
                    else:  # one by one, which needs less
                        made = [self._drafts_at([one], size, strict=strict)[0] for one in members]
                drafts.update(zip(group, made, strict=True))
        return [drafts[number] for number in range(len(photos))]

    def _run(self, photos: Sequence[Seen], network_size: tuple[int, int], size: int) -> list[Draft]:
        card = self.model.card
        lumas = np.stack([resized(one.luma, network_size) for one in photos])
        outputs = self.engine.run(card.prepare(lumas))[card.output]
        drafts = []
        for one, output in zip(photos, outputs, strict=True):
            luma = resized(one.luma, (output.shape[2], output.shape[1]))
            chroma, picture = card.read(output, luma)
            drafts.append(Draft(one.photo, chroma, picture, size))
        return drafts

    def _smaller(self, one: Seen, size: int, strict: bool, error: Exception) -> Draft:
        """Again at three quarters of the size, and saying so."""
        multiple = self.model.card.multiple
        smaller = size * 3 // 4 // multiple * multiple
        if strict or smaller < LEAST:
            raise OutOfMemory(
                f"not enough memory at render size {size}",
                cure="Give a smaller --render-size.",
            ) from error
        note = f"not enough memory at render size {size}: coloured at a smaller one"
        draft = self._drafts_at([one], smaller, strict=strict)[0]
        return replace(draft, notes=(note, *draft.notes))

    def _sizes(self, settings: Settings) -> tuple[int, ...]:
        """The render sizes to try."""
        auto = settings.render_size == "auto"
        return self.model.card.auto_sizes if auto else (self._size(settings),)

    def _size(self, settings: Settings) -> int:
        """The one render size where a single one is used: the nearest that the network takes."""
        card, chosen = self.model.card, settings.render_size
        return card.render_size if chosen == "auto" else card.rounded(chosen)

    def _about_size(self, settings: Settings) -> tuple[str, ...]:
        asked, used = settings.render_size, self._size(settings)
        if asked in ("auto", used):
            return ()
        multiple = self.model.card.multiple
        return (
            f"render size {used} instead of {asked}: this network takes multiples of {multiple}",
        )

    def exact(self, rgb: NDArray[np.uint8], settings: Settings | None = None) -> NDArray[np.uint8]:
        """The original's path: square, 8 bits between the steps, integer YUV.

        Args:
            rgb: (H, W, 3), as ``exact.open_as_original`` opens a picture.

        Raises:
            SettingsError: the model is not one of DeOldify's.
        """
        from photochrom import exact

        settings = settings or Settings(exact=True)
        self.check(replace(settings, exact=True))
        output = self.engine.run(exact.network_input(rgb, self._size(settings))[1])["rgb"]
        return exact.finish(output, rgb, post_process=settings.post_process)


class Seen(NamedTuple):
    """A photograph and its luma (h, w) reduced once, for the network's sizes to be made from."""

    photo: Photo
    luma: Array


def reduced(one: Photo, side: int) -> Array:
    """Area mean of the photograph's luma, its longer side at most ``side`` pixels."""
    width, height = one.size
    scale = min(1.0, side / max(width, height))
    return shrink(one.pixels, (max(1, round(height * scale)), max(1, round(width * scale))))


def _refuse_itself(source: str, target: str | PathLike[str]) -> None:
    """A photograph is never replaced by its own result, whatever may be overwritten."""
    both = os.path.exists(source) and os.path.exists(target)
    if both and os.path.samefile(source, target):
        raise OutputError(
            "source and target are one file", file=target, cure="Choose another name."
        )


def _as_original(source: photo.Source, one: Photo, max_pixels: int) -> Photo:
    """The photograph as DeOldify opens it: as stored, not turned, opaque, 8 bit."""
    from photochrom.exact import open_as_original

    if not isinstance(source, (str, PathLike, bytes, Image.Image)):
        source.seek(0)
    stored = one.flattened(open_as_original(source, max_pixels=max_pixels))
    if one.orientation == 1:
        return stored
    return stored.with_notes(
        "not turned upright: exact mode leaves pictures as the camera held them"
    )


def _watermarked(after: Photo) -> Photo:
    pixels, marked = marks.watermark(after.pixels)
    return after.with_pixels(pixels) if marked else after.with_notes("too small for the mark")


def _rgb8(one: Photo) -> NDArray[np.uint8]:
    return np.asarray(photo.to_image(one).convert("RGB"))
