"""R7: completion, passes and epochs."""

import pytest

from tests.actors.core.devices import LECTURE, START_MS, World, item

HOUR = 3600
DAY = 24 * HOUR


def finished(world: World, name: str = "W", at_s: float = 0) -> None:
    world.device(name).watch(at_s, 0, 3600)


def coverage_s(world: World) -> float:
    return world.progress().coverage.length() / 1000


def completed_s(world: World) -> list[float]:
    return [(moment - START_MS) / 1000 for moment in world.progress().completions]


@pytest.mark.parametrize(("played_s", "done"), [(3239, False), (3240, True)])
def test_r7_a_pass_is_complete_at_ninety_percent_of_unique_seconds(played_s: float, done: bool) -> None:
    world = World()
    world.device("W").watch(0, 0, played_s)
    assert world.progress().done is done


def test_r7_the_same_seconds_twice_complete_nothing() -> None:
    world = World()
    for n in range(3):
        world.device("W").watch(n * HOUR, 0, 1800)
    assert not world.progress().done and coverage_s(world) == 1800


def test_r7_seeking_to_the_end_completes_nothing() -> None:
    world = World()
    visit = world.device("W").open(0)
    visit.play(0, 0, 30)
    visit.seek(30, 3480)
    at_s = visit.play(30, 3480, 3600)
    visit.tell("ended", at_s, position_ms=3_600_000)
    assert not world.progress().done
    assert world.position_s() == 3600


def test_r7_a_short_clip_needs_its_share() -> None:
    world = World(item("lec1", 240))
    world.device("W").watch(0, 0, 60)
    assert not world.progress().done


def test_r7_the_tail_of_a_run_that_completed_belongs_to_its_pass() -> None:
    world = World()
    world.device("W").watch(0, 0, 3270)
    assert (world.progress().viewing, world.position_s()) == (1, 3270)
    world.device("W2").watch(2 * HOUR, 3270, 3600)
    assert (world.progress().viewing, coverage_s(world)) == (1, 3600)


def test_r7_completion_latches_and_is_dated_once() -> None:
    world = World()
    finished(world)
    once = world.progress().completions
    world.device("W2").watch(8 * DAY, 0, 3600)
    assert world.progress().completions[:1] == once
    assert len(world.progress().completions) == 2
    assert world.progress().done


def test_r7_a_completion_is_dated_by_the_play_that_completed_it() -> None:
    """The phone played the first half on Monday, the tablet the rest on Tuesday and is heard first."""
    world = World()
    phone, tablet = world.device("P", online=False), world.device("T", online=False)
    phone.watch(0, 0, 1800)
    tablet.watch(DAY, 1800, 3600)
    tablet.connect(2 * DAY)
    assert not world.progress().done
    phone.connect(3 * DAY)
    assert completed_s(world) == [DAY + 1440]


def test_r7_replaying_more_than_fifteen_seconds_opens_the_next_pass() -> None:
    world = World()
    finished(world)
    visit = world.device("W2").open(DAY)
    at_s = visit.play(DAY, 1800, 1815)
    assert world.progress().viewing == 1
    visit.go_on(at_s, 1815, 1816)
    assert (world.progress().viewing, world.position_s()) == (2, 1816)
    assert world.progress().epochs.current.passes[1].coverage.length() == 16_000
    assert world.progress().done and len(world.progress().completions) == 1


def test_r7_a_run_that_does_not_know_of_the_completion_opens_no_pass() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 600)
    phone.disconnect(700)
    world.device("W").watch(HOUR, 600, 3600)
    visit = phone.open(2 * HOUR)
    visit.seek(2 * HOUR, 100)
    visit.play(2 * HOUR, 100, 400)
    phone.connect(5 * HOUR)
    assert (world.progress().viewing, world.position_s()) == (1, 400)


def test_r7_a_device_that_finished_alone_knows_it_off_line() -> None:
    world = World()
    phone = world.device("P", online=False)
    phone.watch(0, 0, 3600)
    phone.watch(2 * HOUR, 0, 120)
    phone.connect(DAY)
    assert (world.progress().viewing, world.position_s()) == (2, 120)


def test_r7_a_device_that_holds_half_of_it_does_not_know_off_line() -> None:
    world = World()
    phone, tablet = world.device("P", online=False), world.device("T", online=False)
    phone.watch(0, 0, 1800)
    phone.watch(HOUR, 0, 120)
    tablet.watch(600, 1800, 3600)
    tablet.connect(DAY)
    phone.connect(DAY)
    assert world.progress().done and world.progress().viewing == 1


def test_r7_two_devices_that_rewatch_at_once_are_in_one_pass() -> None:
    world = World()
    finished(world)
    phone, tablet = world.device("P"), world.device("T")
    phone.disconnect(2 * HOUR)
    tablet.disconnect(2 * HOUR)
    phone.watch(3 * HOUR, 0, 600)
    tablet.watch(4 * HOUR, 600, 900)
    phone.connect(5 * HOUR)
    tablet.connect(5 * HOUR)
    passes = world.progress().epochs.current.passes
    assert [viewing.coverage.length() for viewing in passes] == [3_600_000, 900_000]


def test_r7_a_peek_opens_no_pass() -> None:
    world = World()
    finished(world)
    world.device("W2").open(DAY, intent="bookmark").play(DAY, 300, 340)
    assert len(world.progress().epochs.current.passes) == 1


def test_r7_the_second_pass_completes_too() -> None:
    world = World()
    finished(world)
    finished(world, "W2", DAY)
    assert completed_s(world) == [3240, DAY + 3240]
    assert world.progress().content_ms == 7_200_000


def test_r7_marked_done_completes_the_pass_and_keeps_the_place() -> None:
    world = World()
    world.device("W").watch(0, 0, 600)
    world.device("P").open(700).mark(700, done=True)
    assert (world.position_s(), world.holder(), world.progress().done) == (600, "W", True)
    assert completed_s(world) == [700]
    world.devices["P"].open(800).mark(800, done=True)
    assert completed_s(world) == [700]


def test_r7_an_uncomplete_opens_an_epoch_and_keeps_the_place() -> None:
    world = World()
    finished(world)
    world.device("P").open(DAY).mark(DAY, done=False)
    progress = world.progress()
    assert (progress.epoch, progress.done, coverage_s(world)) == (2, False, 0)
    assert (world.position_s(), world.holder(), progress.viewing) == (3600, "W", 1)
    assert progress.content_ms == 3_600_000


def test_r7_taking_back_what_is_not_done_clears_nothing() -> None:
    world = World()
    world.device("W").watch(0, 0, 600)
    world.devices["W"].open(700).mark(700, done=False)
    assert (world.progress().epoch, coverage_s(world)) == (1, 600)


def test_r7_a_reset_opens_an_epoch_at_zero() -> None:
    world = World()
    finished(world)
    world.device("P").open(DAY).reset(DAY)
    progress = world.progress()
    assert (progress.epoch, progress.done, coverage_s(world), world.position_s()) == (2, False, 0, 0)
    assert progress.content_ms == 3_600_000


def test_r7_a_run_off_line_before_the_reset_is_history() -> None:
    world = World()
    phone, web = world.device("P"), world.device("W")
    phone.watch(0, 0, 60)
    phone.disconnect(100)
    phone.watch(HOUR, 60, 600)
    web.open(2 * HOUR).reset(2 * HOUR)
    phone.connect(3 * HOUR)
    assert (world.position_s(), coverage_s(world), world.offered_s()) == (0, 0, None)
    assert world.progress().content_ms == 600_000


def test_r7_a_run_off_line_after_the_reset_belongs_to_the_new_epoch() -> None:
    world = World()
    phone, web = world.device("P"), world.device("W")
    phone.watch(0, 0, 60)
    phone.disconnect(100)
    web.open(HOUR).reset(HOUR)
    phone.watch(2 * HOUR, 60, 600)
    phone.connect(3 * HOUR)
    assert (world.position_s(), world.progress().epoch, coverage_s(world)) == (600, 2, 540)


@pytest.mark.parametrize("reset_first", [True, False])
def test_r7_a_reset_heard_late_takes_what_was_played_after_it(reset_first: bool) -> None:
    world = World()
    phone, web = world.device("P"), world.device("W")
    web.watch(0, 0, 60)
    phone.disconnect(100)
    web.disconnect(100)
    phone.open(HOUR).reset(HOUR)
    web.watch(HOUR - 300, 60, 660)
    for device in (phone, web) if reset_first else (web, phone):
        device.connect(3 * HOUR)
    assert (world.progress().epoch, coverage_s(world)) == (2, 300)
    assert world.progress().content_ms == 660_000


@pytest.mark.parametrize("reset_first", [True, False])
@pytest.mark.parametrize(("marked_h", "done"), [(2, True), (0.5, False)])
def test_r7_a_tick_belongs_to_the_epoch_its_time_falls_in(
    marked_h: float, done: bool, reset_first: bool
) -> None:
    world = World()
    phone, web = world.device("P"), world.device("W")
    web.watch(0, 0, 60)
    phone.disconnect(100)
    web.disconnect(100)
    web.open(HOUR).reset(HOUR)
    phone.open(marked_h * HOUR).mark(marked_h * HOUR, done=True)
    for device in (web, phone) if reset_first else (phone, web):
        device.connect(3 * HOUR)
    assert (world.progress().epoch, world.progress().done) == (2, done)


def test_r7_the_place_an_uncomplete_kept_is_not_lost_to_a_later_action() -> None:
    world = World()
    late = world.device("P", online=False)
    visit = world.device("W").open(0)
    at_s = visit.play(0, 0, 600)
    visit.mark(at_s, done=True)
    visit.mark(at_s + 10, done=False)
    late.watch(HOUR, 0, 100)
    late.connect(2 * HOUR)
    assert (world.position_s(), world.offered_s()) == (100, 600)


def test_r7_a_completion_played_after_a_late_reset_falls_with_it() -> None:
    world = World()
    phone = world.device("P")
    world.device("W").watch(0, 0, 1800)
    phone.disconnect(1900)
    phone.open(2000).reset(2000)
    world.device("W2").watch(2100, 1800, 3600)
    assert world.progress().done
    phone.connect(3 * HOUR)
    assert (world.progress().done, world.progress().epoch, coverage_s(world)) == (False, 2, 1800)


def test_r7_a_device_that_knew_of_the_reset_is_in_its_epoch_whatever_its_clock() -> None:
    world = World()
    phone = world.device("P")
    world.device("W").watch(0, 0, 60)
    world.devices["W"].open(HOUR).reset(HOUR)
    visit = phone.open(HOUR)
    visit.act("play", HOUR, position_ms=0)
    boots = world.session.device("P").clock.boots
    boots["b1"] = [part._replace(offset_ms=part.offset_ms - 2 * HOUR * 1000) for part in boots["b1"]]
    visit.span(HOUR + 10, 0, 10)
    assert coverage_s(world) == 10


def test_r7_two_resets_that_do_not_know_each_other_are_two() -> None:
    world = World()
    phone, tablet = world.device("P"), world.device("T")
    world.device("W").watch(0, 0, 600)
    phone.disconnect(700)
    tablet.disconnect(700)
    phone.open(HOUR).reset(HOUR)
    tablet.open(2 * HOUR).reset(2 * HOUR)
    tablet.connect(3 * HOUR)
    world.device("W2").watch(4 * HOUR, 0, 100)
    phone.connect(5 * HOUR)
    assert (world.progress().epoch, coverage_s(world), world.position_s()) == (3, 100, 100)


def test_r7_play_under_way_goes_on_in_the_new_epoch_without_the_baton() -> None:
    world = World()
    tv = world.device("TV")
    running = tv.open(0)
    at_s = running.play(0, 0, 600)
    world.device("P").open(at_s).reset(at_s)
    running.go_on(at_s, 600, 900)
    assert (world.position_s(), world.holder()) == (0, "P")
    assert (coverage_s(world), world.offered_s()) == (300, 900)


def test_r7_only_the_latest_epochs_are_kept() -> None:
    world = World()
    phone = world.device("P")
    for n in range(8):
        phone.watch(n * HOUR, 0, 60)
        phone.open(n * HOUR + 100).reset(n * HOUR + 100)
    assert world.progress().epoch == 9
    assert len(world.progress().epochs.kept) == 4
    assert world.progress().content_ms == 480_000


def test_r7_a_clip_that_is_watched_over_and_over_stays_small_and_keeps_count() -> None:
    world = World(item(duration_s=60))
    phone = world.device("P")
    for n in range(150):
        phone.watch(n * 100, 0, 60)
    world.checkpoint()
    world.crash()
    phone.connect(20_000)
    phone.watch(20_000, 0, 60)
    progress = world.progress()
    assert (progress.viewing, progress.done, progress.content_ms) == (151, True, 151 * 60_000)
    assert len(progress.epochs.current.passes) <= 26
    assert len(progress.completions) == 100 + len(progress.epochs.current.passes)
    assert len(world.progress_rows[LECTURE]) < 40_000
    world.device("Q").open(21_000).reset(21_000)
    assert (world.progress().viewing, world.progress().epoch, world.progress().done) == (1, 2, False)
