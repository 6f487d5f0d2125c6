"""What `deliver` does to messages, entry by entry."""

import msgpack

from gateway.replay.actions import DeliverBy, LinkCut
from gateway.replay.network import Entry, Network
from gateway.replay.shuffle import Shuffle

AT = "2026-03-02T10:00:00Z"


class Wire:
    """A network with its other end: the seqs that arrived, in order."""

    def __init__(self, seed: int | None = None) -> None:
        self.seqs: list[int] = []
        self.network = Network(self._arrive, Shuffle(seed, "a"))

    def _arrive(self, message: bytes) -> None:
        self.seqs += [event["seq"] for event in msgpack.unpackb(message)["events"]]

    def set(self, **how: object) -> None:
        self.network.change(DeliverBy(at=AT, device="P", **how))  # type: ignore[arg-type]


def _entries(count: int) -> list[Entry]:
    return [Entry(seq, msgpack.packb({"seq": seq}), beat=seq % 2 == 0) for seq in range(1, count + 1)]


def test_batch_arrives_in_the_order_that_is_set() -> None:
    wire = Wire()
    wire.network.flush(_entries(3))
    wire.set(order="reverse")
    wire.network.flush(_entries(3))
    wire.set(order="last_first", copies=2)
    wire.network.flush(_entries(3))
    assert wire.seqs == [1, 2, 3, 3, 2, 1, 3, 1, 2, 3, 1, 2]


def test_held_messages_wait_until_they_are_released() -> None:
    wire = Wire()
    first, second, third, fourth = _entries(4)
    wire.set(hold=True)
    wire.network.live(first)
    wire.network.live(second)
    wire.set(hold=False)
    wire.network.live(third)
    assert wire.seqs == [3]
    wire.set(release="reverse")
    wire.network.live(fourth)
    assert wire.seqs == [3, 2, 1, 4]


def test_cut_connection_carries_so_many_beats_and_falls_silent() -> None:
    wire = Wire()
    wire.set(cut=LinkCut(up=2, acks=1))
    wire.network.begin()
    wire.network.flush(_entries(8))
    assert wire.seqs == [1, 2, 3, 4, 5]
    wire.network.live(_entries(9)[8])
    assert wire.seqs == [1, 2, 3, 4, 5]
    down = [wire.network.hears({"type": "durable", "seq": seq}, lambda seq: 1) for seq in (2, 4)]
    assert down == [True, False]
    assert not wire.network.hears({"type": "head"}, lambda seq: 0)
    wire.network.end()
    wire.network.begin()
    assert wire.network.hears({"type": "head"}, lambda seq: 0)


def test_dropped_acknowledgements_leave_heads_alone() -> None:
    wire = Wire()
    wire.set(acks="drop")
    kinds = ("applied", "durable", "rejected", "welcome", "head")
    assert [wire.network.hears({"type": kind}, lambda seq: 0) for kind in kinds] == [False] * 4 + [True]


def test_shuffle_is_the_same_for_a_seed_and_loses_nothing() -> None:
    one, again, other = Wire(1), Wire(1), Wire(2)
    for wire in (one, again, other):
        wire.network.flush(_entries(300))
    assert one.seqs == again.seqs != other.seqs
    assert sorted(one.seqs) == sorted(other.seqs) == list(range(1, 301))
    assert max(abs(seq - place) for place, seq in enumerate(one.seqs, 1)) < 200
