"""The command line: help that teaches, one line for what is wrong, tokens that verify, `up` and `migrate`."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from gateway.keys import open_keys
from gateway.tokens import TokenVerifier
from persistence.embedded import Embedded
from persistence.postgres import PostgresSettings, open_postgres
from tests.acceptance.system import free_port

COMMANDS = ("demo", "up", "migrate", "token", "status")
PLAYHEAD = (sys.executable, "-m", "gateway.cli")


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
    code, out, _ = await playhead("token", "ada", "--minutes", "2", "--data", str(tmp_path))
    assert code == 0 and out.count("\n") == 1
    identity = TokenVerifier(open_keys(tmp_path / "keys").jwks).verify(out.strip())
    assert identity.student == "ada"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("token", "ada", "--minutes", "0"), "--minutes"),
        (("token", "x" * 65), "64"),
        (("status",), "playhead demo"),
        (("up",), "postgres.dsn"),
        (("migrate",), "PLAYHEAD_POSTGRES_DSN"),
        (("migrate", "--config", "/no/such.toml"), "/no/such.toml"),
    ],
)
async def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = await playhead(*arguments, "--data", str(tmp_path))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("playhead: ") and says in err


@pytest.mark.timeout(300)
async def test_migrate_then_up_then_sigterm(embedded: Embedded, postgres_dsn: str, tmp_path: Path) -> None:
    s3 = embedded.s3
    environment = {
        "PLAYHEAD_POSTGRES_DSN": postgres_dsn,
        "PLAYHEAD_REDIS_URL": embedded.redis_url,
        "PLAYHEAD_OBJECTS_ENDPOINT_URL": s3.endpoint_url,
        "PLAYHEAD_OBJECTS_ACCESS_KEY": s3.access_key,
        "PLAYHEAD_OBJECTS_SECRET_KEY": s3.secret_key,
    }
    ports = (free_port(), free_port(), free_port())
    options = ("--port", "--socket-port", "--dashboard-port")
    chosen = [word for pair in zip(options, map(str, ports), strict=True) for word in pair]
    up = ("up", "--data", str(tmp_path), *chosen)
    code, _, err = await playhead(*up, **environment)
    assert code == 1 and "playhead migrate" in err
    code, _, err = await playhead("migrate", **environment)
    assert code == 0 and "0001_core.sql" in err
    process = await _start(up, environment)
    try:
        await asyncio.wait_for(_until(process, r"pages http"), 150)
        async with aiohttp.ClientSession() as web, web.get(f"http://127.0.0.1:{ports[0]}/readyz") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests", 1, 1))
    assert await postgres.value("SELECT count(*) FROM slot_lease WHERE owner <> '' AND epoch = 1") == 256
    await postgres.close()


async def _until(process: asyncio.subprocess.Process, pattern: str) -> None:
    assert process.stderr is not None
    printed = ""
    while not re.search(pattern, printed):
        line = await process.stderr.readline()
        assert line, f"it ended early and printed: {printed}"
        printed += line.decode()
