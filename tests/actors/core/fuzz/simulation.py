"""A history carried out: devices write journals, a network delivers them in some way, a session folds them.

The same history can be delivered in many ways. `Delivery` says how; whatever it is, every device knows the
same at the same step, so the rules ask for the same result.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import msgspec

from actors.at_rest import device_row, progress_row, session_from
from actors.core.events import Event
from actors.core.item import Item
from actors.core.progress import Progress
from actors.core.session import Session
from persistence.checkpoints import DeviceRow, ProgressRow
from persistence.sessions import StoredSession
from tests.actors.core.fuzz.histories import DURATION_S, ITEMS, History, Step

START_S = 1_772_442_000
COURSE = "c1"
CHECKPOINT_S = 30
UNHEARD_S = 150
"""After a crash nobody knows which of the events written so shortly before the owner had heard.

Nor what a device that acted knew of another one's event of the same instant: it is taken to have known it.
"""
CATALOGUE = {name: Item(name, COURSE, "v1", {"v1": DURATION_S[name] * 1000}) for name in ITEMS}
_START = datetime.fromtimestamp(START_S, UTC)

Watch = Callable[["Simulation", str, list[Event]], None]


@dataclass(frozen=True)
class Delivery:
    """How journals reach the server.

    `order`: seed of the interleaving where several devices meet, None for one device after the other.
    `shuffled`: entries of one journal overtake each other. `copies`: entries come again, now and later.
    `stored`: the session goes through its rows at every meeting. `lossy`: a crash loses what is not
    durable, and it is sent again.
    """

    order: int | None = None
    shuffled: bool = False
    copies: bool = False
    stored: bool = False
    lossy: bool = False


@dataclass
class Player:
    """An open player: where it stands, and since when it has been playing from there."""

    session: str
    item: str
    place_s: float = 0
    since_s: int = 0
    playing: bool = False
    rate: float = 1.0
    base_rev: int = 0


@dataclass
class Device:
    """One installation: link ("on", "off", "mute"), clocks, journal, and what it has seen of each item."""

    name: str
    skew_s: int
    link: str = "on"
    boot: int = 0
    boot_s: int = 0
    visits: int = 0
    sent: int = 0
    journal: list[Event] = field(default_factory=list)
    seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    player: Player | None = None


class Handed(NamedTuple):
    """An attempt at a quiz: the values that stand, all that are kept, and which submission stands."""

    standing: dict[str, str]
    log: dict[str, list[str]]
    submission: str


class Simulation:
    """One history under one delivery. `watch` is called after every batch that reached the session."""

    def __init__(self, history: History, delivery: Delivery, watch: Watch | None = None) -> None:
        self.history, self.delivery, self.watch = history, delivery, watch
        self.random = Random(delivery.order)
        self.now_s = 0
        self.stored_s = 0
        self.unheard_s = -UNHEARD_S
        self.acted: tuple[int, str] = (-1, "")
        self.vague_from: int | None = None
        self.slot_epoch = 1
        self.session = Session("ana", 1 << 20, frozenset({COURSE}))
        self.progress_rows: dict[str, bytes] = {}
        self.device_rows: dict[str, bytes] = {}
        self.devices = {name: Device(name, skew) for name, skew in history.skews_s.items()}
        self.pictures: list[dict[str, dict[str, Any]]] = []
        self.uncredited: dict[str, set[int]] = {name: set() for name in self.devices}
        self.true_s: dict[str, dict[int, int]] = {name: {} for name in self.devices}
        for device in self.devices.values():
            self._connect(device)

    def run(self) -> "Simulation":
        """Carry out every step."""
        for step in self.history.steps:
            self.take(step)
        return self

    def take(self, step: Step) -> None:
        """Carry out one step. Nothing is dirty for longer than the design has it (4.5)."""
        self.now_s += step.wait_s
        if self.delivery.lossy and self.now_s - self.stored_s >= CHECKPOINT_S:
            self._store()
        getattr(self, f"_{step.what}")(step)

    def repeat(self) -> None:
        """Everything that was folded arrives once more: nothing may change (R8)."""
        before = picture(self.session)
        for device in self.devices.values():
            folded = device.journal[: self.session.device(device.name).applied_seq]
            self.session.apply(device.name, folded, CATALOGUE, self.now_ms)
        assert picture(self.session) == before

    @property
    def now_ms(self) -> int:
        """Server time."""
        return (START_S + self.now_s) * 1000

    # the network

    def _connect(self, device: Device, link: str = "on") -> None:
        clock = self.session.device(device.name).clock
        clock.connect(
            f"b{device.boot}",
            (self.now_s - device.boot_s) * 1000 + 1000,
            self.now_ms + device.skew_s * 1000,
            self.now_ms,
        )
        device.link = link

    def _drop(self, step: Step) -> None:
        device = self.devices.get(step.device)
        if device is not None and device.link != "off":
            device.seen = self._seen()
            device.link = "off"
            self.session.leave(device.name, self.now_ms)

    def _mute(self, step: Step) -> None:
        device = self.devices.get(step.device)
        if device is not None and device.link == "on":
            device.link = "mute"

    def _clock(self, step: Step) -> None:
        if step.device in self.devices:
            self.devices[step.device].skew_s += step.place_s

    def _reboot(self, step: Step) -> None:
        self._drop(step)
        device = self.devices.get(step.device)
        if device is not None:
            device.boot, device.boot_s, device.player = device.boot + 1, self.now_s, None

    def _meet(self, step: Step) -> None:
        self._gather([self.devices[name] for name in step.extra.split() if name in self.devices])

    def _checkpoint(self, step: Step) -> None:
        self._store()

    def _crash(self, step: Step) -> None:
        """The owner dies and every link with it; all come back at once and send what was not durable."""
        if self.now_s - self.unheard_s < UNHEARD_S and self.vague_from is None:
            self.vague_from = len(self.pictures)
        for device in self.devices.values():
            if device.link != "off":
                device.seen = self._seen()
                device.link = "off"
                self.session.leave(device.name, self.now_ms)
        if self.delivery.lossy:
            self._restore()
        self._gather(list(self.devices.values()))

    def _gather(self, devices: list[Device]) -> None:
        """These devices come on line at once: clocks are stated, then their journals arrive in some order.

        Until then everything heard has become durable, and all have been told.
        """
        for known in self.session.devices.values():
            known.durable_seq = known.applied_seq
        if self.delivery.stored:
            self._store()
            self._restore()
            for device in self.devices.values():
                if device.link != "off":
                    self._connect(device, device.link)
        for device in devices:
            self._connect(device)
        queues = [(device, self._due(device)) for device in devices]
        queues = [(device, due) for device, due in queues if due]
        while queues:
            n = 0 if self.delivery.order is None else self.random.randrange(len(queues))
            device, due = queues[n]
            size = len(due) if self.delivery.order is None else self.random.randint(1, 4)
            self._deliver(device, due[:size])
            del due[:size]
            if not due:
                del queues[n]
        self.pictures.append(picture(self.session))

    def _due(self, device: Device) -> list[Event]:
        """What the device has to send, in the order in which it will arrive."""
        due = device.journal[device.sent :]
        if self.delivery.copies and device.journal:
            due += self.random.choices(device.journal, k=3)
        if self.delivery.shuffled:
            self.random.shuffle(due)
        return due

    def _deliver(self, device: Device, entries: list[Event]) -> None:
        device.sent = max(device.sent, *(entry.seq for entry in entries))
        self.session.apply(device.name, entries, CATALOGUE, self.now_ms)
        if self.watch is not None:
            self.watch(self, device.name, entries)

    def _store(self) -> None:
        session = self.session
        for item in session.dirty_items:
            row = progress_row(session.student, session.items[item], CATALOGUE[item])
            self.progress_rows[item] = msgspec.json.encode(row)
        for name in session.dirty_devices:
            self.device_rows[name] = msgspec.json.encode(device_row(session.student, session.devices[name]))
        session.dirty_items, session.dirty_devices = (), ()
        self.stored_s = self.now_s

    def _restore(self) -> None:
        """Another owner takes over, with what is durable."""
        self.slot_epoch += 1
        stored = StoredSession(
            [msgspec.json.decode(row, type=ProgressRow) for row in self.progress_rows.values()],
            [msgspec.json.decode(row, type=DeviceRow) for row in self.device_rows.values()],
            {COURSE},
        )
        self.session = session_from("ana", stored, self.slot_epoch)
        for device in self.devices.values():
            device.sent = min(device.sent, self.session.device(device.name).durable_seq)

    # the users

    def _seen(self) -> dict[str, tuple[int, float]]:
        items = self.session.items
        return {name: (progress.rev, progress.position_ms / 1000) for name, progress in items.items()}

    def _look(self, device: Device, item: str) -> tuple[int, float]:
        if device.link == "off":
            return device.seen.get(item, (0, 0.0))
        progress = self.session.items.get(item)
        return (progress.rev, progress.position_ms / 1000) if progress else (0, 0.0)

    def _player(self, step: Step) -> tuple[Device, Player] | None:
        device = self.devices.get(step.device)
        player = device.player if device else None
        if device is None or player is None or player.item != step.item:
            return None
        return device, player

    def _open(self, step: Step) -> None:
        device = self.devices.get(step.device)
        if device is not None:
            device.visits += 1
            device.player = Player(f"{device.name}-{device.visits}", step.item)
            self._tell(device, device.player, "opened", intent=step.extra)

    def _play(self, step: Step, place_s: float | None = None) -> None:
        if found := self._player(step):
            device, player = found
            self._flush(device, player)
            player.place_s = float(step.place_s) if place_s is None else place_s
            player.playing, player.since_s, player.rate = True, self.now_s, step.rate
            place_ms = round(player.place_s * 1000)
            self._act(device, player, "play", position_ms=place_ms, rate=step.rate, by=step.extra)

    def _resume(self, step: Step) -> None:
        if found := self._player(step):
            # The oracles count in quarters of a second; a hiccup of a player may put a place between them.
            place_s = float(round(self._look(found[0], step.item)[1]))
            self._play(step, place_s if place_s < DURATION_S[step.item] else 0)

    def _beat(self, step: Step) -> None:
        if found := self._player(step):
            self._flush(*found)

    def _stall(self, step: Step) -> None:
        """Nothing was played since the last beat: the network was slow."""
        if found := self._player(step):
            found[1].since_s = self.now_s

    def _flush(self, device: Device, player: Player) -> None:
        """Say what has been played since the last beat."""
        if not player.playing or self.now_s == player.since_s:
            return
        length_s = (self.now_s - player.since_s) * player.rate
        to_s = min(player.place_s + length_s, float(DURATION_S[player.item]))
        span = {"from_ms": round(player.place_s * 1000), "to_ms": round(to_s * 1000)}
        player.place_s, player.since_s = to_s, self.now_s
        self._tell(device, player, "played", rate=player.rate, **span)

    def _fast(self, step: Step) -> None:
        """Content far faster than time allows: its place counts, its credit does not (R9)."""
        if (found := self._player(step)) and found[1].playing:
            device, player = found
            self._flush(device, player)
            span = {"from_ms": 0, "to_ms": DURATION_S[player.item] * 1000}
            player.place_s = float(DURATION_S[player.item])
            self.uncredited[device.name].add(len(device.journal) + 1)
            self._tell(device, player, "played", rate=1.0, **span)

    def _pause(self, step: Step) -> None:
        if (found := self._player(step)) and found[1].playing:
            device, player = found
            self._flush(device, player)
            player.playing = False
            kind = "ended" if player.place_s >= DURATION_S[player.item] else "paused"
            self._tell(device, player, kind, position_ms=round(player.place_s * 1000))

    def _close(self, step: Step) -> None:
        if found := self._player(step):
            device, player = found
            self._flush(device, player)
            self._tell(device, player, "closed")
            device.player = None

    def _seek(self, step: Step, kind: str = "sought") -> None:
        if found := self._player(step):
            device, player = found
            self._flush(device, player)
            player.place_s = float(step.place_s)
            self._act(device, player, kind, position_ms=step.place_s * 1000)

    def _choose(self, step: Step) -> None:
        self._seek(step, "chosen")

    def _decree(self, step: Step, kind: str, **fields: Any) -> None:
        if found := self._player(step):
            self._flush(*found)
            self._act(*found, kind, **fields)

    def _done(self, step: Step) -> None:
        self._decree(step, "marked", done=True)

    def _undone(self, step: Step) -> None:
        """Offered by a page that shows the item as done; off line it may be pressed at any time."""
        device, progress = self.devices.get(step.device), self.session.items.get(step.item)
        if (device is not None and device.link == "off") or (progress is not None and progress.done):
            self._decree(step, "marked", done=False)

    def _undo(self, step: Step) -> None:
        self._decree(step, "undone")

    def _reset(self, step: Step) -> None:
        self._decree(step, "reset")

    def _answer(self, step: Step) -> None:
        question, _, value = step.extra.partition("=")
        self._register(step, "answered", question=question, value=value)

    def _submit(self, step: Step) -> None:
        self._register(step, "submitted")

    def _register(self, step: Step, kind: str, **fields: Any) -> None:
        """What concerns the attempt at a quiz, and not the run that is playing: that knows no more by it."""
        if found := self._player(step):
            device, player = found
            base_rev = self._look(device, player.item)[0]
            self._tell(device, replace(player, base_rev=base_rev), kind, **fields)
            self.acted = (self.now_s, device.name)

    def _act(self, device: Device, player: Player, kind: str, **fields: Any) -> None:
        """A user action: it knows what the device has seen of the item."""
        player.base_rev = self._look(device, player.item)[0]
        self._tell(device, player, kind, **fields)
        self.acted = (self.now_s, device.name)

    def _tell(self, device: Device, player: Player, kind: Any, **fields: Any) -> None:
        event = Event(
            seq=len(device.journal) + 1,
            session=player.session,
            item=player.item,
            version="v1",
            base_rev=player.base_rev,
            kind=kind,
            mono_ms=(self.now_s - device.boot_s) * 1000 + 1000,
            boot=f"b{device.boot}",
            wall=_START + timedelta(seconds=self.now_s + device.skew_s),
            **fields,
        )
        device.journal.append(event)
        self.true_s[device.name][event.seq] = self.now_s
        acted_s, actor = self.acted
        if device.link != "on" or (acted_s == self.now_s and actor != device.name):
            self.unheard_s = self.now_s
        if device.link == "on":
            self._deliver(device, [event] * (2 if self.delivery.copies else 1))
        elif device.link == "mute" and self.delivery.shuffled and device.sent < len(device.journal) - 1:
            self.session.apply(device.name, [event], CATALOGUE, self.now_ms)


def picture(session: Session) -> dict[str, dict[str, Any]]:
    """What the rules say of every item, apart from revisions: equal for equal histories."""
    return {name: _picture(progress, CATALOGUE[name]) for name, progress in sorted(session.items.items())}


def _picture(progress: Progress, item: Item) -> dict[str, Any]:
    head, offer = progress.head, progress.offered(item.duration_ms)
    return {
        "place": progress.position_ms / 1000,
        "head": head.key if head else None,
        "rule": progress.rule,
        "offer": (offer.key, offer.position_ms / 1000) if offer else None,
        "done": progress.done,
        "completions": [at_ms / 1000 - START_S for at_ms in progress.completions],
        "pass": progress.viewing,
        "epoch": progress.epoch,
        "coverage": [(a / 1000, b / 1000) for a, b in progress.coverage],
        "content": progress.content_ms / 1000,
        "wall": [(a / 1000 - START_S, b / 1000 - START_S) for a, b in progress.wall],
        "quarters": dict(sorted(progress.quarters.items())),
        "quiz": _attempt(progress),
    }


def _attempt(progress: Progress) -> Handed | None:
    quiz = progress.quiz
    if quiz is None:
        return None
    submission = f"{quiz.submission.device} {quiz.submission.seq}" if quiz.submission else ""
    return Handed(dict(sorted(quiz.standing.items())), dict(sorted(quiz.values.items())), submission)
