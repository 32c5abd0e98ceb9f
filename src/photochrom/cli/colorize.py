"""The verb ``colorize``."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import typer
from typer import Option

from photochrom.cli.opening import (
    Device,
    Engine,
    Model,
    RenderFactor,
    RenderSize,
    chosen_size,
    described,
    open_colorizer,
)
from photochrom.cli.report import RunReport
from photochrom.errors import SettingsError


def colorize(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Pictures, folders, patterns, http(s) addresses, - for standard input.",
        ),
    ],
    output: Annotated[
        str | None,
        Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File, folder or - (standard output); else old.jpg gives old.color.jpg beside it.",
        ),
    ] = None,
    model: Model = "lite",
    render_factor: RenderFactor = "auto",
    render_size: RenderSize = "auto",
    engine: Engine = "auto",
    device: Device = "auto",
    recursive: Annotated[
        bool, Option("--recursive", "-r", help="Look into the folders inside folders.")
    ] = False,
    json: Annotated[
        bool, Option("--json", help="One JSON object a line for each picture, and a summary.")
    ] = False,
    compare: Annotated[
        bool, Option("--compare", help="Write before and after side by side (old.compare.jpg).")
    ] = False,
    contact_sheet: Annotated[
        bool,
        Option(
            "--contact-sheet",
            help="Write the sizes that auto compares, the chosen one marked (old.sizes.jpg).",
        ),
    ] = False,
    watermark: Annotated[bool, Option("--watermark", help="Draw photochrom's mark.")] = False,
    saturation: Annotated[float, Option(metavar="X", help="Factor on the colour, 0 to 3.")] = 1.0,
    strength: Annotated[
        float, Option(metavar="X", help="Share of the colour over the grey picture, 0 to 1.")
    ] = 1.0,
    no_post_process: Annotated[
        bool, Option("--no-post-process", help="Write the network's own picture, enlarged.")
    ] = False,
    exact: Annotated[
        bool, Option("--exact", help="DeOldify's own way, bit for bit; for its three models.")
    ] = False,
    force: Annotated[
        bool, Option("--force", help="Colour pictures anew that have colour already.")
    ] = False,
    overwrite: Annotated[
        bool, Option("--overwrite", help="Allow results to replace other files.")
    ] = False,
    strict: Annotated[
        bool, Option("--strict", help="Fail when memory runs out, instead of a smaller size.")
    ] = False,
    max_pixels: Annotated[
        float | None, Option(metavar="MP", help="Refuse pictures of more megapixels. [250]")
    ] = None,
    format: Annotated[
        str | None,
        Option(
            metavar="jpg|png|tif|webp|avif", help="Format of the results; else the picture's own."
        ),
    ] = None,
) -> None:
    """Colour photographs.

    The results' paths go to standard output, notes and progress to standard error. Nothing is
    written over another file without --overwrite. A folder's results of earlier runs are left out.

    \b
    photochrom old.jpg --compare
    photochrom scans/ --recursive -o colour/ --format png
    photochrom https://example.org/old.jpg -o new.jpg
    photochrom - < old.jpg > new.jpg

    \b
    Exit codes: 0 all done (pictures in colour already are skipped, and said), 1 some failed,
    2 wrong usage, 130 interrupted.
    """
    from photochrom import sources
    from photochrom.cli.pictures import Run, failed
    from photochrom.photo import FORMATS
    from photochrom.settings import Settings

    settings = Settings(
        render_size=chosen_size(render_factor, render_size),
        saturation=saturation,
        strength=strength,
        post_process=not no_post_process,
        exact=exact,
        strict=strict,
    )
    limit = _limit(max_pixels)
    mark = "sizes" if contact_sheet else "compare" if compare else "color"
    found = sources.find(paths, recursive=recursive, output=output)
    suffix = _suffix(format, FORMATS)
    jobs = sources.plan(found.sources, output, mark=mark, suffix=suffix)
    piped = any(job.target is None for job in jobs)
    named = piped or (len(jobs) == 1 and output is not None and jobs[0].source.inside is None)
    if piped:
        _check_standard_output(json=json)

    with RunReport(len(jobs) + len(found.faults), machine=json) as report:
        if found.results:
            noun = "result" if found.results == 1 else "results"
            report.note(f"{found.results} {noun} of earlier runs left out")
        for fault in found.faults:
            report.add(failed(fault.file or "", fault))
        if jobs:
            colorizer = open_colorizer(model, engine=engine, device=device)
            colorizer.check(settings, compare=compare, contact_sheet=contact_sheet)
            report.note(described(colorizer))
            work = partial(
                colorizer.colorize_file,
                settings=settings,
                force=force,
                overwrite=overwrite,
                compare=compare,
                contact_sheet=contact_sheet,
                watermark=watermark,
                max_pixels=limit,
            )
            run = Run(work=work, suffix=suffix, named=named)
            for job in jobs:
                report.add(run.outcome(job))
    raise typer.Exit(report.code)


def _limit(megapixels: float | None) -> int:
    """The pixels that ``--max-pixels`` means."""
    from photochrom.photo import MAX_PIXELS

    if megapixels is None:
        return MAX_PIXELS
    if not 0 < megapixels < math.inf:
        raise SettingsError(f"--max-pixels {megapixels:g} is not a number above 0")
    return int(megapixels * 1e6)


def _suffix(format: str | None, known: Mapping[str, str]) -> str | None:
    """The suffix that ``--format`` means."""
    if format is None:
        return None
    suffix = "." + format.lower().removeprefix(".")
    if suffix not in known:
        names = ", ".join(name[1:] for name in known)
        raise SettingsError(f"format {format!r} is not written", cure=f"Known are {names}.")
    return suffix


def _check_standard_output(*, json: bool) -> None:
    if json:
        raise SettingsError("--json and the picture both want standard output")
    if sys.stdout is None:
        raise SettingsError("standard output is closed", cure="Name a file with -o.")
    if sys.stdout.isatty():
        raise SettingsError("a picture does not go to a terminal", cure="Name a file with -o.")
