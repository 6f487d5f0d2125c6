"""Registers of one attempt at a quiz: each question is its own, and what was handed in stays as it is.

Of two answers to one question the one that knows the other stands (R2), else the one whose action is later
in corrected time; the other stays in the log. A submission hands in what stood when it was made: what its
device knew, and what the server already had by then. So an answer heard later counts or does not by what
happened, whatever arrives first; one made after the submission, or knowing of it, is refused.

Of two submissions the one that the other's device knew stands, else the earlier in corrected time. What is
submitted is immutable, though, from when a device has been told that it is durable: after that no submission
replaces it, whenever it was made. So that much does go by arrival, and only that.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from actors.core.run import LOST_MS

QUESTIONS_MAX = 200
"""Questions of one attempt."""

LOG_MAX = 16
"""Values kept of one question; of more, the oldest that do not stand are forgotten."""

ATTEMPT_BYTES_MAX = 65_536
"""UTF-8 length of all that is kept of one attempt: it is one row at rest and one message to a device."""


class Action(NamedTuple):
    """Where and when something was done: journal place, corrected time, what was known, when it was heard.

    `rev` is the revision that told it, `base_rev` the newest one its device had seen, `had_ms` the server
    time of its receipt; `lost_rev` as in `run.Run`.
    """

    device: str
    seq: int
    at_ms: int
    base_rev: int
    rev: int
    had_ms: int
    lost_rev: int = 0

    def knows(self, other: "Action") -> bool:
        """Whether the device had seen the other, or it comes later in the same journal (docs/sync.md)."""
        if self.device == other.device:
            return self.seq > other.seq
        if self.base_rev >= other.rev:
            return True
        lost = self.lost_rev and other.rev >= self.lost_rev
        return bool(lost) and self.at_ms - LOST_MS <= other.at_ms <= self.at_ms

    def follows(self, other: "Action") -> bool:
        """Whether it was done after the other: by knowledge, else by corrected time; ties are before."""
        if self.knows(other):
            return True
        return not other.knows(self) and self.at_ms > other.at_ms

    def comes_after(self, other: "Action") -> bool:
        """As `follows`; of two that are told apart by nothing else it is always the same one."""
        if self.knows(other) or other.knows(self):
            return self.knows(other)
        return (self.at_ms, self.device, self.seq) > (other.at_ms, other.device, other.seq)


class Answer(NamedTuple):
    """One value given to one question."""

    value: str
    by: Action


@dataclass(slots=True)
class Attempt:
    """All answers by question, the standing one last, and the submission that closed the attempt."""

    log: dict[str, list[Answer]] = field(default_factory=dict)
    submission: Action | None = None

    @property
    def standing(self) -> dict[str, str]:
        """The value that stands for each question: as handed in, once it is."""
        standing = ((question, self._standing(answers)) for question, answers in self.log.items())
        return {question: answer.value for question, answer in standing if answer}

    @property
    def values(self) -> dict[str, list[str]]:
        """All values kept of each question, oldest first."""
        return {question: [answer.value for answer in answers] for question, answers in self.log.items()}

    def refusal(self, question: str, answer: Answer) -> tuple[str, str] | None:
        """Why the answer cannot be taken, as code and message; None if it can."""
        if self.submission is not None and answer.by.follows(self.submission):
            return "submitted", "the attempt was handed in before this answer; it does not change any more"
        if question not in self.log and len(self.log) >= QUESTIONS_MAX:
            return "attempt_full", f"an attempt has at most {QUESTIONS_MAX} questions"
        standing = [value for name, value in self.standing.items() if name != question]
        if _size([question, answer.value, *self.log, *standing]) > ATTEMPT_BYTES_MAX:
            return "attempt_full", f"the answers of an attempt have at most {ATTEMPT_BYTES_MAX} bytes"
        return None

    def answer(self, question: str, answer: Answer) -> None:
        """Take an answer that is not refused: it stands, or goes to the log."""
        answers = self.log[question] = _in_order([*self.log.get(question, ()), answer])
        if len(answers) > LOG_MAX:
            self._forget_oldest(answers)
        while self._bytes() > ATTEMPT_BYTES_MAX:
            spare = (kept for kept in self.log.values() if self._forgettable(kept))
            self._forget_oldest(max(spare, key=lambda kept: _size(one.value for one in kept)))

    def submit(self, submission: Action, sealed: bool = False) -> None:
        """Hand the attempt in; `sealed`: it durably was. Answers made later are gone."""
        first = self.submission
        if first is not None and (sealed or not first.comes_after(submission)):
            return
        self.submission = submission
        for question, answers in list(self.log.items()):
            before = [answer for answer in answers if not answer.by.follows(submission)]
            self.log[question] = before
            if not before:
                del self.log[question]

    def _standing(self, answers: list[Answer]) -> Answer | None:
        """The answer that stands among those to one question, given in order. Asked for each head."""
        handed = self.submission
        if handed is None:
            return answers[-1] if answers else None
        counted = [one for one in answers if handed.knows(one.by) or one.by.had_ms <= handed.at_ms]
        return _latest(counted) if counted else None

    def _forgettable(self, answers: list[Answer]) -> list[Answer]:
        standing = self._standing(answers)
        return [one for one in answers if one is not standing]

    def _forget_oldest(self, answers: list[Answer]) -> None:
        answers.remove(self._forgettable(answers)[0])

    def _bytes(self) -> int:
        return _size(self.log) + sum(_size(a.value for a in answers) for answers in self.log.values())


def _size(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def _in_order(answers: Collection[Answer]) -> list[Answer]:
    """Oldest first. The last one stands: known by no other, and of those the latest action (R2, R3)."""
    left, order = list(answers), list[Answer]()
    while left:
        latest = _latest(left)
        order.append(latest)
        left.remove(latest)
    return order[::-1]


def _latest(answers: Collection[Answer]) -> Answer:
    """Known by no other, and of those the latest action."""
    open_ends = [one for one in answers if not any(other.by.knows(one.by) for other in answers)]
    return max(open_ends or answers, key=lambda one: (one.by.at_ms, one.by.device, one.by.seq))
