"""What must be true of every answer: acknowledgements, pushed positions, and the rows in the end.

One `StudentCheck` follows one student. It knows what was sent and when, so each watermark and each head can
be judged the moment it arrives. What is wrong goes to `Faults`; times go to `Samples`.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.messages import Applied, Durable, Head, Message, Problem, Rejected, Resync, Welcome
from bench.plan import Mix, Script, Step, ending
from persistence.sessions import StoredSession

FAULTS_KEPT = 10


@dataclass(slots=True)
class Faults:
    """What was wrong: all are counted by kind, the first ones of each kept in words."""

    kinds: Counter[str] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many."""
        return self.kinds.total()

    def plain(self) -> dict[str, Any]:
        """As plain values; `asdict` would make counts of pairs of the counts."""
        return {"kinds": dict(self.kinds), "kept": self.kept}

    def add(self, kind: str, who: str, what: str) -> None:
        """Note a wrong or missing answer to a student's device; `kind` is what it is counted as."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= FAULTS_KEPT:
            self.kept.append(f"{kind}: {who}: {what}")


@dataclass(slots=True)
class Samples:
    """Measured times in s, from sending: to `applied`, to the head at the other device, to `durable`.

    `ack_back` is of updates whose device was not connected when they were made, or lost the connection
    before they were applied.
    """

    ack: "array[float]" = field(default_factory=lambda: array("d"))
    ack_back: "array[float]" = field(default_factory=lambda: array("d"))
    push: "array[float]" = field(default_factory=lambda: array("d"))
    durable_playing: "array[float]" = field(default_factory=lambda: array("d"))
    durable_flushed: "array[float]" = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class _Heard:
    """What one device has been told. `steps` has what it sent, by seq; `order` is the step that put its
    newest head there, -1 for none; `since_s` is when its connection was welcomed."""

    steps: "array[int]" = field(default_factory=lambda: array("H"))
    applied: int = 0
    durable: int = 0
    rev: int = -1
    order: int = -1
    since_s: float = 0.0
    head: Head | None = None


_KINDS = ("opened", "play", "played", "paused", "sought", "chosen")
_FLUSHED = bytes(Step(0, kind).flushed for kind in _KINDS)
_KIND, _OFFLINE = 0x1F, 0x20
"""A step is kept in a byte: its kind, whether it was made or under way off line, above them its device."""

REVS_KEPT = 128
"""Revisions of a student with several devices whose step is remembered."""


class StudentCheck:
    """Judges what one student's devices hear. Devices are 0, 1 and 2; a step is its index in the script.

    Each step takes 13 bytes here, for there are tens of thousands of students. `older_heads` counts heads
    with a smaller `rev` than the device has, which it may drop (P10).
    """

    __slots__ = (
        "_acts",
        "_content_ms",
        "_coverage_ms",
        "_faults",
        "_heard",
        "_orders",
        "_places",
        "_samples",
        "_sent",
        "_sent_s",
        "devices",
        "item",
        "mix",
        "number",
        "older_heads",
        "period_ms",
        "student",
    )  # fmt: skip

    def __init__(self, mix: Mix, script: Script, faults: Faults, samples: Samples) -> None:
        self.mix = mix
        self.number, self.student, self.item = script.number, script.student, script.item
        self.devices, self.period_ms = script.devices, script.period_ms
        self.older_heads = 0
        self._faults = faults
        self._samples = samples
        self._places = array("i", (step.place_ms for step in script.steps))
        self._acts = bytearray(step.device << 6 | _KINDS.index(step.kind) for step in script.steps)
        self._sent = 0
        self._sent_s = array("d", bytes(8 * len(script.steps)))
        self._heard = [_Heard() for _ in script.devices]
        self._orders: dict[int, int] = {}
        end = ending(script)
        self._coverage_ms = sum(b - a for a, b in end.coverage)
        self._content_ms = end.content_ms

    @property
    def steps(self) -> int:
        """How many updates the student makes."""
        return len(self._places)

    def step(self, number: int) -> Step:
        """A step of the script."""
        act, place_ms = self._acts[number], self._places[number]
        kind = _KINDS[act & _KIND]
        return Step(act >> 6, kind, place_ms, place_ms - self.period_ms if kind == "played" else -1)

    def sent(self, step: int, at_s: float, online: bool = True) -> int:
        """A step is being sent, or written down for later; gives its seq on its device."""
        heard = self._heard[self._acts[step] >> 6]
        heard.steps.append(step)
        self._sent_s[step] = at_s
        self._sent = step + 1
        if not online:
            self._acts[step] |= _OFFLINE
        return len(heard.steps)

    def lost(self, device: int) -> None:
        """The device has lost its connection: what was under way is not measured as if it had not."""
        heard = self._heard[device]
        for step in heard.steps[heard.applied :]:
            self._acts[step] |= _OFFLINE

    def base_rev(self, device: int) -> int:
        """The newest revision the device has seen."""
        return max(self._heard[device].rev, 0)

    def hear(self, device: int, message: Message, at_s: float) -> None:
        """Judge one message to a device."""
        judge = _JUDGES.get(type(message))
        if judge is not None:
            judge(self, device, message, at_s)

    @property
    def durable(self) -> bool:
        """Whether every update sent so far is acknowledged as durable, and applied."""
        return all(heard.durable >= len(heard.steps) <= heard.applied for heard in self._heard)

    @property
    def settled(self) -> bool:
        """Whether in addition every device has the last position, with all that was seen."""
        return self.durable and not any(self._missing(heard) for heard in self._heard)

    def finish(self) -> None:
        """The end: whatever has not been heard by now is lost."""
        for device, heard in enumerate(self._heard):
            lost = len(heard.steps) - min(heard.applied, heard.durable)
            if lost:
                first = min(heard.applied, heard.durable) + 1
                self._wrong(
                    "lost update",
                    device,
                    f"{lost} updates lost from seq {first} on ({self._step_of(heard, first)}): "
                    f"applied {heard.applied}, durable {heard.durable}, sent {len(heard.steps)}",
                )
            if missing := self._missing(heard):
                self._wrong("lost head", device, f"the last head never came: {missing}")

    def _welcome(self, device: int, message: Welcome, at_s: float) -> None:
        heard = self._heard[device]
        heard.since_s = at_s
        if (message.student, message.device) != (self.student, self.devices[device]):
            self._wrong("welcome", device, f"welcomed as {message.student} on {message.device}")
        for name, seq in (("applied_seq", message.applied_seq), ("durable_seq", message.durable_seq)):
            if seq > len(heard.steps):
                self._wrong("welcome", device, f"welcome says {name} {seq}, sent were {len(heard.steps)}")
        if message.durable_seq < heard.durable:
            self._wrong(
                "welcome", device, f"welcome says durable {message.durable_seq}, it was {heard.durable}"
            )
        # What was said while nobody listened is heard now.
        if heard.applied < message.applied_seq <= len(heard.steps):
            self._applied(device, Applied(message.applied_seq), at_s)
        if heard.durable < message.durable_seq <= len(heard.steps):
            self._durable(device, Durable(message.durable_seq), at_s)
        heard.applied = message.applied_seq

    def _resync(self, device: int, message: Resync, at_s: float) -> None:
        # A shard that started anew has forgotten what was not durable; it is sent again (P27).
        heard = self._heard[device]
        heard.applied = min(heard.applied, message.from_seq - 1)

    def _rejected(self, device: int, message: Rejected, at_s: float) -> None:
        self._wrong("refusal", device, f"seq {message.seq} was rejected as {message.code}")

    def _problem(self, device: int, message: Problem, at_s: float) -> None:
        self._wrong("refusal", device, f"a frame was refused as {message.code}: {message.message}")

    def _applied(self, device: int, message: Applied, at_s: float) -> None:
        heard, seq = self._heard[device], message.seq
        if self._watermark(device, "applied", heard.applied, seq):
            acts, samples = self._acts, self._samples
            for step in heard.steps[heard.applied : seq]:
                times = samples.ack_back if acts[step] & _OFFLINE else samples.ack
                times.append(at_s - self._sent_s[step])
            heard.applied = seq

    def _durable(self, device: int, message: Durable, at_s: float) -> None:
        heard, seq = self._heard[device], message.seq
        if self._watermark(device, "durable", heard.durable, seq):
            samples = self._samples
            for step in heard.steps[heard.durable : seq]:
                act = self._acts[step]
                if not act & _OFFLINE:
                    flushed = _FLUSHED[act & _KIND]
                    times = samples.durable_flushed if flushed else samples.durable_playing
                    times.append(at_s - self._sent_s[step])
            heard.durable = seq

    def _watermark(self, device: int, name: str, before: int, seq: int) -> bool:
        sent = len(self._heard[device].steps)
        if seq > sent:
            self._wrong("acknowledgement too far", device, f"{name} {seq}, but only {sent} were sent")
        elif seq < before:
            self._wrong("acknowledgement back", device, f"{name} went back from {before} to {seq}")
        else:
            return True
        return False

    def _head(self, device: int, head: Head, at_s: float) -> None:
        heard = self._heard[device]
        if head.item != self.item:
            self._wrong("foreign head", device, f"a head of {head.item}, which this student does not watch")
            return
        rev, order = head.rev, self._order(device, head)
        if order is None:
            return
        if rev < heard.rev:
            self.older_heads += 1
            return
        if order < heard.order:
            self._wrong(
                "head back",
                device,
                f"rev {rev} goes back to {self._where(head)}, rev {heard.rev} was further on",
            )
        elif order > heard.order:
            act, sent_s = self._acts[order], self._sent_s[order]
            if act >> 6 != device and not act & _OFFLINE and sent_s >= heard.since_s:
                self._samples.push.append(at_s - sent_s)
        heard.rev, heard.order, heard.head = rev, max(order, heard.order), head

    def _order(self, device: int, head: Head) -> int | None:
        """The step that put the head there, -1 for the empty head; None if the head is wrong."""
        rev, place_ms = head.rev, head.position_ms
        if rev == 0 and place_ms == 0 and not head.device:
            return -1
        order = self._put_by(head.device, place_ms)
        if order is None:
            whose = f"student {place_ms % self.mix.unit_ms} of the item (mine is {self._code})"
            self._wrong(
                "foreign head",
                device,
                f"rev {rev} at {self._where(head)}, never sent; its place is of {whose}",
            )
            return None
        if self._known(device, rev, order) != order:
            self._wrong(
                "two heads of one revision",
                device,
                f"rev {rev} at {self._where(head)}, but before it stood for another update",
            )
            return None
        return order

    def _put_by(self, name: str, place_ms: int) -> int | None:
        """The first step in which the device of this name put the head at this place.

        Nearly always it is among the last: a place is sent again only in the steps that follow at once.
        """
        try:
            device = self.devices.index(name)
        except ValueError:
            return None
        places, acts, found = self._places, self._acts, None
        for step in range(self._sent - 1, -1, -1):
            place = places[step]
            if place == place_ms:
                if acts[step] >> 6 == device:
                    found = step
            elif found is not None and place >= 0:
                break
        return found

    def _known(self, device: int, rev: int, order: int) -> int:
        """The step this revision stood for when a device heard of it first."""
        if len(self._heard) > 1:
            if len(self._orders) > REVS_KEPT:
                del self._orders[min(self._orders)]
            return self._orders.setdefault(rev, order)
        heard = self._heard[device]
        return heard.order if rev == heard.rev else order

    @property
    def _code(self) -> int:
        return self.number % self.mix.unit_ms

    def _missing(self, heard: _Heard) -> str:
        """What the device's head lacks of the ending; empty if nothing. Asked when all steps are sent."""
        head, last = heard.head, len(self._places) - 1
        expected = {
            "position_ms": self._places[last],
            "device": self.devices[self._acts[last] >> 6],
            "coverage_ms": self._coverage_ms,
            "content_ms": self._content_ms,
        }
        wrong = {
            name: found for name, value in expected.items() if (found := getattr(head, name, None)) != value
        }
        return f"has {wrong}, expected {expected}" if wrong else ""

    def _step_of(self, heard: _Heard, seq: int) -> str:
        step = self.step(heard.steps[seq - 1])
        return f"{step.kind} at {step.place_ms} ms"

    def _where(self, head: Head) -> str:
        return f"{head.position_ms} ms on {head.device or 'no device'}"

    def _wrong(self, kind: str, device: int, what: str) -> None:
        self._faults.add(kind, f"student {self.number} on {self.devices[device]}", what)


_JUDGES: dict[type, Callable[[StudentCheck, int, Any, float], None]] = {
    Applied: StudentCheck._applied,
    Durable: StudentCheck._durable,
    Head: StudentCheck._head,
    Welcome: StudentCheck._welcome,
    Resync: StudentCheck._resync,
    Rejected: StudentCheck._rejected,
    Problem: StudentCheck._problem,
}


def check_stored(script: Script, stored: StoredSession, faults: Faults) -> None:
    """Compare what is at rest of a student with what was sent."""
    who, end = f"student {script.number} in Postgres", ending(script)
    if [row.item for row in stored.progress] != [script.item]:
        faults.add(
            "final row",
            who,
            f"has progress in {[row.item for row in stored.progress]}, expected [{script.item}]",
        )
        return
    row = stored.progress[0]
    found: dict[str, object] = {
        "position_ms": row.position_ms,
        "device": row.device,
        "coverage": list(row.coverage),
        "content_ms": row.content_ms,
        "done": row.done,
    }
    expected: dict[str, object] = {
        "position_ms": end.place_ms,
        "device": end.device,
        "coverage": end.coverage,
        "content_ms": end.content_ms,
        "done": False,
    }
    for name, value in expected.items():
        if found[name] != value:
            faults.add("final row", who, f"{name} is {found[name]}, expected {value}")
    _check_watermarks(script, stored, who, faults)


def _check_watermarks(script: Script, stored: StoredSession, who: str, faults: Faults) -> None:
    last = _last_seqs(script)
    kept = {row.device: row.durable_seq for row in stored.devices}
    for device, seq in last.items():
        if kept.get(device, 0) != seq:
            faults.add(
                "final watermark", who, f"durable_seq of {device} is {kept.get(device, 0)}, expected {seq}"
            )


def _last_seqs(script: Script) -> dict[str, int]:
    spoke: Sequence[int] = [step.device for step in script.steps]
    return {device: spoke.count(index) for index, device in enumerate(script.devices)}
