"""What the README promises, run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import photochrom
from photochrom.models import cards

pytestmark = pytest.mark.plain

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_lines_colour_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "examples" / "01-lange-nipomo-1936.jpg", tmp_path / "old.jpg")
    monkeypatch.chdir(tmp_path)
    found: dict[str, Image.Image] = {}
    exec("\n".join(blocks("python")), found)
    picture = found["picture"]
    assert picture.size == (940, 1198)
    assert np.ptp(np.asarray(picture).astype(int), axis=2).mean() > 5


def test_the_commands_work_as_written(tmp_path: Path) -> None:
    """Every line that begins with photochrom, in order, in a folder with old.jpg and scans/."""
    shutil.copy(ROOT / "examples" / "06-gottlieb-armstrong-1946.jpg", tmp_path / "old.jpg")
    (tmp_path / "scans" / "1946").mkdir(parents=True)
    shutil.copy(tmp_path / "old.jpg", tmp_path / "scans" / "1946" / "armstrong.jpg")
    lines = [line for block in blocks("console") for line in block.splitlines()]
    commands = [line[2:].partition("#")[0].split() for line in lines if line.startswith("$ photo")]
    assert len(commands) >= 4
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert (tmp_path / "old.color.jpg").exists()
    assert (tmp_path / "coloured" / "1946" / "armstrong.jpg").exists()


def test_the_table_of_models_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    assert rows == list(cards())


def test_the_pictures_it_shows_are_there() -> None:
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_no_figure_is_left_open() -> None:
    for page in ("README.md", "MODEL_CARD.md", "CHANGELOG.md", "docs/decisions.md"):
        assert "@@" not in (ROOT / page).read_text(), page


def test_the_examples_all_have_a_source() -> None:
    table = (ROOT / "examples" / "README.md").read_text()
    names = [path.name for path in (ROOT / "examples").glob("*.jpg")]
    assert len(names) >= 8
    assert all(name in table for name in names)


def test_the_version_is_one() -> None:
    assert f'version = "{photochrom.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {photochrom.__version__}" in (ROOT / "CHANGELOG.md").read_text()
