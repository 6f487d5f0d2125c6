"""The data folder of one machine: taken by a lock; it keeps secrets, ports, logs and the servers' files."""

import fcntl
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from persistence.errors import SetupError

LOG_KEPT_BYTES = 8 * 1024 * 1024


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


class DataFolder:
    """One folder, held by one process at a time. `close()` (or the end of the process) gives it up."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._secrets = _KeptValues(path / "secrets.json")
        self._ports = _KeptValues(path / "ports.json")

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make the folder if it is missing and take it.

        Raises `SetupError` naming the pid that holds it, or why the folder cannot be used.
        """
        path = path.absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SetupError(
                f"The data folder {path} cannot be used ({error.strerror}): "
                "give another one, or make it yours and writable."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise SetupError(
                f"The data folder {path} is in use by process {holder}: "
                f"stop that one first (kill {holder}), or give another folder."
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        for name in ("run", "logs"):
            (path / name).mkdir(mode=0o700, exist_ok=True)
        return cls(path, lock)

    def secret(self, name: str, make: Callable[[], str] = _new_secret) -> str:
        """The secret kept under `name`; made on first use and the same ever after (file mode 0600)."""
        kept = self._secrets.get(name)
        if kept is None:
            kept = make()
            self._secrets.set(name, kept)
        return str(kept)

    def kept_port(self, name: str) -> int | None:
        """The port `name` had last time, if any."""
        port = self._ports.get(name)
        return None if port is None else int(port)

    def keep_port(self, name: str, port: int) -> None:
        """Remember the port of `name` for the next start."""
        if self.kept_port(name) != port:
            self._ports.set(name, port)

    def pid_path(self, name: str) -> Path:
        return self.path / "run" / f"{name}.json"

    def log_path(self, name: str) -> Path:
        """The log file of one server; a long one is put aside once, so two files bound the space."""
        path = self.path / "logs" / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_KEPT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def close(self) -> None:
        """Give the folder up. Harmless when done twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _KeptValues:
    """A small JSON object in a file of mode 0600, replaced as a whole so that no crash leaves half of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self) -> dict[str, str | int]:
        try:
            content = json.loads(self._path.read_bytes())
            if not isinstance(content, dict):
                raise ValueError("not an object")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise SetupError(
                f"{self._path} cannot be read ({error}): put back a copy of it, "
                "or start with an empty data folder."
            ) from error
        return content

    def get(self, name: str) -> str | int | None:
        return self._read().get(name)

    def set(self, name: str, value: str | int) -> None:
        values = self._read() | {name: value}
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as stream:
            json.dump(values, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self._path)
