"""The verb ``eval``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

from typer import Option

from photochrom.cli.opening import (
    Device,
    Engine,
    RenderFactor,
    RenderSize,
    chosen_size,
    described,
    open_colorizer,
)
from photochrom.cli.report import say
from photochrom.errors import InputError, PhotochromError, SettingsError

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.table import Table

    from photochrom.colorizer import Colorizer
    from photochrom.quality.evaluate import Photographs
    from photochrom.quality.report import Report
    from photochrom.settings import Settings


def evaluate(
    data: Annotated[
        Path, Option(metavar="PATH", help="Photographs in colour: a folder or a tar file.")
    ],
    model: Annotated[
        list[str] | None,
        Option(metavar="NAME|FILE", help="A model or weight file; given twice, the two compared."),
    ] = None,
    every: Annotated[int, Option(metavar="N", min=1, help="Take one photograph in N.")] = 1,
    size: Annotated[int, Option(metavar="PX", help="Longer side they are reduced to.")] = 256,
    limit: Annotated[int | None, Option(metavar="N", min=1, help="Take the first N.")] = None,
    render_factor: RenderFactor = "auto",
    render_size: RenderSize = "auto",
    engine: Engine = "auto",
    device: Device = "auto",
    machine: Annotated[bool, Option("--json", help="Everything as JSON.")] = False,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="Write the JSON to a file.")
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace that file.")] = False,
) -> None:
    """Measure how near to the truth the colours are, on photographs turned grey.

    The baseline is the grey picture under the same lightness. Intervals are 95 % bootstrap.
    Pictures that photochrom has coloured are left out.
    """
    from photochrom.photo.storing import refuse_taken, store
    from photochrom.quality.evaluate import pictures
    from photochrom.settings import Settings

    if output:
        refuse_taken(output, overwrite=overwrite)
    models = model or ["lite"]
    if len(models) > 2:
        raise SettingsError("two models are compared, not more", cure="Give --model twice at most.")
    photographs = _originals(pictures(data, every=every), limit)
    settings = Settings(render_size=chosen_size(render_factor, render_size))
    reports = []
    for name in models:
        colorizer = open_colorizer(name, engine=engine, device=device)
        say(f"{described(colorizer)}, on {len(photographs)} photographs")
        reports.append(_measure(colorizer, photographs, size=size, settings=settings))
    text = _as_json(reports)
    if output:
        store(output, text.encode(), overwrite=overwrite)
    if machine:
        print(text)
    else:
        _print_tables(reports)


def _originals(photographs: Photographs, limit: int | None) -> Photographs:
    """The first ones that photochrom has not coloured itself; how many it has is said."""
    names: list[str] = []
    results = 0
    for name, source in photographs.sources():
        if len(names) == limit:
            break
        if _is_result(source):
            results += 1
        else:
            names.append(name)
    if results:
        say(f"{results} {'result' if results == 1 else 'results'} of photochrom left out")
    if not names:
        cure = "Choose photographs that were taken in colour."
        raise InputError(
            "holds nothing but results of photochrom", file=photographs.path, cure=cure
        )
    return replace(photographs, names=tuple(names))


def _is_result(source: Path | IO[bytes]) -> bool:
    from photochrom import photo

    try:
        return photo.provenance(source) is not None
    except PhotochromError:  # measuring it says what is wrong with it
        return False


def _measure(
    colorizer: Colorizer, photographs: Photographs, *, size: int, settings: Settings
) -> Report:
    from rich.console import Console
    from rich.progress import track

    from photochrom import photo
    from photochrom.quality.evaluate import evaluate

    notes: dict[str, None] = {}

    def colorized(images: Sequence[Image]) -> list[Image]:
        done = colorizer.colorize([photo.read(one) for one in images], settings)
        notes.update((note, None) for one in done for note in one.notes)
        return [photo.to_image(one) for one in done]

    console = Console(stderr=True)
    shown = track(photographs, "", console=console, transient=True, disable=not console.is_terminal)
    facts = {
        "model": colorizer.model.card.name,
        "weights": colorizer.model.sha256,
        "engine": f"{colorizer.engine.name} {colorizer.engine.precision} {colorizer.engine.device}",
        "render_size": settings.render_size,
        "data": photographs.path.name,
        "photographs": len(photographs),
    }
    report = evaluate(colorized, shown, size=size, facts=facts)
    for note in notes:  # once, not for each photograph
        say(note)
    return report


def _as_json(reports: Sequence[Report]) -> str:
    from photochrom.quality.report import compare

    if len(reports) == 1:
        return reports[0].to_json()
    content = {
        "reports": [json.loads(report.to_json()) for report in reports],
        "difference": {name: each._asdict() for name, each in compare(*reports).items()},
    }
    return json.dumps(content, indent=1)


def _print_tables(reports: Sequence[Report]) -> None:
    from rich.console import Console

    console = Console()
    for report in reports:
        head, *lines = report.table()
        facts = report.facts
        title = f"{facts['model']}, {len(report.rows)} photographs of {facts['data']}"
        console.print(_table(title, head, lines))
    if len(reports) == 2:
        console.print(_difference(*reports))
    console.print(reports[0].protocol, style="dim", highlight=False)


def _table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    from rich.table import Table

    table = Table(*head, title=title, title_justify="left", box=None, pad_edge=False)
    for line in lines:
        table.add_row(*line)
    return table


def _difference(a: Report, b: Report) -> Table:
    from photochrom.quality.report import METRICS, compare

    lines = []
    for name, each in compare(a, b).items():
        label, decimals, better, _ = METRICS[name]
        numbers = [f"{value:+.{decimals}f}" for value in (each.estimate, each.low, each.high)]
        likely = f"{each.probability:.0%}"
        lines.append([label, numbers[0], f"{numbers[1]} to {numbers[2]}", likely, better])
    title = f"{a.facts['model']} minus {b.facts['model']}, on the same photographs"
    return _table(title, ["", "difference", "95 %", "first larger", "better"], lines)
