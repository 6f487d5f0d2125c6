"""How many scenarios each simple policy gets right, beside ours: the table of docs/conformance.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.replay.expectations import Verdict
from gateway.replay.policies import POLICIES
from gateway.replay.runner import Replay
from gateway.replay.trace import Trace

PLACES = frozenset({"position_s", "from_s"})
PLACES_AND_DONE = PLACES | {"done"}

OURS = "Playhead"


@dataclass(slots=True)
class Score:
    """Ids of the scenarios one decider gets right: all their places; places and done; every key there is."""

    name: str
    places: set[str] = field(default_factory=set)
    with_done: set[str] = field(default_factory=set)
    everything: set[str] | None = None


def compare(traces: Sequence[Trace], replay: Replay) -> list[Score]:
    """The scores of all policies, ours last. Scenarios that ask for no place are left out."""
    asked = [trace for trace in traces if _asks_for_places(trace)]
    scores = []
    for kind in POLICIES:
        score = Score(kind.name)
        for trace in asked:
            _count(score, trace, replay.run(trace, "at once", kind()).verdicts)
        scores.append(score)
    ours = Score(OURS, everything=set())
    for trace in asked:
        verdicts = replay.run(trace, "at once").verdicts
        _count(ours, trace, verdicts)
        if ours.everything is not None and all(verdict.ok for verdict in verdicts):
            ours.everything.add(trace.id)
    return [*scores, ours]


def table(scores: Sequence[Score], traces: Iterable[Trace]) -> list[str]:
    """The scores as lines of Markdown: scenarios of reported defects (S), and of the rules alone (N)."""
    ids = [trace.id for trace in traces if _asks_for_places(trace)]
    groups = [
        ("reported", [i for i in ids if i[0] == "S"]),
        ("from the rules", [i for i in ids if i[0] != "S"]),
    ]
    groups = [(name, members) for name, members in groups if members]
    titles = [
        f"{what}, {name} ({len(members)})" for name, members in groups for what in ("place", "and done")
    ]
    lines = ["| decides by | " + " | ".join(titles) + " |", "|---|" + "---:|" * len(titles)]
    for score in scores:
        cells = []
        for _, members in groups:
            cells += [str(len(score.places & set(members))), str(len(score.with_done & set(members)))]
        lines.append(f"| {score.name} | " + " | ".join(cells) + " |")
    return lines


def _asks_for_places(trace: Trace) -> bool:
    return any(isinstance(expected.position_s, float) for expected in trace.expect)


def _count(score: Score, trace: Trace, verdicts: Sequence[Verdict]) -> None:
    missed = {verdict.key for verdict in verdicts if not verdict.ok}
    if not missed & PLACES:
        score.places.add(trace.id)
    if not missed & PLACES_AND_DONE:
        score.with_done.add(trace.id)
