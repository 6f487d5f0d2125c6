"""Why the position is what it is: a verdict for every run, in words, from the decision itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from actors.core import explanation
from actors.core.explanation import Explanation, change_sentence, explain_past
from tests.actors.core.devices import LECTURE, START_MS, World

HOUR = 3600
NAMES = {"P": "Phone", "T": "Television"}


def explained(world: World, zone: timezone = UTC, every_run: bool = False) -> Explanation:
    session = world.session
    visits = {(d.id, v.session): v for d in session.devices.values() for v in d.visits.values()}
    duration_ms = world.catalogue[LECTURE].duration_ms
    return explanation.explain(world.progress(), duration_ms, NAMES, visits, zone, every_run)


def verdicts(found: Explanation) -> dict[str, str]:
    return {finding.run.device: finding.verdict for finding in found.findings}


def test_r3_the_later_of_two_that_knew_nothing_of_each_other() -> None:
    world = World()
    phone, television = world.device("P", online=False), world.device("T", online=False)
    television.watch(0, 0, 1720)
    phone.watch(HOUR, 0, 723)
    for device in (television, phone):
        device.connect(5 * HOUR)
    found = explained(world)
    assert (found.rule, verdicts(found)) == ("R3", {"P": "head", "T": "lost"})
    assert found.sentence == (
        "The play on Phone at 10:00 counts: it began later than the play on Television at 09:00, and neither "
        "knew of the other (R3). The position is 12:03. 28:40 on Television is offered as well (R4)."
    )
    assert found.findings[1].sentence == (
        "The play on Television at 09:00 lost: the play on Phone at 10:00 began later, and neither knew of "
        "the other (R3)."
    )
    head = found.findings[0].run
    assert (head.device, head.device_name, head.kind, head.base_rev) == ("P", "Phone", "play", 0)
    assert (head.from_ms, head.position_ms, head.action_ms) == (0, 723_000, START_MS + HOUR * 1000)


def test_r2_one_that_knew_the_head_succeeds_it() -> None:
    world = World()
    world.device("P").watch(0, 0, 600)
    world.device("T").watch(700, 600, 900)
    found = explained(world)
    assert (found.rule, verdicts(found)) == ("R2", {"T": "head", "P": "succeeded"})
    assert found.sentence == (
        "The play on Television at 09:11 counts: it began where the play on Phone at 09:00 was known, so no "
        "clock is asked (R2). The position is 15:00."
    )


def test_r2_on_one_device_the_journal_orders() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 600)
    phone.watch(700, 30, 60)
    (head, former) = explained(world).findings
    assert (head.verdict, former.verdict) == ("head", "succeeded")
    assert "on the same device (R2)" in head.sentence


def test_r3_a_stale_one_that_only_saw_again_what_was_seen_stands_back() -> None:
    world = World()
    phone, television = world.device("P"), world.device("T", online=False)
    phone.watch(0, 0, 600)
    television.watch(700, 0, 60)
    television.connect(HOUR)
    found = explained(world)
    assert verdicts(found) == {"P": "head", "T": "stood_back"}
    assert "although the play on Television at 09:11 began later" in found.sentence
    assert "stands back" in found.findings[1].sentence


def test_r10_one_that_plays_on_without_the_baton() -> None:
    world = World()
    phone, television = world.device("P"), world.device("T")
    visit = phone.open(0)
    visit.play(0, 0, 600)
    television.watch(600, 600, 700)
    visit.go_on(600, 600, 900)
    found = explained(world)
    assert verdicts(found) == {"T": "head", "P": "played_on"}
    assert "(R10)" in found.findings[1].sentence


def test_r1_what_is_not_real_says_why() -> None:
    world = World()
    phone, television, tablet = (world.device(name) for name in ("P", "T", "tablet"))
    phone.open(0).play(0, 0, 3)
    television.open(10, intent="bookmark").play(10, 300, 330)
    tablet.open(20).play(20, 0, 100, by="auto")
    found = explained(world)
    assert verdicts(found) == {"P": "not_real", "T": "peek", "tablet": "automatic"}
    assert found.rule == "" and found.sentence.startswith("Nothing counts yet, so it begins at 0:00.")
    said = {finding.run.device: finding.sentence for finding in found.findings}
    assert said["P"] == "The play on Phone at 09:00 has played 3 s: it counts after 5 s (R1)."
    assert "30 s long so far: it counts after 60 s" in said["T"]
    assert said["tablet"] == "The automatic start on tablet at 09:00 moves nothing: nobody acted (R1)."


def test_r7_what_was_before_a_reset_counts_only_as_time() -> None:
    world = World()
    phone = world.device("P")
    world.device("T").watch(0, 0, 600)
    phone.open(700).reset(700)
    found = explained(world)
    assert (verdicts(found), found.earlier) == ({"P": "head"}, 1)
    found = explained(world, every_run=True)
    assert (verdicts(found), found.earlier) == ({"P": "head", "T": "before_reset"}, 0)
    assert found.sentence.startswith("The reset on Phone at 09:11 counts: it starts the item afresh (R7).")


def test_of_many_runs_those_are_told_that_matter_now() -> None:
    world = World()
    television, phone = world.device("T"), world.device("P")
    television.watch(0, 0, 100)
    visit = phone.open(700)
    for n in range(9):
        visit.choose(700 + n, 100 + 40 * n)
    visit.play(720, 420, 431)
    found = explained(world)
    assert [finding.run.from_ms for finding in found.findings] == [420_000, 420_000, 0]
    assert found.earlier == 8
    assert len(explained(world, every_run=True).findings) == 11
    assert "the choice of 7:00 on Phone at 09:11, on the same device" in found.sentence


def test_r4_an_undo_says_that_it_is_one() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 600)
    visit = phone.open(700)
    visit.seek(700, 60)
    visit.undo(710)
    found = explained(world)
    assert found.sentence == (
        "The undo on Phone at 09:11 counts: it takes back the latest change its device knew of (R4). "
        "The position is 10:00."
    )


def test_nothing_played_is_said_so() -> None:
    world = World()
    world.device("P").open(0).seek(1, 30)
    world.session.items[LECTURE].runs.clear()
    world.session.items[LECTURE].head_key = None
    assert explained(world).sentence.endswith("Nothing has been played here yet.")


def test_times_are_told_in_the_zone_asked_for_and_with_a_date_on_another_day() -> None:
    world = World()
    phone, television = world.device("P", online=False), world.device("T", online=False)
    television.watch(0, 0, 300)
    phone.watch(24 * HOUR, 0, 600)
    for device in (television, phone):
        device.connect(48 * HOUR)
    said = explained(world, timezone(timedelta(hours=2))).sentence
    assert "on Phone at 11:00" in said and "on Television at 2 Mar 2026 11:00" in said


@dataclass(frozen=True)
class Row:
    """A head change at rest."""

    what: str = "place"
    rule: str = "R2"
    device: str = "P"
    position_ms: int = 723_000
    former_ms: int | None = 1_720_000
    done: bool = False
    epoch: int = 1
    version: str = "v1"
    at: datetime = datetime(2026, 3, 2, 18, 2, tzinfo=UTC)
    why: Mapping[str, Any] = field(default_factory=dict)


def run(device: str, minute: int, kind: str = "play", position_ms: int = 723_000) -> dict[str, Any]:
    at = datetime(2026, 3, 2, 18, minute, tzinfo=UTC)
    return {
        "device": device,
        "device_name": NAMES[device],
        "kind": kind,
        "action_ms": round(at.timestamp() * 1000),
        "base_rev": 7,
        "from_ms": 0,
        "position_ms": position_ms,
    }


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            Row(why={"head": run("P", 2), "former": run("T", 1), "loser": None}),
            "The play on Phone at 18:02 moved the place from 28:40 to 12:03: it came after the play on "
            "Television at 18:01 and with its knowledge (R2).",
        ),
        (
            Row(rule="R3", why={"head": run("P", 2), "former": run("T", 1), "loser": run("T", 1)}),
            "The play on Phone at 18:02 moved the place from 28:40 to 12:03: the play on Television at 18:01 "
            "lost, neither knew of the other (R3).",
        ),
        (
            Row(position_ms=1_720_000, former_ms=723_000, why={"head": run("P", 2, "undone")}),
            "The undo on Phone at 18:02 brought the place back from 12:03 to 28:40 (R4).",
        ),
        (
            Row(why={"head": run("P", 2, "chosen") | {"from_ms": 720_000}}),
            "The choice of 12:00 on Phone at 18:02 moved the place from 28:40 to 12:03 (R2).",
        ),
        (
            Row(what="done", done=True, why={"head": run("T", 1), "by": run("P", 2, "marked")}),
            "Phone marked it done at 18:02 (R7).",
        ),
        (
            Row(what="done", done=True, device="T", why={"head": run("P", 2), "by": run("T", 1)}),
            "The play on Television at 18:01 completed it (R7).",
        ),
        (
            Row(what="done", rule="R4", why={"head": run("T", 1), "by": run("P", 2, "marked")}),
            "Phone took 'done' back at 18:02 by an undo (R4).",
        ),
        (
            Row(what="done", rule="R4", done=True, why={"by": run("P", 2, "marked")}),
            "The undo on Phone at 18:02 made it done again (R4).",
        ),
        (
            Row(what="epoch", rule="R7", epoch=2, position_ms=0, why={"head": run("P", 2, "reset")}),
            "Phone started it afresh at 18:02 (R7).",
        ),
        (
            Row(what="epoch", rule="R7", why={"head": run("T", 1), "by": run("P", 2, "marked")}),
            "Phone took 'done' back at 18:02 (the place stays, R7).",
        ),
        (
            Row(what="epoch", rule="R4", done=True, why={"head": run("T", 1), "by": run("P", 2, "marked")}),
            "The undo on Phone at 18:02 made it done again (R4).",
        ),
        (
            Row(what="epoch", rule="R4", why={"by": run("P", 2, "undone")}),
            "The undo on Phone at 18:02 took the fresh start back: at 12:03 again (R4).",
        ),
        (
            Row(what="done", done=True, rule="R7", device="api", why={"head": run("T", 1)}),
            "api marked it done at 18:02 (R7).",
        ),
        (
            Row(what="offer", rule="R3", why={"head": run("T", 3), "loser": run("P", 2), "by": run("P", 2)}),
            "Phone's 12:03 came in later; Television's play at 18:03 began later and keeps the place (R3). "
            "12:03 is offered.",
        ),
        (
            Row(what="offer", rule="R3", why={"head": run("T", 1), "loser": run("P", 2), "by": run("P", 2)}),
            "Phone's 12:03 came in later and is nothing new; Television's play at 18:01 keeps the place "
            "(R3). 12:03 is offered.",
        ),
        (
            Row(what="offer", rule="R10", why={"head": run("T", 3), "loser": run("P", 2), "by": run("P", 2)}),
            "Phone went on to 12:03 after Television's play at 18:03 had taken over (R10). 12:03 is offered.",
        ),
        (
            Row(what="version", version="v2", why={"head": None, "former": None, "loser": None}),
            "The item was edited: in version v2 the place is 12:03, where it was 28:40 before (R9).",
        ),
        (Row(former_ms=None), "The server set the place to 12:03 (R2)."),
    ],
)
def test_r4_every_change_of_the_head_is_a_sentence(row: Row, sentence: str) -> None:
    assert change_sentence(row) == sentence


def test_the_past_is_explained_by_the_latest_change_of_the_place() -> None:
    later = Row(what="done", done=True, why={"head": run("P", 2)})
    moved = Row(rule="R3", why={"head": run("P", 2), "former": run("T", 1), "loser": run("T", 1)})
    found = explain_past([later, moved])
    assert (found.rule, verdicts(found)) == ("R3", {"P": "head", "T": "lost"})
    assert found.sentence == change_sentence(moved)
    moved = Row(why={"head": run("P", 2), "former": run("T", 1), "loser": None})
    assert verdicts(explain_past([moved])) == {"P": "head", "T": "succeeded"}
    assert verdicts(explain_past([later])) == {"P": "head"}
    offer = Row(what="offer", position_ms=1, why={"head": run("P", 2), "loser": run("T", 1)})
    assert explain_past([offer, moved]).sentence == change_sentence(moved)
    assert explain_past([]).findings == []
