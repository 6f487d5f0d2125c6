"""Every seed that once broke a rule, named by what was wrong; the cause is in the docstring."""

import pytest

from tests.actors.core.fuzz.histories import History, Step, generate
from tests.actors.core.fuzz.properties import check


def history(skews_s: dict[str, int], *steps: Step) -> History:
    return History(0, skews_s, steps)


@pytest.mark.parametrize(
    "seed", [554, 1097, 1165, 1325, 1799, 2468, 2793, 3661, 4022, 4298, 4868, 5205, 9553]
)
def test_seeds_that_once_broke_a_rule(seed: int) -> None:
    check(generate(seed))


def test_seed_156_two_players_at_once_date_a_completion_by_when_it_was_full() -> None:
    """R7: stretches were counted whole, in the order in which they ended."""
    check(
        history(
            {"B": 0, "C": 0},
            Step("open", "B", "i1", extra="advance"),
            Step("play", "B", "i1", 15, "auto", 10),
            Step("open", "C", "i1", extra="advance", wait_s=3),
            Step("resume", "C", "i1", 0, "auto", 1),
            Step("drop", "B"),
            Step("mute", "C"),
            Step("beat", "B", "i1", wait_s=90),
            Step("beat", "C", "i1", wait_s=10),
            Step("meet", extra="B C", wait_s=10),
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
            {"A": 0, "C": 0},
            Step("open", "A", "i2", extra="resume"),
            Step("open", "C", "i2", extra="resume"),
            Step("drop", "A"),
            Step("drop", "C"),
            Step("seek", "A", "i2", 110),
            Step("seek", "C", "i2", 45, wait_s=10),
            Step("undo", "C", "i2", wait_s=1),
            Step("meet", extra="A C"),
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
            Step("open", "B", "i1", extra="advance"),
            Step("open", "A", "i1", extra="resume", wait_s=3),
            Step("play", "A", "i1", 0, "user", 30, 0.5),
            Step("beat", "A", "i1", wait_s=10),
            Step("seek", "B", "i1", 35, wait_s=20),
            Step("crash", wait_s=3),
        )
    )
