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


@dataclass(frozen=True, slots=True)
class Reading:
    """All processes of the server at one moment: CPU seconds (user and system) since their birth by group."""

    cpu_s: Mapping[str, float]
    processes: int
    load_cpu_s: float = 0.0

    def since(self, earlier: "Reading") -> dict[str, float]:
        """CPU seconds spent by group since an earlier reading."""
        return {group: cpu_s - earlier.cpu_s.get(group, 0.0) for group, cpu_s in self.cpu_s.items()}


class _Stat(NamedTuple):
    parent: int
    cpu_s: float


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
        cpu_s: dict[str, float] = {}
        groups = self._groups(stats)
        for pid, group in groups.items():
            cpu_s[group] = cpu_s.get(group, 0.0) + stats[pid].cpu_s
        load_s = cpu_s.pop(LOAD, 0.0)
        return Reading(cpu_s, sum(group != LOAD for group in groups.values()), load_s)

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
