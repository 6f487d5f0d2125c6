"""How one command finds the system another one started: a small file in the data folder."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from persistence.errors import SetupError

FILE = "running.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A system that is up: its Ray address, the pages' URL and the process that started it."""

    ray_address: str
    web_url: str
    pid: int

    @staticmethod
    def here(ray_address: str, web_url: str) -> "Running":
        """A system started by this process."""
        return Running(ray_address, web_url, os.getpid())

    def write(self, folder: Path) -> None:
        """Leave word in the data folder."""
        (folder / FILE).write_text(json.dumps(asdict(self)))


def find(folder: Path) -> Running | None:
    """The system that uses this data folder, if one does."""
    try:
        found = Running(**json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if Path(f"/proc/{found.pid}").exists() else None


def read(folder: Path) -> Running:
    """The system that uses this data folder. Raises `SetupError` if none does."""
    found = find(folder)
    if found is None:
        raise SetupError(f"nothing runs on {folder}; start it with `./run demo`, or name another --data")
    return found


def forget(folder: Path) -> None:
    """The system has ended."""
    (folder / FILE).unlink(missing_ok=True)
