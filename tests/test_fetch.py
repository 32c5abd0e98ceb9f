"""Addresses are fetched from a real server on this machine, kind and unkind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from photochrom.errors import InputError
from photochrom.fetch import fetch

pytestmark = pytest.mark.plain

PICTURE = bytes(range(256)) * 40


class Answers(BaseHTTPRequestHandler):
    """One path for each manner of answering."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name, _, rest = self.path.strip("/").partition("/")
        self.close_connection = True
        getattr(self, name)(rest)

    def log_message(self, *_: object) -> None: ...

    def head(self, code: int = 200, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def picture(self, _: str) -> None:
        self.head(content_length=len(PICTURE))
        self.wfile.write(PICTURE)

    def agent(self, _: str) -> None:
        name = self.headers["User-Agent"].encode()
        self.head(content_length=len(name))
        self.wfile.write(name)

    def hops(self, left: str) -> None:
        self.head(302, location=f"/hops/{int(left) - 1}" if int(left) else "/picture")

    def loop(self, turn: str) -> None:
        self.head(301, location="/loop/b" if turn == "a" else "/loop/a")

    def file(self, _: str) -> None:
        self.head(302, location="file:///etc/hostname")

    def ftp(self, _: str) -> None:
        self.head(307, location="ftp://127.0.0.1/old.jpg")

    def liar(self, _: str) -> None:
        self.head(content_length=2 * len(PICTURE))
        self.wfile.write(PICTURE)

    def boast(self, _: str) -> None:
        self.head(content_length=10**12)

    def endless(self, _: str) -> None:
        self.head()
        while True:
            self.wfile.write(PICTURE)

    def trickle(self, _: str) -> None:
        self.head()
        for _number in range(100):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def silence(self, _: str) -> None:
        time.sleep(3)

    def missing(self, _: str) -> None:
        self.send_error(404)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """The other side hangs up on an endless body: that is what is tested."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Answers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def test_gives_the_content_whole(server: str) -> None:
    assert fetch(f"{server}/picture") == PICTURE


def test_follows_five_redirects_and_not_six(server: str) -> None:
    assert fetch(f"{server}/hops/4") == PICTURE
    with pytest.raises(InputError, match="redirects more than 5 times"):
        fetch(f"{server}/hops/5")


def test_names_itself_to_the_server(server: str) -> None:
    assert fetch(f"{server}/agent").startswith(b"photochrom/")


def test_spaces_and_letters_beyond_ascii_are_quoted(server: str) -> None:
    assert fetch(f"{server}/picture/großes bild.jpg") == PICTURE


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("loop/a", "redirects more than 5 times"),
        ("file", "redirects to file:///etc/hostname"),
        ("ftp", "redirects to ftp://127.0.0.1"),
        ("liar", f"ended after {len(PICTURE)} of {2 * len(PICTURE)} bytes"),
        ("boast", "larger than 0.5 MB"),
        ("endless", "larger than 0.5 MB"),
        ("trickle", "took longer than 1 s"),
        ("silence", "no answer within 1 s|took longer than 1 s"),
        ("missing", "answers 404 Not Found"),
    ],
)
def test_an_unkind_answer_is_one_line_that_names_the_address(
    server: str, path: str, says: str
) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=says) as caught:
        fetch(f"{server}/{path}", max_bytes=500_000, seconds=1)
    assert str(caught.value).startswith(server)
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://a/b.jpg", "data:,x"])
def test_other_schemes_are_refused(address: str) -> None:
    with pytest.raises(InputError, match="neither http nor https"):
        fetch(address)


def test_nobody_there() -> None:
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch("http://127.0.0.1:1/old.jpg", seconds=5)


def test_the_proxy_of_the_environment_is_asked(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(InputError, match="refused"):
        fetch("http://photographs.invalid/old.jpg", seconds=5)


def test_an_address_that_is_malformed() -> None:
    with pytest.raises(InputError, match="is not a proper address"):
        fetch("http://[::1/x.jpg")
