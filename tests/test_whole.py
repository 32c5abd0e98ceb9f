"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from photochrom.whole import written_whole

pytestmark = pytest.mark.plain


def test_the_file_appears_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    with written_whole(path) as part:
        part.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path, fault: type[BaseException]) -> None:
    with written_whole(path) as part:
        part.write_text("half")
        raise fault


@pytest.mark.parametrize("fault", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, fault: type[BaseException]
) -> None:
    path = tmp_path / "notes"
    path.write_text("precious")
    with pytest.raises(fault):
        write_half(path, fault)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]
