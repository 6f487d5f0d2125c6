"""The client's side of docs/protocol.md, without a socket: P10, P20, P21, P27 and the seal of R9."""

import msgpack
import pytest

from gateway.client import Journal, Message, Protocol, Sealed
from gateway.client import protocol as module
from tests.gateway.client.peer import STAMP, head, pack, seqs, welcome

EVENT = {"session": "s", "item": "lec", "version": "v1", "base_rev": 0, "kind": "closed"}


def device() -> Protocol:
    return Protocol(Journal("ada", "kiosk"), "kiosk", "Front desk")


def sent(messages: list[bytes]) -> list[Message]:
    return [msgpack.unpackb(message) for message in messages]


def test_p3_hello_says_who_with_one_credential_and_both_clocks() -> None:
    by_token = msgpack.unpackb(device().hello(STAMP, token="t"))
    assert by_token == {
        "type": "hello",
        "device": {"id": "kiosk", "kind": "kiosk", "name": "Front desk"},
        "clock": {"wall": "2026-03-02T19:00:00.000Z", "mono_ms": 1_000, "boot": "boot-1"},
        "token": "t",
    }
    by_ticket = msgpack.unpackb(device().hello(STAMP, ticket="x"))
    assert by_ticket["ticket"] == "x" and "token" not in by_ticket


def test_p20_before_the_welcome_an_event_only_goes_to_the_journal() -> None:
    mine = device()
    entry, messages = mine.record(STAMP, EVENT)
    assert messages == [] and entry["seq"] == 1 and entry["boot"] == "boot-1"
    mine.hear(welcome())
    _, messages = mine.record(STAMP, EVENT)
    assert [seqs(message) for message in sent(messages)] == [[2]]


def test_p21_the_welcome_says_what_to_forget_and_what_to_send_again() -> None:
    mine = device()
    for _ in range(5):
        mine.record(STAMP, EVENT)
    _, messages = mine.hear(welcome(applied=3, durable=2))
    assert [seqs(message) for message in sent(messages)] == [[4, 5]]
    assert [event["seq"] for event in mine.journal] == [3, 4, 5]


def test_p21_chunks_keep_to_what_the_server_announces() -> None:
    mine = device()
    for _ in range(60):
        mine.record(STAMP, {**EVENT, "padding": "x" * 300})
    _, messages = mine.hear(welcome(events_per_message=25, frame_bytes=8 * 1024))
    assert [seq for message in sent(messages) for seq in seqs(message)] == list(range(1, 61))
    assert max(map(len, messages)) <= 8 * 1024
    assert max(len(seqs(message)) for message in sent(messages)) <= 25


def test_p27_a_resync_is_answered_from_there_on() -> None:
    mine = device()
    mine.hear(welcome())
    for _ in range(4):
        mine.record(STAMP, EVENT)
    mine.hear(pack(type="applied", seq=4))
    _, messages = mine.hear(pack(type="resync", from_seq=3, epoch=7, reason="epoch"))
    assert [seqs(message) for message in sent(messages)] == [[3, 4]]
    assert (mine.epoch, mine.applied_seq) == (7, 2)


def test_only_durable_lets_an_event_go() -> None:
    mine = device()
    mine.hear(welcome())
    mine.record(STAMP, EVENT)
    mine.hear(pack(type="applied", seq=1))
    mine.hear(pack(type="rejected", seq=1, code="malformed", message="no"))
    assert len(mine.journal) == 1 and mine.rejected[1]["code"] == "malformed"
    mine.hear(pack(type="durable", seq=1))
    assert len(mine.journal) == 0


def test_p10_an_older_head_is_dropped_and_of_equal_ones_the_later_stands() -> None:
    mine = device()
    for rev, as_of_ms in ((5, 10), (4, 99), (5, 20), (5, 15)):
        mine.hear(head(rev=rev, as_of_ms=as_of_ms))
    assert (mine.heads["lec"]["rev"], mine.heads["lec"]["as_of_ms"]) == (5, 20)
    assert (mine.rev("lec"), mine.rev("never heard of")) == (5, 0)


def test_r9_another_students_token_does_not_carry_this_journal() -> None:
    mine = device()
    mine.record(STAMP, EVENT)
    with pytest.raises(Sealed, match="ada"):
        mine.hear(welcome(student="bob"))
    assert not mine.welcomed and len(mine.journal) == 1


def test_a_lost_connection_sends_nothing_more() -> None:
    mine = device()
    mine.hear(welcome())
    mine.lost()
    assert mine.record(STAMP, EVENT)[1] == [] and len(mine.journal) == 1


def test_p6_p8_ping_is_answered_and_dropped_pushes_are_asked_for() -> None:
    mine = device()
    assert sent(mine.hear(pack(type="ping", n=7))[1]) == [{"type": "pong", "n": 7}]
    asked = sent(mine.hear(pack(type="discontinuity", items=["a", "b"]))[1])
    assert asked == [{"type": "pull", "items": ["a", "b"]}]


def test_refusals_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REJECTED_MAX", 2)
    mine = device()
    for seq in (1, 2, 3):
        mine.hear(pack(type="rejected", seq=seq, code="malformed", message="no"))
    assert list(mine.rejected) == [2, 3]
