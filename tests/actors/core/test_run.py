"""What a run knows: its base revision, and everything earlier in its device's journal (docs/sync.md)."""

from typing import Any

from actors.core.run import Mark, Run


def run(device: str, seq: int = 1, **fields: Any) -> Run:
    plain: dict[str, Any] = {
        "session": "s",
        "kind": "play",
        "base_rev": 0,
        "action_ms": 0,
        "position_ms": 0,
        "moved_ms": 0,
    }
    return Run(device, seq, **{**plain, **fields})


def test_a_run_knows_what_its_base_revision_includes() -> None:
    other = run("A", first_rev=5, last_rev=9)
    assert run("B", base_rev=5).knows(other) and not run("B", base_rev=4).knows(other)
    assert run("B", base_rev=9).knows_all(other) and not run("B", base_rev=8).knows_all(other)


def test_a_run_that_is_not_real_is_known_to_its_own_device_only() -> None:
    touched = run("A", seq=3)
    assert not run("B", base_rev=99).knows(touched) and not run("B", base_rev=99).knows_all(touched)
    assert run("A", seq=4).knows(touched) and not run("A", seq=2).knows(touched)


def test_within_a_device_the_journal_orders_whatever_the_revisions_say() -> None:
    earlier, later = run("A", seq=3, first_rev=9, last_rev=9), run("A", seq=4)
    assert later.knows(earlier) and later.knows_all(earlier)
    assert not earlier.knows(later)


def test_a_mark_is_known_by_its_revision_or_to_the_device_that_made_it() -> None:
    mark = Mark("A", seq=3, rev=7)
    assert run("B", base_rev=7).knows_of(mark) and not run("B", base_rev=6).knows_of(mark)
    assert run("A", seq=3).knows_of(mark) and not run("A", seq=2).knows_of(mark)


def test_a_run_begins_where_it_first_played() -> None:
    assert run("A", position_ms=700).start_ms == 700
