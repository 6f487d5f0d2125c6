"""Why the position is what it is: every run that competed, its verdict, and the rule in a plain sentence.

The verdicts come from the decision itself (`contest.decide`); here they are only put into words.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple, Protocol

from actors.core import contest
from actors.core.contest import Decision
from actors.core.progress import Progress
from actors.core.run import ADVANCE, AUTO, Key, Run
from actors.core.visit import PEEK_MS, REAL_PLAY_MS, Visit

HEAD, LOST, STOOD_BACK, SUCCEEDED, PLAYED_ON = "head", "lost", "stood_back", "succeeded", "played_on"
BEFORE_RESET, NOT_REAL, PEEK, AUTOMATIC = "before_reset", "not_real", "peek", "automatic"
"""What became of a run. The first five are real; of the others none may move the head (R1, R7)."""

_NOUNS = {
    "play": "play",
    ADVANCE: "play that went on from the item before",
    AUTO: "automatic start",
    "sought": "seek",
    "chosen": "choice",
    "undone": "undo",
    "reset": "reset",
    "marked": "tick",
}


class Told(NamedTuple):
    """A run as it is told: where it began and stands in content ms, when its user acted in server ms."""

    device: str
    device_name: str
    kind: str
    action_ms: int
    base_rev: int
    from_ms: int
    position_ms: int
    device_kind: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one run, and why."""

    run: Told
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the position is what it is; `rule` is "" before anything counts. The head's run comes first.

    `earlier` counts the runs that are left out because nothing depends on them any more.
    """

    rule: str
    sentence: str
    findings: list[Finding]
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """How things are called: devices by id, times in `zone`, dates left out on `day` (YYYY-MM-DD)."""

    names: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    day: str = ""

    def name(self, device: str) -> str:
        """What people call a device."""
        return self.names.get(device) or device

    def time(self, moment_ms: int) -> str:
        """`18:02`, or `2 Mar 2026 18:02` on another day."""
        at = datetime.fromtimestamp(moment_ms / 1000, self.zone)
        clock = f"{at:%H:%M}"
        return clock if _day(at) == self.day else f"{at.day} {at:%b %Y} {clock}"

    def action(self, run: Told) -> str:
        """`the play on Phone at 18:02`; a choice with the place chosen, not where play has come to."""
        noun = _NOUNS.get(run.kind, run.kind)
        aim = f" of {place(run.from_ms)}" if run.kind == "chosen" else ""
        return f"the {noun}{aim} on {run.device_name} at {self.time(run.action_ms)}"

    def told(self, run: Run) -> Told:
        """A live run as it is told."""
        return Told(
            device=run.device,
            device_name=self.name(run.device),
            kind=run.kind,
            action_ms=run.action_ms,
            base_rev=run.base_rev,
            from_ms=run.start_ms,
            position_ms=run.position_ms,
        )


def place(position_ms: int) -> str:
    """A place in the content as players show it: `28:40`, `1:02:03`."""
    minutes, seconds = divmod(position_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def explain(
    progress: Progress,
    duration_ms: int,
    names: Mapping[str, str],
    visits: Mapping[tuple[str, str], Visit],
    zone: tzinfo = UTC,
    every_run: bool = False,
) -> Explanation:
    """Why the position is what it is now. `visits` are the open ones, by device and session.

    Told are the runs that matter now, unless `every_run` that is kept is wanted.
    """
    head = progress.head
    latest_ms = head.action_ms if head else max((run.action_ms for run in progress.runs.values()), default=0)
    words = Words(names, zone, _day(datetime.fromtimestamp(latest_ms / 1000, zone)))
    decision = contest.decide(progress.runs.values(), progress.epochs)
    judge = _Judge(progress, decision, visits, words)
    kept = progress.runs.values()
    told = kept if every_run else judge.relevant()
    runs = sorted(told, key=lambda run: (run is not head, -run.moved_ms, run.key))
    earlier = len(kept) - len(runs)
    findings = [Finding(words.told(run), *judge.verdict(run)) for run in runs]
    if head is None:
        why = findings[0].sentence if findings else "Nothing has been played here yet"
        nothing = f"Nothing counts yet, so it begins at 0:00. {_sentence(why)}"
        return Explanation("", nothing, findings, earlier)
    sentences = [findings[0].sentence, f"The position is {place(min(progress.position_ms, duration_ms))}."]
    offered = progress.offered(duration_ms)
    if offered is not None:
        stood = f"{place(offered.position_ms)} on {words.name(offered.device)}"
        sentences.append(f"{stood} is offered as well (R4).")
    return Explanation(progress.rule, " ".join(sentences), findings, earlier)


class _Judge:
    """The verdicts of one decision."""

    def __init__(
        self,
        progress: Progress,
        decision: Decision | None,
        visits: Mapping[tuple[str, str], Visit],
        words: Words,
    ) -> None:
        self._progress = progress
        self._runs: Collection[Run] = progress.runs.values()
        self._duels = decision.duels if decision else ()
        self._played_on: set[Key] = {run.key for run in decision.played_on} if decision else set()
        self._visits = visits
        self._words = words

    def relevant(self) -> list[Run]:
        """The head and what it is measured against, losers, and what each device did last, since a reset."""
        head = self._progress.head
        keys: set[Key | None] = {self._progress.loser_key, *self._played_on}
        keys.update(run.key for duel in self._duels for run in (duel.winner, duel.loser))
        former = self._former(head) if head else None
        if former is not None and not self._progress.epochs.competes(former):
            former = None
        latest: dict[str, Run] = {}
        for run in self._runs:
            known = latest.get(run.device)
            if known is None or run.seq > known.seq:
                latest[run.device] = run
        keys.update(run.key for run in latest.values() if self._progress.epochs.competes(run))
        return [run for run in self._runs if run is head or run is former or run.key in keys]

    def verdict(self, run: Run) -> tuple[str, str]:
        """What became of a run, and the sentence."""
        action = self._words.action(self._words.told(run))
        if run.key == self._progress.head_key:
            return HEAD, _sentence(f"{action} counts{self._why_head(run)}")
        verdict, why = self._unreal(run) if not run.real else self._beaten(run)
        return verdict, _sentence(f"{action} {why}")

    def _why_head(self, run: Run) -> str:
        if run.kind == "reset":
            return ": it starts the item afresh (R7)"
        if run.kind == "undone":
            return ": it takes back the latest change its device knew of (R4)"
        for duel in reversed(self._duels):
            if duel.winner is run:
                other = self._other(duel.loser)
                if duel.stood_back:
                    return f" although {other} began later: that one stood back (R3)"
                return f": it began later than {other}, and neither knew of the other (R3)"
        former = self._former(run)
        if former is None:
            return ": nothing else that counts competes with it (R2)"
        if former.device == run.device:
            return f": it came after {self._other(former)}, on the same device (R2)"
        return f": it began where {self._other(former)} was known, so no clock is asked (R2)"

    def _former(self, head: Run) -> Run | None:
        """The run that the head came after."""
        known = [other for other in self._runs if other.real and other is not head and head.knows(other)]
        return max(known, key=lambda other: (other.last_rev, other.moved_ms, other.seq), default=None)

    def _unreal(self, run: Run) -> tuple[str, str]:
        """Why a run may not move the head (R1)."""
        if run.kind == AUTO:
            return AUTOMATIC, "moves nothing: nobody acted (R1)"
        if run.kind == "marked":
            return NOT_REAL, "says whether the item is done and is no place (R7)"
        visit = self._visits.get((run.device, run.session))
        played_ms = visit.played_ms if visit else sum(part.to_ms - part.from_ms for part in run.log)
        if visit is not None and visit.intent == "bookmark":
            return PEEK, (
                f"is a look at a bookmark, {played_ms // 1000} s long so far: it counts after "
                f"{PEEK_MS // 1000} s, or when its user chooses to stay (R1)"
            )
        return NOT_REAL, f"has played {played_ms // 1000} s: it counts after {REAL_PLAY_MS // 1000} s (R1)"

    def _beaten(self, run: Run) -> tuple[str, str]:
        """By what a real run that is not the head was beaten."""
        if not self._progress.epochs.competes(run):
            return BEFORE_RESET, "was before the item was started afresh, and counts only as time (R7)"
        for duel in self._duels:
            if duel.loser is run and duel.stood_back:
                return STOOD_BACK, (
                    f"stands back behind {self._other(duel.winner)}: its device did not know what the server "
                    "had, sought nothing, and played only what had been seen elsewhere (R3)"
                )
            if duel.loser is run:
                other = self._other(duel.winner)
                return LOST, f"lost: {other} began later, and neither knew of the other (R3)"
        knowing = [later for later in self._runs if later.real and later is not run and later.knows(run)]
        if not knowing:
            return SUCCEEDED, "has no say any more (R2)"
        first = self._other(min(knowing, key=lambda later: (later.first_rev, later.seq)))
        if run.key in self._played_on:
            return PLAYED_ON, f"went on after {first} had taken over: it counts as time, not as a place (R10)"
        return SUCCEEDED, f"was succeeded by {first}, which came with its knowledge (R2)"

    def _other(self, run: Run) -> str:
        return self._words.action(self._words.told(run))


class HeadChange(Protocol):
    """One change of the head as the journal at rest has it; `why` has runs by their part in it."""

    @property
    def at(self) -> datetime: ...
    @property
    def what(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def position_ms(self) -> int: ...
    @property
    def former_ms(self) -> int | None: ...
    @property
    def done(self) -> bool: ...
    @property
    def epoch(self) -> int: ...
    @property
    def version(self) -> str: ...
    @property
    def why(self) -> Mapping[str, Any]: ...


def change_sentence(change: HeadChange, zone: tzinfo = UTC) -> str:
    """One change of the head in a plain sentence."""
    words = Words({}, zone, _day(change.at.astimezone(zone)))
    run = _told(change.why.get("head"))
    by = words.action(run) if run else "the server"
    now = place(change.position_ms)
    if change.what == "version":
        former = "" if change.former_ms is None else f", where it was {place(change.former_ms)} before"
        return f"The item was edited: in version {change.version} the place is {now}{former} (R9)."
    if change.what == "offer":
        return _offer_sentence(change, run, words)
    if change.what == "done":
        return _done_sentence(change, words)
    if change.what == "epoch":
        return _epoch_sentence(change, words)
    if change.former_ms is None:
        return _sentence(f"{by} set the place to {now}{_because(change, words)}")
    moved = f"from {place(change.former_ms)} to {now}"
    if run is not None and run.kind == "undone":
        return _sentence(f"{by} brought the place back {moved} (R4)")
    return _sentence(f"{by} moved the place {moved}{_because(change, words)}")


def explain_past(changes: Sequence[HeadChange], zone: tzinfo = UTC) -> Explanation:
    """Why the position was what it was after these changes, newest first."""
    latest = next((change for change in changes if change.what not in ("done", "offer")), None)
    latest = latest or next(iter(changes), None)
    if latest is None:
        return Explanation("", "Nothing had counted by then, so it began at 0:00.", [])
    words = Words({}, zone, _day(latest.at.astimezone(zone)))
    findings: list[Finding] = []
    head, former, loser = (_told(latest.why.get(part)) for part in ("head", "former", "loser"))
    if head is not None:
        counted = f"{words.action(head)} counted{_because(latest, words)}"
        findings.append(Finding(head, HEAD, _sentence(counted)))
    if loser is not None:
        findings.append(Finding(loser, LOST, _sentence(f"{words.action(loser)} lost ({latest.rule})")))
    if former is not None and former != loser:
        succeeded = _sentence(f"{words.action(former)} had the place before")
        findings.append(Finding(former, SUCCEEDED, succeeded))
    return Explanation(latest.rule, change_sentence(latest, zone), findings)


def run_of_device(change: HeadChange) -> Told | None:
    """The run of the change's device that the change tells of, first of all the one that caused it.

    Rows of the first days may have none.
    """
    told = (_told(change.why.get(part)) for part in ("by", "head", "former", "loser"))
    return next((run for run in told if run is not None and run.device == change.device), None)


def _done_sentence(change: HeadChange, words: Words) -> str:
    run, (who, when) = run_of_device(change), _doer(change, words)
    if change.rule == "R4":
        if change.done:
            return f"The undo on {who} at {when} made it done again (R4)."
        return f"{who} took 'done' back at {when} by an undo (R4)."
    if not change.done:
        return f"{who} took 'done' back at {when} (R7)."
    if run is None or run.kind == "marked":
        return f"{who} marked it done at {when} (R7)."
    return _sentence(f"{words.action(run)} completed it (R7)")


def _epoch_sentence(change: HeadChange, words: Words) -> str:
    run, (who, when) = run_of_device(change), _doer(change, words)
    kind = run.kind if run else (change.why.get("head") or {}).get("kind")
    if change.rule == "R4":
        if kind == "undone":
            again = f"at {place(change.position_ms)} again"
            return f"The undo on {who} at {when} took the fresh start back: {again} (R4)."
        return f"The undo on {who} at {when} made it {'done' if change.done else 'what it was'} again (R4)."
    if kind == "reset":
        return f"{who} started it afresh at {when} (R7)."
    return f"{who} took 'done' back at {when} (the place stays, R7)."


def _doer(change: HeadChange, words: Words) -> tuple[str, str]:
    """Whose doing a change was, and when they did it."""
    run = run_of_device(change)
    if run is None:
        return change.device or "the server", words.time(round(change.at.timestamp() * 1000))
    return run.device_name, words.time(run.action_ms)


def _offer_sentence(change: HeadChange, head: Told | None, words: Words) -> str:
    loser, offered = run_of_device(change), place(change.position_ms)
    if loser is None or head is None:
        return f"{offered} is offered (R4)."
    noun = _NOUNS.get(head.kind, head.kind)
    holder = f"{head.device_name}'s {noun} at {words.time(head.action_ms)}"
    if change.rule == "R10":
        why = f"{loser.device_name} went on to {offered} after {holder} had taken over (R10)"
    elif head.action_ms >= loser.action_ms:
        later = f"{holder} began later and keeps the place (R3)"
        why = f"{loser.device_name}'s {offered} came in later; {later}"
    else:
        late = f"{loser.device_name}'s {offered} came in later and is nothing new"
        why = f"{late}; {holder} keeps the place (R3)"
    return f"{why}. {offered} is offered."


def _because(change: HeadChange, words: Words) -> str:
    """The reason behind a change of the place, with its rule."""
    former, loser = _told(change.why.get("former")), _told(change.why.get("loser"))
    if change.rule == "R3" and loser is not None:
        return f": {words.action(loser)} lost, neither knew of the other (R3)"
    if former is not None and change.rule == "R2":
        return f": it came after {words.action(former)} and with its knowledge (R2)"
    return f" ({change.rule})" if change.rule else ""


def _told(run: Mapping[str, Any] | None) -> Told | None:
    if not run:
        return None
    return Told(
        device=run["device"],
        device_name=run["device_name"] or run["device"],
        kind=run["kind"],
        action_ms=run["action_ms"],
        base_rev=run["base_rev"],
        from_ms=run["from_ms"],
        position_ms=run["position_ms"],
        device_kind=run.get("device_kind", ""),
    )


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _sentence(text: str) -> str:
    """With a capital letter in front and a full stop behind."""
    text = text if text.endswith(".") else f"{text}."
    return text[:1].upper() + text[1:]
