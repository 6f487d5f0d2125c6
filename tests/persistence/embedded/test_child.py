"""A child cannot outlive its starter, whatever is killed, and says why it ended early."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from persistence.embedded import DataFolder, child, guard, start_all
from persistence.errors import SetupError
from tests.persistence.embedded.starter import Started, start_elsewhere

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data") as opened:
        yield opened


def shell(name: str, script: str, **more: Any) -> child.Order:
    return child.Order(name, ["/bin/sh", "-c", script], ENV, **more)


async def all_gone(started: Started) -> None:
    await child.until(lambda: not started.left(), 20, f"left running: {started.left()}")


async def test_sigkill_of_the_parent_leaves_no_orphan(tmp_path: Path) -> None:
    started = await asyncio.to_thread(start_elsewhere, tmp_path / "data")
    assert len(started.left()) >= 4 + 4 + 3  # guards, servers, and Postgres' own processes
    started.starter.kill()
    started.starter.wait(10)
    await all_gone(started)


async def test_a_start_right_after_sigkill_has_the_same_addresses(tmp_path: Path) -> None:
    """The guards may still be stopping the servers: the next start waits for that, and keeps the ports."""
    started = await asyncio.to_thread(start_elsewhere, tmp_path / "data")
    kept = (tmp_path / "data" / "ports.json").read_text()
    started.starter.kill()
    started.starter.wait(10)
    async with await start_all(tmp_path / "data") as again:
        assert not started.left()
        assert (tmp_path / "data" / "ports.json").read_text() == kept
        assert str(again.postgres.port) in kept


async def test_sigkill_of_the_guards_ends_their_servers(tmp_path: Path) -> None:
    started = await asyncio.to_thread(start_elsewhere, tmp_path / "data")
    for pid in started.guards:
        os.kill(pid, signal.SIGKILL)
    await child.until(
        lambda: {process.pid for process in started.left()} <= set(started.guards), 20, f"{started.left()}"
    )
    started.starter.kill()
    started.starter.wait(10)
    await all_gone(started)


async def test_a_start_ends_what_a_double_fault_left_behind(folder: DataFolder) -> None:
    """Parent and guard killed at once, and the server ignores the signal that tells of the guard's death."""
    first = await child.start(folder, shell("stubborn", "trap '' TERM; echo up; while :; do sleep 1; done"))
    await child.until(lambda: "up" in first.log_path.read_text(), 10, "the server did not come up")
    os.kill(first.guard_pid, signal.SIGKILL)
    await child.until(lambda: first.exit_code is not None, 10, "the guard did not die")
    assert guard.started_at(first.pid) is not None
    second = await child.start(folder, shell("stubborn", "exec sleep 60", stop_timeout_s=0.2))
    assert guard.started_at(first.pid) is None
    await second.stop()
    await first.stop()


async def test_stop_ends_a_server_whose_guard_was_killed(folder: DataFolder) -> None:
    server = await child.start(folder, shell("stubborn", "trap '' TERM; echo up; while :; do sleep 1; done"))
    await child.until(lambda: "up" in server.log_path.read_text(), 10, "the server did not come up")
    os.kill(server.guard_pid, signal.SIGKILL)
    await child.until(lambda: server.exit_code is not None, 10, "the guard did not die")
    assert guard.started_at(server.pid) is not None
    await server.stop()
    assert guard.started_at(server.pid) is None


async def test_a_recorded_pid_that_is_somebody_else_now_is_left_alone(folder: DataFolder) -> None:
    stranger = subprocess.Popen(["/bin/sleep", "60"])  # noqa: ASYNC220
    try:
        started = guard.started_at(stranger.pid)
        assert started is not None
        folder.pid_path("server").write_text(f"[[{stranger.pid}, {started - 1}]]")
        server = await child.start(folder, shell("server", "exec sleep 60"))
        await server.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_stop_ends_a_server_that_ignores_its_signal_and_all_it_started(folder: DataFolder) -> None:
    script = "trap '' TERM; setsid sleep 60 & setsid sleep 60 & echo up; while :; do sleep 1; done"
    server = await child.start(folder, shell("stubborn", script, stop_timeout_s=0.3))
    await child.until(lambda: "up" in server.log_path.read_text(), 10, "the server did not come up")
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    assert len(family) >= 3
    await server.stop()
    assert not [process for process in family if process.is_running()]
    assert server.exit_code == 128 + signal.SIGKILL


async def test_what_an_ended_server_started_is_ended_too(folder: DataFolder) -> None:
    server = await child.start(folder, shell("parent", "setsid sleep 60 & echo $! ; exit 3"))
    assert await server.wait(10) == 3
    await server.stop()
    orphan = int(server.log_path.read_text())
    assert guard.started_at(orphan) is None


async def test_a_child_outlives_the_thread_that_started_it(folder: DataFolder) -> None:
    """PR_SET_PDEATHSIG is tied to the forking thread: nothing of the starter may rest on it."""
    started: list[child.Child] = []

    def start_in_its_own_loop() -> None:
        started.append(
            asyncio.run(child.start(folder, shell("server", "sleep 0.2; echo alive; exec sleep 60")))
        )

    thread = threading.Thread(target=start_in_its_own_loop)
    thread.start()
    await asyncio.to_thread(thread.join)
    server = started[0]
    await child.until(lambda: "alive" in server.log_path.read_text(), 10, "the server died with the thread")
    assert server.exit_code is None
    await server.stop()


async def test_an_early_end_shows_the_last_lines_of_the_log(folder: DataFolder) -> None:
    server = await child.start(folder, shell("server", "seq 1 100; echo no room; exit 7"))

    async def never() -> bool:
        return False

    with pytest.raises(SetupError) as caught:
        await server.until_ready(never, 10)
    await server.stop()
    message = str(caught.value)
    assert "exit code 7" in message
    assert str(folder.log_path("server")) in message
    assert message.endswith("  100\n  no room")
    assert "\n  50\n" not in message


async def test_a_program_that_cannot_be_run_is_a_clear_error(folder: DataFolder) -> None:
    order = child.Order("server", ["/nonexistent/server"], ENV)
    with pytest.raises(SetupError, match=r"cannot run /nonexistent/server: .*No such file"):
        await child.run(folder, order, 10)


async def test_a_server_that_is_never_ready_is_given_up(folder: DataFolder) -> None:
    server = await child.start(folder, shell("server", "exec sleep 60"))

    async def never() -> bool:
        return False

    with pytest.raises(SetupError, match="not ready after"):
        await server.until_ready(never, 0.1)
    await server.stop()
