"""R1: only a real run moves the head; and which real time earns credit (R9, W19)."""

import pytest

from tests.actors.core.devices import LECTURE, World


def watched(world: World, to_s: float = 600) -> None:
    """Another device has the head at `to_s`."""
    world.device("other").watch(0, 0, to_s)


def test_r1_opening_pausing_and_closing_move_nothing() -> None:
    world = World()
    watched(world)
    rev = world.progress().rev
    visit = world.device("P").open(1000)
    visit.pause(1010, 0)
    visit.close(1300)
    assert (world.position_s(), world.progress().rev) == (600, rev)


def test_r1_position_zero_before_the_first_seek_moves_nothing() -> None:
    world = World()
    watched(world)
    visit = world.device("P").open(1000)
    visit.act("play", 1000, position_ms=0)
    visit.pause(1005, 0)
    visit.close(1005)
    assert world.position_s() == 600


def test_r1_a_stalled_player_moves_nothing() -> None:
    world = World()
    phone = world.device("P")
    phone.open(0).play(0, 0, 100)
    assert world.session.stall("P", LECTURE)
    head = world.progress().head
    assert head is not None and not world.progress().playing_now(head.moved_ms)
    assert world.position_s() == 100


@pytest.mark.parametrize(("played_s", "position_s"), [(4, 600), (4.9, 600), (5, 305)])
def test_r1_five_seconds_of_play_are_real(played_s: float, position_s: float) -> None:
    world = World()
    watched(world)
    world.device("P").watch(1000, 300, 300 + played_s)
    assert world.position_s() == position_s
    assert world.progress().content_ms == round((600 + played_s) * 1000)


def test_r1_the_five_seconds_may_come_in_pieces_of_one_visit() -> None:
    world = World()
    watched(world)
    visit = world.device("P").open(1000)
    visit.play(1000, 300, 303)
    visit.pause(1003, 303)
    assert world.position_s() == 600
    visit.play(1010, 303, 306)
    assert world.position_s() == 306


def test_r1_a_user_seek_is_real_at_once() -> None:
    world = World()
    watched(world)
    world.device("P").open(1000).seek(1001, 1200)
    assert (world.position_s(), world.holder()) == (1200, "P")


def test_r1_an_automatic_start_moves_nothing_however_long_it_plays() -> None:
    world = World()
    watched(world)
    visit = world.device("P").open(1000, intent="auto")
    visit.play(1000, 0, 300, by="auto")
    assert (world.position_s(), world.holder()) == (600, "other")
    assert world.progress().content_ms == 900_000


def test_r1_a_user_who_acts_after_an_automatic_start_is_real() -> None:
    world = World()
    watched(world)
    visit = world.device("P").open(1000, intent="auto")
    at_s = visit.play(1000, 0, 30, by="auto")
    visit.play(at_s + 5, 30, 40)
    assert (world.position_s(), world.holder()) == (40, "P")


def test_r1_a_play_nobody_announced_moves_nothing_and_counts() -> None:
    world = World()
    watched(world)
    world.device("P").open(1000).go_on(1000, 0, 120)
    assert (world.position_s(), world.progress().content_ms) == (600, 720_000)


def test_r1_a_peek_at_a_bookmark_moves_nothing_for_a_minute() -> None:
    world = World()
    watched(world)
    visit = world.device("P").open(1000, intent="bookmark")
    at_s = visit.play(1000, 300, 359)
    assert world.position_s() == 600
    visit.seek(at_s, 200)
    assert world.position_s() == 600
    visit.play(at_s, 200, 210)
    assert world.position_s() == 210


def test_r1_choosing_to_stay_ends_a_peek() -> None:
    world = World()
    watched(world)
    visit = world.device("P").open(1000, intent="bookmark")
    at_s = visit.play(1000, 300, 310)
    visit.choose(at_s, 310)
    assert (world.position_s(), world.holder()) == (310, "P")


def test_r1_pressing_play_again_where_one_stands_is_shown_at_once() -> None:
    world = World()
    visit = world.device("P").open(0)
    at_s = visit.play(0, 0, 60)
    visit.pause(at_s, 60)
    visit.act("play", at_s + 30, position_ms=60_000)
    head = world.progress().head
    assert head is not None and head.playing


def test_r1_pressing_play_in_an_old_visit_and_stopping_moves_nothing() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 60)
    visit.pause(60, 60)
    web = world.device("W")
    world.devices["P"].disconnect(70)
    web.disconnect(70)
    web.watch(100, 60, 360)
    visit.act("play", 500, position_ms=60_000)
    visit.pause(500, 60)
    world.devices["P"].connect(600)
    web.connect(600)
    assert (world.position_s(), world.holder()) == (360, "W")


def test_w19_content_faster_than_its_real_time_earns_nothing_and_its_position_counts() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.play(0, 0, 20)
    visit.span(30, 20, 1220)
    progress = world.progress()
    assert progress.position_ms == 1_220_000
    assert (progress.content_ms, progress.coverage.length()) == (20_000, 20_000)
    assert progress.uncredited_ms == 1_200_000
    world.checkpoint()
    world.crash()
    assert world.progress().uncredited_ms == 1_200_000


def test_w19_the_slack_is_given_once() -> None:
    world = World()
    visit = world.device("P").open(0)
    visit.act("play", 0, position_ms=0)
    for n in range(20):
        visit.span(0, 2 * n, 2 * n + 2)
    assert world.progress().content_ms == 2_000


def test_w19_the_rate_is_allowed_for() -> None:
    world = World()
    world.device("P").open(0).play(0, 0, 1200, rate=2.0)
    assert world.progress().content_ms == 1_200_000
    assert world.progress().wall.length() == 600_000


def test_w19_a_visit_without_its_opening_is_granted_one_beat_at_a_time() -> None:
    world = World()
    phone = world.device("P")
    visit = phone.open(0)
    world.session.device("P").visits.clear()
    visit.span(10, 0, 10)
    assert world.progress().content_ms == 10_000
    world.session.device("P").visits.clear()
    visit.span(20, 10, 3600)
    assert world.progress().content_ms == 10_000


def test_w19_a_span_that_goes_back_in_time_earns_nothing() -> None:
    world = World()
    visit = world.device("P").open(100)
    visit.act("play", 100, position_ms=0)
    visit.span(110, 0, 10)
    visit.span(50, 10, 15)
    assert world.progress().content_ms == 10_000
