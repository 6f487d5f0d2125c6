"""CPU and memory of the server's processes, by group: what the system costs, all of it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

OTHER = "Ray"
"""Whatever belongs to no named process: raylet, GCS, dashboard, agents, idle workers."""

LOAD = "the load"

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


class _Stat(NamedTuple):
    parent: int
    cpu_s: float


class Process(NamedTuple):
    """One process: its group, its parent's pid, its CPU seconds since birth."""

    group: str
    parent: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Reading:
    """All processes at one moment, the load's among them: CPU seconds (user and system) since their birth."""

    by_pid: Mapping[int, Process]

    @property
    def cpu_s(self) -> dict[str, float]:
        """By group of the server."""
        found: dict[str, float] = {}
        for process in self.by_pid.values():
            if process.group != LOAD:
                found[process.group] = found.get(process.group, 0.0) + process.cpu_s
        return found

    def since(self, earlier: "Reading") -> dict[str, float]:
        """CPU seconds spent by group of the server since an earlier reading; see `spent_since`."""
        spent_s = self.spent_since(earlier)
        spent_s.pop(LOAD, None)
        return spent_s

    def spent_since(self, earlier: "Reading") -> dict[str, float]:
        """CPU seconds spent by group since an earlier reading, the load's too.

        Each process counts where it belongs now: one that has just become known by name brings along no more
        than it spent since. The life of one that has ended stands in its parent's account, where what was
        counted before is taken off.
        """
        found: dict[str, float] = {}
        for pid, now in self.by_pid.items():
            before = earlier.by_pid.get(pid)
            spent_s = now.cpu_s - (before.cpu_s if before else 0.0)
            found[now.group] = found.get(now.group, 0.0) + spent_s
        for pid, gone in earlier.by_pid.items():
            if pid not in self.by_pid and (parent := self.by_pid.get(gone.parent)) is not None:
                found[parent.group] -= gone.cpu_s
        return found


class Meter:
    """Reads the descendants of a process. `named` maps pids to groups; a descendant of such a pid is in its
    group too (Postgres' backends), what is below none of them is `OTHER`. `left_out` are pids, with their
    descendants, that are no part of the server: the load.
    """

    def __init__(self, root: int, named: Mapping[int, str], left_out: Iterable[int] = ()) -> None:
        self._root = root
        self._named = dict(named)
        self._left_out = set(left_out)

    def leave_out(self, pids: Iterable[int]) -> None:
        """These are no part of the server."""
        self._left_out.update(pids)

    def name(self, named: Mapping[int, str]) -> None:
        """More processes are known by name: those that have started since."""
        self._named |= named

    def read(self) -> Reading:
        """CPU by group now. What children spent before they ended is counted with their parent."""
        stats = _stats()
        groups = self._groups(stats)
        return Reading({pid: Process(group, *stats[pid]) for pid, group in groups.items()})

    def memory_bytes(self) -> dict[str, int]:
        """Memory by group now: PSS, so that shared pages count once; RSS where that may not be read."""
        memory: dict[str, int] = {}
        for pid, group in self.groups().items():
            memory[group] = memory.get(group, 0) + _memory_of(pid)
        return memory

    def load_memory_bytes(self) -> int:
        """Memory of the load."""
        return sum(_memory_of(pid) for pid, group in self._groups(_stats()).items() if group == LOAD)

    def groups(self) -> dict[int, str]:
        """Every process of the server now and its group."""
        return {pid: group for pid, group in self._groups(_stats()).items() if group != LOAD}

    def _groups(self, stats: Mapping[int, _Stat]) -> dict[int, str]:
        found = {pid: self._group(pid, stats) for pid in stats}
        return {pid: group for pid, group in found.items() if group is not None}

    def _group(self, pid: int, stats: Mapping[int, _Stat]) -> str | None:
        """The group of the nearest named one on the way up; None for what is not below the root."""
        group = None
        if pid == self._root:
            return None
        while pid != self._root:
            stat = stats.get(pid)
            if stat is None or pid <= 1:
                return None
            group = LOAD if pid in self._left_out else group or self._named.get(pid)
            pid = stat.parent
        return group or OTHER


def _stats() -> dict[int, _Stat]:
    """Every process of the machine; one that ends meanwhile is not among them, its parent has its time."""
    found = {}
    for name in os.listdir(_PROC):  # noqa: PTH208 - a hundred names a second, each read
        if name.isdigit() and (stat := _stat(int(name))) is not None:
            found[int(name)] = stat
    return found


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name, in brackets, may hold anything; what follows is numbers (proc(5): ppid 4, times 14 to 17).
    fields = text[text.rindex(b")") + 2 :].split()
    return _Stat(int(fields[1]), sum(map(int, fields[11:15])) * _TICK_S)


def _memory_of(pid: int) -> int:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except PermissionError:
        return _resident_of(pid)
    except OSError:
        pass  # it has just ended
    return 0


def _resident_of(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
