"""Pushes for which a lane had no room are made known: `discontinuity` for heads, an attach for the rest."""

import msgspec

from actors.batch import AllApplied, AllDurable, Close, Deliver, Outcome, Reattach
from actors.dropped import Dropped
from actors.messages import Discontinuity, ToDevice


def head(item: str, *conns: int) -> Deliver:
    return Deliver(list(conns), b"", f"head:{item}")


def told(outcomes: list[Outcome]) -> dict[int, list[str]]:
    found = {}
    for outcome in outcomes:
        if isinstance(outcome, Deliver):
            message = msgspec.msgpack.decode(outcome.frame, type=ToDevice)
            assert isinstance(message, Discontinuity) and outcome.key is None
            found[outcome.conns[0]] = message.items
    return found


def test_each_connection_hears_of_the_items_it_missed() -> None:
    dropped = Dropped()
    for outcome in (head("a", 1, 2), head("b", 1), head("a", 1)):
        dropped.add(outcome)
    assert len(dropped) == 3
    assert told(dropped.take(100)) == {1: ["a", "b"], 2: ["a"]}
    assert not dropped and dropped.take(100) == []


def test_what_no_pull_brings_back_comes_with_a_new_attach() -> None:
    dropped = Dropped()
    for outcome in (AllDurable({2: 7}), Deliver([1], b""), Close([3], 4505), Deliver([2], b"")):
        dropped.add(outcome)
    assert dropped.take(100) == [Reattach([1, 2, 3])]


def test_a_hint_may_be_dropped_for_good() -> None:
    dropped = Dropped()
    dropped.add(Deliver([1], b"", "presence:P:lec1"))
    assert not dropped


def test_no_more_is_said_than_there_is_room_for() -> None:
    dropped = Dropped()
    dropped.add(AllApplied({9: 1}))
    dropped.add(head("a", 1, 2, 3))
    assert dropped.take(0) == []
    first, second = dropped.take(2), dropped.take(5)
    assert isinstance(first[0], Reattach) and len(first) == 2
    assert sorted({**told(first), **told(second)}) == [1, 2, 3]


def test_p8_what_is_remembered_is_bounded() -> None:
    dropped = Dropped(2)
    for n in range(100):
        dropped.add(head("a", n))
    assert dropped.full and len(dropped) == 3
