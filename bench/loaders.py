"""The loader processes of one run: started, ordered together, their results put into one."""

import asyncio
import json
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgpack

from bench.checker import Faults
from persistence.errors import PlayheadError

LINE_BYTES = 1 << 16
END_S = 5.0


class Ordered(Protocol):
    """What one loader is told at its start."""

    def line(self) -> str:
        """As one argument of a command line."""


class LoaderLost(PlayheadError):
    """A loader process ended before its work was done; its own words stand above."""


COUNTS = ("updates", "connected", "frames_in", "bytes_in", "frames_out", "older_heads", "cpu_s")
STORM_COUNTS = ("postponed", "attempts", "lost", "turned_away")


@dataclass(slots=True)
class Second:
    """What was heard in one second of the drive, in s; `late` is how late the load itself sent."""

    ack: "array[float]" = field(default_factory=lambda: array("d"))
    push: "array[float]" = field(default_factory=lambda: array("d"))
    late: "array[float]" = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class Result:
    """What all loaders measured together. `times` are sorted, in s, by name (see `Loader.result`)."""

    updates: int = 0
    connected: int = 0
    frames_in: int = 0
    bytes_in: int = 0
    frames_out: int = 0
    older_heads: int = 0
    cpu_s: float = 0.0
    postponed: int = 0
    attempts: int = 0
    lost: int = 0
    turned_away: int = 0
    closes: Counter[str] = field(default_factory=Counter)
    faults: Faults = field(default_factory=Faults)
    times: dict[str, "array[float]"] = field(default_factory=dict)
    seconds: list[Second] = field(default_factory=list)

    def add(self, part: dict[str, Any]) -> None:
        """Take in what one loader measured."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + part[name])
        for name in STORM_COUNTS:
            setattr(self, name, getattr(self, name) + part.get(name, 0))
        self.closes.update(part["closes"])
        self.faults.kinds.update(part["faults"]["kinds"])
        self.faults.kept += part["faults"]["kept"]
        times = {name: array("d", data) for name, data in part["times"].items()}
        for name, values in times.items():
            self.times.setdefault(name, array("d")).extend(values)
        self._add_seconds(times, part.get("seconds", []))

    def _add_seconds(self, times: dict[str, "array[float]"], ends: Sequence[Sequence[int]]) -> None:
        begins: Sequence[int] = (0, 0, 0)
        for number, end in enumerate(ends):
            if number == len(self.seconds):
                self.seconds.append(Second())
            second = self.seconds[number]
            for place, name in enumerate(("ack", "push", "late")):
                getattr(second, name).extend(times[name][begins[place] : end[place]])
            begins = end


class Loaders:
    """All loader processes, each running `module` with one line of orders as its argument. `on_report` hears
    the sums of what they report every second.
    """

    def __init__(
        self,
        orders: Sequence[Ordered],
        on_report: Callable[[dict[str, int]], None],
        module: str = "bench.loader",
    ) -> None:
        self._orders = orders
        self._on_report = on_report
        self._module = module
        self._processes: list[asyncio.subprocess.Process] = []
        self._readers: list[asyncio.Task[None]] = []
        self._awaited: dict[tuple[int, str], asyncio.Future[None]] = {}
        self._reports: dict[int, dict[str, int]] = {}

    @property
    def pids(self) -> list[int]:
        """Their processes."""
        return [process.pid for process in self._processes]

    async def start(self) -> None:
        """Start all; done when each has written its scripts."""
        for orders in self._orders:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                orders.line(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES,
            )
            self._processes.append(process)
        started = self._all_done("start")
        self._readers = [asyncio.create_task(self._read_lines(process)) for process in self._processes]
        await started

    async def order(self, do: str, **how: Any) -> None:
        """Tell all of them the same and wait until each has done it. Raises `LoaderLost`."""
        done = self._all_done(do)
        for process in self._processes:
            self._tell(process, {"do": do, **how})
        await done

    async def settle(self, until_s: float, folder: Path) -> Result:
        """Let them wait for every answer, and read what they measured."""
        files = [folder / f"loader-{part}" for part in range(len(self._processes))]
        done = self._all_done("settle")
        for process, file in zip(self._processes, files, strict=True):
            self._tell(process, {"do": "settle", "until_s": until_s, "file": str(file)})
        await done
        return await asyncio.to_thread(_read, files)

    async def stop(self) -> None:
        """End them: the end of their input, and if that is not enough, a signal."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            try:
                async with asyncio.timeout(END_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        await asyncio.gather(*self._readers, return_exceptions=True)

    def _tell(self, process: asyncio.subprocess.Process, order: dict[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")

    def _all_done(self, what: str) -> "asyncio.Future[list[None]]":
        loop = asyncio.get_running_loop()
        for process in self._processes:
            awaited = self._awaited[process.pid, what] = loop.create_future()
            if process.returncode is not None:
                awaited.set_exception(_lost(what))
        return asyncio.gather(*(self._awaited[process.pid, what] for process in self._processes))

    async def _read_lines(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            said = json.loads(line)
            if "done" in said:
                awaited = self._awaited.pop((process.pid, said["done"]))
                if not awaited.done():
                    awaited.set_result(None)
                continue
            self._reports[process.pid] = said
            reports = self._reports.values()
            self._on_report({name: sum(report.get(name, 0) for report in reports) for name in said})
        for (pid, what), awaited in self._awaited.items():
            if pid == process.pid and not awaited.done():
                awaited.set_exception(_lost(what))


def _lost(what: str) -> LoaderLost:
    return LoaderLost(f"a loader ended before it had done its part ({what}); see its words above")


def _read(files: Sequence[Path]) -> Result:
    result = Result()
    for file in files:
        result.add(msgpack.unpackb(file.read_bytes()))
    for name, times in result.times.items():
        result.times[name] = array("d", sorted(times))
    return result
