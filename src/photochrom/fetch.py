"""Pictures from the web: http and https alone, with limits on size, time and redirects."""

from __future__ import annotations

import io
import queue
import threading
import time
from http.client import HTTPException
from typing import IO, Any
from urllib import error, request
from urllib.parse import quote, urljoin, urlsplit

from photochrom import __version__
from photochrom.errors import InputError

MAX_BYTES = 100_000_000
SECONDS = 60.0
"""For the whole of it: name look-up, redirects, transfer."""
REDIRECTS = 5
STALL = 15.0
"""Seconds without a byte after which the other side is given up."""

_CHUNK = 1 << 16


def fetch(url: str, *, max_bytes: int = MAX_BYTES, seconds: float = SECONDS) -> bytes:
    """The content behind an http or https address; what it is, the picture reader looks at.

    The environment's proxies are used (``https_proxy``, ``no_proxy``).

    Args:
        max_bytes: size above which it is refused.
        seconds: time that it may take in all.

    Raises:
        InputError: a malformed address, a foreign scheme, no answer, an error as the answer, too
            many redirects, a redirect to another scheme, too large, too slow, or cut short.
    """
    _check_scheme(url, url)
    answers: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
    # Looking up a name has no time limit of its own, and headers may trickle: a thread that is
    # left behind is the one way to keep the limit.
    worker = threading.Thread(target=_answer, args=(url, max_bytes, seconds, answers), daemon=True)
    worker.start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise _too_slow(url, seconds) from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def named(content: bytes, name: str) -> IO[bytes]:
    """Content as an open file that goes by a name in messages."""
    file = io.BytesIO(content)
    file.name = name
    return file


class _Redirects(request.HTTPRedirectHandler):
    max_redirections = REDIRECTS
    max_repeats = 1  # without cookies the second visit answers as the first one did

    def http_error_302(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Any
    ) -> Any:
        try:
            _check_scheme(urljoin(req.full_url, headers.get("Location", "")), req.full_url)
        except InputError:
            fp.close()
            raise
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _check_scheme(url: str, file: str) -> None:
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError as fault:
        what = f"is not a proper address ({fault})"
        raise InputError(what, file=file, cure="Check how it is written.") from None
    if scheme not in ("http", "https"):
        what = "is neither http nor https" if url == file else f"redirects to {url[:80]}"
        raise InputError(what, file=file, cure="Only http and https addresses are fetched.")


def _opener() -> request.OpenerDirector:
    """Without the handlers for files, FTP and data that urllib opens with by default."""
    opener = request.OpenerDirector()
    opener.addheaders = [
        ("User-Agent", f"photochrom/{__version__}"),
        ("Accept", "image/*, */*;q=0.1"),
    ]
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _answer(
    url: str, max_bytes: int, seconds: float, answers: queue.SimpleQueue[bytes | Exception]
) -> None:
    try:
        answers.put(_download(url, max_bytes, seconds))
    except InputError as fault:
        answers.put(fault)
    except Exception as fault:
        answers.put(_explained(fault, url, seconds))


def _download(url: str, max_bytes: int, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    stall = min(STALL, seconds)
    with _opener().open(quote(url, safe="%/:=&?~#+!$,;'@()*[]"), timeout=stall) as response:
        promised = response.headers.get("Content-Length")
        length = int(promised) if promised and promised.isdecimal() else None
        content = bytearray()
        while (length or 0) <= max_bytes and len(content) <= max_bytes:
            chunk = response.read1(_CHUNK)
            content += chunk
            if not chunk:
                break
            if time.monotonic() > deadline:
                raise _too_slow(url, seconds)
    if max(length or 0, len(content)) > max_bytes:
        cure = "Download it yourself and give the file."
        raise InputError(f"is larger than {max_bytes / 1e6:g} MB", file=url, cure=cure)
    if length is not None and len(content) < length:
        what = f"ended after {len(content)} of {length} bytes"
        raise InputError(what, file=url, cure="Try again.")
    return bytes(content)


def _too_slow(url: str, seconds: float) -> InputError:
    cure = "Try again, or download it yourself and give the file."
    return InputError(f"took longer than {seconds:g} s", file=url, cure=cure)


def _explained(fault: Exception, url: str, seconds: float) -> InputError:
    """What went wrong between here and there, in one line."""
    if isinstance(fault, error.HTTPError):
        fault.close()
        if fault.code in (301, 302, 303, 307, 308):
            return InputError(f"redirects more than {REDIRECTS} times", file=url, cure="Check it.")
        what = f"the server answers {fault.code} {fault.reason}".rstrip()
        return InputError(what, file=url, cure="Check the address in a browser.")
    reason = getattr(fault, "reason", fault)
    if isinstance(reason, TimeoutError):
        return InputError(
            f"no answer within {min(STALL, seconds):g} s", file=url, cure="Try again."
        )
    if isinstance(fault, HTTPException):
        reason = "the answer is not proper HTTP"
    text = getattr(reason, "strerror", None) or " ".join(str(reason).split())[:120]
    cure = "Check the address and the connection."
    return InputError(f"cannot be fetched ({text or type(fault).__name__})", file=url, cure=cure)
