"""A part of the fleet: its students and devices, who send by the clock and judge what comes back."""

import asyncio
import itertools
import json
import time
import uuid
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.checker import Faults, Samples, StudentCheck
from bench.driver import LeanDevice, Target, Traffic, pack
from bench.messages import Head, Message, Welcome
from bench.plan import KINDS, VERSION, Mix, script
from gateway.client.clock import instant
from gateway.keys import open_keys
from gateway.tokens import TokenIssuer

CONNECTING_MAX = 512
"""Connections under way at once in one loader."""

HEAD_S = 60.0
"""Wait for the first head of one connection before it is given up as lost."""

TOKEN_S = 4 * 3600
LOOK_EVERY_S = 5.0
HEARTBEAT_S = 20.0
SETTLE_LOOK_S = 0.5
TICK_S = 0.008
"""What is due is sent this often: half of it is lateness of our own, and it spares the processor."""

READ_EVERY = 100
"""A loader that is late still reads after so many updates."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a loader is told at its start; of the students with one, two, three devices it has every
    `loaders`th. `connect_rate` is its connections per second, 0 for as many as go."""

    mix: Mix
    url: str
    sources: tuple[str, ...]
    keys_folder: str
    loaders: int
    part: int
    connect_rate: float = 0.0

    def line(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> "Orders":
        """What `line` gave."""
        fields = json.loads(line)
        return cls(**{**fields, "mix": Mix(**fields["mix"]), "sources": tuple(fields["sources"])})

    def numbers(self) -> list[int]:
        """The students of this loader: those of a kind are spread evenly over all loaders."""
        turns: dict[tuple[int, bool], int] = {}
        found = []
        for number in range(self.mix.students):
            kind = self.mix.device_count(number), self.mix.is_hot(number)
            turn = turns[kind] = turns.get(kind, -1) + 1
            if turn % self.loaders == self.part:
                found.append(number)
        return found


class _Entry(msgspec.Struct, omit_defaults=True, gc=False):
    """An event as it stands in the journal."""

    seq: int
    wall: str
    mono_ms: int
    boot: str
    session: str
    item: str
    version: str
    base_rev: int
    kind: str
    position_ms: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None


class Student:
    """One student: the check, the devices, and the `base_rev` of each device's run in progress."""

    __slots__ = ("base_revs", "check", "devices", "token")

    def __init__(self, check: StudentCheck, token: str) -> None:
        self.check = check
        self.token = token
        self.devices: list[LeanDevice] = []
        self.base_revs = [0] * len(check.devices)


class Loader:
    """The students of one process."""

    def __init__(self, orders: Orders) -> None:
        self.mix = orders.mix
        self.orders = orders
        self.faults = Faults()
        self.samples = Samples()
        self.traffic = Traffic()
        self.connected = 0
        self.turned_away = 0
        self.updates = 0
        self.cpu_s = 0.0
        self.opening = array("d")
        self.late = array("d")
        self.back = array("d")
        self.seconds: list[list[int]] = []
        """How many of `ack`, `push` and `late` there were at the end of each second of the drive."""
        self._boot = uuid.uuid4().hex[:12]
        self._wall_offset_s = time.time() - time.monotonic()
        self._second = (-1, "")
        self._waiting: dict[LeanDevice, asyncio.Future[None]] = {}
        self._pack = msgspec.msgpack.Encoder().encode
        issuer = TokenIssuer(open_keys(Path(orders.keys_folder)).signing)
        target = Target(orders.url, orders.sources)
        self.students = [self._student(number, issuer, target) for number in orders.numbers()]
        self.devices = [device for student in self.students for device in student.devices]

    def _student(self, number: int, issuer: TokenIssuer, target: Target) -> Student:
        check = StudentCheck(self.mix, script(self.mix, number), self.faults, self.samples)
        student = Student(check, issuer.issue("access", check.student, lifetime_s=TOKEN_S))
        student.devices = [
            LeanDevice(target, self, number, index, self.traffic, student)
            for index in range(len(check.devices))
        ]
        return student

    async def connect(self) -> None:
        """Connect every device, paced; done when each has its first head."""
        rate, began_s = self.orders.connect_rate, time.monotonic()
        room = asyncio.Semaphore(CONNECTING_MAX)
        async with asyncio.TaskGroup() as under_way:
            for turn, device in enumerate(self.devices):
                if rate and (wait_s := began_s + turn / rate - time.monotonic()) > 0:
                    await asyncio.sleep(wait_s)
                await room.acquire()
                under_way.create_task(self._connect(device)).add_done_callback(lambda _: room.release())

    def count_anew(self) -> None:
        """All are connected: what is closed from now on is told apart."""
        traffic = self.traffic
        self.turned_away += traffic.closes.total()
        traffic.closes.clear()
        traffic.postponed = traffic.attempts = traffic.lost = 0

    async def _connect(self, device: LeanDevice) -> None:
        began_s = time.monotonic()
        device.resume()
        greeted = self._waiting[device] = asyncio.get_running_loop().create_future()
        await device.connect()
        try:
            async with asyncio.timeout(HEAD_S):
                await greeted
            self.opening.append(time.monotonic() - began_s)
            self.connected += 1
        except TimeoutError:
            self._fault(device, f"no head {HEAD_S:.0f} s after connecting")
        finally:
            del self._waiting[device]

    async def drive(self, start_s: float) -> None:
        """Send every update at its time, counted from `start_s` (monotonic), whatever the server does."""
        spent_s = time.process_time()
        counting = asyncio.create_task(self._count_seconds(start_s))
        try:
            lanes = [_Lane(students, start_s) for students in self._by_period()]
            while any(lane.open for lane in lanes):
                await asyncio.sleep(TICK_S)
                for lane in lanes:
                    for turn, (due_s, student, step) in enumerate(lane.due(time.monotonic()), 1):
                        self._send(student, step, due_s)
                        if turn % READ_EVERY == 0:
                            await asyncio.sleep(0)
        finally:
            counting.cancel()
        self.cpu_s = time.process_time() - spent_s

    def _by_period(self) -> list[list[Student]]:
        found: dict[int, list[Student]] = {}
        for student in self.students:
            found.setdefault(student.check.period_ms, []).append(student)
        return list(found.values())

    async def _count_seconds(self, start_s: float) -> None:
        for second in itertools.count(1):
            await asyncio.sleep(start_s + second - time.monotonic())
            samples = self.samples
            self.seconds.append([len(samples.ack), len(samples.push), len(self.late)])

    async def settle(self, until_s: float) -> None:
        """Wait until every answer is there, at most until `until_s`; what is missing then is lost."""
        unsettled, away = [student.check for student in self.students], self.devices
        while (unsettled or away) and time.monotonic() < until_s:
            await asyncio.sleep(SETTLE_LOOK_S)
            unsettled = [check for check in unsettled if not check.settled]
            away = [device for device in away if device.lost_s]
        for check in unsettled:
            check.finish()
        for device in away:
            self._fault(
                device, f"lost its connection {time.monotonic() - device.lost_s:.0f} s ago, no head since"
            )

    def cut(self) -> None:
        """Lose all connections at once."""
        for device in self.devices:
            device.cut()

    async def leave(self) -> None:
        """Say goodbye on every connection."""
        for turn, device in enumerate(self.devices):
            device.stop()
            if turn % READ_EVERY == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0.5)

    async def keep_alive(self) -> None:
        """Heartbeats of devices that hear nothing (P6), for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now_s = time.monotonic()
            for device in self.devices:
                device.look(now_s, HEARTBEAT_S)

    def _send(self, student: Student, number: int, due_s: float) -> None:
        check = student.check
        step = check.step(number)
        index, kind = step.device, step.kind
        device = student.devices[index]
        if kind not in ("played", "paused"):
            # The run of a user action knows what its device has seen when it begins; its play goes with it.
            student.base_revs[index] = check.base_rev(index)
        now_s = time.monotonic()
        self.late.append(now_s - due_s)
        self.updates += 1
        played = kind == "played"
        entry = _Entry(
            seq=check.sent(number, now_s, device.welcomed),
            wall=self._wall(due_s),
            mono_ms=round(due_s * 1000),
            boot=self._boot,
            session=_SESSIONS[index],
            item=check.item,
            version=VERSION,
            base_rev=student.base_revs[index],
            kind=kind,
            position_ms=None if played or step.place_ms < 0 else step.place_ms,
            from_ms=step.from_ms if played else None,
            to_ms=step.place_ms if played else None,
        )
        device.record(self._pack(entry))

    def _wall(self, at_s: float) -> str:
        """The instant on the wire; most are in the same second as the one before."""
        second, ms = divmod(round((at_s + self._wall_offset_s) * 1000), 1000)
        if self._second[0] != second:
            self._second = second, instant(second * 1000)[:-4]
        return f"{self._second[1]}{ms:03d}Z"

    def _fault(self, device: LeanDevice, what: str) -> None:
        check: StudentCheck = device.mine.check
        self.faults.add("connection", f"student {check.number} on {check.devices[device.index]}", what)

    # Devices speak.

    def hello(self, device: LeanDevice) -> bytes:
        """The first frame: a token of the student's own."""
        student: Student = device.mine
        now_s, kind = time.monotonic(), KINDS[device.index]
        return pack(
            {
                "type": "hello",
                "device": {"id": student.check.devices[device.index], "kind": kind, "name": kind.title()},
                "clock": {"wall": self._wall(now_s), "mono_ms": round(now_s * 1000), "boot": self._boot},
                "token": student.token,
            }
        )

    def hear(self, device: LeanDevice, message: Message, at_s: float) -> None:
        """Judge a message; after `welcome` ask for the head, as before every play."""
        check: StudentCheck = device.mine.check
        check.hear(device.index, message, at_s)
        if type(message) is Welcome:
            device.say(pack({"type": "pull", "items": [check.item]}))
        elif type(message) is Head and (device.lost_s or self._waiting):
            self._greet(device, at_s)

    def _greet(self, device: LeanDevice, at_s: float) -> None:
        """A head came, perhaps the first of this connection."""
        greeted = self._waiting.get(device)
        if greeted is not None:
            if not greeted.done():
                greeted.set_result(None)
        elif device.lost_s:
            self.back.append(at_s)
        device.lost_s = 0.0

    def closed(self, device: LeanDevice, code: int, reason: str) -> None:
        """A close nobody asked for is counted; one for good is a fault."""
        device.mine.check.lost(device.index)
        if device.final and not device.stopping:
            self._fault(device, f"was sent away for good with {code}: {reason}")

    def figures(self) -> dict[str, int]:
        """What is reported every second."""
        return {
            "connected": self.connected,
            "online": sum(device.welcomed for device in self.devices),
            "updates": self.updates,
            "acked": len(self.samples.ack),
            "faults": self.faults.total,
        }

    def result(self) -> dict[str, Any]:
        """Everything measured, as plain values; times as bytes of doubles."""
        samples, traffic = self.samples, self.traffic
        times = {"opening": self.opening, "late": self.late, "back": self.back}
        times |= {name: getattr(samples, name) for name in Samples.__dataclass_fields__}
        return {
            "updates": self.updates,
            "connected": self.connected,
            "faults": self.faults.plain(),
            "closes": {str(code): n for code, n in traffic.closes.items()},
            "frames_in": traffic.frames_in,
            "bytes_in": traffic.bytes_in,
            "frames_out": traffic.frames_out,
            "postponed": traffic.postponed,
            "attempts": traffic.attempts,
            "lost": traffic.lost,
            "turned_away": self.turned_away,
            "older_heads": sum(student.check.older_heads for student in self.students),
            "cpu_s": self.cpu_s,
            "seconds": self.seconds,
            "times": {name: values.tobytes() for name, values in times.items()},
        }


_SESSIONS = tuple(f"visit-{index}" for index in range(len(KINDS)))


class _Lane:
    """The updates of all students with one period, in the order of their times."""

    def __init__(self, students: list[Student], start_s: float) -> None:
        self._students = students
        self._start_s = start_s
        self._period_s = students[0].check.period_ms / 1000
        self._turn = 0
        self._turns = len(students) * students[0].check.steps

    @property
    def open(self) -> bool:
        """Whether there are any left."""
        return self._turn < self._turns

    def due(self, now_s: float) -> Iterator[tuple[float, Student, int]]:
        """What has to be sent by now: since when, whose, and which step."""
        count = len(self._students)
        while self._turn < self._turns:
            due_s = self._start_s + self._turn / count * self._period_s
            if due_s > now_s:
                return
            step, place = divmod(self._turn, count)
            self._turn += 1
            yield due_s, self._students[place], step
