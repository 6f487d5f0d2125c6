"""Histories that once broke a rule, as short as they could be made, named by what was wrong.

Each is written out with the seed that found it, since the seeds make other histories when the generator
changes. The cause is in the docstring.
"""

from tests.actors.core.fuzz import properties
from tests.actors.core.fuzz.histories import History, Step
from tests.actors.core.fuzz.properties import ORDERS


def history(skews_s: dict[str, int], *steps: Step) -> History:
    return History(0, skews_s, steps)


def check(history: History) -> None:
    properties.check(history, ORDERS)


def test_seed_156_two_players_at_once_date_a_completion_by_when_it_was_full() -> None:
    """R7: stretches were counted whole, in the order in which they ended."""
    check(
        history(
            {"A": 0, "B": 0, "C": 0},
            Step("open", "B", "i1", extra="advance"),
            Step("play", "B", "i1", 15, "auto", 10),
            Step("open", "C", "i1", extra="advance", wait_s=3),
            Step("resume", "C", "i1", 35, "auto", 1),
            Step("drop", "B"),
            Step("mute", "C"),
            Step("resume", "A", "i2", 20, "auto", 30, 2.0),
            Step("beat", "A", "i2", wait_s=30),
            Step("beat", "B", "i1", wait_s=30),
            Step("beat", "C", "i1", wait_s=10),
            Step("pause", "B", "i1", wait_s=10),
            Step("meet", extra="A B C", wait_s=3),
        )
    )


def test_seed_227_what_a_device_did_not_know_to_be_done_it_does_not_take_back() -> None:
    """R7: an un-tick opened an epoch or not by whether the completion had arrived before it."""
    check(
        history(
            {"B": 0, "C": 0},
            Step("open", "B", "i1", extra="auto"),
            Step("play", "B", "i1", 0, "auto", 3, 2.0),
            Step("open", "C", "i1", extra="resume", wait_s=20),
            Step("drop", "B"),
            Step("drop", "C"),
            Step("seek", "B", "i1", 60, wait_s=30),
            Step("undone", "C", "i1", wait_s=1),
            Step("meet", extra="B C", wait_s=5),
        )
    )


def test_seed_710_an_undo_goes_back_to_what_its_device_knew() -> None:
    """R4: an undo off line reverted a head change that only the order of arrival had made."""
    check(
        history(
            {"A": 0, "B": 3600, "C": 0},
            Step("open", "A", "i2", extra="resume", wait_s=10),
            Step("open", "C", "i2", extra="resume", wait_s=10),
            Step("drop", "A"),
            Step("drop", "C"),
            Step("seek", "A", "i2", 110),
            Step("seek", "C", "i2", 45, wait_s=10),
            Step("close", "A", "i2"),
            Step("meet", extra="A B C", wait_s=30),
            Step("undo", "C", "i2", wait_s=1),
            Step("meet", extra="A B C"),
        )
    )


def test_seed_171_play_that_went_on_before_it_lost_the_baton_is_not_offered() -> None:
    """R4: whether a run had played on after losing was told by revisions, so by arrival."""
    check(
        history(
            {"A": 0, "D": 0},
            Step("open", "A", "i1", extra="resume", wait_s=10),
            Step("resume", "A", "i1", 0, "user", 20, 2.0),
            Step("beat", "A", "i1", wait_s=20),
            Step("mute", "A"),
            Step("drop", "D"),
            Step("close", "A", "i1", wait_s=5),
            Step("open", "D", "i1", extra="advance", wait_s=300),
            Step("play", "D", "i1", 10, "auto", 10),
            Step("beat", "D", "i1", wait_s=5),
            Step("meet", extra="A D"),
        )
    )


def test_seed_2_a_run_knows_what_its_device_saw_of_an_owner_that_died() -> None:
    """R8: revisions lost with an owner made a successor look concurrent, and its own past an offer."""
    check(
        history(
            {"A": 0, "B": 20},
            Step("open", "B", "i1", extra="resume", wait_s=3),
            Step("seek", "B", "i1", 70, wait_s=30),
            Step("open", "A", "i1", extra="resume", wait_s=10),
            Step("seek", "A", "i1", 35, wait_s=5),
            Step("crash", wait_s=10),
        )
    )


def test_seed_554_a_second_pass_is_dated_by_its_own_tick() -> None:
    """R7: a tick went to the pass that was open when it was heard, so a completion was lost by arrival."""
    check(
        history(
            {"A": 0, "B": 0, "C": 3600, "D": 20},
            Step("open", "A", "i1", extra="resume", wait_s=10),
            Step("play", "A", "i1", 45, "user"),
            Step("beat", "A", "i1", wait_s=10),
            Step("open", "D", "i1", extra="resume", wait_s=3),
            Step("drop", "A"),
            Step("mute", "D"),
            Step("done", "D", "i1", wait_s=10),
            Step("resume", "D", "i1", 60, "user", 10),
            Step("beat", "D", "i1", wait_s=20),
            Step("done", "D", "i1", wait_s=5),
            Step("seek", "A", "i1", 65, wait_s=10),
            Step("meet", extra="A B D", wait_s=10),
        )
    )


def test_seed_5205_a_place_in_an_epoch_that_began_since_is_offered_alike() -> None:
    """R4, R7: whether a place was offered was told by the order in which a tick and a play were heard."""
    check(
        history(
            {"A": 0, "B": 0, "C": -86400, "D": 0},
            Step("open", "A", "i1", extra="resume", wait_s=10),
            Step("play", "A", "i1", 40, "user", 5),
            Step("open", "B", "i1", extra="resume", wait_s=5),
            Step("reset", "A", "i1", wait_s=20),
            Step("drop", "A"),
            Step("drop", "B"),
            Step("drop", "D"),
            Step("open", "D", "i1", extra="resume", wait_s=10),
            Step("resume", "D", "i1", 15, "user", 1),
            Step("beat", "D", "i1", wait_s=30),
            Step("seek", "B", "i1", 90, wait_s=10),
            Step("done", "A", "i1", wait_s=5),
            Step("meet", extra="A B D", wait_s=3),
        )
    )


def test_seed_1165_a_successor_is_one_after_a_crash_as_well() -> None:
    """R8: a run sent again got a later revision, so the run that had known it looked concurrent."""
    check(
        history(
            {"A": 0, "B": 20},
            Step("open", "A", "i1", extra="resume", wait_s=10),
            Step("play", "A", "i1", extra="user", wait_s=10),
            Step("close", "A", "i1", wait_s=10),
            Step("open", "B", "i1", extra="resume"),
            Step("resume", "B", "i1", 90, "user"),
            Step("beat", "B", "i1", wait_s=10),
            Step("crash"),
        )
    )


def test_seed_1799_a_tick_beside_a_play_survives_a_crash() -> None:
    """R8: as 1165, with a tick that goes on playing."""
    check(
        history(
            {"A": 3600, "B": 0},
            Step("open", "B", "i1", extra="resume", wait_s=30),
            Step("resume", "B", "i1", 35, "user", 5),
            Step("open", "A", "i1", extra="advance", wait_s=1),
            Step("play", "A", "i1", 10, "auto", 30),
            Step("beat", "A", "i1", wait_s=10),
            Step("done", "B", "i1"),
            Step("beat", "B", "i1", wait_s=10),
            Step("crash", wait_s=3),
        )
    )


def test_seed_4298_the_latest_seek_stands_after_a_crash() -> None:
    """R8: as 1165, and the place itself went back."""
    check(
        history(
            {"A": 0, "B": 0, "C": 3600},
            Step("open", "B", "i1", extra="resume", wait_s=30),
            Step("open", "C", "i1", extra="resume", wait_s=5),
            Step("seek", "C", "i1", 100, wait_s=10),
            Step("seek", "B", "i1", 85, wait_s=1),
            Step("crash", wait_s=5),
        )
    )


def test_seed_4868_a_seek_away_from_a_play_survives_a_crash() -> None:
    """R8: as 1165, by a seek."""
    check(
        history(
            {"A": 20, "B": 0},
            Step("open", "B", "i1", extra="resume", wait_s=5),
            Step("play", "B", "i1", 65, "user", 5),
            Step("open", "A", "i1", extra="resume", wait_s=20),
            Step("beat", "B", "i1", wait_s=5),
            Step("seek", "A", "i1", 50),
            Step("crash", wait_s=3),
        )
    )


def test_seed_2468_a_device_that_was_told_before_the_crash_succeeds_after_it() -> None:
    """R8: knowledge died with the owner though what it was of had happened long before."""
    check(
        history(
            {"A": 0, "B": 0, "C": 0},
            Step("open", "A", "i1", extra="resume", wait_s=3),
            Step("play", "A", "i1", 30, "user", 20),
            Step("open", "C", "i1", extra="resume", wait_s=3600),
            Step("seek", "A", "i1", 30, wait_s=30),
            Step("crash"),
            Step("seek", "C", "i1", 5),
            Step("meet", extra="A B C", wait_s=10),
        )
    )


def test_seed_3661_an_undo_looks_at_the_epochs_its_device_knew() -> None:
    """R4: a reset its device had not heard of hid the place an undo goes back to."""
    check(
        history(
            {"A": 0, "B": 0, "C": -86400, "D": 0},
            Step("open", "C", "i1", extra="resume", wait_s=10),
            Step("play", "C", "i1", 60, "user", 1),
            Step("drop", "C"),
            Step("open", "D", "i1", extra="resume", wait_s=900),
            Step("beat", "C", "i1", wait_s=10),
            Step("drop", "D"),
            Step("resume", "C", "i1", 75, "user", 30, 2.0),
            Step("reset", "D", "i1", wait_s=10),
            Step("undo", "C", "i1", wait_s=10),
            Step("meet", extra="C D", wait_s=10),
        )
    )


def test_seed_9553_no_two_runs_know_each_other() -> None:
    """R7: a run sent before and one after seemed to know each other, so coverage went by arrival."""
    check(
        history(
            {"A": 20, "B": 0, "C": 3600, "D": 0},
            Step("open", "C", "i1", extra="resume", wait_s=10),
            Step("drop", "B"),
            Step("mute", "C"),
            Step("open", "B", "i1", extra="resume"),
            Step("resume", "B", "i1", 10, "user", 10),
            Step("beat", "B", "i1", wait_s=10),
            Step("undo", "A", "i1", wait_s=10),
            Step("reset", "C", "i1", wait_s=1),
            Step("beat", "C", "i1", wait_s=10),
            Step("beat", "C", "i1", wait_s=30),
            Step("beat", "A", "i1", wait_s=30),
            Step("beat", "B", "i1", wait_s=10),
            Step("meet", extra="B C", wait_s=10),
        )
    )


def test_seed_21610_an_un_tick_of_what_an_undo_has_taken_back_unheard() -> None:
    """R7: it opened an epoch only if it was heard before the undo of the tick."""
    check(
        history(
            {"A": 3600, "B": 3600},
            Step("open", "B", "i1", extra="resume", wait_s=300),
            Step("play", "B", "i1", 25, "user"),
            Step("beat", "B", "i1", wait_s=10),
            Step("open", "A", "i1", extra="bookmark", wait_s=10),
            Step("resume", "A", "i1", 25, "user"),
            Step("done", "A", "i1", wait_s=20),
            Step("drop", "A"),
            Step("drop", "B"),
            Step("undo", "B", "i1", wait_s=20),
            Step("undone", "A", "i1", wait_s=10),
            Step("meet", extra="A B", wait_s=1),
        )
    )


def test_seed_22285_the_head_may_lose_when_it_comes_to_the_next_pass() -> None:
    """R3: the head was not looked at again while it played on itself, though others had covered that pass."""
    check(
        history(
            {"A": 0, "B": -86400, "C": 3600},
            Step("open", "A", "i1", extra="auto", wait_s=1),
            Step("resume", "A", "i1", 40, "auto", 3, 0.5),
            Step("beat", "A", "i1", wait_s=30),
            Step("beat", "A", "i1", wait_s=20),
            Step("open", "C", "i1", extra="resume", wait_s=1),
            Step("play", "C", "i1", 50, "user", 10),
            Step("beat", "C", "i1", wait_s=20),
            Step("close", "A", "i1"),
            Step("meet", extra="C", wait_s=30),
            Step("beat", "C", "i1", wait_s=10),
            Step("open", "B", "i1", extra="bookmark"),
            Step("play", "B", "i1", extra="user", wait_s=20, rate=0.5),
            Step("beat", "B", "i1", wait_s=10),
            Step("drop", "A"),
            Step("drop", "C"),
            Step("beat", "B", "i1", wait_s=30),
            Step("open", "A", "i1", extra="resume", wait_s=10),
            Step("play", "A", "i1", 10, "user", 30, 0.5),
            Step("beat", "A", "i1", wait_s=10),
            Step("beat", "A", "i1", wait_s=30),
            Step("beat", "B", "i1", wait_s=10),
            Step("play", "C", "i1", 35, "user", 10),
            Step("beat", "C", "i1", wait_s=10),
            Step("beat", "B", "i1", wait_s=10),
            Step("beat", "C", "i1", wait_s=10),
            Step("meet", extra="A B C", wait_s=3),
        )
    )


def test_seed_25597_an_un_tick_after_a_reset_that_is_undone_unheard() -> None:
    """R7: it went by the completion of the epoch before that reset, of which its user saw nothing."""
    check(
        history(
            {"A": 3600, "B": 0},
            Step("open", "A", "i1", extra="bookmark", wait_s=1),
            Step("resume", "A", "i1", 75, "user", 1, 0.5),
            Step("seek", "B", "i1", 55, wait_s=10),
            Step("play", "A", "i1", 25, "user", 20),
            Step("reset", "A", "i1", wait_s=20),
            Step("drop", "A"),
            Step("reboot", "B", wait_s=10),
            Step("open", "B", "i1", extra="auto", wait_s=30),
            Step("play", "B", "i1", 60, "auto", 10),
            Step("close", "A", "i1", wait_s=10),
            Step("undo", "B", "i1", wait_s=20),
            Step("open", "A", "i1", extra="resume", wait_s=3),
            Step("undone", "A", "i1", wait_s=10),
            Step("meet", extra="A B", wait_s=3),
        )
    )


def test_seed_29906_an_undone_tick_leaves_no_completion_of_the_pass_after_it() -> None:
    """R4, R7: play filled the next pass; without the tick it belongs to this one, and the latch stayed."""
    check(
        history(
            {"A": 0, "B": 0},
            Step("open", "B", "i1", extra="auto", wait_s=20),
            Step("resume", "B", "i1", 45, "auto", 3, 0.5),
            Step("beat", "B", "i1", wait_s=30),
            Step("done", "B", "i1"),
            Step("open", "A", "i1", extra="resume", wait_s=10),
            Step("resume", "A", "i1", 25, "user", 20),
            Step("beat", "A", "i1", wait_s=10),
            Step("drop", "A"),
            Step("resume", "B", "i1", 70, "user", 3, 2.0),
            Step("beat", "B", "i1", wait_s=20),
            Step("beat", "B", "i1", wait_s=10),
            Step("undo", "A", "i1", wait_s=10),
            Step("close", "B", "i1", wait_s=1),
            Step("open", "B", "i1", extra="auto", wait_s=5),
            Step("resume", "B", "i1", 10, "auto", 30),
            Step("drop", "B"),
            Step("seek", "B", "i1", 20, wait_s=10),
            Step("beat", "A", "i1", wait_s=20),
            Step("close", "B", "i1", wait_s=3),
            Step("meet", extra="A B"),
        )
    )


def test_seed_35169_a_completion_is_known_to_nobody_before_it_was_one() -> None:
    """R7, R8: what told it was older than itself, so a run begun in between seemed to have known it."""
    check(
        history(
            {"A": 20, "B": 0},
            Step("open", "B", "i1", extra="auto", wait_s=10),
            Step("resume", "B", "i1", 30, "auto", 20),
            Step("pause", "B", "i1", wait_s=10),
            Step("seek", "B", "i1", 70, wait_s=1),
            Step("open", "A", "i1", extra="resume", wait_s=90000),
            Step("play", "A", "i1", 10, "user", 10),
            Step("resume", "B", "i1", 85, "user", 10),
            Step("beat", "B", "i1", wait_s=30),
            Step("beat", "A", "i1", wait_s=3),
            Step("seek", "B", "i1", wait_s=3),
            Step("beat", "A", "i1", wait_s=5),
            Step("crash", wait_s=10),
            Step("beat", "B", "i1", wait_s=20),
            Step("meet", extra="A B", wait_s=10),
        )
    )


def test_seed_39119_who_was_told_of_a_completion_knows_it_whatever_epoch_it_is_in() -> None:
    """R7: a reset and its undo gave it a new revision, and a device off line did not know it any more."""
    check(
        history(
            {"A": 20, "B": 3600, "C": 0, "D": 0},
            Step("open", "B", "i1", extra="resume", wait_s=3),
            Step("drop", "B"),
            Step("drop", "D"),
            Step("open", "C", "i1", extra="resume", wait_s=10),
            Step("reset", "B", "i1", wait_s=10),
            Step("resume", "B", "i1", 50, "user", 20, 0.5),
            Step("open", "D", "i1", extra="advance", wait_s=5),
            Step("resume", "D", "i1", 70, "auto", 5, 2.0),
            Step("beat", "D", "i1", wait_s=10),
            Step("undo", "B", "i1", wait_s=30),
            Step("beat", "D", "i1", wait_s=10),
            Step("meet", extra="D", wait_s=30),
            Step("drop", "C"),
            Step("undone", "C", "i1", wait_s=5),
            Step("close", "B", "i1", wait_s=10),
            Step("close", "C", "i1", wait_s=5),
            Step("meet", extra="A B C", wait_s=20),
        )
    )


def test_seed_41965_an_undo_finds_the_tick_of_its_device_behind_an_unheard_reset() -> None:
    """R4: a tick that a reset had moved to its epoch was none its own device knew."""
    check(
        history(
            {"A": 0, "B": 20},
            Step("open", "B", "i1", extra="bookmark", wait_s=10),
            Step("open", "A", "i1", extra="auto", wait_s=3),
            Step("play", "A", "i1", 100, "auto", 10),
            Step("mute", "A"),
            Step("drop", "B"),
            Step("reset", "A", "i1", wait_s=10),
            Step("done", "B", "i1", wait_s=10),
            Step("undo", "B", "i1", wait_s=10),
            Step("meet", extra="A B"),
        )
    )


def test_seed_70274_what_a_device_covered_alone_it_knows_to_be_done() -> None:
    """R7: an unheard reset cut its play in two, and an un-tick counted or not by arrival."""
    check(
        history(
            {"A": 0, "B": 0},
            Step("open", "A", "i1", extra="resume", wait_s=10),
            Step("open", "B", "i1", extra="resume", wait_s=10),
            Step("play", "B", "i1", 25, "user", 5),
            Step("mute", "A"),
            Step("seek", "A", "i1", 45, wait_s=1),
            Step("reset", "A", "i1", wait_s=30),
            Step("beat", "A", "i1", wait_s=10),
            Step("undo", "B", "i1", wait_s=20),
            Step("beat", "B", "i1", wait_s=20),
            Step("drop", "B"),
            Step("resume", "B", "i1", 50, "user", 10),
            Step("beat", "A", "i1", wait_s=20),
            Step("undone", "B", "i1"),
            Step("meet", extra="A B", wait_s=10),
        )
    )


def test_seed_78499_a_tick_that_says_nothing_new_can_be_known() -> None:
    """R4, R7: it got a revision that nobody was told, so an undo that knew it left it standing."""
    check(
        history(
            {"A": 0, "B": 0, "C": 0},
            Step("open", "A", "i1", extra="auto", wait_s=3),
            Step("open", "B", "i1", extra="resume", wait_s=5),
            Step("mute", "C"),
            Step("open", "C", "i1", extra="resume", wait_s=30),
            Step("play", "C", "i1", 10, "user", 10, 2.0),
            Step("meet", extra="B", wait_s=10),
            Step("mute", "A"),
            Step("fast", "C", "i1", 90, wait_s=1),
            Step("done", "B", "i1", wait_s=10),
            Step("done", "A", "i1", wait_s=3),
            Step("meet", extra="A C", wait_s=10),
            Step("undo", "B", "i1", wait_s=5),
            Step("meet", extra="B C", wait_s=1),
        )
    )


def test_seed_92053_who_knew_only_what_an_undo_takes_back_opens_no_pass() -> None:
    """R4, R7: a pass opened by knowing a tick stayed open by that very opening without the tick."""
    check(
        history(
            {"A": 20, "B": 0, "C": 0, "D": 0},
            Step("open", "D", "i1", extra="resume", wait_s=10),
            Step("open", "C", "i1", extra="bookmark"),
            Step("open", "A", "i1", extra="auto", wait_s=30),
            Step("play", "A", "i1", 20, "auto", rate=0.5),
            Step("mute", "C"),
            Step("done", "C", "i1", wait_s=5),
            Step("resume", "C", "i1", 70, "user", 30),
            Step("beat", "C", "i1", wait_s=10),
            Step("meet", extra="A C", wait_s=3),
            Step("drop", "D"),
            Step("play", "D", "i1", 50, "user", 10),
            Step("meet", extra="B", wait_s=10),
            Step("drop", "A"),
            Step("undo", "A", "i1", wait_s=30),
            Step("seek", "D", "i1", 35, wait_s=10),
            Step("beat", "D", "i1", wait_s=30),
            Step("meet", extra="A D"),
        )
    )


def test_machine_an_undo_takes_back_a_tick_that_lies_behind_an_unheard_reset() -> None:
    """R4, R7: of two ticks of a pass it left the second, if another device's reset was heard before it."""
    check(
        history(
            {"A": 0, "C": 0},
            Step("open", "A", "i1", extra="resume"),
            Step("drop", "A"),
            Step("done", "A", "i1"),
            Step("done", "A", "i1", wait_s=1),
            Step("open", "C", "i1", extra="resume"),
            Step("drop", "C"),
            Step("undo", "A", "i1"),
            Step("reset", "C", "i1"),
            Step("undone", "A", "i1"),
            Step("meet", extra="A C", wait_s=10),
        )
    )
