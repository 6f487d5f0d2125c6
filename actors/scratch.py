"""Folders to work in, which go with the work, also when the worker was killed and could not clear up."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_LOCK = "lock"


@contextlib.contextmanager
def folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder in `parent`, removed at the end; those of workers that live no more are removed first."""
    root = parent or Path(tempfile.gettempdir()) / f"playhead-uploads-{os.getuid()}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear(root)
    made, lock = _make(root)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def _make(root: Path) -> tuple[Path, int]:
    """A new folder and its lock, held by this process alone: the kernel lets go however the process ends."""
    while True:
        made = Path(tempfile.mkdtemp(prefix="upload-", dir=root))
        lock = os.open(made / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Before we held it, another worker could take the folder for left behind, and remove it.
        if os.fstat(lock).st_nlink > 0:
            return made, lock
        os.close(lock)


def _clear(root: Path) -> None:
    for left in root.glob("upload-*"):
        with contextlib.suppress(OSError):
            lock = os.open(left / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
