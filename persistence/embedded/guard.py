"""The guard: a tiny parent for one server, which ends it when whoever started it is gone, even by SIGKILL.

Run as a script (`python -I -S guard.py '<json order>'`), standard library only, so that it starts in
milliseconds and holds nothing it need not. Its standard input is a pipe nobody writes to: end of file means
that the starter closed it (stop) or died (stop as well), so both go the same way.

Why not PR_SET_PDEATHSIG alone: it is tied to the *thread* that forked, and the kernel forgets it when the
child changes its user. The guard has one thread, and sets it too, against its own death.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWUSER = 0x10000000
NOBODY = 65534

# How often the guard looks whether its parent changed: only for a starter that forked without exec, so that
# a copy of the pipe's end outlives it.
ORPHAN_CHECK_S = 1.0

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)

EXEC_FAILED = 127
DROP_FAILED = 126


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int) -> None:
    _libc().prctl(option, argument, 0, 0, 0)


def drop_root(way: str) -> None:
    """Give up being root, in this process: `userns` (root outside, nobody inside) or `setuid` (nobody).

    Postgres refuses to run as root. In a user namespace the files stay root's own and no folder above them
    has to be opened to others; where such namespaces are denied, the real user `nobody` is left.
    """
    if way == "userns":
        if _libc().unshare(CLONE_NEWUSER) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        for name, line in (("uid_map", f"{NOBODY} 0 1"), ("setgroups", "deny"), ("gid_map", f"{NOBODY} 0 1")):
            Path(f"/proc/self/{name}").write_text(line)
    elif way == "setuid":
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def started_at(pid: int) -> int | None:
    """When `pid` started, in ticks since boot: with the pid it names one process for ever. None: gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _write_pids(path: Path, server_pid: int) -> None:
    """Leave word of both pids, so that the next start can end what a double fault left behind."""
    pids = [[pid, started_at(pid)] for pid in (server_pid, os.getpid())]
    new = path.with_suffix(".new")
    new.write_text(json.dumps(pids))
    new.replace(path)


def _complain(line: str) -> None:
    os.write(2, f"{line}\n".encode())


def _spawn(argv: list[str], drop: str, stop_signal: int, pid_path: Path) -> int:
    """Fork the server in its own process group; it runs only after its pid is on disk."""
    go_read, go_write = os.pipe()
    # Blocked over the fork: a stop that comes before the server has its own handlers must not be swallowed.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(go_read)
        _write_pids(pid_path, pid)
        os.write(go_write, b"g")
        os.close(go_write)
        return pid
    try:
        os.close(go_write)
        os.setpgid(0, 0)
        if os.read(go_read, 1) != b"g":
            os._exit(EXEC_FAILED)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        try:
            drop_root(drop)
        except OSError as error:
            _complain(f"cannot give up root by {drop}: {error}")
            os._exit(DROP_FAILED)
        _prctl(PR_SET_PDEATHSIG, stop_signal)  # after the change of user, which would clear it
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.execvp(argv[0], argv)
    except OSError as error:
        _complain(f"cannot run {argv[0]}: {error}")
    finally:
        os._exit(EXEC_FAILED)


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _reap() -> Iterator[tuple[int, int]]:
    """Every child that ended, without waiting: (pid, exit code). The guard adopts its server's orphans."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield pid, os.waitstatus_to_exitcode(status)


class _Watch:
    """What the guard waits for: the starter's end of the pipe, its own signals, its children."""

    def __init__(self, server_pid: int, starter_pid: int, wakeup: int) -> None:
        self.server_pid = server_pid
        self.starter_pid = starter_pid
        self.wakeup = wakeup
        self.exit_code: int | None = None
        self.stop_asked = False

    def wait(self, timeout_s: float) -> None:
        """Sleep until something happens or `timeout_s` is over, then take it in."""
        sources = [self.wakeup] if self.stop_asked else [self.wakeup, 0]
        ready, _, _ = select.select(sources, [], [], timeout_s)
        if self.wakeup in ready and any(number != signal.SIGCHLD for number in os.read(self.wakeup, 512)):
            self.stop_asked = True
        if (0 in ready and os.read(0, 512) == b"") or os.getppid() != self.starter_pid:
            self.stop_asked = True
        for pid, code in _reap():
            if pid == self.server_pid:
                self.exit_code = code

    def wait_for_exit(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.exit_code is None and (left := deadline - time.monotonic()) > 0:
            self.wait(min(left, ORPHAN_CHECK_S))
        return self.exit_code is not None


def _end_all(watch: _Watch, stop_signal: int, stop_timeout_s: float) -> None:
    """Stop the server politely, then whatever of its family is left, not politely; return when none is."""
    if watch.exit_code is None:
        os.kill(watch.server_pid, stop_signal)
        if not watch.wait_for_exit(stop_timeout_s):
            os.kill(watch.server_pid, signal.SIGKILL)
            watch.wait_for_exit(stop_timeout_s)
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        watch.wait(ORPHAN_CHECK_S)


def _try_userns() -> int:
    """0 if this machine lets root run something as nobody in a user namespace."""
    try:
        drop_root("userns")
    except OSError:
        return DROP_FAILED
    return 0


def main() -> int:
    """Obey one order: `argv`, `drop`, `stop_signal`, `stop_timeout_s`, `pid_path`, `starter_pid`."""
    if sys.argv[1] == "--try-userns":
        return _try_userns()
    order = json.loads(sys.argv[1])
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wakeup_read, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write)
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    pid_path = Path(order["pid_path"])
    server_pid = _spawn(order["argv"], order["drop"], order["stop_signal"], pid_path)
    watch = _Watch(server_pid, order["starter_pid"], wakeup_read)
    while watch.exit_code is None and not watch.stop_asked:
        watch.wait(ORPHAN_CHECK_S)
    _end_all(watch, order["stop_signal"], order["stop_timeout_s"])
    pid_path.unlink(missing_ok=True)
    code = watch.exit_code
    return 0 if code is None else code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
