"""nginx as the CDN, from the configuration that is shipped, between a test and the embedded object store."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from persistence.objects import ObjectStore
from tests import requirements

TEMPLATE = requirements.ROOT / "config" / "cdn" / "nginx.conf.template"
START_S = 10.0
STOP_S = 10.0


@dataclass(frozen=True)
class Edge:
    """A running edge: where viewers come in, and its folder."""

    port: int
    folder: Path

    def log(self, name: str = "access.log") -> str:
        """What it has logged."""
        return (self.folder / name).read_text()


def configuration(port: int, folder: Path, store: ObjectStore, web: str) -> str:
    """The shipped template with everything filled in."""
    endpoint = urlsplit(store.endpoint_url)
    text = TEMPLATE.read_text()
    for name, value in {
        "EDGE_LISTEN": f"127.0.0.1:{port}",
        "EDGE_RUN": str(folder),
        "EDGE_CACHE": str(folder / "cache"),
        "EDGE_CACHE_SIZE": "1g",
        "EDGE_RESOLVER": "127.0.0.1",
        "EDGE_CA": ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt",
        "MEDIA_TOKEN_KEY": store.media_token_key,
        "WEB": web,
        "STORE": endpoint.netloc,
        "STORE_SCHEME": endpoint.scheme,
    }.items():
        text = text.replace(f"${{PLAYHEAD_{name}}}", value)
    assert "${" not in text
    return text


@contextlib.asynccontextmanager
async def running_edge(port: int, folder: Path, store: ObjectStore, web: str) -> AsyncIterator[Edge]:
    """The edge on this port, ended by its own pid."""
    (folder / "cache").mkdir(parents=True)
    file = folder / "nginx.conf"
    file.write_text(configuration(port, folder, store, web))
    binary = requirements.nginx_path()
    assert binary is not None
    # Debian's own default for root is a user who could not enter the folder of a test.
    more = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
    process = await asyncio.create_subprocess_exec(
        str(binary), "-p", str(folder), "-c", str(file), "-e", str(folder / "start.log"), "-g", more
    )
    try:
        await _until_listening(process, port, folder)
        yield Edge(port, folder)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STOP_S):
            await process.wait()


async def _until_listening(process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
    async with asyncio.timeout(START_S):
        while True:
            assert process.returncode is None, (folder / "start.log").read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
