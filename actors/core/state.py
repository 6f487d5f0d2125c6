"""The parts of a session that have no typed column at rest, as plain JSON values, and back again.

`merge` belongs to a progress row: the runs that still matter, passes and epochs, the attempt at a quiz.
`visits` belongs to a device row: its open visits and what is known of its clocks. Runs, stretches and marks
are rows of values in the order of their fields, which keeps a checkpoint small.
"""

from operator import attrgetter
from sys import intern
from typing import Any

from actors.core import earlier
from actors.core.clock import Awake
from actors.core.epochs import Epoch, Epochs, TakenBack, Turn
from actors.core.intervals import Intervals
from actors.core.passes import Completion, Pass
from actors.core.progress import Lost, Progress
from actors.core.quizzes import Action, Answer, Attempt
from actors.core.run import Key, Mark, Run
from actors.core.session import Device
from actors.core.stretch import Stretch
from actors.core.visit import Visit

Json = dict[str, Any]

VISIT_FIELDS = ("session", "item", "intent", "played_ms", "boot", "mono_ms", "slack_ms", "run")

_visit_values = attrgetter(*VISIT_FIELDS)


def merge_state(progress: Progress) -> Json:
    """What the rules need of an item besides its typed columns."""
    state: Json = {
        "shape": earlier.SHAPE,
        "runs": [_run_state(run) for run in progress.runs.values()],
        "head": progress.head_key,
        "loser": progress.loser_key,
        "epochs": [_epoch_state(epoch) for epoch in progress.epochs.kept],
        "taken_back": progress.epochs.taken_back,
        "quarters": list(progress.quarters.items()),
    }
    if progress.lost:
        state["lost"] = progress.lost
    if progress.uncredited_ms:
        state["uncredited_ms"] = progress.uncredited_ms
    if progress.quiz:
        state["quiz"] = _attempt_state(progress.quiz)
    return state


def restore_merge(progress: Progress, state: Json) -> None:
    """Put what `merge_state` gave, or JSON made of it, back into a progress made from its columns."""
    state = earlier.merge_now(state)
    runs = [_run_from(values) for values in state["runs"]]
    progress.runs = {run.key: run for run in runs}
    progress.head_key, progress.loser_key = _key(state["head"]), _key(state["loser"])
    progress.epochs = Epochs(
        [_epoch_from(epoch) for epoch in state["epochs"]],
        tuple(
            TakenBack(turn and _turn_from(turn), tick and _completion_from(tick), Mark(*by))
            for turn, tick, by in state["taken_back"]
        ),
    )
    progress.lost = tuple(Lost(*revs) for revs in state.get("lost", ()))
    progress.quarters = dict(state["quarters"])
    progress.uncredited_ms = state.get("uncredited_ms", 0)
    progress.quiz = _attempt_from(state["quiz"]) if state.get("quiz") else None


def visits_state(device: Device) -> Json:
    """A device's open visits, and what is known of its name and clocks."""
    clock = device.clock
    return {
        "shape": earlier.SHAPE,
        "kind": device.kind,
        "name": device.name,
        "action_ms": device.action_ms,
        "clock": [clock.wall_offset_ms, clock.last_contact_ms, clock.wrong],
        "boots": list(clock.boots.items()),
        "visits": [_visit_values(visit) for visit in device.visits.values()],
    }


def restore_visits(device: Device, state: Json) -> None:
    """Put what `visits_state` gave, or JSON made of it, back."""
    state = earlier.visits_now(state)
    device.kind, device.name, device.action_ms = intern(state["kind"]), state["name"], state["action_ms"]
    clock = device.clock
    clock.wall_offset_ms, clock.last_contact_ms, clock.wrong = state["clock"]
    clock.boots = {boot: [Awake(*part) for part in parts] for boot, parts in state["boots"]}
    device.visits = {values[0]: _visit_from(values) for values in state["visits"]}


def _run_state(run: Run) -> tuple[Any, ...]:
    """The values of a run in the order of its fields. Written out: it is most of what a checkpoint costs."""
    return (
        run.device,
        run.seq,
        run.session,
        run.kind,
        run.base_rev,
        run.action_ms,
        run.position_ms,
        run.moved_ms,
        run.shown_ms,
        run.epoch,
        run.viewing,
        run.first_rev,
        run.last_rev,
        run.seen_ms,
        run.real_ms,
        run.replayed_ms,
        run.playing,
        run.rate,
        run.lost_rev,
        run.log.copy(),
    )


def _visit_from(values: list[Any]) -> Visit:
    session, item, intent, *others = values
    return Visit(session, intern(item), intern(intent), *others)


def _epoch_state(epoch: Epoch) -> Json:
    turn = epoch.turn
    state: Json = {
        "number": epoch.number,
        "turn": [*turn] if turn else None,
        "passes": [_pass_state(viewing) for viewing in epoch.passes],
    }
    if epoch.folded:
        state["folded"] = [epoch.folded, epoch.folded_ms]
    return state


def _epoch_from(state: Json) -> Epoch:
    turn = None
    if state["turn"]:
        turn = _turn_from(state["turn"])
    passes = [_pass_from(viewing) for viewing in state["passes"]]
    folded, folded_ms = state.get("folded", (0, ()))
    return Epoch(state["number"], turn, passes, folded, tuple(folded_ms))


def _pass_state(viewing: Pass) -> Json:
    let_go = viewing.let_go
    state: Json = {
        "coverage": viewing.coverage.spans(),
        "opened": list(viewing.opened.values()),
        "filled": viewing.filled,
        "ticks": viewing.ticks,
        "let_go": {device: spans.spans() for device, spans in let_go.items()} if let_go else {},
    }
    if viewing.settled:
        state["settled"] = True
    return state


def _pass_from(state: Json) -> Pass:
    return Pass(
        coverage=Intervals(state["coverage"]),
        opened={values[0]: Mark(*values) for values in state["opened"]},
        filled=_completion_from(state["filled"]) if state["filled"] else None,
        ticks=[_completion_from(values) for values in state["ticks"]],
        let_go={device: Intervals(spans) for device, spans in state["let_go"].items()},
        settled=state.get("settled", False),
    )


def _turn_from(values: Any) -> Turn:
    at_ms, mark, keeps = values
    return Turn(at_ms, Mark(*mark), keeps)


def _completion_from(values: Any) -> Completion:
    at_ms, mark, marked = values
    return Completion(at_ms, Mark(*mark), marked)


def _attempt_state(attempt: Attempt) -> Json:
    return {
        "log": {
            question: [[answer.value, *answer.by] for answer in answers]
            for question, answers in attempt.log.items()
        },
        "submission": attempt.submission,
    }


def _attempt_from(state: Json) -> Attempt:
    log = {
        question: [Answer(value, Action(*by)) for value, *by in answers]
        for question, answers in state["log"].items()
    }
    return Attempt(log, Action(*state["submission"]) if state["submission"] else None)


def _run_from(values: list[Any]) -> Run:
    device, seq, session, kind, *plain, log = values
    # Most runs are of one device and one visit: they share the names.
    run = Run(intern(device), seq, intern(session), intern(kind), *plain)
    run.log = [Stretch(*stretch) for stretch in log]
    return run


def _key(values: Any) -> Key | None:
    return (values[0], values[1]) if values else None
