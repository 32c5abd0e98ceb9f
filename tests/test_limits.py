"""The largest photographs, from file to file, within the memory of a small machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from photochrom.photo import Photo, write

pytestmark = [pytest.mark.plain, pytest.mark.slow]

COLOUR_AND_MEASURE = """
import sys
from pathlib import Path
import photochrom
photochrom.load("lite", engine="onnx").colorize_file(sys.argv[1], sys.argv[2])
# not getrusage, whose figure a process inherits from the one that started it
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
print(int(peak.split()[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of memory")
@pytest.mark.parametrize(("depth", "suffix"), [(8, ".jpg"), (16, ".tif")])
def test_a_hundred_megapixels_need_less_than_two_gigabytes(
    tmp_path: Path, depth: int, suffix: str
) -> None:
    source, target = tmp_path / f"old{suffix}", tmp_path / f"new{suffix}"
    tile = np.random.default_rng(0).integers(0, 2**depth, (1000, 1000))
    pixels = np.tile(tile.astype(np.uint8 if depth == 8 else np.uint16), (10, 10))
    write(source, Photo(pixels))
    command = [sys.executable, "-c", COLOUR_AND_MEASURE, str(source), str(target)]
    kibibytes = int(subprocess.check_output(command, text=True))
    assert target.stat().st_size > 0
    assert kibibytes < 2_000_000
