"""Colouring tells nobody, and leaves nothing in the home folder but photochrom's own notes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.plain

SCRIPT = """
import photochrom
from PIL import Image
photochrom.load("lite", engine="onnx")(Image.new("L", (64, 64), 128))
"""


def test_nothing_is_left_in_the_home_folder(tmp_path: Path) -> None:
    home, own = tmp_path / "home", tmp_path / "own"
    home.mkdir()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("ORT_", "XDG_"))},
        "HOME": str(home),
        "PHOTOCHROM_HOME": str(own),
    }
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, env=environment)
    assert list(home.rglob("*")) == []
    assert [path.name for path in own.iterdir()] == ["selfcheck.json"]
