"""Each rule switched off, one at a time, and which corpus files notice.

`python -m tests.gateway.replay.mutations` prints the table.

A mutation breaks the product from outside, in this process only; the product has no switches.
"""

import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from actors.core import contest, passes, progress, undoing, visit
from actors.core.clock import DeviceClock
from actors.core.contest import Decision
from actors.core.epochs import Epochs
from actors.core.events import Event
from actors.core.item import Item
from actors.core.progress import Progress
from actors.core.quizzes import Attempt
from actors.core.run import ADVANCE, AUTO, Run
from actors.core.session import Device as CoreDevice
from actors.core.session import Folded, Session
from actors.core.visit import Visit
from gateway.replay.device import Account, Device
from gateway.replay.reading import found, read
from gateway.replay.runner import Replay
from gateway.replay.trace import Trace

CORPUS = Path(__file__).parents[2] / "corpus"
HUGE = "S33"
"""Weeks of journal: as long to replay as all the others, and nothing in it that they have not."""

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutation:
    """`rule` as docs/sync.md numbers it, what is switched off, and how."""

    rule: str
    off: str
    apply: Callable[[Patch], None]


def traces() -> list[Trace]:
    """The corpus without its huge file."""
    return [trace for path in found([CORPUS]) if (trace := read(path)).id != HUGE]


def failing(traces: Iterable[Trace]) -> list[str]:
    """Ids of the traces that a server misses which is durable only at checkpoints."""
    replay = Replay()
    try:
        return [trace.id for trace in traces if _fails(replay, trace)]
    finally:
        replay.close()


def _fails(replay: Replay, trace: Trace) -> bool:
    try:
        return bool(replay.run(trace, "at checkpoints").missed)
    except Exception:  # noqa: BLE001 - a server that breaks is noticed as well
        return True


# R1


def _everything_is_real(patch: Patch) -> None:
    patch.setattr(Visit, "makes_real", lambda self, run: run.kind != AUTO)


def _no_peek(patch: Patch) -> None:
    patch.setattr(visit, "PEEK_MS", 0)


# R2, R3, R10


def _nobody_knows_others(patch: Patch) -> None:
    patch.setattr(Run, "knows", lambda self, other: self.device == other.device and self.seq > other.seq)


def _never_stand_back(patch: Patch) -> None:
    patch.setattr(contest, "_stands_back", lambda *_: False)


def _arrival_decides(patch: Patch) -> None:
    patch.setattr(contest, "_in_time", lambda run: (run.seen_ms, run.device, run.seq))


def _latest_beat_decides(patch: Patch) -> None:
    plain = contest.decide

    def decide(runs: Any, epochs: Epochs) -> Decision | None:
        decision = plain(runs, epochs)
        real = [run for run in runs if run.real and epochs.competes(run)]
        if decision is None:
            return None
        return replace(decision, head=max(real, key=lambda run: run.last_rev))

    patch.setattr(contest, "decide", decide)


def _automatic_starts_act(patch: Patch) -> None:
    plain = Visit.run_kind

    def run_kind(self: Visit, event: Event) -> str:
        kind = plain(self, event)
        return "play" if kind == AUTO else kind

    patch.setattr(Visit, "run_kind", run_kind)


def _advance_is_an_action(patch: Patch) -> None:
    plain = Visit.run_kind

    def run_kind(self: Visit, event: Event) -> str:
        kind = plain(self, event)
        return "play" if kind == ADVANCE else kind

    patch.setattr(Visit, "run_kind", run_kind)


# Corrected time


def _raw_clocks(patch: Patch) -> None:
    patch.setattr(DeviceClock, "corrected_ms", lambda self, boot, mono_ms, wall_ms, received_ms: wall_ms)


def _receipt_is_the_time(patch: Patch) -> None:
    patch.setattr(DeviceClock, "corrected_ms", lambda self, boot, mono_ms, wall_ms, received_ms: received_ms)


# R4


def _no_offer(patch: Patch) -> None:
    patch.setattr(contest, "worth_offering", lambda *_: False)


def _offer_everything(patch: Patch) -> None:
    patch.setattr(contest, "worth_offering", lambda *_: True)


def _no_undo(patch: Patch) -> None:
    patch.setattr(undoing, "latest_known", lambda *_: None)


# R5, R6


def _in_order_of_arrival(patch: Patch) -> None:
    """Each entry once, but as it comes."""

    def apply(self: Session, device_id: str, entries: Any, catalogue: Any, now_ms: int) -> Folded:
        device, folded = self.device(device_id), Folded()
        for entry in entries:
            if entry.seq not in device.held and entry.seq > device.applied_seq:
                device.held[entry.seq] = entry
                self.touch_device(device_id)
                self._fold(device, entry, catalogue, now_ms, folded)
            while device.applied_seq + 1 in device.held:
                device.applied_seq += 1
                del device.held[device.applied_seq]
        return folded

    patch.setattr(Session, "apply", apply)


def _count_repeats(patch: Patch) -> None:
    def apply(self: Session, device_id: str, entries: Any, catalogue: Any, now_ms: int) -> Folded:
        device, folded = self.device(device_id), Folded()
        for entry in entries:
            device.applied_seq = max(device.applied_seq, entry.seq)
            self.touch_device(device_id)
            self._fold(device, entry, catalogue, now_ms, folded)
        return folded

    patch.setattr(Session, "apply", apply)


def _losers_earn_nothing(patch: Patch) -> None:
    plain = Progress._play

    def play(self: Progress, run: Run, fact: Any) -> None:
        before = self.content_ms
        plain(self, run, fact)
        head = self.head
        if head is not None and head.device != run.device:
            self.content_ms = before

    patch.setattr(Progress, "_play", play)


# R7


def _no_latch(patch: Patch) -> None:
    def done(self: Progress) -> bool:
        passes = self.epochs.current.passes
        return passes[min(self.viewing, len(passes)) - 1].completion is not None

    patch.setattr(Progress, "done", property(done))


def _no_next_pass(patch: Patch) -> None:
    patch.setattr(passes, "_openers", lambda *_: [])


def _old_play_in_the_new_epoch(patch: Patch) -> None:
    patch.setattr(Epochs, "of", lambda self, run, moment_ms: self.current)
    patch.setattr(Epochs, "shares", lambda self, run, stretch: iter([(self.current, stretch)]))
    patch.setattr(Epochs, "competes", lambda self, run: True)


def _half_is_done(patch: Patch) -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("actors.core.") and hasattr(module, "DONE_SHARE"):
            patch.setattr(module, "DONE_SHARE", 0.5)


# R8


def _durable_when_applied(patch: Patch) -> None:
    plain = Session.apply

    def apply(self: Session, device_id: str, *rest: Any) -> Folded:
        folded = plain(self, device_id, *rest)
        device: CoreDevice = self.device(device_id)
        device.durable_seq = device.applied_seq
        return folded

    patch.setattr(Session, "apply", apply)


# R9


def _one_journal_for_all(patch: Patch) -> None:
    plain = Device.account

    def account(self: Device, student: str | None = None) -> Account:
        found = plain(self, "everybody")
        found.protocol.journal.student = self.student or ""
        return found

    patch.setattr(Device, "account", account)


def _no_edit_list(patch: Patch) -> None:
    patch.setattr(Item, "way_from", lambda self, version: None)


def _no_quarantine(patch: Patch) -> None:
    patch.setattr(progress, "END_CLIP_MS", 1 << 40)


def _credit_without_rate(patch: Patch) -> None:
    plain = Visit.credits

    def credits(self: Visit, event: Event, length_ms: int) -> bool:
        return plain(self, replace(event, rate=1.0), length_ms)

    patch.setattr(Visit, "credits", credits)


# Quizzes


def _answers_without_log(patch: Patch) -> None:
    plain = Attempt.answer

    def answer(self: Attempt, question: str, said: Any) -> None:
        self.log.pop(question, None)
        plain(self, question, said)

    patch.setattr(Attempt, "answer", answer)


def _answers_after_the_end(patch: Patch) -> None:
    patch.setattr(Attempt, "submit", lambda self, submission: None)


MUTATIONS = (
    Mutation("R1", "any play at all moves the head", _everything_is_real),
    Mutation("R1", "a bookmark is no peek", _no_peek),
    Mutation("R2", "no run knows another device's", _nobody_knows_others),
    Mutation("R3", "nobody stands back", _never_stand_back),
    Mutation("R3", "arrival decides, not the time of the action", _arrival_decides),
    Mutation("time", "device clocks are believed", _raw_clocks),
    Mutation("time", "receipt is taken for the time of the event", _receipt_is_the_time),
    Mutation("R4", "nothing is offered", _no_offer),
    Mutation("R4", "every losing place is offered", _offer_everything),
    Mutation("R4", "undo finds nothing", _no_undo),
    Mutation("R5", "repeats count", _count_repeats),
    Mutation("R5", "who has not the head earns no time", _losers_earn_nothing),
    Mutation("R6", "entries count as they arrive", _in_order_of_arrival),
    Mutation("R7", "completion does not latch", _no_latch),
    Mutation("R7", "no next pass", _no_next_pass),
    Mutation("R7", "old play counts in the new epoch", _old_play_in_the_new_epoch),
    Mutation("R7", "half is done", _half_is_done),
    Mutation("R8", "applied is called durable", _durable_when_applied),
    Mutation("R9", "one journal for all students", _one_journal_for_all),
    Mutation("R9", "no edit list", _no_edit_list),
    Mutation("R9", "no quarantine", _no_quarantine),
    Mutation("R9", "credit for speed ignores the rate", _credit_without_rate),
    Mutation("R10", "the latest beat has the baton", _latest_beat_decides),
    Mutation("R10", "automatic starts are actions", _automatic_starts_act),
    Mutation("R10", "going on to the next item is an action", _advance_is_an_action),
    Mutation("quiz", "the newer answer replaces the log", _answers_without_log),
    Mutation("quiz", "what was handed in can change", _answers_after_the_end),
)


def row(mutation: Mutation, noticed: list[str]) -> str:
    """One line of the table."""
    return f"{mutation.rule:<5} {mutation.off:<46} {len(noticed):>3}  {' '.join(noticed)}"


def main() -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    corpus = traces()
    print(f"{'rule':<5} {'switched off':<46} {'n':>3}  files that notice")
    for mutation in MUTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            mutation.apply(patch)
            print(row(mutation, failing(corpus)), flush=True)


if __name__ == "__main__":
    main()
