"""The command line: verbs only. What takes time to load is imported inside the verbs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from photochrom import __version__
from photochrom.cli import bench, colorize, eval, info, train, weights
from photochrom.cli.report import FAILED, INTERRUPTED, USAGE, explain, say, standard_output
from photochrom.errors import PhotochromError, SettingsError

app = typer.Typer(
    # Plain help: rich's takes as long to load as all the rest, and wraps no better.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(colorize.colorize)
app.command(short_help="Print how a picture was made.")(info.info)
app.add_typer(weights.app, name="weights")
app.command("eval", short_help="Measure how near to the truth the colours are.")(eval.evaluate)
app.add_typer(train.app, name="train")
app.command(short_help="Measure this machine.")(bench.bench)

VERBS = ("colorize", "info", "weights", "eval", "train", "bench")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"photochrom {__version__}")
        raise typer.Exit


@app.callback()
def photochrom(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Colour for black-and-white photographs.

    \b
    photochrom old.jpg                 writes old.color.jpg beside it
    photochrom scans/ -r -o colour/    a folder and all in it, into another
    photochrom colorize --help         every option

    The verb colorize may be left out; a file with a verb's name is reached as ./info.

    \b
    Exit codes: 0 all done, 1 some failed, 2 wrong usage, 130 interrupted.
    Errors are one line each; PHOTOCHROM_DEBUG=1 adds where they come from.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code: 0 done, 1 failed, 2 usage, 130 interrupted.

    Args:
        arguments: without the program's name; by default the process's own.
    """
    # A file's name may hold bytes that are no text: they are written as they are.
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="surrogateescape")
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if given[0] not in (*VERBS, "-h", "--help", "--version"):
        given.insert(0, "colorize")
    try:
        code = app(given, prog_name="photochrom", standalone_mode=False)
        if sys.stdout is not None:
            with standard_output():
                sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # nobody reads on
        return FAILED
    except Exception as error:
        return _failed(error)
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    show: Any = getattr(error, "show", None)  # click's own errors, whichever click typer brings
    if show is not None:
        show()
        return int(getattr(error, "exit_code", USAGE))
    say(f"error: {explain(error)}")
    return USAGE if isinstance(error, SettingsError) else FAILED


__all__ = ["VERBS", "PhotochromError", "app", "main"]
