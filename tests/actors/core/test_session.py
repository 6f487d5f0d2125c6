"""Journals into a session: order (R6), once (R5, R8), refusals (W17, W18), and what is dirty."""

import random

from hypothesis import given
from hypothesis import strategies as st

from actors.core.events import Refused
from actors.core.session import GAP_MS, HELD_MAX, VISITS_MAX
from tests.actors.core.devices import COURSE, LECTURE, START_MS, World, item

HOUR = 3600


def offline_journal(world: World, name: str = "P"):  # type: ignore[no-untyped-def]
    phone = world.device(name, online=False)
    visit = phone.open(0)
    visit.play(0, 0, 60)
    visit.seek(60, 2400)
    visit.play(60, 2400, 2410)
    visit.close(70)
    return phone


@given(st.randoms(use_true_random=False))
def test_r6_the_journal_orders_however_its_events_arrive(rng: random.Random) -> None:
    world = World()
    phone = offline_journal(world)
    phone.connect(HOUR, deliver=False)
    entries = [*phone.journal, *phone.journal]
    rng.shuffle(entries)
    for entry in entries:
        phone.deliver([entry], HOUR)
    progress = world.progress()
    assert (world.position_s(), progress.content_ms) == (2410, 70_000)
    assert world.session.device("P").applied_seq == len(phone.journal)


def test_r6_sessions_of_one_device_come_one_after_the_other() -> None:
    world = World()
    phone = world.device("P", online=False, skew_s=-5 * HOUR)
    phone.watch(0, 0, 396)
    phone.watch(HOUR, 396, 2100)
    phone.watch(2 * HOUR, 2100, 3600)
    phone.connect(5 * HOUR)
    assert (world.position_s(), world.progress().done) == (3600, True)


def test_r6_clock_steps_order_nothing() -> None:
    world = World()
    phone = world.device("P", online=False, skew_s=48 * HOUR)
    visit = phone.open(0)
    visit.play(0, 0, 300)
    phone.skew_s = 0
    visit.play(300, 300, 900)
    phone.connect(HOUR)
    assert (world.position_s(), world.progress().wall.length()) == (900, 900_000)


def test_w17_repeats_change_nothing_and_are_answered() -> None:
    world = World()
    phone = offline_journal(world)
    phone.connect(HOUR)
    before = world.progress().rev
    folded = phone.deliver(phone.journal, HOUR)
    assert (folded.refused, folded.changed, folded.gap_from) == ([], set(), 0)
    assert world.progress().rev == before


def test_w26_a_recorded_session_replayed_a_day_later_changes_nothing() -> None:
    world = World()
    phone = offline_journal(world)
    phone.connect(HOUR)
    world.device("W").watch(2 * HOUR, 0, 60)
    phone.deliver(phone.journal, 24 * HOUR)
    assert (world.position_s(), world.progress().content_ms) == (60, 130_000)


def test_w17_a_gap_is_told_once_and_filled_later() -> None:
    world = World()
    phone = offline_journal(world)
    phone.connect(HOUR, deliver=False)
    assert phone.deliver(phone.journal[3:5], HOUR).gap_from == 1
    assert phone.deliver(phone.journal[5:6], HOUR).gap_from == 0
    device = world.session.device("P")
    assert device.applied_seq == 0 and not device.gap_expired(START_MS + HOUR * 1000 + GAP_MS)
    assert device.gap_expired(START_MS + HOUR * 1000 + GAP_MS + 1)
    phone.deliver(phone.journal[:3], HOUR)
    assert device.applied_seq == 6 and not device.gap_expired(START_MS + 2 * HOUR * 1000)
    assert device.held == {}


def test_w17_what_is_held_for_a_gap_is_bounded() -> None:
    world = World()
    phone = world.device("P", online=False)
    visit = phone.open(0)
    visit.act("play", 0, position_ms=0)
    for n in range(HELD_MAX + 100):
        visit.span(n + 1, n, n + 1)
    phone.connect(HOUR, deliver=False)
    phone.deliver(phone.journal[1:], HOUR)
    device = world.session.device("P")
    assert len(device.held) == HELD_MAX
    assert device.gap_expired(START_MS + HOUR * 1000)
    phone.deliver(phone.journal, HOUR)
    assert device.applied_seq == len(phone.journal) and not device.held
    assert world.progress().content_ms == (HELD_MAX + 100) * 1000


def test_w18_places_far_past_the_end_are_quarantined_and_block_nothing() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 60)
    before = world.progress().rev, world.progress().content_ms
    phone = world.devices["P"]
    phone.disconnect(60)
    visit.span(70, 3610, 3620)
    visit.act("sought", 80, position_ms=99_999_000)
    phone.online = True
    folded = phone.deliver(phone.journal[phone.sent :], 100)
    assert [code for _, code, _ in folded.refused] == ["beyond_end", "beyond_end"]
    assert (world.progress().rev, world.progress().content_ms) == before
    assert world.session.device("P").applied_seq == len(phone.journal)


def refusal(world: World, item_id: str) -> tuple[list[str], bool]:
    phone = world.device("P", online=False)
    phone.watch(0, 0, 10, item_id)
    phone.connect(100, deliver=False)
    folded = phone.deliver(phone.journal, 100)
    return sorted({code for _, code, _ in folded.refused}), item_id in world.session.items


def test_w18_an_unknown_item_is_refused() -> None:
    assert refusal(World(), "lec9") == (["unknown_item"], False)


def test_w18_an_item_of_a_course_one_is_not_in_is_refused() -> None:
    world = World()
    world.session.enrolled = frozenset({"other"})
    assert refusal(world, LECTURE) == (["not_enrolled"], False)


def test_w18_an_unpublished_course_is_refused() -> None:
    assert refusal(World(item(published=False)), LECTURE) == (["unpublished"], False)


def test_w18_an_unknown_version_is_refused() -> None:
    world = World()
    phone = world.device("P", online=False)
    phone.watch(0, 0, 10)
    world.catalogue = {LECTURE: item().__class__(LECTURE, COURSE, "v2", {"v2": 3_600_000})}
    phone.connect(100, deliver=False)
    assert {code for _, code, _ in phone.deliver(phone.journal, 100).refused} == {"unknown_version"}
    assert world.session.items == {}


def test_r8_an_entry_nobody_can_read_is_folded_as_refused_at_its_place() -> None:
    world = World()
    phone = offline_journal(world)
    spoilt = phone.journal[3]
    phone.journal[3] = Refused(spoilt.seq, "malformed", "unreadable")
    phone.connect(HOUR, deliver=False)
    folded = phone.deliver(phone.journal, HOUR)
    assert folded.refused == [(4, "malformed", "unreadable")]
    assert world.session.device("P").applied_seq == len(phone.journal)
    assert world.progress().content_ms == 60_000


def test_design_4_5_only_stops_and_decisions_are_urgent() -> None:
    world = World()
    phone = world.device("P", online=False)
    visit = phone.open(0)
    visit.play(0, 0, 10)
    phone.connect(20, deliver=False)
    assert not phone.deliver(phone.journal, 20).urgent
    phone.online = False
    visit.pause(20, 10)
    assert phone.deliver(phone.journal[-1:], 20).urgent


def test_whatever_was_folded_is_dirty_with_its_watermark() -> None:
    world = World()
    phone = world.device("P", online=False)
    visit = phone.open(0)
    visit.act("play", 0, position_ms=0)
    phone.connect(1)
    assert (world.session.dirty_items, world.session.dirty_devices) == ((LECTURE,), ("P",))
    world.checkpoint()
    assert not world.session.dirty
    phone.deliver(phone.journal, 2)
    assert not world.session.dirty


def test_r1_looking_at_an_item_leaves_no_row() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.pause(5, 0)
    visit.close(10)
    assert world.session.items == {} and world.session.dirty_items == ()
    assert world.session.dirty_devices == ("P",)
    world.devices["P"].watch(20, 0, 60)
    world.checkpoint()
    world.devices["P"].open(100)
    assert world.session.dirty_items == ()


def test_visits_that_never_end_are_bounded() -> None:
    world = World()
    phone = world.device("P")
    first = phone.open(0)
    for n in range(VISITS_MAX):
        first.span(n * 10 + 10, n * 10, n * 10 + 10)
        phone.open(n * 10 + 10)
    visits = world.session.device("P").visits
    assert len(visits) == VISITS_MAX and "P-1" in visits and "P-2" not in visits


def test_w21_devices_of_two_students_share_nothing() -> None:
    ana, ben = World(student="ana"), World(student="ben")
    ana.device("shared").watch(0, 0, 600)
    ben.device("shared").watch(0, 0, 60)
    assert (ana.position_s(), ben.position_s()) == (600, 60)


def test_design_4_5_a_completion_by_play_is_urgent() -> None:
    world = World(item(duration_s=100))
    visit = world.device("P").open(0)
    visit.play(0, 0, 80)
    phone = world.devices["P"]
    phone.online = False
    urgent = []
    for until_s in (85, 90, 100):
        visit.span(until_s, until_s - 5 if until_s < 100 else 90, until_s)
        urgent.append(phone.deliver(phone.journal[-1:], until_s).urgent)
    assert urgent == [False, True, False] and world.progress().done


def test_f20_the_last_contact_of_a_device_that_left_is_kept() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 60)
    world.checkpoint()
    assert not world.session.dirty
    phone.disconnect(HOUR)
    assert world.session.dirty_devices == ("P",)
    world.checkpoint()
    world.crash()
    assert world.session.device("P").clock.last_contact_ms == START_MS + HOUR * 1000


def test_f20_a_clock_that_steps_while_connected_is_marked_and_costs_nothing() -> None:
    world = World()
    phone = world.device("P")
    visit = phone.open(0)
    at_s = visit.play(0, 0, 100)
    assert not world.session.device("P").clock.wrong
    phone.skew_s = HOUR
    visit.go_on(at_s, 100, 200)
    assert world.session.device("P").clock.wrong
    assert world.progress().content_ms == 200_000 and world.position_s() == 200


def test_what_is_known_of_sleeps_is_kept() -> None:
    world = World()
    phone = world.device("P")
    phone.boot_s = -HOUR  # it stood still for an hour: every stamp from now on is an hour higher
    phone.connect(10)
    phone.watch(10, 0, 10)
    before = world.session.device("P").clock.boots
    assert len(before["b1"]) == 2
    world.checkpoint()
    world.crash()
    assert world.session.device("P").clock.boots == before
