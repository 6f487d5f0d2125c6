"""A process of its own that starts every embedded server, tells all their pids, and waits to be killed.

`python -m tests.persistence.embedded.starter DATA_FOLDER`
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from persistence.embedded import start_all
from tests.requirements import ROOT


@dataclass(frozen=True)
class Started:
    """The starter, its guards and servers, and everything below them: (pid, when it started)."""

    starter: "subprocess.Popen[str]"
    guards: list[int]
    family: list[psutil.Process]

    def left(self) -> list[psutil.Process]:
        """Who still runs. `is_running` tells a reused pid from the process that was meant."""
        return [process for process in self.family if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


def start_elsewhere(folder: Path) -> Started:
    starter = subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert starter.stdout is not None
    with starter.stdout:
        told = json.loads(starter.stdout.readline())
    family = []
    for pid in told["family"]:
        with contextlib.suppress(psutil.NoSuchProcess):  # Postgres has processes of a moment
            family.append(psutil.Process(pid))
    return Started(starter, told["guards"], family)


async def _main(folder: Path) -> None:
    async with await start_all(folder, initdb_sync=False) as running:
        family = [process.pid for process in psutil.Process(os.getpid()).children(recursive=True)]
        print(json.dumps({"guards": running.guard_pids, "family": family}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
