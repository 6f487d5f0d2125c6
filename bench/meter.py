"""CPU and memory of the server's processes, by group: what the system costs, all of it."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

OTHER = "Ray"
"""Whatever belongs to no named process: raylet, GCS, dashboard, agents, idle workers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All processes of the server at one moment: CPU seconds (user and system) since their birth by group."""

    cpu_s: Mapping[str, float]
    processes: int

    def since(self, earlier: "Reading") -> dict[str, float]:
        """CPU seconds spent by group since an earlier reading."""
        return {group: cpu_s - earlier.cpu_s.get(group, 0.0) for group, cpu_s in self.cpu_s.items()}


class Meter:
    """Reads the descendants of a process. `named` maps pids to groups; a descendant of such a pid is in its
    group too (Postgres' backends), what is below none of them is `OTHER`. `left_out` are pids, with their
    descendants, that are no part of the server: the load.
    """

    def __init__(self, root: int, named: Mapping[int, str], left_out: Iterable[int] = ()) -> None:
        self._root = psutil.Process(root)
        self._named = dict(named)
        self._left_out = set(left_out)

    def leave_out(self, pids: Iterable[int]) -> None:
        """These are no part of the server."""
        self._left_out.update(pids)

    def read(self) -> Reading:
        """CPU by group now. What children spent before they ended is counted with their parent."""
        cpu_s: dict[str, float] = {}
        processes = 0
        for process, group in self._processes():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue  # it has just ended; its parent has its time
            spent_s = times.user + times.system + times.children_user + times.children_system
            cpu_s[group] = cpu_s.get(group, 0.0) + spent_s
            processes += 1
        return Reading(cpu_s, processes)

    def memory_bytes(self) -> dict[str, int]:
        """Memory by group now: PSS, so that shared pages count once; RSS where that may not be read."""
        memory: dict[str, int] = {}
        for process, group in self._processes():
            try:
                memory[group] = memory.get(group, 0) + _memory_of(process)
            except psutil.Error:
                continue
        return memory

    def groups(self) -> dict[int, str]:
        """Every process of the server now and its group."""
        return {process.pid: group for process, group in self._processes()}

    def _processes(self) -> list[tuple[psutil.Process, str]]:
        below = {process.pid: process for process in self._root.children(recursive=True)}
        parents: dict[int, int] = {}
        for pid, process in below.items():
            with contextlib.suppress(psutil.Error):
                parents[pid] = process.ppid()
        groups = ((process, self._group(pid, parents)) for pid, process in below.items())
        return [(process, group) for process, group in groups if group is not None]

    def _group(self, pid: int, parents: Mapping[int, int]) -> str | None:
        """The group of the nearest named one on the way up; None for what is left out."""
        group = None
        while pid in parents:
            if pid in self._left_out:
                return None
            group = group or self._named.get(pid)
            pid = parents[pid]
        return group or OTHER


def _memory_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
