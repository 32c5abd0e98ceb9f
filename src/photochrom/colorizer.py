"""One photograph in colour: the network runs once, rendering is cheap and may be repeated."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photochrom import __version__, photo, sheet
from photochrom.engines import Engine
from photochrom.errors import AlreadyColored, OutOfMemory, SettingsError
from photochrom.models import Model
from photochrom.models.card import FACTOR
from photochrom.photo import Photo
from photochrom.photo.storing import refuse_taken
from photochrom.render import render
from photochrom.upsample import shrink

Array = NDArray[np.float32]

BATCH = 8
"""Pictures of one size that go through the network together."""
SMALLEST = 64
"""Render size, in pixels, below which running out of memory is an error."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a photograph is coloured.

    Raises:
        SettingsError: a value is out of range.
    """

    render_size: int | Literal["auto"] = "auto"
    """Side in pixels at which the network sees the picture; ``auto`` compares a few."""
    saturation: float = 1.0
    """Factor on the chroma, 0 to 3."""
    strength: float = 1.0
    """Share of the colour that is laid over the grey picture, 0 to 1."""
    post_process: bool = True
    """False gives the network's own picture, enlarged, instead of colour over the photograph."""
    exact: bool = False
    """The original's picture path, bit for bit; for DeOldify's three models."""
    strict: bool = False
    """Out of memory is an error, instead of a smaller render size and a note."""

    def __post_init__(self) -> None:
        if not 0 <= self.saturation <= 3:
            raise SettingsError(f"saturation {self.saturation} is not within 0 to 3")
        if not 0 <= self.strength <= 1:
            raise SettingsError(f"strength {self.strength} is not within 0 to 1")
        if self.render_size != "auto" and not isinstance(self.render_size, int):
            raise SettingsError(f"render size {self.render_size!r} is neither 'auto' nor a number")


def size_of_factor(render_factor: int) -> int:
    """Render size in pixels of DeOldify's render factor: 16 x factor.

    Raises:
        SettingsError: the factor is not within 7 to 45.
    """
    if not 7 <= render_factor <= 45:
        raise SettingsError(f"render factor {render_factor} is not within 7 to 45")
    return FACTOR * render_factor


@dataclass(frozen=True)
class Draft:
    """A photograph whose colours are known: rendering it costs no network run."""

    photo: Photo
    chroma: Array
    """Colour differences (2, h, w), blue and red, at the network's output size."""
    picture: Array
    """The network's own picture (h, w, 3) in [0, 1]."""
    render_size: int
    """Side in pixels at which the network saw the photograph."""
    notes: tuple[str, ...] = ()
    """What was changed on the user's behalf."""

    def render(self, settings: Settings | None = None) -> Photo:
        """The photograph in colour: its own luminance, this draft's chroma."""
        settings = settings or Settings()
        if not settings.post_process:
            return self.photo.with_pixels(_enlarge(self.picture, self.photo.size))
        pixels = render(
            self.photo.pixels,
            self.chroma,
            strength=settings.strength,
            saturation=settings.saturation,
            depth=self.photo.depth,
        )
        return self.photo.with_pixels(pixels)


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

        Args:
            image: Pillow images of any mode; what colour they have is not looked at.
            **settings: see ``Settings``.
        """
        chosen = Settings(**settings)
        images = [image] if isinstance(image, Image.Image) else list(image)
        if chosen.exact:
            from photochrom.exact import open_as_original

            done = [Image.fromarray(self.exact(open_as_original(i), chosen)) for i in images]
        else:
            photos = [photo.read(one) for one in images]
            done = [photo.to_image(one) for one in self.colorize(photos, chosen)]
        return done[0] if isinstance(image, Image.Image) else done

    def colorize(self, photos: Sequence[Photo], settings: Settings | None = None) -> list[Photo]:
        """Photographs in colour, in their order."""
        settings = settings or Settings()
        if settings.exact:
            return [one.with_pixels(self.exact(_rgb8(one), settings)) for one in photos]
        return [draft.render(settings) for draft in self.drafts(photos, settings)]

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
            InputError: the source is not a readable picture.
            AlreadyColored: it has colour, and ``force`` is not set.
            OutputError: the target exists, or cannot be written.
        """
        settings, began = settings or Settings(), time.perf_counter()
        name = os.fspath(source) if isinstance(source, (str, PathLike)) else str(source.name)
        refuse_taken(Path(target), overwrite=overwrite)
        before = photo.read(source, max_pixels=max_pixels)
        if before.is_colored() and not force:
            raise AlreadyColored(name)
        if contact_sheet:
            after, size, notes = self._sheet(before, settings)
        else:
            after, size, notes = self._colored(source, before, settings)
        if watermark:
            after, said = _watermarked(after)
            notes += said
        if compare:
            after = _compared(before, after)
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
            notes=(*before.notes, *notes, *written.notes),
        )

    def _colored(
        self, source: photo.Source, before: Photo, settings: Settings
    ) -> tuple[Photo, int, tuple[str, ...]]:
        """The photograph in colour, at which render size, and what was changed."""
        if not settings.exact:
            draft = self.draft(before, settings)
            return draft.render(settings), draft.render_size, draft.notes
        from photochrom.exact import open_as_original

        if not isinstance(source, (str, PathLike, bytes, Image.Image)):
            source.seek(0)
        rgb = open_as_original(source)
        turned = rgb.shape[:2] != before.pixels.shape[:2]
        after = replace(before, pixels=self.exact(rgb, settings), alpha=None)
        note = "not turned upright: exact mode leaves pictures as the camera held them"
        return after, self._size(settings), (note,) if turned else ()

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
        settings, card = settings or Settings(), self.model.card
        auto = settings.render_size == "auto"
        sizes = card.auto_sizes if auto else (self._size(settings),)
        seen = [Seen(one, reduced(one, 2 * max(sizes))) for one in photos]
        tries = [self._drafts_at(seen, size, strict=settings.strict) for size in sizes]
        return [most_agreed(candidates) for candidates in zip(*tries, strict=True)]

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
                    made = self._smaller(members, size, strict, error)
                drafts.update(zip(group, made, strict=True))
        return [drafts[number] for number in range(len(photos))]

    def _run(self, photos: Sequence[Seen], network_size: tuple[int, int], size: int) -> list[Draft]:
        card = self.model.card
        lumas = np.stack([_resize(one.luma, network_size) for one in photos])
        outputs = self.engine.run(card.prepare(lumas))[card.output]
        drafts = []
        for one, output in zip(photos, outputs, strict=True):
            luma = _resize(one.luma, (output.shape[2], output.shape[1]))
            chroma, picture = card.read(output, luma)
            drafts.append(Draft(one.photo, chroma, picture, size))
        return drafts

    def _smaller(
        self, photos: Sequence[Seen], size: int, strict: bool, error: Exception
    ) -> list[Draft]:
        """Again at three quarters of the size, and saying so; one by one, which needs less."""
        smaller = size * 3 // 4
        if strict or smaller < SMALLEST:
            raise OutOfMemory(
                f"not enough memory at render size {size}",
                cure="Give a smaller --render-size.",
            ) from error
        note = f"not enough memory at render size {size}: coloured at a smaller one"
        drafts = [self._drafts_at([one], smaller, strict=strict)[0] for one in photos]
        return [replace(draft, notes=(note, *draft.notes)) for draft in drafts]

    def _size(self, settings: Settings) -> int:
        chosen = settings.render_size
        return self.model.card.render_size if chosen == "auto" else chosen

    def _sheet(self, one: Photo, settings: Settings) -> tuple[Photo, int, tuple[str, ...]]:
        """The contact sheet, the render size that is marked on it, and what was changed."""
        if settings.exact:
            raise SettingsError("the contact sheet is not made in exact mode")
        tried = self.model.card.auto_sizes
        if settings.render_size != "auto":
            tried = (settings.render_size,)
        sizes = neighbours(tried, self.model.card.multiple)
        seen = [Seen(one, reduced(one, 2 * max(sizes)))]
        drafts = [self._drafts_at(seen, size, strict=settings.strict)[0] for size in sizes]
        chosen = most_agreed([d for d, size in zip(drafts, sizes, strict=True) if size in tried])
        small = photo.to_image(one)
        small.thumbnail((sheet.CELL, sheet.CELL))
        cell = photo.read(small)
        cells = [replace(draft, photo=cell).render(settings) for draft in drafts]
        images = [photo.to_image(one) for one in cells]
        labels = [f"{d.render_size} px{', chosen' if d is chosen else ''}" for d in drafts]
        marked = next(number for number, draft in enumerate(drafts) if draft is chosen)
        page = photo.read(sheet.contact_sheet(images, labels, chosen=marked))
        return page, chosen.render_size, chosen.notes

    def exact(self, rgb: NDArray[np.uint8], settings: Settings | None = None) -> NDArray[np.uint8]:
        """The original's path: square, 8 bits between the steps, integer YUV.

        Args:
            rgb: (H, W, 3), as ``exact.open_as_original`` opens a picture.

        Raises:
            SettingsError: the model is not one of DeOldify's.
        """
        from photochrom import exact

        settings = settings or Settings(exact=True)
        card = self.model.card
        if card.output != "rgb":
            raise SettingsError(
                f"--exact is for DeOldify's networks, not for '{card.name}'",
                cure="Give --model artistic, stable or video.",
            )
        side = self._size(settings) // FACTOR * FACTOR
        output = self.engine.run(exact.network_input(rgb, side)[1])["rgb"]
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


def neighbours(sizes: Sequence[int], multiple: int) -> list[int]:
    """Render sizes with one more at either end, a quarter away at least.

    >>> neighbours([192, 256, 320], 32)
    [128, 192, 256, 320, 384]
    """
    first, last = min(sizes), max(sizes)
    step = (last - first) // max(len(sizes) - 1, 1) or max(first // 4 // multiple, 1) * multiple
    below = [first - step] if first - step >= SMALLEST else []
    return [*below, *sorted(sizes), last + step]


def most_agreed(drafts: Sequence[Draft]) -> Draft:
    """The draft that the others differ from least: colours that hold at several sizes.

    Where the network is unsure its colours change with the size; the middle opinion is the
    safest. Chroma is compared at 32 x 32 places by mean absolute difference.
    """
    if len(drafts) == 1:
        return drafts[0]
    small = [np.stack([_resize(p, (32, 32)) for p in draft.chroma]) for draft in drafts]
    distances = [sum(float(np.abs(a - b).mean()) for b in small) for a in small]
    return drafts[int(np.argmin(distances))]


def _resize(plane: Array, size: tuple[int, int]) -> Array:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))


def _enlarge(picture: Array, size: tuple[int, int]) -> NDArray[np.uint8]:
    pixels = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    return np.asarray(pixels.resize(size, Image.Resampling.BICUBIC))


def _watermarked(after: Photo) -> tuple[Photo, tuple[str, ...]]:
    from photochrom import marks

    pixels, marked = marks.watermark(after.pixels)
    return after.with_pixels(pixels), () if marked else ("too small for the mark",)


def _compared(before: Photo, after: Photo) -> Photo:
    from photochrom import marks

    pixels = marks.compare(_rgb8(before), _rgb8(after))
    return replace(after, pixels=pixels, alpha=None)


def _rgb8(one: Photo) -> NDArray[np.uint8]:
    return np.asarray(photo.to_image(one).convert("RGB"))
