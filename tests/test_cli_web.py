"""Addresses on the command line, from a real server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from photochrom.cli import main

pytestmark = pytest.mark.plain


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serves ``site`` while the working folder is ``here``."""
    (tmp_path / "site").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("no_proxy", "*")
    Image.linear_gradient("L").save(tmp_path / "site/old.jpg")
    (tmp_path / "site/page.jpg").write_text("<!DOCTYPE html><title>Not here</title>")
    handler = partial(Quiet, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_an_address_is_coloured_into_the_present_folder(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"{server}/old.jpg?width=300", "--engine", "painted"]) == 0
    assert capsys.readouterr().out == "old.color.jpg\n"
    with Image.open("old.color.jpg") as image:
        assert image.mode == "RGB"


def test_a_web_page_and_a_wrong_address_fail_in_one_line_and_the_rest_is_done(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = [f"{server}/page.jpg", f"{server}/none.jpg", f"{server}/old.jpg"]
    assert main([*addresses, "file:///etc/hostname", "--engine", "painted", "--json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {row["source"]: row for row in rows[:-1]}
    assert "web page" in told[addresses[0]]["error"]
    assert "404" in told[addresses[1]]["error"]
    assert told[addresses[2]]["status"] == "ok"
    assert "not read" in told["file:///etc/hostname"]["error"]
    assert [path.name for path in Path().iterdir()] == ["old.color.jpg"]
