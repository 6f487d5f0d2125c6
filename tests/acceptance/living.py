"""A conformance trace lived through: the replay's players on real clients, a real server, in real time.

The replay's world runs in a thread of its own and says what players do; every message goes through the
tests' event loop to the system and back. Nothing is virtual but the user, so what took the trace no time
is waited for, with a bound.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from gateway.client import Clock, Device, Message
from gateway.client.protocol import Protocol
from gateway.replay.belief import Belief
from gateway.replay.device import Account
from gateway.replay.expectations import Judge, Verdict
from gateway.replay.player import Player
from gateway.replay.runner import play_through
from gateway.replay.shuffle import Shuffle
from gateway.replay.trace import Device as SaidDevice
from gateway.replay.trace import Trace
from gateway.replay.world import World
from tests.acceptance.system import System

T = TypeVar("T")
WAIT_S = 30.0


class SkewedClock(Clock):
    """The machine's clock as a device of the trace shows it."""

    def __init__(self, skew_ms: int) -> None:
        super().__init__()
        self.skew_ms = skew_ms

    def wall_ms(self) -> int:
        return super().wall_ms() + self.skew_ms


class LivedServer:
    """The running system as the replay's world sees a server. `now_ms` is the trace's time; it passes."""

    def __init__(self, system: System, trace: Trace, loop: asyncio.AbstractEventLoop) -> None:
        self.system = system
        self.trace = trace
        self.waiting: deque[Any] = deque()
        self.answers: list[Any] = []
        self.defects: list[str] = []
        self.students: dict[str, str] = {}
        self.items: dict[str, str] = {}
        self._loop = loop
        self._observers: dict[str, Device] = {}
        self._began_s = time.monotonic()
        self._now_ms = self._began_ms = trace.timeline[0].at_ms

    @property
    def now_ms(self) -> int:
        return self._now_ms

    @now_ms.setter
    def now_ms(self, at_ms: int) -> None:
        due_s = self._began_s + (at_ms - self._began_ms) / 1000
        time.sleep(max(0.0, due_s - time.monotonic()))
        self._now_ms = at_ms

    def wait(self, doing: Coroutine[Any, Any, T]) -> T:
        """Have the tests' loop do something; the player's thread waits for it."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(WAIT_S)

    async def set_up(self) -> None:
        """The students and items of the trace, under names of their own, and someone who only looks."""
        for student in self.trace.people:
            self.students[student] = await self.system.student()
            observer = self.system.device(self.students[student], "observer")
            self._observers[student] = await observer.start()
        for item, said in self.trace.items.items():
            lengths = said.durations_ms()
            self.items[item] = await self.system.lecture(lengths["v1"])
        self._began_s = time.monotonic()

    def looked(self, student: str, item: str) -> Message:
        """The head, asked for now by a device that never plays."""
        return self.wait(self._observers[student].pull(self.items[item]))

    def choices(self, *_: Any) -> None:
        """Nobody is asked where to start: the head says it."""

    def believed(self, student: str, item: str) -> Belief:
        """What the server believes now."""
        return Belief(self.looked(student, item), None)


class LivedDevice:
    """A device of the trace on a real client: one connection and journal for each of its students."""

    def __init__(self, name: str, said: SaidDevice, server: LivedServer) -> None:
        self.name = name
        self.kind = said.kind
        self.id = f"{name}.{uuid.uuid4().hex[:8]}"
        self.ids = [self.id]
        self.student: str | None = said.student
        self.up = False
        self.conn: int | None = None
        self.tabs: dict[int, Player] = {}
        self.expired_ms: list[int] = []
        self.settle: Callable[[], None] = lambda: None
        self.media = _NoMedia()
        self._server = server
        self._clock = SkewedClock(round(said.clock_skew_s * 1000))
        self._devices: dict[str, Device] = {}
        self._accounts: dict[str, Account] = {}
        self._visits = 0

    @property
    def online(self) -> bool:
        return self.up and self.student is not None

    @property
    def real(self) -> Device:
        """The client of the student who is signed in."""
        assert self.student is not None
        return self._client(self.student)

    def clock_wrong(self) -> bool:
        """Whether the server has told this device that its clock is wrong."""
        return bool(self.real.welcome.get("clock_wrong"))

    def _client(self, student: str) -> Device:
        if student not in self._devices:
            server = self._server
            made = Device(
                server.system.socket_url,
                server.students[student],
                self.id,
                token=lambda: server.system.token(server.students[student]),
                kind=self.kind,
                name=self.name,
                clock=self._clock,
                on_message=lambda message, _: self._heard(student, message),
            )
            server.system.devices.append(made)
            self._devices[student] = made
            self._accounts[student] = Account(cast(Protocol, _Renamed(made.protocol, server.items)))
        return self._devices[student]

    def account(self, student: str | None = None) -> Account:
        who = student or self.student or ""
        self._client(who)
        return self._accounts[who]

    def beats_of(self, student: str) -> dict[int, tuple[str, int, int]]:
        return {}

    def head(self, item: str, student: str | None = None) -> Message | None:
        who = student or self.student
        return self._client(who).heads.get(self._server.items[item]) if who else None

    def new_session(self) -> str:
        self._visits += 1
        return f"{self.id}-{self._visits}"

    def step_clock(self, by_ms: int) -> None:
        self._clock.skew_ms += by_ms

    # The link.

    def connect(self) -> None:
        self.up = True
        if self.student is not None:
            self._server.wait(self._come_home(self.real))

    async def _come_home(self, real: Device) -> None:
        await real.start(WAIT_S)
        await real.until(lambda: real.applied >= real.seq, WAIT_S)
        for item in self._server.items.values():
            await real.pull(item)

    def hang_up(self) -> None:
        self.up = False
        if self.student is not None:
            self._server.wait(self.real.stop())

    def sign_in(self, student: str, ttl_s: float | None) -> None:
        assert ttl_s is None, "tokens that run out are for virtual time"
        linked = self.up
        if linked:
            self.hang_up()
        self.student = student
        if linked:
            self.connect()

    def sign_out(self) -> None:
        for player in list(self.tabs.values()):
            self.record("closed", player)
        self.tabs.clear()
        linked = self.up
        self.hang_up()
        self.student, self.up = None, linked

    # What goes up, and what comes down.

    def pull(self, *items: str) -> None:
        for item in items:
            self._server.wait(self.real.pull(self._server.items[item]))

    def record(self, kind: str, player: Player, *, on_disk_only: bool = False, **fields: Any) -> None:
        fields |= {"version": player.version, "base_rev": player.base_rev}
        self._server.wait(self._said(kind, self._server.items[player.item], player.session, fields))

    async def _said(self, kind: str, item: str, session: str, fields: dict[str, Any]) -> None:
        real = self.real
        seq = await real.record(kind, item, session, **fields)
        if self.up:
            await real.until(lambda: real.applied >= seq, WAIT_S)

    def present(self, player: Player) -> None:
        if self.online:
            state = "stalled" if player.stalled else "paused"
            message = {"type": "presence", "item": self._server.items[player.item], "state": state}
            self._server.wait(self.real.say({**message, "position_ms": max(player.place_ms, 0)}))

    def fill_gap(self) -> bool:
        return False

    def _heard(self, student: str, message: Message) -> None:
        if message["type"] != "head":
            return
        item = next((name for name, real in self._server.items.items() if real == message["item"]), None)
        if item is not None:
            self.account(student).places[item] = message["position_ms"]
            for player in self.tabs.values():
                if player.item == item:
                    player.hear(message, message["device"] == self.id)


class _NoMedia:
    """The lectures of acceptance tests have no media."""

    def renew(self, *_: Any) -> None:
        """Nothing to renew."""


class _Renamed:
    """The protocol of a client, asked with the item names of the trace."""

    def __init__(self, protocol: Any, items: dict[str, str]) -> None:
        self._protocol = protocol
        self._items = items

    def rev(self, item: str) -> int:
        """The newest revision of the item this device has seen."""
        return int(self._protocol.rev(self._items[item]))


class LivedWorld(World):
    """The replay's world, in which news take their time: after every step it waits until they are there."""

    def settle(self) -> None:
        server: Any = self.server
        for item in self.trace.items:
            for student in self.trace.people:
                here = [d for d in self.devices.values() if d.online and d.student == student]
                if here:
                    rev = server.looked(student, item)["rev"]
                    server.wait(_all_know([device.real for device in here], server.items[item], rev))  # type: ignore[attr-defined]


async def _all_know(devices: list[Device], item: str, rev: int) -> None:
    for device in devices:
        await device.until(lambda known=device: known.protocol.rev(item) >= rev, WAIT_S)  # type: ignore[misc]


async def live_through(system: System, trace: Trace) -> tuple[list[Verdict], dict[str, LivedDevice]]:
    """Live a trace through on the running system; gives its verdicts, and the devices as they are then."""
    server: Any = LivedServer(system, trace, asyncio.get_running_loop())
    await server.set_up()
    devices: Any = {name: LivedDevice(name, said, server) for name, said in trace.devices.items()}
    for student in trace.people:
        for device in devices.values():
            if device.student == student:
                device.account()
    world = LivedWorld(trace, server, devices, Shuffle(None, trace.id))
    judge = Judge(world)
    world.before_frame = judge.at

    def live() -> None:
        play_through(world, judge)
        judge.finish()

    # A thread of its own: the loop's pool has fewer than there are traces lived through at once.
    with ThreadPoolExecutor(1, f"living-{trace.id}") as thread:
        await asyncio.get_running_loop().run_in_executor(thread, live)
    return judge.verdicts, devices
