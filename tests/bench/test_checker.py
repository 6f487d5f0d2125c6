"""The checker sees red: each wrong answer a server could give makes a fault that names it."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.checker import Faults, Samples, StudentCheck, check_stored
from bench.driver import pack
from bench.messages import read
from bench.plan import Mix, Script, Step, ending, script
from persistence.checkpoints import DeviceRow, ProgressRow
from persistence.sessions import StoredSession

MIX = Mix(seed=7, students=20, updates=30)
NUMBER = 9  # has a second device
Said = dict[str, Any]
"""A message as it would be packed."""


class Server:
    """What a right server says, step by step, so that a test can change one thing of it."""

    def __init__(self, mix: Mix = MIX, number: int = NUMBER) -> None:
        self.script = script(mix, number)
        self.faults, self.samples = Faults(), Samples()
        self.check = StudentCheck(mix, self.script, self.faults, self.samples)
        self.rev = 1000
        self.seqs = [0, 0]
        self.step = 0

    def send(self, count: int = 1) -> Step:
        for _ in range(count):
            step = self.script.steps[self.step]
            self.seqs[step.device] = self.check.sent(self.step, float(self.step))
            self.step += 1
        return step

    def send_until(self, wanted: Callable[[Step], bool]) -> Step:
        while not wanted(step := self.send()):
            pass
        return step

    def say(self, to: int, kind: str, **fields: Any) -> None:
        self.hear(to, {"type": kind, **fields})

    def hear(self, to: int, said: Said) -> None:
        self.check.hear(to, read(pack(said)), self.step + 0.25)

    def head(self, step: Step, **other: Any) -> Said:
        self.rev += 1
        end = ending(self.script)
        return {
            "type": "head",
            "item": self.script.item,
            "rev": self.rev,
            "position_ms": step.place_ms,
            "device": self.script.devices[step.device],
            "coverage_ms": sum(b - a for a, b in end.coverage),
            "content_ms": end.content_ms,
            **other,
        }

    def push(self, head: Said) -> None:
        for device in range(len(self.script.devices)):
            self.hear(device, head)

    def run(self) -> None:
        while self.step < len(self.script.steps):
            step = self.send()
            self.say(step.device, "applied", seq=self.seqs[step.device])
            if step.kind in ("played", "sought", "chosen"):
                self.push(self.head(step))
        for device in range(len(self.script.devices)):
            self.say(device, "durable", seq=self.seqs[device])


def one(server: Server) -> str:
    assert server.faults.total == 1, server.faults.kept
    return server.faults.kept[0]


def test_a_right_server_is_green_and_measured() -> None:
    server = Server()
    server.push(server.head(Step(0, "opened", 0), rev=0, position_ms=0, device=""))
    server.run()
    assert server.check.settled
    server.check.finish()
    assert server.faults.total == 0, server.faults.kept
    assert len(server.samples.ack) == MIX.updates
    assert set(server.samples.ack) == {1.25}
    assert len(server.samples.durable_playing) + len(server.samples.durable_flushed) == MIX.updates
    assert server.samples.push and set(server.samples.push) == {1.25}


@pytest.mark.parametrize("kind", ["applied", "durable"])
def test_an_acknowledgement_too_far_is_a_fault(kind: str) -> None:
    server = Server()
    server.send(3)
    server.say(0, kind, seq=4)
    assert f"{kind} 4, but only 3 were sent" in one(server)


@pytest.mark.parametrize("kind", ["applied", "durable"])
def test_an_acknowledgement_that_goes_back_is_a_fault(kind: str) -> None:
    server = Server()
    server.send(3)
    server.say(0, kind, seq=3)
    server.say(0, kind, seq=2)
    assert f"{kind} went back from 3 to 2" in one(server)


def test_after_a_resync_applied_may_start_over_but_durable_may_not() -> None:
    server = Server()
    server.send(3)
    for kind in ("applied", "durable"):
        server.say(0, kind, seq=3)
    server.say(0, "resync", from_seq=2, epoch=2, reason="epoch")
    server.say(0, "applied", seq=2)
    assert server.faults.total == 0
    server.say(0, "durable", seq=1)
    assert "durable went back" in one(server)


@pytest.mark.parametrize("kind", ["applied", "durable"])
def test_a_lost_event_is_a_fault(kind: str) -> None:
    server = Server(number=0)
    server.run()
    late = Server(number=0)
    step = late.send(len(late.script.steps))
    late.push(late.head(step))
    for name in ("applied", "durable"):
        late.say(0, name, seq=MIX.updates - (name == kind))
    assert not late.check.settled
    late.check.finish()
    assert f"1 updates lost from seq {MIX.updates} on" in one(late)


def test_a_head_of_another_student_is_a_fault() -> None:
    server = Server()
    step = server.send_until(lambda step: step.kind == "played")
    other = script(MIX, NUMBER + 1)
    server.push(server.head(step, position_ms=step.place_ms + 1))
    assert server.faults.total == 2
    assert "its place is of student 10" in server.faults.kept[0]
    assert other.steps[1].place_ms % MIX.unit_ms == 10


def test_a_head_of_another_item_is_a_fault() -> None:
    server = Server(number=0)
    server.push(server.head(server.send(2), item="fleet-item-7"))
    assert "does not watch" in one(server)


def test_a_head_that_was_never_sent_is_a_fault() -> None:
    server = Server(number=0)
    server.send(2)
    server.push(server.head(server.script.steps[3]))
    assert "never sent" in one(server)


def test_a_head_on_the_wrong_device_is_a_fault() -> None:
    server = Server(number=0)
    server.push(server.head(server.send(3), device="fleet-1-phone"))
    assert "never sent" in one(server)


def test_a_newer_revision_with_an_older_place_is_a_fault() -> None:
    server = Server(number=0)
    older = server.send_until(lambda step: step.kind == "played")
    newer = server.send_until(lambda step: step.kind == "played")
    server.push(server.head(newer))
    server.push(server.head(older))
    assert "goes back to" in one(server)


def test_an_older_revision_is_dropped_as_the_protocol_says() -> None:
    server = Server(number=0)
    older = server.head(server.send_until(lambda step: step.kind == "played"))
    server.push(server.head(server.send_until(lambda step: step.kind == "played")))
    server.push(older)
    assert server.faults.total == 0
    assert server.check.older_heads == 1


def test_one_revision_for_two_places_is_a_fault() -> None:
    server = Server(number=0)
    server.push(server.head(server.send_until(lambda step: step.kind == "played")))
    server.push(server.head(server.send(), rev=server.rev))
    assert "before it stood for another update" in one(server)


def test_a_second_device_that_never_gets_the_last_position_is_a_fault() -> None:
    server = Server()
    server.run()
    silent = Server()
    step = silent.send(len(silent.script.steps))
    for device in (0, 1):
        for kind in ("applied", "durable"):
            silent.say(device, kind, seq=silent.seqs[device])
    silent.hear(0, silent.head(step))
    assert silent.check.durable and not silent.check.settled
    silent.check.finish()
    assert "fleet-9-tv: the last head never came" in one(silent)


def test_a_last_head_without_all_that_was_seen_is_a_fault() -> None:
    server = Server(number=0)
    server.run()
    server.push(server.head(server.script.steps[-1], content_ms=1))
    server.check.finish()
    assert "content_ms" in one(server)


def test_a_refusal_of_something_right_is_a_fault() -> None:
    server = Server()
    server.send(3)
    server.say(0, "rejected", seq=2, code="unknown_item", message="")
    assert "seq 2 was rejected as unknown_item" in one(server)
    server.say(0, "error", code="malformed", message="", field="", strikes_left=2)
    assert server.faults.total == 2


def test_a_welcome_to_somebody_else_is_a_fault() -> None:
    server = Server()
    devices = server.script.devices
    hello: Said = {"student": server.script.student, "device": devices[0]}
    hello |= {"applied_seq": 0, "durable_seq": 0, "limits": {"frame_bytes": 1, "events_per_message": 1}}
    server.say(0, "welcome", **hello)
    assert server.faults.total == 0
    server.say(0, "welcome", **{**hello, "student": "fleet-3"})
    assert "welcomed as fleet-3" in one(server)
    server.say(0, "welcome", **{**hello, "applied_seq": 1})
    assert "applied_seq 1, sent were 0" in server.faults.kept[1]


# What is at rest.


def stored(found: Script, **wrong: Any) -> StoredSession:
    end = ending(found)
    right: dict[str, Any] = dict(
        student=found.student,
        item=found.item,
        course=MIX.course,
        version="v1",
        rev=9,
        epoch=1,
        viewing=1,
        position_ms=end.place_ms,
        device=end.device,
        action_ms=0,
        rule="R2",
        done=False,
        completions_ms=[],
        coverage=end.coverage,
        furthest_ms=0,
        content_ms=end.content_ms,
        wall=[],
        merge={},
    )
    row = ProgressRow(**right | wrong)
    spoke = [step.device for step in found.steps]
    devices = [DeviceRow(found.student, d, spoke.count(i), {}) for i, d in enumerate(found.devices)]
    return StoredSession([row], devices, {MIX.course})


def test_right_rows_are_green() -> None:
    faults, found = Faults(), script(MIX, NUMBER)
    check_stored(found, stored(found), faults)
    assert faults.total == 0, faults.kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"position_ms": 1},
        {"device": "fleet-9-radio"},
        {"coverage": [(0, 1000)]},
        {"content_ms": 1},
        {"done": True},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_final_row_is_a_fault(wrong: dict[str, Any]) -> None:
    faults, found = Faults(), script(MIX, NUMBER)
    check_stored(found, stored(found, **wrong), faults)
    assert faults.total == 1
    assert f"{next(iter(wrong))} is " in faults.kept[0]


def test_a_missing_row_and_a_short_watermark_are_faults() -> None:
    faults, found = Faults(), script(MIX, NUMBER)
    rows = stored(found)
    rows.devices.pop()
    check_stored(found, rows, faults)
    assert "durable_seq of fleet-9-tv is 0" in faults.kept[0]
    check_stored(found, StoredSession(), faults)
    assert "has progress in []" in faults.kept[1]


def test_only_the_first_faults_of_a_kind_are_kept_in_words() -> None:
    faults = Faults()
    for n in range(1000):
        faults.add("foreign head" if n % 2 else "lost update", "somebody", f"fault {n}")
    assert faults.total == 1000 and len(faults.kept) == 20
    assert faults.kinds == {"foreign head": 500, "lost update": 500}
