"""Sessions and their connections in one shard: who is told what, with the real rules underneath."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from actors.batch import (
    AllApplied,
    AllDurable,
    Apply,
    Attach,
    Attached,
    Close,
    Deliver,
    Detach,
    Operation,
    Outcome,
    Present,
    PullHeads,
    Reattach,
)
from actors.core.editions import Edition
from actors.core.events import Event
from actors.core.item import Item
from actors.core.placement import slot_of
from actors.core.session import Session
from actors.messages import Applied, ClockReading, Device, Durable, Head, Rejected, Resync, ToDevice
from actors.residents import DRAIN, REPLACED, RESYNC, Residents, Turn, needed_items

NOW_MS = 1_772_442_000_000
CATALOGUE = {
    "lec1": Item("lec1", "c1", "v1", {"v1": 3_600_000}),
    "other": Item("other", "c2", "v1", {"v1": 3_600_000}),
}
EPOCH = 3

_decoder = msgspec.msgpack.Decoder(ToDevice)


@dataclass
class Shard:
    """Residents and everything each connection has been told, by (gateway, connection)."""

    residents: Residents = field(default_factory=lambda: Residents(CATALOGUE))
    told: dict[tuple[str, int], list[Any]] = field(default_factory=dict)
    now_ms: int = NOW_MS

    def student(self, name: str = "ana") -> Session:
        session = Session(name, EPOCH << 20, frozenset({"c1"}))
        self.residents.admit(session, self.now_ms)
        return session

    def run(self, gateway: str, *operations: Operation, life: str = "1") -> Turn:
        turn = self.residents.run(gateway, life, list(operations), self.now_ms)
        self.hear(turn)
        return turn

    def hear(self, turn: Turn) -> None:
        outcomes_by = {gateway: list(outcomes) for gateway, outcomes in turn.outcomes.items()}
        heard = Turn(outcomes_by, dict(turn.applied), dict(turn.durable), dict(turn.asked))
        for gateway, outcomes in heard.take_all():
            for outcome in outcomes:
                if isinstance(outcome, AllApplied | AllDurable):
                    message = Applied if isinstance(outcome, AllApplied) else Durable
                    for conn, seq in outcome.seqs.items():
                        self.told.setdefault((gateway, conn), []).append(message(seq))
                    continue
                said = _decoder.decode(outcome.frame) if isinstance(outcome, Deliver) else outcome
                for conn in conns_of(outcome):
                    self.told.setdefault((gateway, conn), []).append(said)

    def committed(self, student: str, device: str, seq: int) -> Turn:
        turn = Turn()
        self.residents.acknowledge(student, {device: seq}, turn)
        self.hear(turn)
        return turn

    def said(self, gateway: str, conn: int, kind: type) -> list[Any]:
        return [message for message in self.told.get((gateway, conn), []) if isinstance(message, kind)]

    def attach(self, gateway: str, conn: int, device: str, student: str = "ana", **fields: Any) -> None:
        clock = ClockReading(datetime.fromtimestamp(self.now_ms / 1000, UTC), self.now_ms - NOW_MS, "b1")
        self.run(gateway, Attach(conn, student, Device(device), clock, self.now_ms), **fields)


def conns_of(outcome: Outcome) -> list[int]:
    if isinstance(outcome, AllApplied | AllDurable):
        return list(outcome.seqs)
    return [outcome.conn] if isinstance(outcome, Attached) else list(outcome.conns)


def entry(seq: int, kind: str, at_s: float = 0, **fields: Any) -> Event:
    return Event(
        seq=seq,
        session="s1",
        item=fields.pop("item", "lec1"),
        version="v1",
        base_rev=0,
        kind=kind,  # type: ignore[arg-type]
        mono_ms=round(at_s * 1000),
        boot="b1",
        wall=datetime.fromtimestamp(NOW_MS / 1000 + at_s, UTC),
        **fields,
    )


def minute() -> list[Event]:
    """A visit that plays the first minute."""
    beats = [
        entry(n + 3, "played", n * 10 + 10, from_ms=n * 10_000, to_ms=n * 10_000 + 10_000) for n in range(6)
    ]
    return [entry(1, "opened"), entry(2, "play", position_ms=0), *beats]


def playing(shard: Shard, gateway: str = "g1", conn: int = 1, device: str = "P") -> Session:
    """A device that has played a minute and plays on."""
    session = shard.student()
    shard.attach(gateway, conn, device)
    shard.now_ms += 60_000
    shard.run(gateway, Apply(conn, "ana", minute()))
    return session


def test_an_attach_is_answered_with_epoch_and_watermarks() -> None:
    shard = Shard()
    session = shard.student()
    session.device("P").applied_seq, session.device("P").durable_seq = 9, 5
    shard.attach("g1", 1, "P")
    (attached,) = shard.said("g1", 1, Attached)
    assert (attached.epoch, attached.applied_seq, attached.durable_seq) == (EPOCH, 9, 5)
    shard.attach("g1", 1, "P")
    assert len(shard.said("g1", 1, Attached)) == 2 and shard.residents.connections == 1


def test_p27_who_was_unknown_for_a_while_hears_what_has_changed_since() -> None:
    shard = Shard()
    playing(shard)
    clock = ClockReading(datetime.fromtimestamp(NOW_MS / 1000, UTC), 0, "b1")
    attach = Attach(7, "ana", Device("T"), clock, shard.now_ms)
    shard.run("g1", attach)
    assert shard.said("g1", 7, Head) == [], "a new device asks for what it shows"
    shard.run("g1", msgspec.structs.replace(attach, again=True))
    (head,) = shard.said("g1", 7, Head)
    assert (head.item, head.position_ms) == ("lec1", 60_000)
    shard.residents["ana"].session.rev_floor += 1 << 20
    shard.run("g1", msgspec.structs.replace(attach, again=True))
    assert len(shard.said("g1", 7, Head)) == 1, "nothing has changed under this owner"


def test_entries_are_answered_applied_and_not_durable() -> None:
    shard = Shard()
    playing(shard)
    assert shard.said("g1", 1, Applied)[-1].seq == 8
    assert shard.said("g1", 1, Durable) == []


def test_r8_durable_is_told_only_when_it_is() -> None:
    shard = Shard()
    session = playing(shard)
    shard.committed("ana", "P", 8)
    assert [message.seq for message in shard.said("g1", 1, Durable)] == [8]
    assert session.device("P").durable_seq == 8
    shard.committed("ana", "P", 3)
    assert session.device("P").durable_seq == 8


def test_r8_a_durable_repeat_is_acknowledged_again() -> None:
    shard = Shard()
    session = playing(shard)
    session.dirty_items, session.dirty_devices = (), ()
    shard.committed("ana", "P", 8)
    turn = shard.run("g1", Apply(1, "ana", minute()))
    assert [message.seq for message in shard.said("g1", 1, Durable)] == [8, 8]
    assert not turn.dirty


def test_an_acknowledgement_for_somebody_who_has_left_tells_nobody() -> None:
    shard = Shard()
    assert shard.committed("ana", "P", 8).take_all() == []
    shard.student()
    assert shard.committed("ana", "P", 8).take_all() == []


def test_p10_heads_go_to_every_connection_of_the_student_and_no_other() -> None:
    shard = Shard()
    shard.student("ben")
    shard.student()
    shard.attach("g1", 1, "P")
    shard.attach("g2", 1, "W")
    shard.attach("g2", 2, "ben's", student="ben")
    shard.now_ms += 60_000
    shard.run("g1", Apply(1, "ana", minute()))
    for gateway in ("g1", "g2"):
        head = shard.said(gateway, 1, Head)[-1]
        assert (head.position_ms, head.device, head.playing) == (60_000, "P", True)
    assert shard.said("g2", 2, Head) == []


def test_a_head_that_nobody_sees_change_is_not_pushed() -> None:
    shard = Shard()
    playing(shard)
    heads = len(shard.said("g1", 1, Head))
    shard.run("g1", Apply(1, "ana", [entry(9, "opened", 60)]))
    assert len(shard.said("g1", 1, Head)) == heads


def test_p10_a_pull_gives_the_heads_of_items_one_may_see() -> None:
    shard = Shard()
    playing(shard)
    shard.told.clear()
    shard.run("g1", PullHeads(1, "ana", ["lec1", "other", "nothing"]))
    assert [(head.item, head.position_ms) for head in shard.said("g1", 1, Head)] == [("lec1", 60_000)]


def test_p11_the_head_of_an_item_not_begun_has_revision_zero() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P")
    shard.run("g1", PullHeads(1, "ana", ["lec1"]))
    (head,) = shard.said("g1", 1, Head)
    assert (head.rev, head.position_ms, head.device, head.candidate) == (0, 0, "", None)


def test_w18_a_refusal_reaches_the_device() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P")
    shard.run("g1", Apply(1, "ana", [entry(1, "opened", item="other"), entry(2, "opened", item="lec9")]))
    codes = [(message.seq, message.code) for message in shard.said("g1", 1, Rejected)]
    assert codes == [(1, "not_enrolled"), (2, "unknown_item")]
    assert shard.said("g1", 1, Applied)[-1].seq == 2


def test_w22_the_same_device_twice_replaces_the_older_connection() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P")
    shard.attach("g1", 2, "P")
    assert [close.code for close in shard.said("g1", 1, Close)] == [REPLACED]
    assert shard.said("g1", 2, Close) == [] and shard.residents.connections == 1
    shard.run("g1", Detach(1, "ana"))
    shard.run("g1", Apply(2, "ana", minute()))
    assert shard.said("g1", 2, Applied)[-1].seq == 8


def test_w22_also_over_two_gateways() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P")
    shard.attach("g2", 1, "P")
    assert [close.code for close in shard.said("g1", 1, Close)] == [REPLACED]
    shard.run("g1", Apply(1, "ana", minute()))
    assert len(shard.said("g1", 1, Reattach)) == 1 and shard.said("g1", 1, Applied) == []
    shard.run("g2", Apply(1, "ana", minute()))
    assert shard.said("g2", 1, Applied)[-1].seq == 8


def test_w21_one_device_id_under_two_students_is_two_devices() -> None:
    shard = Shard()
    ana, ben = shard.student("ana"), shard.student("ben")
    shard.attach("g1", 1, "shared", student="ana")
    shard.attach("g1", 2, "shared", student="ben")
    assert shard.said("g1", 1, Close) == []
    shard.run("g1", Apply(1, "ana", minute()))
    assert ana.device("shared").applied_seq == 8 and ben.device("shared").applied_seq == 0
    assert ben.items == {} and shard.said("g1", 2, Head) == []


def test_p27_a_connection_the_shard_does_not_know_is_attached_again() -> None:
    shard = Shard()
    shard.student()
    turn = shard.run("g1", Apply(7, "ana", minute()), PullHeads(8, "ana", ["lec1"]))
    assert turn.outcomes["g1"] == [Reattach([7]), Reattach([8])]
    assert not turn.dirty and shard.residents["ana"].session.items == {}


def test_a_new_life_of_a_gateway_forgets_its_connections() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P")
    shard.attach("g2", 1, "W")
    shard.attach("g1", 5, "T", life="2")
    assert shard.residents.connections == 2
    shard.run("g1", Apply(1, "ana", minute()), life="2")
    assert len(shard.said("g1", 1, Reattach)) == 1


def test_a_gateway_that_is_gone_stops_the_live_display() -> None:
    shard = Shard()
    playing(shard)
    shard.attach("g2", 1, "W")
    turn = Turn()
    shard.residents.forget("g1", shard.now_ms, turn)
    shard.hear(turn)
    assert shard.said("g2", 1, Head)[-1].playing is False
    assert shard.residents.connections == 1


def test_p22_a_gap_is_told_and_after_five_seconds_the_socket_closes() -> None:
    shard = Shard()
    session = shard.student()
    shard.attach("g1", 1, "P")
    shard.run("g1", Apply(1, "ana", minute()[2:]))
    (resync,) = shard.said("g1", 1, Resync)
    assert (resync.from_seq, resync.epoch, resync.reason) == (1, EPOCH, "gap")
    shard.hear(shard.residents.close_gaps(shard.now_ms + 5_000))
    assert shard.said("g1", 1, Close) == []
    shard.hear(shard.residents.close_gaps(shard.now_ms + 5_001))
    assert [close.code for close in shard.said("g1", 1, Close)] == [RESYNC]
    assert session.device("P").held == {}
    shard.hear(shard.residents.close_gaps(shard.now_ms + 60_000))
    assert len(shard.said("g1", 1, Close)) == 1


def test_p22_a_gap_that_is_filled_closes_nothing() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P")
    shard.run("g1", Apply(1, "ana", minute()[2:]))
    shard.run("g1", Apply(1, "ana", minute()[:2]))
    assert shard.said("g1", 1, Applied)[-1].seq == 8
    shard.hear(shard.residents.close_gaps(shard.now_ms + 60_000))
    assert shard.said("g1", 1, Close) == []


def test_p22_a_connection_that_comes_back_has_its_five_seconds_again() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P")
    shard.run("g1", Apply(1, "ana", minute()[2:]))
    shard.now_ms += 4_900
    shard.attach("g1", 2, "P")
    shard.run("g1", Apply(2, "ana", minute()[2:]))
    shard.hear(shard.residents.close_gaps(shard.now_ms + 4_000))
    assert shard.said("g1", 2, Close) == []


def test_r1_a_player_that_stalls_is_not_shown_as_playing() -> None:
    shard = Shard()
    playing(shard)
    shard.attach("g2", 1, "W")
    shard.run("g1", Present(1, "ana", "lec1", "stalled"))
    head = shard.said("g2", 1, Head)[-1]
    assert (head.playing, head.position_ms) == (False, 60_000)
    heads = len(shard.said("g2", 1, Head))
    shard.run("g1", Present(1, "ana", "lec1", "stalled"), Present(1, "ana", "other", "idle"))
    assert len(shard.said("g2", 1, Head)) == heads


def test_detach_stops_the_live_display_and_tells_the_others() -> None:
    shard = Shard()
    playing(shard)
    shard.attach("g2", 1, "W")
    shard.told.clear()
    shard.run("g1", Detach(1, "ana"))
    assert shard.said("g2", 1, Head)[-1].playing is False
    assert shard.said("g1", 1, Head) == []
    assert shard.residents.connections == 1


def test_what_is_dirty_and_what_is_urgent_is_reported() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P")
    turn = shard.run("g1", Apply(1, "ana", minute()))
    assert (turn.dirty, turn.urgent, turn.entries) == ({"ana"}, set(), 8)
    turn = shard.run("g1", Apply(1, "ana", [entry(9, "paused", 60, position_ms=60_000)]))
    assert (turn.dirty, turn.urgent) == ({"ana"}, {"ana"})


def test_only_the_clean_and_lonely_are_let_go() -> None:
    shard = Shard()
    session = playing(shard)
    later_ms = shard.now_ms + 1_000_000
    assert shard.residents.evict_idle(later_ms, 1000) == 0
    shard.run("g1", Detach(1, "ana"))
    assert shard.residents.evict_idle(later_ms, 1000) == 0
    session.dirty_items, session.dirty_devices = (), ()
    shard.residents["ana"].writing = True
    assert shard.residents.evict_idle(later_ms, 1000) == 0
    shard.residents["ana"].writing = False
    assert shard.residents.evict_idle(shard.now_ms, 1000) == 0
    assert shard.residents.evict_idle(later_ms, 1000) == 1 and "ana" not in shard.residents


def test_a_session_that_is_here_is_not_replaced_by_a_load() -> None:
    shard = Shard()
    session = playing(shard)
    shard.residents.admit(Session("ana", 0), shard.now_ms)
    assert shard.residents["ana"].session is session
    assert shard.residents["ana"].slot == slot_of("ana")


def test_an_operation_names_what_the_catalogue_must_hold() -> None:
    operations: list[Operation] = [
        Apply(1, "ana", [entry(1, "opened"), entry(2, "opened", item="lec9")]),
        PullHeads(1, "ana", ["pulled"]),
        Present(1, "ana", "shown", "idle"),
        Detach(1, "ana"),
    ]
    named = [set(needed_items(operation)) for operation in operations]
    assert named == [{"lec1", "lec9"}, {"pulled"}, {"shown"}, set()]


class Broken(dict[str, Item]):
    """A catalogue whose item "bad" breaks whoever folds an entry of it."""

    def __getitem__(self, item: str) -> Item:
        if item == "bad":
            raise RuntimeError("a defect")
        return super().__getitem__(item)


def test_f28_an_entry_we_cannot_fold_is_refused_alone() -> None:
    catalogue = Broken(CATALOGUE | {"bad": Item("bad", "c1", "v1", {"v1": 60_000})})
    shard = Shard(Residents(catalogue))
    playing(shard)
    before = len(shard.told["g1", 1])
    bad = entry(9, "sought", position_ms=1_000, item="bad")
    good = entry(10, "sought", position_ms=2_000)
    shard.run("g1", Apply(1, "ana", [bad, good]), PullHeads(1, "ana", ["lec1"]))
    said = shard.told["g1", 1][before:]
    refused = next(message for message in said if isinstance(message, Rejected))
    again = next(message for message in said if isinstance(message, Resync))
    assert (refused.seq, refused.code, again.from_seq) == (9, "internal", 10)
    assert isinstance(said[-1], Head), "the rest of the batch is carried out"
    shard.run("g1", Apply(1, "ana", [good]))
    assert shard.residents["ana"].session.items["lec1"].position_ms == 2_000


def test_w22_a_late_word_of_an_older_socket_does_not_close_the_newer() -> None:
    shard = Shard()
    shard.student()
    older_ms = shard.now_ms
    shard.now_ms += 5_000
    shard.attach("g2", 7, "P")
    shard.now_ms, newer_ms = older_ms, shard.now_ms
    shard.attach("g1", 1, "P")
    shard.now_ms = newer_ms
    assert [close.code for close in shard.said("g1", 1, Close)] == [REPLACED]
    assert shard.said("g2", 7, Close) == []
    assert shard.residents["ana"].links == {"P": ("g2", 7)}


def test_f6_a_late_batch_of_a_replaced_gateway_touches_nothing() -> None:
    shard = Shard()
    shard.student()
    shard.attach("g1", 1, "P", life="old")
    shard.attach("g1", 9, "P", life="new")
    shard.run("g1", Apply(1, "ana", minute()), life="old")
    assert [close.code for close in shard.said("g1", 1, Close)] == [DRAIN]
    assert shard.residents["ana"].links == {"P": ("g1", 9)}
    assert shard.residents["ana"].session.device("P").applied_seq == 0


def test_r9_a_new_version_moves_the_heads_of_those_who_have_begun() -> None:
    catalogue = dict(CATALOGUE)
    shard = Shard(Residents(catalogue))
    playing(shard)
    shard.student("ben")
    shard.attach("g1", 2, "Q", student="ben")
    before = len(shard.said("g1", 1, Head))
    edits = {"v2": Edition("v1", inserts=[(0, 5_000)])}
    catalogue["lec1"] = Item("lec1", "c1", "v2", {"v1": 3_600_000, "v2": 3_605_000}, edits=edits)
    turn = shard.residents.edited({"lec1", "other"}, shard.now_ms)
    shard.hear(turn)
    assert turn.dirty == {"ana"}
    (head,) = shard.said("g1", 1, Head)[before:]
    assert (head.version, head.position_ms) == ("v2", 65_000)
    assert shard.said("g1", 2, Head) == []


def test_who_is_greeted_hears_that_first_then_refusals_then_watermarks_then_what_is_asked() -> None:
    shard = Shard()
    session = shard.student()
    session.device("P").durable_seq = 9
    clock = ClockReading(datetime.fromtimestamp(NOW_MS / 1000, UTC), 0, "b1")
    operations: list[Operation] = [
        Attach(1, "ana", Device("P"), clock, NOW_MS),
        Apply(1, "ana", [entry(1, "opened", item="nowhere")]),
        Apply(1, "ana", [entry(2, "opened"), entry(4, "opened")]),
    ]
    told = shard.run("g1", *operations).take("g1")
    assert [type(one) for one in told] == [Attached, Deliver, AllApplied, AllDurable, Deliver]
    assert told[2:4] == [AllApplied({1: 2}), AllDurable({1: 9})]
    assert isinstance(told[4], Deliver) and b"gap" in told[4].frame
