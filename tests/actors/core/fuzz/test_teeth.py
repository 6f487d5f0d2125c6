"""The fuzz has teeth: a rule that is switched off in the core is found within two hundred histories."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.core import contest, progress, quizzes
from actors.core.intervals import Intervals
from actors.core.quizzes import Attempt
from actors.core.session import Device
from actors.core.visit import Visit
from tests.actors.core.fuzz.histories import generate, generate_quiz
from tests.actors.core.fuzz.shrinking import broken_by

HISTORIES = 200


def head_by_arrival(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(contest, "_in_time", lambda run: (run.first_rev, run.device, run.seq))


def coverage_by_replacing(patch: pytest.MonkeyPatch) -> None:
    def replace(self: Intervals, start: int, end: int, bridge: int = 0) -> None:
        if end > start:
            self._bounds = (start, end)

    patch.setattr(Intervals, "add", replace)


def no_deduplication(patch: pytest.MonkeyPatch) -> None:
    def take(self: Device, entry: Any) -> None:
        self.held[self.applied_seq + 1] = entry

    patch.setattr(Device, "hold", take)


def credit_faster_than_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Visit, "credits", lambda self, event, length_ms: True)


def losers_by_revision(patch: pytest.MonkeyPatch) -> None:
    def played_on(run: Any, real: Any) -> bool:
        knowing = [later for later in real if later is not run and later.knows(run)]
        return bool(run.last_rev > min(later.first_rev for later in knowing))

    patch.setattr(contest, "_played_on", played_on)


def time_dated_by_arrival(patch: pytest.MonkeyPatch) -> None:
    date = progress.Progress._date

    def by_arrival(self: progress.Progress, stretch: Any) -> None:
        late = stretch.late_ms or stretch.end_ms
        date(self, stretch._replace(start_ms=stretch.start_ms + late - stretch.end_ms, end_ms=late))

    patch.setattr(progress.Progress, "_date", by_arrival)


def submission_by_arrival(patch: pytest.MonkeyPatch) -> None:
    submit = Attempt.submit
    patch.setattr(Attempt, "submit", lambda self, submission, sealed: submit(self, submission, True))


def submission_never_sealed(patch: pytest.MonkeyPatch) -> None:
    submit = Attempt.submit
    patch.setattr(Attempt, "submit", lambda self, submission, sealed: submit(self, submission, False))


def answers_by_arrival(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quizzes, "_in_order", lambda answers: sorted(answers, key=lambda one: one.by.rev))


def late_answers_handed_in(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Attempt, "_standing", lambda self, answers: answers[-1] if answers else None)


@pytest.mark.parametrize(
    "switched_off",
    [
        head_by_arrival,
        coverage_by_replacing,
        no_deduplication,
        credit_faster_than_time,
        losers_by_revision,
        time_dated_by_arrival,
    ],
)
def test_a_rule_that_is_switched_off_is_found(
    switched_off: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_off(monkeypatch)
    assert any(broken_by(generate(seed)) for seed in range(HISTORIES))


@pytest.mark.parametrize(
    "switched_off",
    [submission_by_arrival, submission_never_sealed, answers_by_arrival, late_answers_handed_in],
)
def test_a_rule_of_quizzes_that_is_switched_off_is_found(
    switched_off: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_off(monkeypatch)
    assert any(broken_by(generate_quiz(seed)) for seed in range(HISTORIES))
