"""The command line: help that teaches, one line for what is wrong, tokens that verify, `up` and `migrate`."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from gateway import ray_environment
from gateway.keys import open_keys
from gateway.tokens import TokenVerifier
from persistence.embedded import Embedded
from persistence.postgres import PostgresSettings, open_postgres
from tests.acceptance.system import free_port
from tests.conftest import make_database

COMMANDS = ("demo", "up", "migrate", "token", "replay", "explain", "status", "scale", "import", "export")
PLAYHEAD = (sys.executable, "-m", "gateway.cli")
CLUSTER = """
import asyncio, sys
from pathlib import Path
from gateway import ray_environment
folder = Path(sys.argv[1])
ray_environment.prepare(folder / "ray.token", loopback=True)
from gateway import cluster
from persistence.embedded import DataFolder

async def run():
    with_files = DataFolder.open(folder)
    own = await cluster.start(with_files, "127.0.0.1", int(sys.argv[2]))
    print(own.address, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await own.stop()
    with_files.close()

asyncio.run(run())
"""


async def playhead(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run the command: exit status, what it printed, what it complained of."""
    process = await _start(arguments, environment)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def _start(arguments: tuple[str, ...], environment: dict[str, str]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return await asyncio.create_subprocess_exec(
        *PLAYHEAD, *arguments, stdout=pipe, stderr=pipe, env=inherited | environment
    )


@pytest.mark.parametrize("command", COMMANDS)
async def test_help_of_every_command(command: str) -> None:
    code, out, _ = await playhead(command, "--help")
    assert code == 0
    assert "--config FILE" in out and len(out.splitlines()) > 8


async def test_token_is_one_that_verifies(tmp_path: Path) -> None:
    code, out, said = await playhead("token", "ada", "--minutes", "2", "--data", str(tmp_path))
    assert "a new key" in said, "a key nobody has signed with yet opens no running system"
    assert code == 0 and out.count("\n") == 1
    identity = TokenVerifier(open_keys(tmp_path / "keys").jwks).verify(out.strip())
    assert identity.student == "ada"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("token", "ada", "--minutes", "0"), "--minutes"),
        (("token", "x" * 65), "64"),
        (("status",), "./run demo"),
        (("scale",), "--shards 4"),
        (("scale", "--shards", "3"), "./run demo"),
        (("up",), "postgres.dsn"),
        (("migrate",), "PLAYHEAD_POSTGRES_DSN"),
        (("migrate", "--config", "/no/such.toml"), "/no/such.toml"),
    ],
)
async def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = await playhead(*arguments, "--data", str(tmp_path))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("playhead: ") and says in err


@pytest_asyncio.fixture(loop_scope="session")
async def joined(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """A Ray cluster somebody else runs, as the environment of one who may join it."""
    folder, pipe = tmp_path / "cluster", asyncio.subprocess.PIPE
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLUSTER, str(folder), str(free_port())),
        stdin=pipe,
        stdout=pipe,
        env=inherited,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        address = await asyncio.wait_for(process.stdout.readline(), 150)
        yield {
            "PLAYHEAD_RAY_ADDRESS": address.decode().strip(),
            "RAY_AUTH_TOKEN_PATH": str(folder / "ray.token"),
            **ray_environment.LOOPBACK,
        }
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 60)


@pytest.mark.timeout(400)
async def test_up_again_and_again_on_a_joined_cluster(
    embedded: Embedded, joined: dict[str, str], tmp_path: Path
) -> None:
    """What failed or was drained leaves nobody who would meet the next `up` with old settings."""
    async with make_database(embedded, "joined") as dsn:
        environment = joined | stores(embedded, dsn)
        code, _, err = await playhead("migrate", **environment)
        assert code == 0, err
        up = ("up", "--data", str(tmp_path / "data"), "--port")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            web_port, socket_port = str(free_port()), str(taken.getsockname()[1])
            code, _, err = await playhead(*up, web_port, "--socket-port", socket_port, **environment)
            assert code == 1 and socket_port in err
        for shards in (1, 2):
            web_port, socket_port = str(free_port()), str(free_port())
            options = (web_port, "--socket-port", socket_port, "--shards", str(shards))
            async with running((*up, *options), environment):
                code, out, err = await playhead(
                    "status", "--json", "--data", str(tmp_path / "data"), **environment
                )
                actors = json.loads(out)["actors"]
                assert sum(name.startswith("shard:") for name in actors) == shards, err
                for port in (web_port, socket_port):
                    _, writer = await asyncio.open_connection("127.0.0.1", int(port))
                    writer.close()


@asynccontextmanager
async def running(up: tuple[str, ...], environment: dict[str, str]) -> AsyncIterator[None]:
    """`playhead up` from its last line to SIGTERM and an orderly end."""
    process = await _start(up, environment)
    try:
        await asyncio.wait_for(_until(process, r"pages http"), 150)
        yield
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def stores(embedded: Embedded, dsn: str) -> dict[str, str]:
    """The stores of the run as an operator names them."""
    return {
        "PLAYHEAD_POSTGRES_DSN": dsn,
        "PLAYHEAD_REDIS_URL": embedded.redis_url,
        "PLAYHEAD_OBJECTS_ENDPOINT_URL": embedded.s3.endpoint_url,
        "PLAYHEAD_OBJECTS_ACCESS_KEY": embedded.s3.access_key,
        "PLAYHEAD_OBJECTS_SECRET_KEY": embedded.s3.secret_key,
    }


@pytest.mark.timeout(300)
async def test_migrate_then_up_then_scale_then_sigterm(
    embedded: Embedded, postgres_dsn: str, tmp_path: Path
) -> None:
    environment = stores(embedded, postgres_dsn)
    ports = (free_port(), free_port(), free_port())
    options = ("--port", "--socket-port", "--dashboard-port")
    chosen = [word for pair in zip(options, map(str, ports), strict=True) for word in pair]
    up = ("up", "--data", str(tmp_path), *chosen)
    code, _, err = await playhead(*up, **environment)
    assert code == 1 and "playhead migrate" in err
    code, _, err = await playhead("migrate", **environment)
    assert code == 0 and "0001_core.sql" in err
    ready = f"http://127.0.0.1:{ports[0]}/readyz"
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests", 1, 1))
    async with running(up, environment):
        async with aiohttp.ClientSession() as web, web.get(ready) as answer:
            assert answer.status == 200
        assert await postgres.value("SELECT count(*) FROM slot_lease WHERE owner <> '' AND epoch = 1") == 256
        await _scales(("--data", str(tmp_path)), environment)
        assert await postgres.value("SELECT count(DISTINCT owner) FROM slot_lease") == 3
    await postgres.close()


async def _scales(options: tuple[str, ...], environment: dict[str, str]) -> None:
    code, out, err = await playhead(
        "scale", "--shards", "3", "--gateways", "2", "--json", *options, **environment
    )
    assert code == 0, err
    said = json.loads(out)
    slots = [actor["slots"] for name, actor in said["actors"].items() if name.startswith("shard:")]
    assert sorted(slots) == [85, 85, 86] and said["moved"] == 85
    assert {"gateway:socket:0", "gateway:socket:1"} <= said["actors"].keys()
    code, out, err = await playhead("scale", "--shards", "3", *options, **environment)
    assert code == 0 and "0 slots moved" in out, err
    for count, says in (("0", "at least one"), ("400", "max_connections")):
        code, out, err = await playhead("scale", "--shards", count, *options, **environment)
        assert (code, out) == (1, "") and says in err and err.count("\n") == 1, err


async def _until(process: asyncio.subprocess.Process, pattern: str) -> None:
    assert process.stderr is not None
    printed = ""
    while not re.search(pattern, printed):
        line = await process.stderr.readline()
        assert line, f"it ended early and printed: {printed}"
        printed += line.decode()
