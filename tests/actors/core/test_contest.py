"""Who has the head: R2 (successor), R3 (concurrent), R4 (the loser is kept), R10 (one baton)."""

import itertools

import pytest

from actors.core.stretch import BREAK_MS
from tests.actors.core.devices import LECTURE, Device, World, item

HOUR = 3600


def two_offline(world: World) -> tuple[Device, Device]:
    return world.device("A", online=False), world.device("B", online=False)


def test_r2_a_run_that_knows_the_head_succeeds_it_whatever_the_clocks_say() -> None:
    world = World()
    world.device("P", skew_s=6 * 365 * 86400).watch(0, 0, 600)
    world.device("T", skew_s=-HOUR).watch(700, 600, 900)
    assert (world.position_s(), world.progress().rule) == (900, "R2")


def test_r2_going_back_is_a_successor_too() -> None:
    world = World()
    world.device("P").watch(0, 0, 600)
    world.device("T").watch(700, 100, 110)
    assert world.position_s() == 110


def test_r2_an_offline_journal_on_top_of_the_head_succeeds_it() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 72)
    phone.disconnect(100)
    phone.watch(200, 72, 1440)
    phone.connect(10 * HOUR)
    assert (world.position_s(), world.progress().rule, world.offered_s()) == (1440, "R2", None)


@pytest.mark.parametrize("first", ["A", "B"])
def test_r3_of_concurrent_runs_the_later_action_has_the_head(first: str) -> None:
    world = World()
    one, other = two_offline(world)
    one.watch(0, 0, 1800)
    other.watch(HOUR, 0, 300)
    for device in sorted((one, other), key=lambda device: device.name != first):
        device.connect(3 * HOUR)
    assert (world.position_s(), world.holder(), world.progress().rule) == (300, "B", "R3")


def test_r3_the_action_counts_and_not_how_long_it_played() -> None:
    world = World()
    one, other = two_offline(world)
    one.watch(0, 0, 3000)
    other.watch(60, 0, 300)
    other.connect(2 * HOUR)
    one.connect(2 * HOUR)
    assert world.holder() == "B"


def test_r3_a_clock_hours_ahead_does_not_win() -> None:
    world = World()
    phone, tablet = world.device("P", online=False, skew_s=5 * HOUR), world.device("T", online=False)
    phone.watch(0, 0, 600)
    tablet.watch(HOUR, 0, 300)
    tablet.connect(2 * HOUR)
    phone.connect(2 * HOUR)
    assert world.holder() == "T"
    assert world.session.device("P").clock.wrong and not world.session.device("T").clock.wrong


def stale_tablet(world: World) -> Device:
    """The tablet is off line from 10:00 on; the phone has gone on to 30:00."""
    tablet = world.device("T")
    tablet.watch(0, 0, 600)
    tablet.disconnect(610)
    world.device("P").watch(700, 600, 1800)
    return tablet


def test_r3_a_stale_side_that_replays_what_others_covered_stands_back() -> None:
    world = World()
    tablet = stale_tablet(world)
    tablet.watch(HOUR, 600, 900)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder(), world.offered_s()) == (1800, "P", None)
    assert world.progress().content_ms == 2_100_000


def test_r3_a_stale_side_with_new_ground_has_the_head() -> None:
    world = World()
    tablet = stale_tablet(world)
    tablet.watch(HOUR, 600, 1900)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (1900, "T")


def test_r3_a_stale_side_with_a_seek_has_the_head() -> None:
    world = World()
    tablet = stale_tablet(world)
    visit = tablet.open(HOUR)
    visit.seek(HOUR, 700)
    visit.play(HOUR, 700, 720)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (720, "T")


def test_r3_a_seek_anywhere_since_the_two_parted_counts() -> None:
    world = World()
    tablet = stale_tablet(world)
    visit = tablet.open(HOUR)
    visit.seek(HOUR, 700)
    visit.close(HOUR + 1)
    tablet.watch(HOUR + 100, 700, 720)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (720, "T")


def test_r3_the_whole_side_must_have_been_covered_and_not_its_last_run() -> None:
    world = World()
    tablet = stale_tablet(world)
    tablet.watch(HOUR, 1700, 1900)
    tablet.watch(HOUR + 300, 1000, 1100)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (1100, "T")


def test_r3_only_what_the_server_had_by_then_counts_as_covered() -> None:
    """The phone is still at 20:00 when the tablet begins off line at 15:00 and plays to 25:00."""
    world = World()
    tablet = world.device("T")
    tablet.watch(0, 0, 600)
    tablet.disconnect(610)
    world.device("P").open(700).play(700, 600, 1800)
    tablet.watch(700 + 600, 900, 1500)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (1500, "T")


def test_r3_what_the_server_heard_later_was_not_covered_by_then() -> None:
    """The watch had played it off line before the tablet did, but nobody knew."""
    world = World()
    watch, tablet = world.device("A", online=False), world.device("T")
    tablet.watch(0, 0, 600)
    tablet.disconnect(610)
    watch.watch(650, 600, 900)
    world.device("P").open(1000).seek(1000, 3000)
    tablet.watch(HOUR, 600, 900)
    watch.connect(2 * HOUR)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (900, "T")


def test_r3_what_others_only_touched_counts_as_covered() -> None:
    world = World()
    tablet = stale_tablet(world)
    world.device("W").watch(2000, 1800, 1804)
    tablet.watch(HOUR, 1790, 1803)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (1800, "P")


def test_r3_own_coverage_is_not_covered_by_others() -> None:
    world = World()
    tablet = world.device("T")
    tablet.watch(0, 0, 600)
    world.device("P").watch(700, 600, 630)
    tablet.disconnect(1000)
    world.device("P2").watch(1100, 630, 660)
    tablet.watch(HOUR, 0, 300)
    tablet.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (300, "T")


def test_r3_a_side_that_was_not_stale_does_not_stand_back() -> None:
    world = World()
    phone, tablet = world.device("P", online=False), world.device("T")
    phone.watch(0, 0, 1800)
    tablet.watch(HOUR, 0, 480)
    phone.connect(2 * HOUR)
    assert (world.position_s(), world.holder()) == (480, "T")


def test_r3_a_side_that_knew_all_the_server_had_may_replay_it() -> None:
    world = World()
    world.device("P").watch(0, 0, 600)
    watch = world.device("A")
    watch.disconnect(700)
    watch.watch(1000, 600, 700)
    world.device("T").watch(2000, 100, 300)
    watch.connect(HOUR)
    assert (world.position_s(), world.holder(), world.offered_s()) == (300, "T", 700)


@pytest.mark.parametrize("order", list(itertools.permutations("ABC")))
def test_r3_three_sides_give_the_same_head_in_any_order_of_arrival(order: tuple[str, ...]) -> None:
    world = World()
    devices = {name: world.device(name, online=False) for name in "ABC"}
    devices["B"].watch(0, 0, 600)
    devices["C"].watch(HOUR, 1200, 1500)
    devices["A"].watch(2 * HOUR, 2000, 2300)
    for name in order:
        devices[name].connect(4 * HOUR)
    assert (world.position_s(), world.holder(), world.offered_s()) == (2300, "A", 1500)


def test_r4_the_loser_is_offered() -> None:
    world = World()
    one, other = two_offline(world)
    one.watch(0, 0, 1200)
    other.watch(HOUR, 0, 480)
    other.connect(2 * HOUR)
    one.connect(2 * HOUR)
    assert (world.position_s(), world.offered_s()) == (480, 1200)


@pytest.mark.parametrize(("loser_s", "offered_s"), [(496, 496), (495, None), (481, None), (3600, None)])
def test_r4_not_offered_near_the_head_or_at_the_end(loser_s: float, offered_s: float | None) -> None:
    world = World()
    one, other = two_offline(world)
    one.watch(0, loser_s - 300, loser_s)
    other.open(HOUR).seek(HOUR, 480)
    other.connect(2 * HOUR)
    one.connect(2 * HOUR)
    assert (world.position_s(), world.offered_s()) == (480, offered_s)


@pytest.mark.parametrize(("covered_to_s", "offered_s"), [(600, None), (585, None), (584, 600)])
def test_r4_not_offered_near_what_others_covered(covered_to_s: float, offered_s: float | None) -> None:
    world = World()
    one, other = two_offline(world)
    one.watch(0, 0, 600)
    visit = other.open(HOUR)
    at_s = visit.play(HOUR, covered_to_s - 50, covered_to_s)
    visit.seek(at_s, 2000)
    other.connect(2 * HOUR)
    one.connect(2 * HOUR)
    assert (world.position_s(), world.offered_s()) == (2000, offered_s)


def test_r4_the_offer_ends_when_a_later_real_run_knows_it() -> None:
    world = World()
    one, other = two_offline(world)
    one.watch(0, 0, 1200)
    other.watch(HOUR, 0, 480)
    other.connect(2 * HOUR)
    one.connect(2 * HOUR)
    tv = world.device("TV")
    visit = tv.open(3 * HOUR)
    assert world.offered_s() == 1200
    visit.play(3 * HOUR, 480, 490)
    assert world.offered_s() is None


def test_r4_choosing_the_offer_takes_it() -> None:
    world = World()
    one, other = two_offline(world)
    one.watch(0, 0, 1200)
    other.watch(HOUR, 0, 480)
    other.connect(2 * HOUR)
    one.connect(2 * HOUR)
    other.open(3 * HOUR).choose(3 * HOUR, 1200)
    assert (world.position_s(), world.holder(), world.offered_s()) == (1200, "B", None)


def test_r4_play_continued_after_losing_the_baton_is_offered() -> None:
    world = World()
    tv, phone = world.device("TV"), world.device("P")
    running = tv.open(0)
    running.play(0, 0, 300)
    visit = phone.open(301)
    visit.seek(301, 2000)
    running.go_on(300, 300, 900)
    assert (world.position_s(), world.holder(), world.offered_s()) == (2000, "P", 900)


def test_r4_the_offer_of_a_play_that_went_on_ends_when_it_is_known() -> None:
    world = World()
    tv, phone = world.device("TV"), world.device("P")
    running = tv.open(0)
    running.play(0, 0, 300)
    phone.open(301).seek(301, 2000)
    running.go_on(300, 300, 900)
    world.device("W").watch(1000, 2000, 2010)
    assert (world.position_s(), world.offered_s()) == (2010, None)


def test_r4_the_last_beat_before_the_baton_was_lost_is_not_offered() -> None:
    world = World()
    tv, phone = world.device("TV"), world.device("P")
    running = tv.open(0)
    running.play(0, 0, 300)
    visit = phone.open(301)
    visit.act("play", 301, position_ms=2_000_000)
    running.go_on(300, 300, 310)
    visit.go_on(301, 2000, 2010)
    assert (world.position_s(), world.offered_s()) == (2010, None)


def test_r4_a_run_that_stopped_when_it_lost_the_baton_is_not_offered() -> None:
    world = World()
    tv, phone = world.device("TV"), world.device("P")
    running = tv.open(0)
    running.play(0, 0, 300)
    running.pause(300, 300)
    phone.open(301).seek(301, 2000)
    running.close(400)
    assert world.offered_s() is None


def test_r10_a_run_a_later_run_knew_never_moves_the_head_again() -> None:
    world = World()
    tv, phone = world.device("TV"), world.device("P")
    running = tv.open(0)
    running.play(0, 0, 300)
    phone.open(305).play(305, 300, 400)
    running.go_on(300, 300, 3000)
    assert (world.position_s(), world.holder()) == (400, "P")


def test_r10_the_baton_does_not_return_by_itself() -> None:
    world = World()
    tv, phone = world.device("TV"), world.device("P")
    running = tv.open(0)
    at_s = running.play(0, 0, 300)
    visit = phone.open(305)
    visit.play(305, 300, 320)
    visit.close(325)
    running.go_on(at_s, 300, 400)
    assert (world.position_s(), world.holder()) == (320, "P")
    running.play(500, 320, 330)
    assert (world.position_s(), world.holder()) == (330, "TV")


def test_r10_advance_continues_the_action_of_the_item_before() -> None:
    world = World(item("lec1", 600), item("lec2"))
    tv, phone = world.device("TV", online=False), world.device("P", online=False)
    first = tv.open(0)
    at_s = first.play(0, 0, 600)
    first.close(at_s)
    advanced = tv.open(at_s, "lec2", intent="advance")
    advanced.play(at_s, 0, 300, by="auto")
    phone.open(300, "lec2").play(300, 0, 100)
    phone.connect(HOUR)
    tv.connect(HOUR)
    assert (world.position_s("lec2"), world.holder("lec2")) == (100, "P")


def test_r10_advance_alone_moves_the_head() -> None:
    world = World(item("lec1", 600), item("lec2"))
    tv = world.device("TV")
    first = tv.open(0)
    at_s = first.play(0, 0, 600)
    first.close(at_s)
    tv.open(at_s, "lec2", intent="advance").play(at_s, 0, 300, by="auto")
    assert (world.position_s("lec2"), world.holder("lec2")) == (300, "TV")


def test_r10_a_mark_on_another_device_leaves_the_baton() -> None:
    world = World()
    tv, phone = world.device("TV"), world.device("P")
    running = tv.open(0)
    running.play(0, 0, 300)
    phone.open(301).mark(301, done=True)
    running.go_on(300, 300, 600)
    assert world.progress().done
    assert (world.position_s(), world.holder()) == (600, "TV")


def test_r10_two_tabs_of_one_device_are_ordered_by_its_journal() -> None:
    world = World()
    phone = world.device("P")
    one, other = phone.open(0), phone.open(1)
    one.play(0, 0, 60)
    other.play(70, 1000, 1020)
    one.go_on(90, 60, 300)
    assert world.position_s() == 1020


def test_a_stall_is_two_stretches_of_one_run() -> None:
    world = World()
    visit = world.device("P").open(0)
    at_s = visit.play(0, 0, 100)
    visit.go_on(at_s + 2 * BREAK_MS / 1000, 100, 200)
    (run,) = world.progress().runs.values()
    assert [stretch[:2] for stretch in run.log] == [(0, 100_000), (100_000, 200_000)]
    assert world.position_s(LECTURE) == 200
