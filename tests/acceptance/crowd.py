"""A small crowd that keeps watching while a test does something to the system, and is asked afterwards."""

import asyncio
import time
from dataclasses import dataclass, field

from gateway.client import Device
from tests.acceptance.system import System
from tests.acceptance.watching import Viewer

BEAT_MS = 10_000
EVERY_S = 0.25
ANSWER_S = 60.0


@dataclass(slots=True)
class Student:
    """One student with a device that plays, and what it has played."""

    name: str
    item: str
    device: Device
    viewer: Viewer
    played_ms: int = 0
    longest_s: float = 0.0


@dataclass(slots=True)
class Crowd:
    """Students who play on and on, each waiting for every beat to be applied; use it with `async with`."""

    system: System
    count: int
    students: list[Student] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> "Crowd":
        self.students = list(await asyncio.gather(*(self._begin() for _ in range(self.count))))
        self._tasks = [asyncio.create_task(self._watch(student)) for student in self.students]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def beats(self, count: int) -> None:
        """Wait until every student has had so many more beats applied; raises what went wrong for one."""
        wanted = [student.played_ms + count * BEAT_MS for student in self.students]
        async with asyncio.timeout(ANSWER_S):
            while any(student.played_ms < ms for student, ms in zip(self.students, wanted, strict=True)):
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.05)

    def longest_s(self) -> float:
        """The longest time anybody waited for `applied` since this was asked last."""
        longest_s = max(student.longest_s for student in self.students)
        for student in self.students:
            student.longest_s = 0.0
        return longest_s

    def closes(self) -> list[int]:
        """The close codes of all devices so far."""
        return [code for student in self.students for code in student.device.closes]

    async def end(self) -> list[str]:
        """Everybody pauses; gives what is missing or wrong once all is durable, nothing if all is well."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return [wrong for found in await asyncio.gather(*map(self._look, self.students)) for wrong in found]

    async def _begin(self) -> Student:
        name, item = await self.system.student(), await self.system.lecture(36_000_000)
        device = await self.system.device(name).start(ANSWER_S)
        viewer = await Viewer(device, item).open()
        await viewer.press_play()
        return Student(name, item, device, viewer)

    async def _watch(self, student: Student) -> None:
        while True:
            began_s = time.monotonic()
            seq = await student.viewer.watch(BEAT_MS)
            await student.device.until(lambda seq=seq: student.device.applied >= seq, ANSWER_S)  # type: ignore[misc]
            student.longest_s = max(student.longest_s, time.monotonic() - began_s)
            student.played_ms += BEAT_MS
            await asyncio.sleep(EVERY_S)

    async def _look(self, student: Student) -> list[str]:
        """What the server says of a student, asked by another device of theirs."""
        await student.viewer.pause()
        await student.device.until_durable(ANSWER_S)
        other = await self.system.device(student.name, "laptop").start(ANSWER_S)
        head = await other.pull(student.item)
        # A beat that was on its way when the watching ended has been played as well.
        said, meant = (head["position_ms"], head["content_ms"]), student.viewer.position_ms
        wrong = [] if said == (meant, meant) else [f"{student.name}: {said} instead of {meant}"]
        if student.device.rejected:
            wrong.append(f"{student.name}: refused {student.device.rejected}")
        return wrong
