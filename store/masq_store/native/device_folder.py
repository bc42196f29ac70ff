"""A device's folder: its private files, and the lock that keeps it for one program."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from masq.errors import StorageUnavailable

LOCK = "device.lock"


class FolderUnavailable(StorageUnavailable):
    """A device cannot keep its data in a folder. `reason`: why."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(reason)
        self.sentence = (
            f"The folder {folder} cannot keep this device's data: {reason}. Nothing was changed. "
            "Put that right, or give the device another folder."
        )


def make_private(path: Path) -> None:
    """See that the file is there, made if need be, and its folder, for this user only. Raises FolderUnavailable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise FolderUnavailable(path.parent, _reason(error)) from error


def read_or_keep(path: Path, new: bytes) -> bytes:
    """Return what the file holds; if there is none, keep `new` in it, durable on return, for this user only.

    Raises FolderUnavailable.
    """
    try:
        with suppress(FileNotFoundError):
            os.chmod(path, 0o600)  # a copy of the folder may have come with other rights
            return path.read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # with mode 600
        try:
            with open(descriptor, "wb") as file:
                file.write(new)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _flush_folder(path.parent)
        return new
    except OSError as error:
        raise FolderUnavailable(path.parent, _reason(error)) from error


def hold(folder: Path) -> BinaryIO:
    """Hold the folder for this program until the result is closed. Raises FolderUnavailable."""
    path = folder / LOCK
    make_private(path)
    file = open(path, "r+b")  # noqa: SIM115 (held until it is closed)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise FolderUnavailable(folder, "another program is using it") from error
    return file


def _flush_folder(folder: Path) -> None:
    """Have the disk know of a new name; Windows does so by itself."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
