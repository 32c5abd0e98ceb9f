"""Ctrl-C: the step is finished, the run saved, and only then is that said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import photochrom
from photochrom.training import checkpoint

SOURCE = Path(photochrom.__file__).resolve().parents[1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_an_interrupted_run_is_saved_before_it_says_so(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (80, 80, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "long.toml").write_text(
        'name = "long"\ncheckpoint = 100000\n'
        "phases = [{ steps = 100000, size = 32, batch = 2, rate = 1e-3, rate_end = 1e-3 }]"
    )
    command = [sys.executable, "-m", "photochrom", "train", "generator", "--data", "."]
    running = subprocess.Popen(
        [*command, "--run", "r", "--recipe", "long.toml"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("step 50/"):
            running.send_signal(signal.SIGINT)
            break
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    newest = checkpoint.latest(tmp_path / "r")
    assert newest is not None
    step = checkpoint.load(newest)[1]["step"]
    assert step >= 50
    assert f"saved at step {step}; the same command goes on" in said
