"""R9: when an item's content is edited, all of a student's progress in it follows, once."""

from dataclasses import replace

import pytest

from actors.core.session import Session
from actors.heads import head_of
from actors.messages import Head
from tests.actors.core.devices import LECTURE, START_MS, World

HOUR = 3600


def head(world: World) -> Head:
    return head_of(world.session, world.catalogue[LECTURE], START_MS)


def test_s44_a_journal_of_the_old_version_is_counted_in_the_new_one() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 2400)
    phone.disconnect(3000)
    phone.watch(10 * HOUR, 2400, 3000)
    world.edit("v2", 3300, {"cut": (1200, 1500)})
    phone.connect(14 * HOUR)
    told = head(world)
    assert (told.version, told.position_ms, told.content_ms) == ("v2", 2_700_000, 3_000_000)
    assert (told.done, told.coverage_ms, told.furthest_ms) == (False, 2_700_000, 2_700_000)


def test_s44_who_was_done_stays_done_and_at_that_second_when_content_is_appended() -> None:
    world = World()
    phone = world.device("P")
    visit = phone.open(0)
    at_s = visit.play(0, 0, 3600)
    visit.tell("ended", at_s, position_ms=3_600_000)
    done_rev = head(world).rev
    world.edit("v2", 4200, {"insert": (3600, 600)})
    told = head(world)
    assert (told.position_ms, told.duration_ms, told.done) == (3_600_000, 4_200_000, True)
    assert told.coverage_ms == told.furthest_ms == 3_600_000
    assert told.rev > done_rev
    assert head(world).rev == told.rev, "once"


def test_r9_what_was_inserted_before_the_place_moves_it() -> None:
    world = World()
    world.device("P").watch(0, 0, 1000)
    world.edit("v2", 3900, {"insert": (500, 300)})
    told = head(world)
    assert (told.position_ms, told.furthest_ms, told.coverage_ms) == (1_300_000, 1_300_000, 1_000_000)


def test_r9_a_place_that_was_cut_is_at_the_cut_also_for_the_loser_and_for_undo() -> None:
    world = World()
    phone, tv = world.device("P"), world.device("T", online=False)
    phone.watch(0, 0, 1000)
    phone.disconnect(1001)
    tv.watch(2000, 2000, 2100)
    phone.watch(3000, 1000, 1100)
    phone.connect(4000)
    tv.connect(4001)
    assert (world.position_s(), world.offered_s()) == (1100, 2100)
    world.edit("v2", 3300, {"cut": (2000, 2300)})
    assert head(world).position_ms == 1_100_000
    assert world.offered_s() == 2000
    visit = tv.open(5000, version="v2")
    visit.choose(5000, 2000)
    assert world.position_s() == 2000
    visit.undo(5010)
    assert world.position_s() == 1100


def test_r9_a_player_that_is_open_goes_on_in_the_version_it_has() -> None:
    world = World()
    phone = world.device("P")
    visit = phone.open(0)
    at_s = visit.play(0, 0, 600)
    world.edit("v2", 3540, {"cut": (590, 650)})
    visit.go_on(at_s, 600, 660)
    progress = world.progress()
    assert progress.version == "v2"
    assert (progress.position_ms, progress.coverage.length()) == (600_000, 600_000)
    assert (progress.content_ms, progress.wall.length()) == (660_000, 660_000)
    assert sum(progress.quarters.values()) == 660_000


def test_r9_real_play_of_what_was_cut_since_is_real() -> None:
    world = World()
    phone = world.device("P", online=False)
    phone.watch(0, 1000, 1100)
    world.edit("v2", 3000, {"cut": (900, 1500)})
    phone.connect(200)
    assert (world.holder(), world.position_s()) == ("P", 900)
    assert (world.progress().content_ms, world.progress().coverage.length()) == (100_000, 0)


def test_r9_the_end_of_an_old_version_is_where_that_second_is_now() -> None:
    world = World()
    phone = world.device("P", online=False)
    visit = phone.open(0)
    at_s = visit.play(0, 3500, 3598)
    visit.tell("ended", at_s, position_ms=3_598_000)
    world.edit("v2", 4200, {"insert": (3600, 600)})
    phone.connect(200)
    assert world.position_s() == 3600


@pytest.mark.parametrize(("to_s", "code"), [(3610, None), (3620, "beyond_end")])
def test_r9_a_place_is_judged_by_the_version_of_its_event(to_s: int, code: str | None) -> None:
    world = World()
    phone = world.device("P", online=False)
    visit = phone.open(0)
    visit.span(20, 3600 - 20, to_s)
    world.edit("v2", 9000, {"insert": (0, 5400)})
    phone.connect(100, deliver=False)
    folded = phone.deliver(phone.journal, 100)
    assert [one[1] for one in folded.refused] == ([code] if code else [])


def test_r9_an_event_of_a_version_made_beside_the_current_one_is_counted() -> None:
    world = World()
    phone = world.device("P", online=False)
    world.edit("b2", 3500, {"cut": (0, 100)})
    phone.open(0, version="b2").play(0, 400, 500)
    world.edit("v2", 3650, {"insert": (200, 50)})
    phone.connect(200)
    assert world.position_s() == 650
    assert list(world.progress().coverage) == [(550_000, 650_000)]


def test_r7_coverage_of_every_pass_follows_and_completions_stay() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 3600)
    phone.watch(5000, 0, 600)
    before = world.progress().completions
    world.edit("v2", 3500, {"cut": (100, 200)})
    head(world)
    progress = world.progress()
    assert progress.completions == before
    assert [viewing.coverage.length() for viewing in progress.epochs.current.passes] == [3_500_000, 500_000]
    assert progress.viewing == 2 and progress.position_ms == 500_000


def test_r7_an_edit_moves_no_date_of_a_completion() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 3600)
    before = world.progress().completions
    world.edit("v2", 2600, {"cut": (2600, 3600)})
    phone.open(5000, version="v2").play(5000, 0, 10)
    assert world.progress().completions == before


@pytest.mark.parametrize(
    ("duration_s", "edit"), [(4200, {"insert": (3600, 600)}), (2900, {"cut": (20, 720)})]
)
def test_r7_a_pass_that_was_opened_stays_open_after_an_edit(
    duration_s: float, edit: dict[str, tuple[int, int]]
) -> None:
    """Known to be complete off line, and replayed: neither can be seen in the coverage of the new version."""
    world = World()
    phone = world.device("P", online=False)
    phone.watch(0, 0, 3600)
    phone.watch(5000, 0, 700)
    phone.connect(9000)
    assert world.progress().viewing == 2
    world.edit("v2", duration_s, edit)
    world.checkpoint()
    head(world)
    world.checkpoint()
    world.crash()
    phone.connect(9500)
    phone.open(10_000, version="v2").play(10_000, 700, 712)
    progress = world.progress()
    assert (progress.viewing, len(progress.epochs.current.passes), len(progress.completions)) == (2, 2, 1)


def test_r9_what_runs_have_played_follows() -> None:
    """A reset heard late takes out of the former epoch just what was played after it."""
    world = World()
    phone, tv = world.device("P"), world.device("T", online=False)
    phone.watch(0, 0, 1000)
    tv.open(500).reset(500)
    world.edit("v2", 3900, {"insert": (0, 300)})
    head(world)
    tv.connect(2000)
    assert list(world.progress().coverage) == [(800_000, 1_300_000)]


def test_r9_reading_alone_carries_and_is_written() -> None:
    world = World()
    world.device("P").watch(0, 0, 1000)
    world.checkpoint()
    folded = world.progress().folded
    world.edit("v2", 3900, {"insert": (500, 300)})
    assert not world.session.dirty
    told = head(world)
    assert world.progress().folded > folded, "the row at rest is replaced"
    assert world.session.dirty_items == (LECTURE,)
    world.checkpoint()
    world.crash()
    assert head(world).position_ms == told.position_ms
    assert world.progress().version == "v2"


def test_r9_a_version_that_was_taken_back_is_left_again() -> None:
    world = World()
    world.device("P").watch(0, 0, 1000)
    world.edit("v2", 3900, {"insert": (500, 300)})
    assert head(world).position_ms == 1_300_000
    world.catalogue[LECTURE] = replace(world.catalogue[LECTURE], version="v1")
    assert (head(world).position_ms, head(world).version) == (1_000_000, "v1")


def test_who_has_not_begun_has_nothing_to_carry() -> None:
    world = World()
    world.edit("v2", 3900, {"insert": (500, 300)})
    session: Session = world.session
    assert head(world).rev == 0 and not session.dirty


def test_devices_are_told_that_an_event_found_a_new_version() -> None:
    world = World()
    phone = world.device("P")
    visit = phone.open(0)
    visit.play(0, 0, 100)
    visit.close(100)
    world.edit("v2", 3900, {"insert": (50, 300)})
    opened = phone.open(200)
    folded = phone.deliver([phone.journal[-1]], 201)
    assert not folded.changed, "a repeat"
    world.edit("v3", 3900, since="v2")
    phone.online = False
    event = opened.pause(210, 100)
    assert phone.deliver([event], 211).changed == {LECTURE}
