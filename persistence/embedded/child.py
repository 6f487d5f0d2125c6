"""A server process on this machine that cannot outlive the one who started it, with its log and its end."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from persistence.embedded import guard
from persistence.embedded.datafolder import DataFolder
from persistence.errors import SetupError

POLL_S = 0.01
LOG_TAIL_LINES = 12
# What the guard needs on top of the server's own time: SIGKILL, reaping, its exit.
GUARD_MARGIN_S = 5.0


# (pid, when it started) of the server, then of its guard: a pid is reused, the pair is not.
Recorded = list[tuple[int, int]]


@dataclass(frozen=True)
class Order:
    """What to run: `argv` with exactly `env`, ended by `stop_signal`, killed after `stop_timeout_s`.

    `drop` is how root is given up: `none`, `userns` or `setuid` (see `guard.drop_root`).
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    drop: str = "none"


class Child:
    """One running server under its guard. `pid` is the server's own."""

    def __init__(self, order: Order, guard_process: "subprocess.Popen[bytes]", log_path: Path) -> None:
        self.name = order.name
        self.log_path = log_path
        self.pid = guard_process.pid
        self._pids: Recorded = []
        self._order = order
        self._guard = guard_process

    def _know(self, pids: Recorded) -> None:
        """Take in what the guard recorded; nothing, if the server ended at once."""
        if pids:
            self._pids = pids
            self.pid = pids[0][0]

    @property
    def guard_pid(self) -> int:
        return self._guard.pid

    @property
    def exit_code(self) -> int | None:
        """The server's exit code (128 + n for signal n), or None while it runs."""
        return self._guard.poll()

    async def wait(self, timeout_s: float) -> int:
        """The exit code, awaited for at most `timeout_s`. Raises `SetupError` after that."""
        await until(lambda: self.exit_code is not None, timeout_s, f"{self.name} did not end")
        return self.exit_code or 0

    async def until_ready(self, probe: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
        """Ask `probe` until it says yes. Raises `SetupError` with the log's end if the server dies first."""
        deadline = time.monotonic() + timeout_s
        while not await probe():
            if self.exit_code is not None:
                raise early_exit(self.name, self.exit_code, self.log_path)
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{self.name} was not ready after {timeout_s:.0f} s: see {self.log_path}.\n"
                    + log_tail(self.log_path)
                )
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """End the server with its stop signal and wait; SIGKILL if that takes too long. Harmless twice."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        # The guard allows the stop signal and then SIGKILL the same time each.
        bound_s = 2 * self._order.stop_timeout_s + GUARD_MARGIN_S
        with contextlib.suppress(SetupError):
            await until(lambda: self.exit_code is not None, bound_s, f"{self.name} did not stop")
        # Only where the guard was killed, or hangs, is anybody left.
        await _end(self._pids, [signal.SIGKILL], GUARD_MARGIN_S)
        await until(lambda: self.exit_code is not None, GUARD_MARGIN_S, f"{self.name}'s guard did not end")


async def until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait until `condition` holds; `SetupError` with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SetupError(f"{what} within {timeout_s:.0f} s.")
        await asyncio.sleep(POLL_S)


async def start(folder: DataFolder, order: Order) -> Child:
    """Start `order` under a guard, after ending what an earlier start may have left behind under its name."""
    await end_earlier(folder, order.name, order.stop_signal, order.stop_timeout_s)
    pid_path = folder.pid_path(order.name)
    log_path = folder.log_path(order.name)
    message = {
        "argv": list(order.argv),
        "drop": order.drop,
        "stop_signal": int(order.stop_signal),
        "stop_timeout_s": order.stop_timeout_s,
        "pid_path": str(pid_path),
        "starter_pid": os.getpid(),
    }
    with log_path.open("ab") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - a fork and exec, no waiting
            [sys.executable, "-I", "-S", guard.__file__, json.dumps(message)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=dict(order.env),
            cwd=folder.path,
            start_new_session=True,
        )
    child = Child(order, process, log_path)
    try:
        # The guard writes the pids before the server runs; the file may be gone again if it ended at once.
        await until(
            lambda: pid_path.exists() or child.exit_code is not None, 10.0, f"{order.name} did not start"
        )
        child._know(_recorded(pid_path))
    except BaseException:
        await child.stop()
        raise
    return child


async def run(folder: DataFolder, order: Order, timeout_s: float) -> None:
    """Run `order` to its end under the same guard. Raises `SetupError` with the log's end if it fails."""
    child = await start(folder, order)
    try:
        code = await child.wait(timeout_s)
    finally:
        await child.stop()
    if code != 0:
        raise early_exit(order.name, code, child.log_path)


def early_exit(name: str, code: int, log_path: Path) -> SetupError:
    return SetupError(f"{name} ended by itself (exit code {code}): see {log_path}.\n{log_tail(log_path)}")


def log_tail(path: Path) -> str:
    """The last lines of a log, indented."""
    lines = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join(f"  {line}" for line in lines)


def _recorded(pid_path: Path) -> Recorded:
    try:
        return [(int(pid), started) for pid, started in json.loads(pid_path.read_bytes()) if started]
    except (FileNotFoundError, ValueError):
        return []


async def end_earlier(folder: DataFolder, name: str, stop_signal: signal.Signals, timeout_s: float) -> None:
    """End server `name` of an earlier start: one that was killed a moment ago, or together with its guard.

    A launcher does this before it chooses the port, which the earlier server may still hold.
    """
    pid_path = folder.pid_path(name)
    left = await _end(_recorded(pid_path), [stop_signal, signal.SIGKILL], timeout_s)
    if left:
        raise SetupError(f"{name} of an earlier start still runs (process {left[0]}): end it first.")
    pid_path.unlink(missing_ok=True)


async def _end(pids: Recorded, signals: Sequence[signal.Signals], timeout_s: float) -> list[int]:
    """Send each signal to those of `pids` that still run, `timeout_s` apart at most; who is left then."""

    def alive() -> list[int]:
        return [pid for pid, started in pids if guard.started_at(pid) == started]

    for number in signals:
        for pid in alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        with contextlib.suppress(SetupError):
            await until(lambda: not alive(), timeout_s, "")
    return alive()
