"""R8, P20, P21: an event is kept until it is durable, goes up in small chunks, and gets its number once."""

import msgpack

from gateway.client import Journal


def filled(count: int, padding: int = 0) -> Journal:
    journal = Journal("ada", "phone")
    for _ in range(count):
        journal.append({"kind": "played", "padding": "x" * padding})
    return journal


def seqs_of(journal: Journal) -> list[int]:
    return [event["seq"] for event in journal]


def test_r8_entries_are_numbered_from_one_and_stay_until_durable() -> None:
    journal = filled(3)
    assert seqs_of(journal) == [1, 2, 3]
    journal.forget(2)
    assert (seqs_of(journal), journal.durable_seq, len(journal)) == ([3], 2, 1)
    assert journal.append({"kind": "closed"})["seq"] == 4


def test_a_watermark_that_goes_back_changes_nothing() -> None:
    journal = filled(3)
    journal.forget(2)
    journal.forget(1)
    assert (seqs_of(journal), journal.durable_seq) == ([3], 2)


def test_p21_a_journal_that_was_rolled_back_uses_no_number_twice() -> None:
    journal = filled(2)
    journal.continue_from(9)
    assert journal.append({})["seq"] == 10
    journal.continue_from(3)
    assert journal.last_seq == 10


def test_r8_chunks_are_bounded_by_bytes_and_by_count_and_lose_nothing() -> None:
    journal = filled(100, padding=400)
    chunks = list(journal.chunks(10, events_max=7, bytes_max=2_000))
    found = [msgpack.unpackb(entry)["seq"] for chunk in chunks for entry in chunk]
    assert found == list(range(11, 101))
    assert all(sum(map(len, chunk)) <= 2_000 for chunk in chunks)
    assert max(map(len, chunks)) <= 7
    assert max(len(chunk) for chunk in journal.chunks(0, events_max=3, bytes_max=10**6)) == 3


def test_an_entry_larger_than_a_chunk_goes_alone_and_blocks_nothing() -> None:
    journal = filled(1)
    journal.append({"padding": "x" * 5_000})
    journal.append({})
    assert [len(chunk) for chunk in journal.chunks(0, 10, 1_000)] == [1, 1, 1]


def test_nothing_waiting_makes_no_chunk() -> None:
    assert list(filled(2).chunks(2)) == []
