"""`playhead demo` as a person starts it: links, status, refusals, and nothing left behind."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.acceptance.system import free_port

START_S = 150.0
STOP_S = 60.0
LINK = re.compile(r"http://\S+#sign-in=(\S+)")


@dataclass(slots=True)
class Demo:
    """A running `playhead demo`: its process, what it printed, everything it had started by then."""

    process: asyncio.subprocess.Process
    web_port: int
    printed: str = ""
    started: list[psutil.Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    async def until_printed(self, pattern: str, timeout_s: float = START_S) -> None:
        """Read its output until the pattern stands in it."""
        assert self.process.stderr is not None
        async with asyncio.timeout(timeout_s):
            while not re.search(pattern, self.printed):
                line = await self.process.stderr.readline()
                assert line, f"it ended early and printed: {self.printed}"
                self.printed += line.decode()
        self.started = psutil.Process(self.process.pid).children(recursive=True)

    async def ended(self) -> list[str]:
        """Wait for the process and all it started to be gone; gives the command lines of what is left."""
        await asyncio.wait_for(self.process.wait(), STOP_S)
        _gone, left = await asyncio.to_thread(psutil.wait_procs, self.started, STOP_S)
        return [_command(process) for process in left]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return str(process.pid)


def _arguments(data: Path, web_port: int) -> list[str]:
    ports = ["--port", str(web_port), "--socket-port", str(free_port()), "--dashboard-port", str(free_port())]
    return [sys.executable, "-m", "gateway.cli", "demo", "--data", str(data), *ports]


@asynccontextmanager
async def run_demo(data: Path) -> AsyncIterator[Demo]:
    """A demo on this data folder, stopped at the end whatever happens."""
    web_port = free_port()
    pipe = asyncio.subprocess.PIPE
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = await asyncio.create_subprocess_exec(
        *_arguments(data, web_port), stderr=pipe, stdout=pipe, env=environment
    )
    demo = Demo(process, web_port)
    try:
        yield demo
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.communicate(), STOP_S)


async def run_to_end(arguments: list[str]) -> tuple[int, str]:
    """Exit status and what it printed."""
    pipe = asyncio.subprocess.PIPE
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = await asyncio.create_subprocess_exec(*arguments, stdout=pipe, stderr=pipe, env=environment)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode() + err.decode()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for this module: the second start finds what the first has made."""
    return tmp_path_factory.mktemp("demo")


@pytest.mark.timeout(400)
async def test_demo_serves_a_lecture_and_ends_on_ctrl_c(data: Path) -> None:
    async with run_demo(data) as demo:
        await demo.until_printed("Ctrl-C stops everything")
        links = LINK.findall(demo.printed)
        assert len(links) == 4
        async with aiohttp.ClientSession(demo.url) as web:
            await _plays(web, links[0])
        code, status = await run_to_end(
            [sys.executable, "-m", "gateway.cli", "status", "--json", "--data", str(data)]
        )
        assert code == 0, status
        actors = json.loads(status)["actors"]
        assert set(actors) == {"shard:0", "shard:1", "gateway:socket:0", "gateway:web:0"}
        assert sum(actor.get("slots", 0) for actor in actors.values()) == 256
        await _refuses_a_second_start(data, demo.process.pid)
        demo.process.send_signal(signal.SIGINT)
        assert await demo.ended() == []
        assert demo.process.returncode == 0


async def _plays(web: aiohttp.ClientSession, code: str) -> None:
    """Sign in by the link's code, find the lecture, and read its first bytes by a presigned URL."""
    async with web.post("/v1/sign-in", json={"code": code}) as answer:
        assert answer.status == 200, await answer.text()
        token = (await answer.json())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with web.get("/v1/items/lecture-1/media", headers=headers) as answer:
        media = await answer.json()
    async with web.get(media["mp4_url"], headers={"Range": "bytes=0-99"}) as answer:
        assert (answer.status, len(await answer.read())) == (206, 100)


async def _refuses_a_second_start(data: Path, holder: int) -> None:
    code, said = await run_to_end(_arguments(data, free_port()))
    assert code == 1
    assert str(holder) in said and "http://" in said and said.count("\n") == 1, said


@pytest.mark.timeout(400)
async def test_sigkill_of_the_demo_leaves_nothing(data: Path) -> None:
    async with run_demo(data) as demo:
        await demo.until_printed("Ctrl-C stops everything")
        assert len(demo.started) >= 8, "servers, Ray and its workers"
        demo.process.kill()
        assert await demo.ended() == []


async def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = await run_to_end(_arguments(tmp_path, port))
    assert code == 1
    assert f"port {port}" in said and "--port" in said and said.count("\n") == 1


async def test_a_missing_video_is_one_line(tmp_path: Path) -> None:
    code, said = await run_to_end([*_arguments(tmp_path, free_port()), "--video", "/no/such/talk.mp4"])
    assert code == 1
    assert "/no/such/talk.mp4" in said and said.count("\n") == 1
