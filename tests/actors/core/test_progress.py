"""Folding events into one item: R4 (undo), R5 (time is not a contest), R9 (what cannot be), R10 (live)."""

import pytest

from actors.core.progress import ALONE_MAX, RUNS_MAX, STALE_PLAY_MS
from tests.actors.core.devices import LECTURE, START_MS, World, item

HOUR = 3600


def test_r5_content_is_the_sum_and_coverage_the_union() -> None:
    world = World()
    world.device("P").watch(0, 0, 600)
    world.device("T").watch(1000, 300, 900)
    progress = world.progress()
    assert (progress.content_ms, progress.coverage.length()) == (1_200_000, 900_000)
    assert progress.coverage.end() == 900_000


def test_r5_wall_time_is_the_union_over_devices() -> None:
    world = World()
    one, other = world.device("P"), world.device("T")
    one.watch(0, 0, 600)
    other.watch(300, 1000, 1600)
    assert world.progress().wall.length() == 900_000
    assert world.progress().content_ms == 1_200_000


@pytest.mark.parametrize(("rate", "wall_s"), [(0.5, 1200), (1.0, 600), (2.0, 300)])
def test_r5_content_and_wall_are_never_converted(rate: float, wall_s: float) -> None:
    world = World()
    world.device("P").open(0).play(0, 0, 600, rate=rate)
    progress = world.progress()
    assert (progress.content_ms, progress.wall.length()) == (600_000, wall_s * 1000)


def test_r5_days_are_the_students() -> None:
    """19 minutes before and 19 after local midnight at UTC+1, as quarter-hours of UTC have it."""
    world = World()
    midnight_s = 14 * HOUR
    world.device("P").watch(midnight_s - 1140, 0, 2280)
    first = (START_MS // 1000 + midnight_s) // 900
    quarters = world.progress().quarters
    assert sum(ms for quarter, ms in quarters.items() if quarter < first) == 1_140_000
    assert sum(ms for quarter, ms in quarters.items() if quarter >= first) == 1_140_000
    assert len(quarters) == 4 and max(quarters.values()) == 900_000


def test_r5_days_count_content_at_the_time_it_was_played() -> None:
    world = World()
    phone = world.device("P", online=False)
    phone.open(0).play(0, 0, 1800, rate=2.0)
    phone.connect(100 * HOUR)
    assert world.progress().quarters == {START_MS // 900_000: 1_800_000}


def test_r5_the_jitter_of_timers_breaks_no_wall_time() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.act("play", 0, position_ms=0)
    for n in range(60):
        visit.span((n + 1) * 10.02, n * 10, n * 10 + 10)
    assert len(world.progress().wall) == 1


def test_r5_seeks_pauses_and_gaps_are_worth_nothing() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 60)
    visit.pause(60, 60)
    visit.seek(HOUR, 3300)
    visit.close(HOUR + 10)
    progress = world.progress()
    assert (progress.content_ms, progress.wall.length(), world.position_s()) == (60_000, 60_000, 3300)


def test_r5_whoever_has_the_head_everybody_is_counted() -> None:
    world = World()
    tv = world.device("TV").open(0)
    tv.play(0, 0, 300)
    world.device("P").open(305).seek(305, 2000)
    tv.go_on(300, 300, 600)
    assert world.progress().content_ms == 600_000


def test_r5_a_play_of_no_length_counts_nothing() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.act("play", 0, position_ms=300_000)
    visit.span(0, 300, 300)
    progress = world.progress()
    assert (progress.content_ms, len(progress.coverage), progress.head) == (0, 0, None)


def test_r4_undo_brings_back_the_place_another_device_left() -> None:
    world = World()
    world.device("TV").watch(0, 0, 2400)
    visit = world.device("P").open(HOUR)
    visit.seek(HOUR, 300)
    visit.play(HOUR, 300, 320)
    world.devices["TV"].open(HOUR + 60).undo(HOUR + 60)
    progress = world.progress()
    assert (world.position_s(), world.holder()) == (2400, "TV")
    assert (progress.content_ms, progress.coverage.length()) == (2_420_000, 2_400_000)


def test_r4_an_undo_is_a_head_change_and_can_be_undone() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 600)
    visit.seek(600, 2000)
    visit.undo(601)
    assert world.position_s() == 600
    visit.undo(602)
    assert world.position_s() == 2000


def test_r4_undo_of_a_tick_takes_the_completion_back_and_moves_nothing() -> None:
    world = World()
    tv = world.device("TV").open(0)
    at_s = tv.play(0, 0, 300)
    phone = world.device("P").open(at_s)
    phone.mark(at_s, done=True)
    assert world.progress().done
    phone.undo(at_s + 1)
    assert not world.progress().done
    tv.go_on(at_s, 300, 330)
    assert (world.position_s(), world.holder()) == (330, "TV")


@pytest.mark.parametrize("reset_first", [True, False])
def test_r4_undo_of_a_tick_takes_back_the_one_after_it_across_a_reset_its_device_did_not_know(
    reset_first: bool,
) -> None:
    """The phone ticks at 1000 s and at 1200 s and undoes it; the browser resets at 1100 s; all off line."""
    world = World()
    phone, web = world.device("P"), world.device("W")
    web.watch(0, 0, 60)
    phone.disconnect(100)
    web.disconnect(100)
    visit = phone.open(1000)
    visit.mark(1000, done=True)
    web.open(1100).reset(1100)
    visit.mark(1200, done=True)
    visit.undo(1300)
    for device in (web, phone) if reset_first else (phone, web):
        device.connect(HOUR)
    assert (world.progress().epoch, world.progress().done) == (2, False)


def test_r4_undo_of_a_handover_gives_back_the_place_of_it() -> None:
    world = World()
    world.device("TV").watch(0, 0, 600)
    visit = world.device("P").open(700)
    visit.play(700, 600, 900)
    visit.undo(1000)
    assert world.position_s() == 600


def test_r4_a_second_undo_goes_further_back_than_the_tick() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 600)
    visit.seek(600, 2000)
    visit.mark(610, done=True)
    visit.undo(620)
    assert (world.position_s(), world.progress().done) == (2000, False)
    visit.undo(630)
    assert world.position_s() == 600


def test_r4_undo_of_a_reset_restores_place_done_and_epoch() -> None:
    world = World()
    world.device("W").watch(0, 0, 3600)
    visit = world.device("P").open(HOUR * 2)
    visit.reset(HOUR * 2)
    assert (world.progress().epoch, world.progress().done) == (2, False)
    visit.undo(HOUR * 2 + 5)
    progress = world.progress()
    assert (progress.epoch, progress.done, world.position_s()) == (1, True, 3600)
    assert progress.coverage.length() == 3_600_000


def test_r4_undo_of_an_uncomplete_keeps_what_was_played_since() -> None:
    world = World()
    world.device("W").watch(0, 0, 600)
    visit = world.devices["W"].open(700)
    visit.mark(700, done=True)
    visit.mark(710, done=False)
    visit.play(710, 600, 700)
    visit.undo(900)
    progress = world.progress()
    assert (progress.epoch, progress.done, progress.coverage.length()) == (1, True, 700_000)
    assert (world.position_s(), progress.content_ms) == (700, 700_000)


def test_r4_undo_reverts_what_its_user_had_seen() -> None:
    """The phone is off line when it undoes: the seek of the television after that stays."""
    world = World()
    phone, tv = world.device("P"), world.device("TV")
    phone.watch(0, 0, 600)
    phone.open(700).seek(700, 2000)
    phone.disconnect(710)
    phone.open(720).undo(720)
    tv.open(800).seek(800, 3000)
    undo = phone.journal[-1].seq
    phone.connect(HOUR)
    assert (world.position_s(), world.holder()) == (3000, "TV")
    assert world.progress().runs[("P", undo)].position_ms == 600_000


def test_r4_pausing_and_playing_on_is_no_head_change() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 600)
    visit.seek(600, 2000)
    visit.play(600, 2000, 2030)
    visit.pause(630, 2030)
    visit.play(700, 2030, 2060)
    visit.undo(800)
    assert world.position_s() == 600


def test_r4_undo_with_nothing_to_undo_moves_nothing() -> None:
    world = World()
    world.device("TV").watch(0, 0, 600)
    world.device("P").open(700).undo(700)
    assert (world.position_s(), world.holder()) == (600, "TV")


def test_r4_every_head_change_is_journaled_with_its_rule_and_loser() -> None:
    world = World()
    one, other = world.device("A", online=False), world.device("B", online=False)
    one.watch(0, 0, 1200)
    other.watch(HOUR, 0, 480)
    one.connect(2 * HOUR)
    other.connect(2 * HOUR)
    change = world.session.head_changes[-1]
    assert (change.what, change.device, change.former_ms) == ("place", "B", 1_200_000)
    assert change.loser is not None
    assert (change.rule, change.loser.device, change.loser.position_ms) == ("R3", "A", 1_200_000)


def test_r9_a_little_past_the_end_is_clipped() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 3570, 3610)
    assert (world.position_s(), world.progress().coverage.end()) == (3600, 3_600_000)


def test_r10_the_head_plays_while_its_device_does() -> None:
    world = World()
    visit = world.device("P").open(0)
    at_s = visit.play(0, 0, 60)
    now_ms = START_MS + round(at_s * 1000)
    progress = world.progress()
    assert progress.playing_now(now_ms)
    assert not progress.playing_now(now_ms + STALE_PLAY_MS)
    visit.pause(at_s, 60)
    assert not progress.playing_now(now_ms)


def shows_playing(world: World) -> bool:
    head = world.progress().head
    return head is not None and head.playing


def test_r10_a_seek_while_playing_plays_on() -> None:
    world = World()
    visit = world.device("P").open(0)
    at_s = visit.play(0, 0, 60)
    visit.seek(at_s, 1200)
    assert shows_playing(world)


def test_r10_leaving_stops_the_display_and_play_starts_it_again() -> None:
    world = World()
    visit = world.device("P").open(0)
    at_s = visit.play(0, 0, 60)
    assert world.session.leave("P", START_MS + round(at_s * 1000)) == {LECTURE}
    assert not shows_playing(world)
    assert world.session.leave("P", START_MS + round(at_s * 1000)) == set()
    visit.go_on(at_s, 60, 70)
    assert shows_playing(world)


def test_the_revision_grows_with_every_move_and_not_without() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 60)
    first = world.progress().rev
    visit.pause(60, 60)
    visit.close(70)
    assert world.progress().rev == first
    world.device("W").open(80).seek(80, 10)
    assert world.progress().rev > first


def test_revisions_start_at_the_floor_of_the_slot_epoch() -> None:
    world = World()
    world.device("P").watch(0, 0, 60)
    world.checkpoint()
    world.crash()
    world.device("W").watch(100, 60, 120)
    assert world.progress().rev >= 2 << 20


def test_what_is_kept_of_an_item_is_bounded() -> None:
    world = World(item(duration_s=100_000))
    phone = world.device("P", online=False)
    for n in range(300):
        visit = phone.open(n * 100)
        visit.play(n * 100, n * 60, n * 60 + 30)
        visit.seek(n * 100 + 30, 50_000 + n * 20)
        visit.close(n * 100 + 31)
    phone.connect(HOUR * 100)
    progress = world.progress()
    assert len(progress.runs) <= RUNS_MAX
    assert progress.content_ms == progress.coverage.length() == 300 * 30_000
    assert world.position_s() == 50_000 + 299 * 20
    visit = phone.open(HOUR * 100)
    visit.reset(HOUR * 100)
    visit.undo(HOUR * 100 + 1)
    assert progress.coverage.length() == 300 * 30_000


def test_less_is_kept_of_a_student_with_one_device_who_can_undo_all_the_same() -> None:
    world = World(item(duration_s=100_000))
    phone = world.device("P")
    for n in range(3 * ALONE_MAX):
        phone.watch(n * 100, n * 60, n * 60 + 30)
        assert len(world.progress().runs) <= ALONE_MAX
    assert world.progress().coverage.length() == 3 * ALONE_MAX * 30_000
    visit = phone.open(10_000)
    visit.seek(10_000, 50_000)
    visit.undo(10_010)
    assert world.position_s() == (3 * ALONE_MAX - 1) * 60 + 30


def test_of_two_devices_the_runs_are_kept_that_an_offline_journal_may_meet() -> None:
    world = World(item(duration_s=100_000))
    world.device("T").watch(0, 0, 20)
    phone = world.device("P")
    for n in range(2 * ALONE_MAX):
        phone.watch(100 + n * 100, n * 60, n * 60 + 30)
    assert len(world.progress().runs) == min(RUNS_MAX, 2 * ALONE_MAX + 1)


def test_a_press_that_played_nothing_leaves_no_run() -> None:
    world = World()
    visit = world.device("P").open(0)
    for n in range(5):
        visit.act("play", n, position_ms=0)
        visit.pause(n, 0)
    visit.play(10, 0, 10)
    assert len(world.progress().runs) == 1


def test_the_head_is_kept_however_many_touch_the_item() -> None:
    world = World()
    world.device("W").watch(0, 0, 600)
    for n in range(2 * RUNS_MAX):
        world.device(f"P{n}").watch(1000 + n * 10, n * 20, n * 20 + 3)
    assert (world.position_s(), world.holder()) == (600, "W")
    assert len(world.progress().runs) <= RUNS_MAX


def test_a_long_run_keeps_its_coverage_when_its_stretches_are_too_many() -> None:
    world = World(item(duration_s=100_000))
    visit = world.device("P").open(0)
    visit.act("play", 0, position_ms=0)
    for n in range(100):
        visit.span(n * 60 + 60, n * 20, n * 20 + 10)
    (run,) = world.progress().runs.values()
    assert len(run.log) <= 32
    assert world.progress().coverage.length() == 1_000_000
    visit.reset(7000)
    visit.undo(7001)
    assert world.progress().coverage.length() == 1_000_000


@pytest.mark.parametrize("done", [True, False])
def test_r7_a_mark_while_playing_changes_neither_place_nor_baton(done: bool) -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 60)
    if not done:
        visit.mark(60, done=True)
    visit.mark(64, done=done)
    now_ms = START_MS + 65_000
    progress = world.progress()
    assert progress.playing_now(now_ms) and (world.holder(), world.position_s()) == ("P", 60)
    assert progress.head is not None and progress.head.shown_ms == START_MS + 60_000
    visit.go_on(60, 60, 80)
    assert progress.playing_now(START_MS + 81_000) and world.position_s() == 80
    visit.pause(82, 80)
    assert not progress.playing_now(START_MS + 82_000)


def test_r7_a_mark_while_paused_shows_nobody_playing() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 60)
    visit.pause(60, 60)
    visit.mark(64, done=True)
    assert not world.progress().playing_now(START_MS + 64_000)


def test_r7_a_mark_and_a_pause_before_the_next_beat() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 60)
    visit.mark(64, done=True)
    visit.pause(65, 65)
    assert not world.progress().playing_now(START_MS + 65_000)
