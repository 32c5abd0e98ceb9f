"""Measures this machine: forward passes by model and engine, a picture end to end, cold starts.

Every figure is taken in a process of its own, one after the other, so that peak memory is that of
one thing and ratios come from one run. Times are the least of a few repetitions.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photochrom import __version__
from photochrom.models import Model, cards, find

Row = dict[str, Any]

ENGINES = ("torch fp32", "torch bf16", "openvino fp32", "openvino bf16", "onnx fp32")
UNFOLDED = "torch fp32, unfolded"
"""How the original runs: every weight divided by its norm on every forward."""
FACTORS = (10, 21)
"""DeOldify's render factors: sides of 160 and 336 pixels."""
PICTURE = (1500, 1000)


def run(output: Path | None = None, *, quick: bool = False) -> Row:
    """Takes all figures, prints them as they come, and returns them.

    Args:
        output: where to write them as JSON.
        quick: the bundled model alone: a minute instead of ten.

    Raises:
        OutputError: ``output`` exists or cannot be written.
        MissingExtra: a full run needs torch and OpenVINO.
    """
    from photochrom.engines.failures import require
    from photochrom.photo.storing import refuse_taken, store

    for package in ("torch",) if quick else ("torch", "openvino"):
        require(package, "A benchmark", extra=package)
    if output:
        refuse_taken(output, overwrite=False)
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for row in _rows(Path(folder), quick=quick):
            rows.append(row)
            print(described(row), flush=True)
    result = {"machine": machine(), "photochrom": __version__, "rows": rows}
    if output:
        store(output, json.dumps(result, indent=1).encode())
    return result


def _rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    peak = _apart("peak", folder)
    yield peak
    forwards: list[tuple[str, int]] = [("lite", 256)]
    if not quick:
        forwards += [(name, 16 * factor) for name in ("artistic", "stable") for factor in FACTORS]
    for model, side in forwards:
        for way in (UNFOLDED, *ENGINES):
            row = _apart("forward", folder, model=model, side=side, way=way)
            if "fault" not in row:
                row |= _compared(folder, row, peak)
            yield row
    for engine in ("openvino", "onnx"):
        for size in ("auto", "256"):
            yield _apart("picture", folder, engine=engine, size=size)
    for engine in ("openvino", "onnx"):
        yield _apart("cold", folder, engine=engine)


def machine() -> Row:
    """What the figures were taken on, and how busy it was."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": load,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def described(row: Row) -> str:
    """A row as a line for people."""
    names = [
        str(row[key]) for key in ("what", "model", "side", "way", "engine", "size") if key in row
    ]
    figures = [f"{key} {row[key]:.4g}" for key in row if isinstance(row[key], float)]
    return "  ".join([*names, *figures, row.get("fault", "")])


def _apart(what: str, folder: Path, **arguments: Any) -> Row:
    """A figure taken in a process of its own; a fault is a figure, too."""
    task = json.dumps([what, str(folder), arguments])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "photochrom.bench", task],
        capture_output=True,
        text=True,
    )
    row = {"what": what, **arguments}
    if done.returncode:
        return {**row, "fault": done.stderr.strip().rpartition("\n")[2]}
    figures: Row = json.loads(done.stdout)
    return row | figures


def _compared(folder: Path, row: Row, peak: Row) -> Row:
    """A forward's difference from the unfolded network, and its share of the machine's peak."""
    got = np.load(folder / f"{_key(row)}.npy")
    wanted = np.load(folder / f"{_key({**row, 'way': UNFOLDED})}.npy")
    work = 2 * float(np.load(folder / f"{row['model']}-{row['side']}-work.npy"))
    precision = "bf16" if "bf16" in row["way"] else "fp32"
    share = work / (row["milliseconds"] / 1000) / (peak[f"{precision}_tflops"] * 1e12)
    gap = np.abs(got - wanted)
    return {
        "difference_max": float(gap.max()),
        "difference_mean": float(gap.mean()),
        "of_peak": share,
    }


def _key(row: Row) -> str:
    return f"{row['model']}-{row['side']}-{row['way'].replace(' ', '-').replace(',', '')}"


def _least(work: Callable[[], object], *, seconds: float = 3.0, most: int = 20) -> float:
    """Milliseconds of the quickest of up to ``most`` calls, after one that warms up."""
    work()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < most):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times) * 1000


def _peak_memory() -> float:
    """Most memory this process has held, in MiB; where the system does not say, nan."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def peak(folder: Path, *, side: int = 4096) -> Row:
    """The machine's limit: tera-operations a second in float32 and bfloat16.

    The better of a large matrix product and a convolution with many channels: libraries differ.
    """
    import torch
    from torch.nn import functional as F

    row = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a = torch.ones(side, side, dtype=dtype)
        x = torch.ones(1, 512, 64, 64, dtype=dtype).contiguous(memory_format=torch.channels_last)
        kernel = torch.ones(512, 512, 3, 3, dtype=dtype)
        product = _least(lambda a=a: a @ a, most=5)  # type: ignore[misc]
        convolution = _least(lambda x=x, k=kernel: F.conv2d(x, k, padding=1), most=9)  # type: ignore[misc]
        rates = (2 * side**3 / product, 2 * 9 * 512 * 512 * 64 * 64 / convolution)
        row[f"{name}_tflops"] = max(rates) / 1e9
    return row


def forward(folder: Path, *, model: str, side: int, way: str) -> Row:
    """One network's forward pass at side x side, one picture, by one engine."""
    chosen = _model(model, folder)
    example = _example(chosen, side)
    if way == UNFOLDED:
        work = _unfolded(chosen, example, folder / f"{model}-{side}-work.npy")
    else:
        from photochrom.engines.choice import open_engine

        engine, precision = way.split()
        opened, _ = open_engine(chosen, engine=engine, precision=precision)  # type: ignore[arg-type]
        work = lambda: opened.run(example)[chosen.card.output]  # noqa: E731
    milliseconds = _least(work)
    np.save(folder / f"{_key({'model': model, 'side': side, 'way': way})}.npy", work())
    return {"milliseconds": milliseconds, "peak_mib": _peak_memory()}


def _model(name: str, folder: Path) -> Model:
    """The bundled model, or one of the original's with weights filled by rule, written once."""
    if name == "lite":
        return find("lite")
    path = folder / f"{name}.safetensors"
    if not path.exists():
        from safetensors.torch import save_file

        from photochrom.networks.checkpoint import empty
        from photochrom.networks.rulefill import rule_weights

        save_file(rule_weights(empty(cards()[name].network)), path)
    return Model(cards()[name], path)


def _example(model: Model, side: int) -> NDArray[np.float32]:
    y, x = np.mgrid[0:side, 0:side]
    light = 0.5 + 0.25 * np.sin(x / 17) * np.cos(y / 23) + ((5 * x + 3 * y) % 7) / 70
    return model.card.prepare(light[None].astype(np.float32))


def _unfolded(
    model: Model, example: NDArray[np.float32], work_file: Path
) -> Callable[[], NDArray[np.float32]]:
    import torch

    from photochrom.engines.torch import network_of
    from photochrom.networks.count import multiply_adds
    from photochrom.networks.lite import Lite

    network, given = network_of(model), torch.from_numpy(example)
    np.save(work_file, multiply_adds(network, given))

    @torch.inference_mode()
    def work() -> NDArray[np.float32]:
        answer = network(given)
        return (network.colors(answer) if isinstance(network, Lite) else answer).numpy()

    return work


def picture(folder: Path, *, engine: str, size: str) -> Row:
    """A JPEG of 1500 x 1000 to a JPEG in colour, decoding and encoding included, warm."""
    import photochrom
    from photochrom.settings import Settings

    source, colorizer = _photograph(folder), photochrom.load("lite", engine=engine)
    settings = Settings(render_size="auto" if size == "auto" else int(size))
    target = folder / f"{engine}-{size}.jpg"
    milliseconds = _least(
        lambda: colorizer.colorize_file(
            source, target, settings=settings, overwrite=True, force=True
        )
    )
    return {"milliseconds": milliseconds, "peak_mib": _peak_memory()}


def cold(folder: Path, *, engine: str) -> Row:
    """The command line in a fresh process: the same picture, the help, and the import alone."""
    source = _photograph(folder)
    target = folder / f"cold-{engine}.jpg"

    def command(*arguments: str) -> Callable[[], object]:
        whole = [sys.executable, *arguments]
        return lambda: subprocess.run(whole, check=True, capture_output=True)

    line = ["-m", "photochrom", str(source), "-o", str(target), "--overwrite", "--force"]
    return {
        "milliseconds": _least(command(*line, "--engine", engine)),
        "help_milliseconds": _least(command("-m", "photochrom", "--help")),
        "import_milliseconds": _least(command("-c", "import photochrom")),
    }


def _photograph(folder: Path) -> Path:
    """A made-up grey photograph: soft shapes under grain."""
    path = folder / "photograph.jpg"
    if not path.exists():
        from PIL import Image

        width, height = PICTURE
        y, x = np.mgrid[0:height, 0:width]
        shapes = 128 + 70 * np.sin(x / 97) * np.cos(y / 61) + 30 * np.sin((x + y) / 13)
        grain = np.random.default_rng(0).normal(0, 6, shapes.shape)
        Image.fromarray(np.clip(shapes + grain, 0, 255).astype(np.uint8)).save(path, quality=92)
    return path


def _task(text: str) -> None:
    what, folder, arguments = json.loads(text)
    tasks: dict[str, Callable[..., Row]] = {
        "peak": peak,
        "forward": forward,
        "picture": picture,
        "cold": cold,
    }
    print(json.dumps(tasks[what](Path(folder), **arguments)))


if __name__ == "__main__":
    _task(sys.argv[1])
