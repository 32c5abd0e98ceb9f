"""Files appear whole or not at all, and never over another file unless asked."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from photochrom.errors import OutputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_LINKS = {
    errno.EPERM,
    errno.EACCES,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.EMLINK,
    errno.EINVAL,
}


def store(path: Path, data: bytes | memoryview, *, overwrite: bool = False) -> None:
    """Writes `data` to `path`, whole or not at all; missing folders are created.

    A temporary file in the same folder is written and synced to the disk, then given its name.
    Whatever interrupts this, Ctrl-C included, leaves neither a part of it nor the temporary file.

    Raises:
        OutputError: the file exists and `overwrite` is false, the folder cannot be made or written
            to, or the disk is full.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_taken(path, overwrite=overwrite)
        try:
            _write_synced(part, data)
            if overwrite:
                _replace(part, path)
            else:
                _name_without_replacing(part, path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise _explained(error, path, len(data)) from error


def refuse_taken(path: Path, *, overwrite: bool) -> None:
    """Fails early if `path` cannot become the result, before any work is spent on it.

    Raises:
        OutputError: `path` is a folder, exists and `overwrite` is false, or is no possible name.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _explained(error, path, 0) from error
    if path.is_dir():
        raise OutputError("is a folder", file=path, cure="Give the name of a file in it.")
    if not overwrite:
        raise _taken(path)


def _taken(path: Path) -> OutputError:
    return OutputError(
        "already exists", file=path, cure="Choose another name, or allow it with --overwrite."
    )


def _write_synced(part: Path, data: bytes | memoryview) -> None:
    with open(part, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _replace(part: Path, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.chmod(part, stat.S_IMODE(path.stat().st_mode))
    os.replace(part, path)


def _name_without_replacing(part: Path, path: Path) -> None:
    """Gives the file its name; fails if the name is taken, without a moment in between."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links here (FAT, network drives): reserve the name, then replace our own file.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(part, path)
        except BaseException:
            path.unlink()
            raise


def _sync_folder(folder: Path) -> None:
    """Makes the new name itself survive a power cut, where folders can be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explained(error: OSError, path: Path, size: int) -> OutputError:
    if isinstance(error, FileExistsError) and os.path.lexists(path):
        return _taken(path)
    if error.errno in _NO_ROOM:
        need = f"{max(size / 1e6, 0.1):.1f} MB are needed"
        return OutputError(
            "the disk is full",
            file=path,
            cure=f"Free some space ({need}) or choose another folder.",
        )
    if error.errno in _READ_ONLY:
        return OutputError(
            "the folder cannot be written to", file=path, cure="Choose another folder with -o."
        )
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        file = next((folder for folder in path.parents if folder.is_file()), path.parent)
        return OutputError(
            f"{file} is a file, not a folder", file=path, cure="Choose another folder with -o."
        )
    reason = error.strerror or type(error).__name__
    return OutputError(
        f"cannot be written ({reason})", file=path, cure="Choose another name or folder with -o."
    )
