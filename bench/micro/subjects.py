"""What the micro benchmarks work on: a student who plays, written as the wire and the rules have it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgpack

from actors.core.events import Event
from actors.core.item import Item
from actors.core.session import REV_SHIFT, Session

COURSE, VERSION = "micro-course", "v1"
BEAT_MS = 10_000
NOW_MS = 1_772_478_000_000
WALL = datetime.fromtimestamp(NOW_MS / 1000, UTC)
DEVICES = ("phone", "tv")


class Benchmark(Protocol):
    """The fixture of pytest-benchmark, as far as it is used here."""

    extra_info: dict[str, Any]

    def __call__(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Time `work(*arguments)`."""

    def pedantic(self, work: Callable[..., Any], *, setup: Callable[[], Any], rounds: int) -> Any:
        """Time one call of `work` with what `setup` gives, so often."""


class Student:
    """One student with two devices and a long lecture, of whom events can be made and folded."""

    def __init__(self, name: str = "micro-student") -> None:
        self.item = Item("micro-item", COURSE, VERSION, {VERSION: 100 * 3600 * 1000})
        self.session = Session(name, 1 << REV_SHIFT, frozenset({COURSE}))
        self.now_ms = 0
        self._seqs = dict.fromkeys(DEVICES, 0)
        for device in DEVICES:
            self.session.device(device).clock.connect("boot", 0, NOW_MS, NOW_MS)

    def event(self, device: str, kind: str, base_rev: int, after_ms: int = BEAT_MS, **places: Any) -> Event:
        """The next event of a device, so long after the latest one of any."""
        self.now_ms += after_ms
        self._seqs[device] += 1
        return Event(
            seq=self._seqs[device],
            session=f"visit-{device}",
            item=self.item.id,
            version=VERSION,
            base_rev=base_rev,
            kind=kind,  # type: ignore[arg-type]
            mono_ms=self.now_ms,
            boot="boot",
            wall=WALL + timedelta(milliseconds=self.now_ms),
            **places,
        )

    def fold(self, device: str, *events: Event) -> None:
        """Let the rules have them."""
        folded = self.session.apply(device, events, {self.item.id: self.item}, NOW_MS + self.now_ms)
        assert not folded.refused, folded.refused

    @property
    def rev(self) -> int:
        """The present revision of the head."""
        return self.session.items[self.item.id].rev

    def begin(self, device: str = "phone") -> "Student":
        """Open and press play at the beginning."""
        self.fold(device, self.event(device, "opened", 0), self.event(device, "play", 0, 0, position_ms=0))
        return self

    def beats(self, device: str, base_rev: int, count: int, from_ms: int = 0) -> list[Event]:
        """Plain play, a beat of 10 s each."""
        places = range(from_ms, from_ms + count * BEAT_MS, BEAT_MS)
        return [
            self.event(device, "played", base_rev, from_ms=place, to_ms=place + BEAT_MS) for place in places
        ]


def wire_frame(seq: int = 7) -> bytes:
    """An `events` message with one beat, as a device packs it."""
    event = {
        "seq": seq,
        "wall": "2026-03-02T19:00:00.000Z",
        "mono_ms": 123_456_789,
        "boot": "0123456789ab",
        "session": "visit-0",
        "item": "micro-item",
        "version": VERSION,
        "base_rev": 1 << 20,
        "kind": "played",
        "from_ms": 120_000,
        "to_ms": 130_000,
    }
    packed: bytes = msgpack.packb({"type": "events", "events": [event]})
    return packed
