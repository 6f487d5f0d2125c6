"""R4: every change of the head, of done, epoch and version leaves a line with its rule and loser."""

from actors.core.history import WAITING_MAX
from actors.heads import head_of
from tests.actors.core.devices import LECTURE, START_MS, World, item

HOUR = 3600


def told(world: World) -> list[tuple[str, str, str, int, int | None]]:
    """What changed, rule, device, place and former place in seconds; each line once."""
    found, world.session.head_changes = world.session.head_changes, ()
    return [
        (
            change.what,
            change.rule,
            change.device,
            change.position_ms // 1000,
            None if change.former_ms is None else change.former_ms // 1000,
        )
        for change in found
    ]


def test_plain_play_leaves_the_first_line_only() -> None:
    world = World()
    visit = world.device("P").open(0)
    at_s = visit.play(0, 0, 600)
    assert told(world) == [("place", "R2", "P", 10, None)]
    visit.pause(at_s, 600)
    visit.play(at_s + 60, 600, 1200)
    visit.close(at_s + 660)
    assert told(world) == []


def test_r2_another_device_and_another_place_leave_a_line() -> None:
    world = World()
    world.device("P").watch(0, 0, 600)
    told(world)
    tv = world.device("T")
    tv.watch(1000, 600, 700)
    assert told(world) == [("place", "R2", "T", 610, 600)]
    visit = tv.open(2000)
    visit.seek(2000, 1500)
    assert told(world) == [("place", "R2", "T", 1500, 700)]
    visit.play(2001, 1510, 1530)
    assert told(world) == [], "near is the same place, unless the user has named it"


def test_r4_every_small_move_that_the_user_named_leaves_a_line_and_can_be_undone() -> None:
    world = World()
    phone = world.device("P")
    visit = phone.open(0)
    visit.choose(0, 5)
    visit.choose(1, 12)
    visit.seek(2, 8)
    visit.seek(3, 8.9)
    assert [line[3:] for line in told(world)] == [(5, None), (12, 5), (8, 12)], "rounding is no move"
    visit.undo(4)
    assert world.position_s() == 12
    visit.undo(5)
    assert world.position_s() == 8.9, "an undo of an undo does it again"
    assert [line[3:] for line in told(world)] == [(12, 8), (8, 12)]


def test_r4_an_undo_goes_back_to_where_play_had_come_before_the_move() -> None:
    world = World()
    phone = world.device("P")
    visit = phone.open(0)
    at_s = visit.play(0, 0, 20)
    visit.choose(at_s, 12)
    visit.play(at_s, 12, 21)
    visit.undo(at_s + 9)
    assert world.position_s() == 20


def test_r3_the_line_names_the_loser() -> None:
    world = World()
    phone, tv = world.device("P", online=False), world.device("T", online=False)
    phone.watch(0, 0, 600)
    tv.watch(100, 2000, 2300)
    phone.connect(HOUR)
    tv.connect(HOUR + 1)
    change = world.session.head_changes[-1]
    assert (change.what, change.rule, change.device, change.at_ms) == (
        "place",
        "R3",
        "T",
        START_MS + (HOUR + 1) * 1000,
    )
    assert change.head is not None and change.former is not None
    assert (change.head.device, change.head.kind, change.head.action_ms) == ("T", "play", START_MS + 100_000)
    assert change.former == change.loser
    assert (change.former.device, change.former.from_ms, change.former.position_ms) == ("P", 0, 600_000)


def test_r7_done_leaves_one_line_and_every_pass_one() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 3600)
    assert [line[:2] for line in told(world)] == [("place", "R2"), ("done", "R7")]
    phone.watch(2 * HOUR, 0, 3600)
    assert [line[:2] for line in told(world)] == [("place", "R2"), ("done", "R7")]


def test_r7_a_tick_is_a_change_of_done_and_taking_it_back_of_the_epoch() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 600)
    told(world)
    visit = phone.open(1000)
    visit.mark(1000, done=True)
    done = world.session.head_changes[-1]
    assert (done.what, done.done, done.epoch) == ("done", True, 1)
    assert told(world) == [("done", "R7", "P", 600, 600)]
    visit.mark(1010, done=False)
    undone = world.session.head_changes[-1]
    assert (undone.what, undone.done, undone.epoch) == ("epoch", False, 2)
    assert told(world) == [("epoch", "R7", "P", 600, 600)]


def test_r7_a_reset_is_one_line_with_the_place_before() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 3600)
    told(world)
    phone.open(2 * HOUR).reset(2 * HOUR)
    change = world.session.head_changes[-1]
    assert change.head is not None and change.head.kind == "reset"
    assert (change.done, change.epoch) == (False, 2)
    assert told(world) == [("epoch", "R7", "P", 0, 3600)]


def test_r4_an_undo_leaves_a_line() -> None:
    world = World()
    phone = world.device("P")
    phone.watch(0, 0, 600)
    visit = phone.open(1000)
    visit.seek(1000, 3000)
    told(world)
    visit.undo(1010)
    assert told(world) == [("place", "R2", "P", 600, 3000)]
    visit.mark(1020, done=True)
    told(world)
    visit.undo(1030)
    assert told(world) == [("done", "R4", "P", 600, 600)]


def test_r7_a_change_tells_which_run_caused_it() -> None:
    world = World()
    laptop, phone = world.device("L"), world.device("P")
    laptop.watch(0, 0, 7)
    visit = phone.open(10)
    for done, what in ((True, "done"), (False, "epoch")):
        visit.mark(10, done=done)
        change = world.session.head_changes[-1]
        assert (change.what, change.device) == (what, "P")
        assert change.head is not None and change.by is not None
        assert (change.head.device, change.by.device, change.by.kind) == ("L", "P", "marked")
    visit.reset(20)
    change = world.session.head_changes[-1]
    assert change.by is not None and (change.by.device, change.by.kind) == ("P", "reset")


def test_r4_a_place_that_is_offered_without_a_change_of_the_head_leaves_a_line_once() -> None:
    world = World()
    phone, laptop = world.device("P", online=False), world.device("L")
    visit = phone.open(0)
    visit.seek(0, 2000)
    visit.go_on(0, 2000, 2022)
    laptop.watch(100, 0, 600)
    told(world)
    phone.connect(HOUR)
    change = world.session.head_changes[-1]
    assert told(world) == [("offer", "R3", "P", 2022, None)]
    assert change.head is not None and change.loser is not None and change.by == change.loser
    assert (change.head.device, change.loser.device) == ("L", "P")
    visit.go_on(HOUR, 2022, 2042)
    assert told(world) == [], "the same offer, further on"
    assert world.position_s() == 600


def test_r10_a_place_that_is_offered_since_play_went_on_without_the_baton_leaves_a_line() -> None:
    world = World()
    phone, laptop = world.device("P"), world.device("L")
    visit = phone.open(0)
    visit.play(0, 0, 600)
    laptop.watch(600, 2000, 2030)
    told(world)
    visit.go_on(640, 600, 640)
    assert told(world) == [("offer", "R10", "P", 610, None)]


def test_r9_a_new_version_leaves_a_line_with_both_places() -> None:
    world = World()
    world.device("P").watch(0, 0, 1000)
    told(world)
    world.edit("v2", 3900, {"insert": (500, 300)})
    head_of(world.session, world.catalogue[LECTURE], START_MS + 7)
    change = world.session.head_changes[-1]
    assert (change.version, change.at_ms) == ("v2", START_MS + 7)
    assert told(world) == [("version", "R9", "P", 1300, 1000)]


def test_r4_a_message_full_of_seeks_from_off_line_loses_no_change() -> None:
    world = World()
    phone = world.device("P", online=False)
    visit = phone.open(0)
    for n in range(499):
        visit.seek(n, n % 2 * 40)
    phone.connect(HOUR)
    assert (len(world.session.head_changes), world.session.changes_dropped) == (499, 0)


def test_of_too_many_the_oldest_changes_of_place_are_dropped_and_counted() -> None:
    world = World(item(duration_s=100_000))
    phone = world.device("P", online=False)
    visit = phone.open(0)
    visit.mark(0, done=True)
    for n in range(1, WAITING_MAX + 10):
        visit.seek(n, n * 40)
    phone.connect(HOUR)
    session = world.session
    assert (len(session.head_changes), session.changes_dropped) == (WAITING_MAX, 10)
    kept = session.head_changes
    assert kept[0].what == "done"
    assert [change.position_ms for change in kept[1:]] == [n * 40_000 for n in range(11, WAITING_MAX + 10)]
