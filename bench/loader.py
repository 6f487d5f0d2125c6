"""A loader: one process with its part of the fleet, which sends by the clock and judges what comes back.

It obeys lines of JSON on its standard input and answers with lines of JSON (see `fleet.py`, which starts
it); the end of the input ends it. Run by hand it is of no use.
"""

import asyncio
import contextlib
import gc
import json
import sys
import time
import uuid
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgpack
import uvloop

from bench.checker import Faults, Message, Samples, StudentCheck
from bench.driver import LeanDevice, Target, Traffic
from bench.plan import SECOND_DEVICE_EVERY, VERSION, Mix, Script, script
from gateway.client import Journal, Protocol, Stamp
from gateway.client.clock import instant
from gateway.keys import open_keys
from gateway.tokens import TokenIssuer

CONNECTING_MAX = 96
"""Handshakes under way at once in one loader; a gateway holds at most 256 from one address."""

HEAD_S = 20.0
"""Wait for the first head of one connection before the next is begun."""

TOKEN_S = 4 * 3600
LOOK_EVERY_S = 5.0
HEARTBEAT_S = 20.0
SETTLE_LOOK_S = 0.5
PAUSE_MIN_S = 0.002
KINDS = ("phone", "tv")
READ_EVERY = 100
"""A loader that is late still reads after so many updates."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a loader is told at its start: its part is the students of `(number // 10) % loaders == part`."""

    mix: Mix
    url: str
    sources: tuple[str, ...]
    keys_folder: str
    loaders: int
    part: int

    def line(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> "Orders":
        """What `line` gave."""
        fields = json.loads(line)
        return cls(**{**fields, "mix": Mix(**fields["mix"]), "sources": tuple(fields["sources"])})

    def numbers(self) -> list[int]:
        """The students of this loader, those with two devices spread evenly over all loaders."""
        every = range(self.mix.students)
        return [n for n in every if (n // SECOND_DEVICE_EVERY) % self.loaders == self.part]


class Loader:
    """The students of one process, their devices and checks."""

    def __init__(self, orders: Orders) -> None:
        self.mix = orders.mix
        self.faults = Faults()
        self.samples = Samples()
        self.traffic = Traffic()
        self.connected = 0
        self.updates = 0
        self.cpu_s = 0.0
        self.opening = array("d")
        self.late = array("d")
        self._issuer = TokenIssuer(open_keys(Path(orders.keys_folder)).signing)
        self._boot = uuid.uuid4().hex[:12]
        self._wall_offset_s = time.time() - time.monotonic()
        self._waiting: dict[LeanDevice, asyncio.Future[None]] = {}
        self._base_revs: dict[LeanDevice, int] = {}
        target = Target(orders.url, orders.sources)
        self.checks: dict[int, StudentCheck] = {}
        self.devices: dict[int, list[LeanDevice]] = {}
        for number in orders.numbers():
            found = script(self.mix, number)
            self.checks[number] = StudentCheck(self.mix, found, self.faults, self.samples)
            self.devices[number] = [
                LeanDevice(target, self, number, index, self.traffic, _protocol(found, index))
                for index in range(len(found.devices))
            ]

    @property
    def all_devices(self) -> list[LeanDevice]:
        """Every device of this loader."""
        return [device for devices in self.devices.values() for device in devices]

    async def connect(self) -> None:
        """Connect every device, a bounded number at once; done when each has its first head."""
        rest = iter(self.all_devices)
        await asyncio.gather(*(self._connect_in_turn(rest) for _ in range(CONNECTING_MAX)))

    async def _connect_in_turn(self, rest: Iterator[LeanDevice]) -> None:
        loop = asyncio.get_running_loop()
        for device in rest:
            began_s = time.monotonic()
            greeted = self._waiting[device] = loop.create_future()
            await device.connect()
            try:
                async with asyncio.timeout(HEAD_S):
                    await greeted
                self.opening.append(time.monotonic() - began_s)
                self.connected += 1
            except TimeoutError:
                self._fault(device, f"connected for {HEAD_S:.0f} s and no head yet")
            finally:
                del self._waiting[device]

    async def drive(self, start_s: float) -> None:
        """Send every update at its time, counted from `start_s` (monotonic), whatever the server does."""
        period_s, spent_s = self.mix.period_ms / 1000, time.process_time()
        for step in range(self.mix.updates):
            for number, check in self.checks.items():
                due_s = start_s + (step + number / self.mix.students) * period_s
                wait_s = due_s - time.monotonic()
                if wait_s > 0:
                    await asyncio.sleep(max(wait_s, PAUSE_MIN_S))
                elif self.updates % READ_EVERY == 0:
                    await asyncio.sleep(0)
                self._send(check, step, due_s)
        self.cpu_s = time.process_time() - spent_s

    async def settle(self, until_s: float) -> None:
        """Wait until every answer is there, at most until `until_s`; what is missing then is lost."""
        open_checks = list(self.checks.values())
        while open_checks and time.monotonic() < until_s:
            await asyncio.sleep(SETTLE_LOOK_S)
            open_checks = [check for check in open_checks if not check.settled]
        for check in open_checks:
            check.finish()

    async def leave(self) -> None:
        """Say goodbye on every connection."""
        for device in self.all_devices:
            device.stop()
        await asyncio.sleep(0.5)

    async def keep_alive(self) -> None:
        """Heartbeats of devices that hear nothing (P6), for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now_s = time.monotonic()
            for device in self.all_devices:
                device.look(now_s, HEARTBEAT_S)

    def _send(self, check: StudentCheck, step: int, due_s: float) -> None:
        said = check.script.steps[step]
        device = self.devices[check.script.number][said.device]
        if said.kind not in ("played", "paused"):
            # The run of a user action knows what its device has seen when it begins; its play goes with it.
            self._base_revs[device] = check.base_rev(said.device)
        now_s = time.monotonic()
        self.late.append(now_s - due_s)
        self.updates += 1
        check.sent(step, now_s)
        event = {
            "session": f"visit-{said.device}",
            "item": check.script.item,
            "version": VERSION,
            "base_rev": self._base_revs[device],
            "kind": said.kind,
        }
        if said.kind == "played":
            event |= {"from_ms": said.from_ms, "to_ms": said.place_ms}
        elif said.place_ms >= 0:
            event["position_ms"] = said.place_ms
        device.record(self._stamp(due_s), event)

    def _stamp(self, at_s: float) -> Stamp:
        return Stamp(instant(round((at_s + self._wall_offset_s) * 1000)), round(at_s * 1000), self._boot)

    def _fault(self, device: LeanDevice, what: str) -> None:
        check = self.checks[device.number]
        self.faults.add(
            "connection", f"student {device.number} on {check.script.devices[device.index]}", what
        )

    # Devices speak.

    def hello(self, device: LeanDevice) -> bytes:
        """The first frame: a token of the student's own."""
        told = self.checks[device.number].script
        token = self._issuer.issue("access", told.student, lifetime_s=TOKEN_S)
        return device.protocol.hello(self._stamp(time.monotonic()), token=token)

    def hear(self, device: LeanDevice, message: Message, at_s: float) -> None:
        """Judge a message; after `welcome` ask for the head, as before every play."""
        check = self.checks[device.number]
        check.hear(device.index, message, at_s)
        kind = message["type"]
        if kind == "welcome":
            device.say(device.protocol.pull(check.script.item))
        elif kind == "head" and (greeted := self._waiting.get(device)) is not None and not greeted.done():
            greeted.set_result(None)

    def closed(self, device: LeanDevice, code: int, reason: str) -> None:
        """A close nobody asked for is counted; one for good is a fault."""
        if device.final and not device.stopping:
            self._fault(device, f"was sent away for good with {code}: {reason}")

    def result(self) -> dict[str, Any]:
        """Everything measured, as plain values; times as bytes of doubles."""
        return {
            "updates": self.updates,
            "connected": self.connected,
            "faults": asdict(self.faults),
            "closes": {str(code): n for code, n in self.traffic.closes.items()},
            "frames_in": self.traffic.frames_in,
            "bytes_in": self.traffic.bytes_in,
            "frames_out": self.traffic.frames_out,
            "older_heads": sum(check.older_heads for check in self.checks.values()),
            "cpu_s": self.cpu_s,
            "times": {
                "opening": self.opening.tobytes(),
                "late": self.late.tobytes(),
                "ack": self.samples.ack.tobytes(),
                "push": self.samples.push.tobytes(),
                "durable_playing": self.samples.durable_playing.tobytes(),
                "durable_flushed": self.samples.durable_flushed.tobytes(),
            },
        }


def _protocol(told: Script, index: int) -> Protocol:
    kind = KINDS[index]
    return Protocol(Journal(told.student, told.devices[index]), kind, kind.title())


def _write(path: Path, loader: Loader) -> None:
    path.write_bytes(msgpack.packb(loader.result()))


def _tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


async def _report(loader: Loader) -> None:
    while True:
        await asyncio.sleep(1.0)
        _tell(
            connected=loader.connected,
            updates=loader.updates,
            acked=len(loader.samples.ack),
            faults=loader.faults.total,
        )


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def _obey(orders: Orders) -> None:
    loader = Loader(orders)
    gc.collect()
    gc.freeze()
    lines = await _lines()
    aside = [asyncio.create_task(_report(loader)), asyncio.create_task(loader.keep_alive())]
    _tell(done="start")
    try:
        while line := await lines.readline():
            order = json.loads(line)
            done = order["do"]
            if done == "connect":
                await loader.connect()
            elif done == "drive":
                await loader.drive(order["start_s"])
            elif done == "settle":
                await loader.settle(order["until_s"])
                _write(Path(order["file"]), loader)
            elif done == "leave":
                await loader.leave()
            _tell(done=done)
    finally:
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)


if __name__ == "__main__":
    # Ctrl-C reaches the whole group; and who started this may be gone already.
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        uvloop.run(_obey(Orders.read(sys.argv[1])))
