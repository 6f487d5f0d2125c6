"""What must be true of every answer: acknowledgements, pushed positions, and the rows in the end.

One `StudentCheck` follows one student. It knows what was sent and when, so each watermark and each head can
be judged the moment it arrives. What is wrong goes to `Faults`; times go to `Samples`.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.plan import Mix, Script, ending
from persistence.sessions import StoredSession

Message = dict[str, Any]

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

    def add(self, kind: str, who: str, what: str) -> None:
        """Note a wrong or missing answer to a student's device; `kind` is what it is counted as."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= FAULTS_KEPT:
            self.kept.append(f"{kind}: {who}: {what}")


@dataclass(slots=True)
class Samples:
    """Measured times in s, from sending: to `applied`, to the head at the other device, to `durable`."""

    ack: "array[float]" = field(default_factory=lambda: array("d"))
    push: "array[float]" = field(default_factory=lambda: array("d"))
    durable_playing: "array[float]" = field(default_factory=lambda: array("d"))
    durable_flushed: "array[float]" = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class _Heard:
    """What one device has been told. `order` is the step that put its newest head there, -1 for none."""

    sent: list[int] = field(default_factory=list)
    applied: int = 0
    durable: int = 0
    rev: int = -1
    order: int = -1
    head: Message | None = None


class StudentCheck:
    """Judges what one student's devices hear. Devices are 0 and 1; a step is its index in the script.

    `older_heads` counts heads with a smaller `rev` than the device has, which it may drop (P10).
    """

    __slots__ = (
        "_faults", "_heard", "_orders", "_places", "_samples", "_sent_s", "mix", "older_heads", "script",
    )  # fmt: skip

    def __init__(self, mix: Mix, script: Script, faults: Faults, samples: Samples) -> None:
        self.mix = mix
        self.script = script
        self.older_heads = 0
        self._faults = faults
        self._samples = samples
        self._sent_s = array("d", bytes(8 * len(script.steps)))
        self._heard = [_Heard() for _ in script.devices]
        self._places: dict[tuple[str, int], int] = {}
        self._orders: dict[int, int] = {}

    def sent(self, step: int, at_s: float) -> int:
        """A step is being sent; gives its seq on its device."""
        said = self.script.steps[step]
        heard = self._heard[said.device]
        heard.sent.append(step)
        self._sent_s[step] = at_s
        if said.place_ms >= 0:
            self._places.setdefault((self.script.devices[said.device], said.place_ms), step)
        return len(heard.sent)

    def base_rev(self, device: int) -> int:
        """The newest revision the device has seen."""
        return max(self._heard[device].rev, 0)

    def hear(self, device: int, message: Message, at_s: float) -> None:
        """Judge one message to a device."""
        kind = message["type"]
        if kind == "applied":
            self._applied(device, message["seq"], at_s)
        elif kind == "durable":
            self._durable(device, message["seq"], at_s)
        elif kind == "head":
            self._head(device, message, at_s)
        elif kind == "welcome":
            self._welcome(device, message)
        elif kind == "resync":
            # A shard that started anew has forgotten what was not durable; it is sent again (P27).
            self._heard[device].applied = min(self._heard[device].applied, message["from_seq"] - 1)
        elif kind == "rejected":
            self._wrong("refusal", device, f"seq {message['seq']} was rejected as {message['code']}")
        elif kind == "error":
            self._wrong("refusal", device, f"a frame was refused as {message['code']}: {message['message']}")

    @property
    def durable(self) -> bool:
        """Whether every update sent so far is acknowledged as durable, and applied."""
        return all(heard.durable >= len(heard.sent) <= heard.applied for heard in self._heard)

    @property
    def settled(self) -> bool:
        """Whether in addition every device has the last position, with all that was seen."""
        return self.durable and not any(self._missing(heard) for heard in self._heard)

    def finish(self) -> None:
        """The end: whatever has not been heard by now is lost."""
        for device, heard in enumerate(self._heard):
            lost = len(heard.sent) - min(heard.applied, heard.durable)
            if lost:
                first = min(heard.applied, heard.durable) + 1
                self._wrong(
                    "lost update",
                    device,
                    f"{lost} updates lost from seq {first} on ({self._step_of(heard, first)}): "
                    f"applied {heard.applied}, durable {heard.durable}, sent {len(heard.sent)}",
                )
            if missing := self._missing(heard):
                self._wrong("lost head", device, f"the last head never came: {missing}")

    def _welcome(self, device: int, message: Message) -> None:
        heard = self._heard[device]
        if (message["student"], message["device"]) != (self.script.student, self.script.devices[device]):
            self._wrong("welcome", device, f"welcomed as {message['student']} on {message['device']}")
        for name in ("applied_seq", "durable_seq"):
            if message[name] > len(heard.sent):
                self._wrong(
                    "welcome", device, f"welcome says {name} {message[name]}, sent were {len(heard.sent)}"
                )
        if message["durable_seq"] < heard.durable:
            self._wrong(
                "welcome", device, f"welcome says durable {message['durable_seq']}, it was {heard.durable}"
            )
        heard.applied = message["applied_seq"]

    def _applied(self, device: int, seq: int, at_s: float) -> None:
        heard = self._heard[device]
        if self._watermark(device, "applied", heard.applied, seq):
            times = (at_s - self._sent_s[step] for step in heard.sent[heard.applied : seq])
            self._samples.ack.extend(times)
            heard.applied = seq

    def _durable(self, device: int, seq: int, at_s: float) -> None:
        heard = self._heard[device]
        if self._watermark(device, "durable", heard.durable, seq):
            for step in heard.sent[heard.durable : seq]:
                flushed = self.script.steps[step].flushed
                samples = self._samples.durable_flushed if flushed else self._samples.durable_playing
                samples.append(at_s - self._sent_s[step])
            heard.durable = seq

    def _watermark(self, device: int, name: str, before: int, seq: int) -> bool:
        sent = len(self._heard[device].sent)
        if seq > sent:
            self._wrong("acknowledgement too far", device, f"{name} {seq}, but only {sent} were sent")
        elif seq < before:
            self._wrong("acknowledgement back", device, f"{name} went back from {before} to {seq}")
        else:
            return True
        return False

    def _head(self, device: int, head: Message, at_s: float) -> None:
        heard = self._heard[device]
        if head["item"] != self.script.item:
            self._wrong(
                "foreign head", device, f"a head of {head['item']}, which this student does not watch"
            )
            return
        rev, order = head["rev"], self._order(device, head)
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
        elif order > heard.order and self.script.steps[order].device != device:
            self._samples.push.append(at_s - self._sent_s[order])
        heard.rev, heard.order, heard.head = rev, max(order, heard.order), head

    def _order(self, device: int, head: Message) -> int | None:
        """The step that put the head there, -1 for the empty head; None if the head is wrong."""
        rev, place_ms = head["rev"], head["position_ms"]
        if rev == 0 and place_ms == 0 and not head["device"]:
            return -1
        order = self._places.get((head["device"], place_ms))
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

    def _known(self, device: int, rev: int, order: int) -> int:
        """The step this revision stood for when a device heard of it first."""
        if len(self._heard) > 1:
            return self._orders.setdefault(rev, order)
        heard = self._heard[device]
        return heard.order if rev == heard.rev else order

    @property
    def _code(self) -> int:
        return self.script.number % self.mix.unit_ms

    def _missing(self, heard: _Heard) -> str:
        """What the device's head lacks of the ending; empty if nothing. Asked when all steps are sent."""
        end = ending(self.script)
        head: Message = heard.head or {}
        expected = {
            "position_ms": end.place_ms,
            "device": end.device,
            "coverage_ms": sum(b - a for a, b in end.coverage),
            "content_ms": end.content_ms,
        }
        wrong = {name: head.get(name) for name, value in expected.items() if head.get(name) != value}
        return f"has {wrong}, expected {expected}" if wrong else ""

    def _step_of(self, heard: _Heard, seq: int) -> str:
        step = self.script.steps[heard.sent[seq - 1]]
        return f"{step.kind} at {step.place_ms} ms"

    def _where(self, head: Message) -> str:
        return f"{head['position_ms']} ms on {head['device'] or 'no device'}"

    def _wrong(self, kind: str, device: int, what: str) -> None:
        self._faults.add(kind, f"student {self.script.number} on {self.script.devices[device]}", what)


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
