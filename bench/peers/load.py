"""A loader of the peers: one process with its part of the students, by the plan and clock of the fleet.

It obeys lines of JSON on its standard input and answers with lines of JSON (see `bench/loaders.py`).
"""

import asyncio
import contextlib
import gc
import json
import sys
import time
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgpack
import uvloop

from bench.checker import Faults, Samples
from bench.peers.check import PeerCheck, check_stored
from bench.peers.wire import WIRES, PeerDevice
from bench.plan import Mix, script
from gateway.keys import open_keys
from gateway.tokens import TokenIssuer

CONNECTING_MAX = 96
"""Handshakes under way at once in one loader, as in the fleet."""

HEAD_S = 20.0
TOKEN_S = 4 * 3600
SETTLE_LOOK_S = 0.25
TICK_S = 0.004
"""What is due is sent this often, as in the fleet."""

READ_EVERY = 100
"""A loader that is late still reads after so many updates."""

SAMPLED = ("ack", "push", "durable_playing", "durable_flushed")


@dataclass(frozen=True, slots=True)
class PeerOrders:
    """What a loader is told at its start. `wire` names the peer; of every `every`th student, those with one,
    two, three devices apart, it has every `loaders`th.
    """

    mix: Mix
    wire: str
    ports: tuple[int, ...]
    keys_folder: str
    loaders: int = 1
    part: int = 0
    every: int = 1

    def line(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> "PeerOrders":
        """What `line` gave."""
        fields = json.loads(line)
        return cls(**{**fields, "mix": Mix(**fields["mix"]), "ports": tuple(fields["ports"])})

    def numbers(self) -> list[int]:
        """The students of this loader."""
        alike: dict[int, list[int]] = {}
        for number in range(0, self.mix.students, self.every):
            alike.setdefault(self.mix.device_count(number), []).append(number)
        return sorted(number for numbers in alike.values() for number in numbers[self.part :: self.loaders])


class PeerLoader:
    """The students of one process, their devices and checks."""

    def __init__(self, orders: PeerOrders) -> None:
        self.mix = orders.mix
        self.faults = Faults()
        self.samples = Samples()
        self.connected = 0
        self.updates = 0
        self.cpu_s = 0.0
        self.opening = array("d")
        self.late = array("d")
        self.closes: Counter[str] = Counter()
        self.found: dict[int, list[dict[str, Any]]] = {}
        """By student: what the server had when its last device connected."""
        self._orders = orders
        self._tokens: dict[int, str] = {}
        self._waiting: dict[PeerDevice, asyncio.Future[None]] = {}
        self._stopping = False
        self.checks: dict[int, PeerCheck] = {}
        self.devices: dict[int, list[PeerDevice]] = {}
        wire = WIRES[orders.wire]
        issuer = TokenIssuer(open_keys(Path(orders.keys_folder)).signing)
        for number in orders.numbers():
            told = script(self.mix, number)
            self._tokens[number] = issuer.issue("access", told.student, lifetime_s=TOKEN_S)
            self.checks[number] = PeerCheck(told, self.faults, self.samples)
            self.devices[number] = [wire(self, number, i, name) for i, name in enumerate(told.devices)]

    @property
    def all_devices(self) -> list[PeerDevice]:
        """Every device of this loader."""
        return [device for devices in self.devices.values() for device in devices]

    async def connect(self) -> None:
        """Connect every device, a bounded number at once; done when each has its heads."""
        rest = iter(self.all_devices)
        await asyncio.gather(*(self._connect_in_turn(rest) for _ in range(CONNECTING_MAX)))

    async def _connect_in_turn(self, rest: Iterator[PeerDevice]) -> None:
        loop = asyncio.get_running_loop()
        for device in rest:
            began_s = time.monotonic()
            greeted = self._waiting[device] = loop.create_future()
            port = self._orders.ports[device.number % len(self._orders.ports)]
            await device.connect(port, f"127.0.0.{1 + self._orders.part}")
            try:
                async with asyncio.timeout(HEAD_S):
                    await greeted
                self.opening.append(time.monotonic() - began_s)
                self.connected += 1
            except TimeoutError:
                self._fault(device, f"no heads for {HEAD_S:.0f} s")
            finally:
                del self._waiting[device]

    async def drive(self, start_s: float) -> None:
        """Send every update at its time, counted from `start_s` (monotonic), whatever the server does."""
        period_s, spent_s = self.mix.period_ms / 1000, time.process_time()
        checks = list(self.checks.values())
        for turn in range(self.mix.updates * len(checks)):
            step, place = divmod(turn, len(checks))
            due_s = start_s + (step + place / len(checks)) * period_s
            while time.monotonic() < due_s:  # noqa: ASYNC110 - the clock is what is waited for
                await asyncio.sleep(TICK_S)
            if turn % READ_EVERY == 0:
                await asyncio.sleep(0)
            self._send(checks[place], step, due_s)
        self.cpu_s = time.process_time() - spent_s

    def _send(self, check: PeerCheck, step: int, due_s: float) -> None:
        said = check.script.steps[step]
        now_s = time.monotonic()
        self.late.append(now_s - due_s)
        self.updates += 1
        seq = check.sent(step, now_s)
        self.devices[check.script.number][said.device].update(seq, check.script.item, said)

    async def settle(self, until_s: float) -> None:
        """Wait until every answer is there, at most until `until_s`; what is missing then is lost."""
        open_checks = list(self.checks.values())
        while open_checks and time.monotonic() < until_s:
            await asyncio.sleep(SETTLE_LOOK_S)
            open_checks = [check for check in open_checks if not check.settled]
        for check in open_checks:
            check.finish()

    async def look(self) -> None:
        """Connect, and compare what a server that was started anew has of each student with the plan."""
        await self.connect()
        for number, heads in self.found.items():
            check_stored(self.checks[number].script, heads, self.faults)

    async def leave(self) -> None:
        """Say goodbye on every connection."""
        self._stopping = True
        for device in self.all_devices:
            device.close()
        await asyncio.sleep(0.2)

    def _fault(self, device: PeerDevice, what: str) -> None:
        self.faults.add("connection", f"student {device.number} on {device.name}", what)

    # Devices speak.

    def token(self, number: int) -> str:
        """A token of a student."""
        return self._tokens[number]

    def heads(self, device: PeerDevice, heads: list[dict[str, Any]]) -> None:
        """The connection is made."""
        self.found[device.number] = heads
        if (greeted := self._waiting.get(device)) is not None and not greeted.done():
            greeted.set_result(None)

    def acked(self, device: PeerDevice, seq: int, at_s: float) -> None:
        """For the check."""
        self.checks[device.number].acked(device.index, seq, at_s)

    def durable(self, device: PeerDevice, seq: int, at_s: float) -> None:
        """For the check."""
        self.checks[device.number].durable(device.index, seq, at_s)

    def pushed(self, device: PeerDevice, head: dict[str, Any], at_s: float) -> None:
        """For the check."""
        self.checks[device.number].pushed(device.index, head, at_s)

    def ended(self, device: PeerDevice, code: int, reason: str) -> None:
        """A close nobody asked for is a fault: these devices do not come back."""
        if not self._stopping:
            self.closes[str(code)] += 1
            self._fault(device, f"closed with {code}: {reason}")

    def result(self) -> dict[str, Any]:
        """Everything measured, as `bench.loaders.Result` takes it in."""
        return {
            "updates": self.updates,
            "connected": self.connected,
            "faults": self.faults.plain(),
            "closes": dict(self.closes),
            "frames_in": sum(device.frames_in for device in self.all_devices),
            "bytes_in": sum(device.bytes_in for device in self.all_devices),
            "frames_out": self.updates,
            "older_heads": 0,
            "cpu_s": self.cpu_s,
            "times": {
                "opening": self.opening.tobytes(),
                "late": self.late.tobytes(),
                **{name: getattr(self.samples, name).tobytes() for name in SAMPLED},
            },
        }


def _write(path: Path, loader: PeerLoader) -> None:
    path.write_bytes(msgpack.packb(loader.result()))


def _tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


async def _report(loader: PeerLoader) -> None:
    while True:
        await asyncio.sleep(1.0)
        acked = len(loader.samples.ack)
        _tell(connected=loader.connected, updates=loader.updates, acked=acked, faults=loader.faults.total)


async def _obey(orders: PeerOrders) -> None:
    loader = PeerLoader(orders)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    works: dict[str, Callable[..., Awaitable[None]]] = {
        "connect": loader.connect,
        "drive": loader.drive,
        "settle": loader.settle,
        "look": loader.look,
        "leave": loader.leave,
    }
    reader, loop = asyncio.StreamReader(), asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    reporting = asyncio.create_task(_report(loader))
    _tell(done="start")
    try:
        while line := await reader.readline():
            order = json.loads(line)
            done, file = order.pop("do"), order.pop("file", None)
            await works[done](**order)
            if file is not None:
                _write(Path(file), loader)
            _tell(done=done)
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)


if __name__ == "__main__":
    # Ctrl-C reaches the whole group; and who started this may be gone already.
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        uvloop.run(_obey(PeerOrders.read(sys.argv[1])))
