"""`playhead demo`: everything on one machine, with a lecture to play."""

import argparse
import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from gateway import cluster, ingest, wiring
from gateway.cli import running
from gateway.cli.steps import Steps
from gateway.cli.stopping import until_stopped
from gateway.keys import Keys, open_keys
from gateway.settings import Settings
from gateway.tokens import TokenIssuer
from persistence.embedded import Embedded, FixedPorts, start_all
from persistence.errors import SetupError
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import PostgresSettings, open_postgres

STUDENT, STUDENT_NAME = "ada", "Ada"


async def demo(settings: Settings, options: argparse.Namespace) -> int:
    """Start everything, print the links, wait for Ctrl-C, stop everything."""
    video: Path | None = options.video
    if video is not None and not video.is_file():
        raise SetupError(f"there is no file {video}; name a video with --video FILE")
    folder = Path(settings.data.folder).absolute()
    async with until_stopped() as stopped, _servers(settings, folder, video, stopped) as console:
        if not stopped.is_set():
            console.print("\n  Ctrl-C stops everything.\n")
        await stopped.wait()
        console.print("\n  stopping: devices say goodbye, everything is written ...")
    return 0
