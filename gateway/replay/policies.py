"""What the known systems do instead of our rules, as servers of their own: they decide places, nothing else.

Each is fed what our server is fed, in the loop: devices are told its places and start there. Everything that
states a place counts as a report, liveness beats too, as such trackers have it; opening an item does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from actors import messages
from actors.batch import Deliver, Outcome
from actors.core.events import Event
from actors.core.item import DONE_SHARE
from gateway.replay.belief import Belief
from gateway.replay.server import Connection, Server, entries_of
from gateway.sockets.wire import Chunk

HEAD = "head:"


@dataclass(frozen=True, slots=True)
class Report:
    """A device says where it is: when by its own clock, and when that arrived (ms)."""

    device: str
    place_ms: int
    wall_ms: int
    arrived_ms: int


@dataclass(slots=True)
class Reports:
    """All that a policy knows of one student and item: reports since the latest reset, and the tick."""

    duration_ms: int
    all: list[Report] = field(default_factory=list)
    marked: bool | None = None

    @property
    def done(self) -> bool:
        """Ticked, or a place in the last tenth was ever reported, unless the tick was taken back since."""
        reached = any(report.place_ms >= DONE_SHARE * self.duration_ms for report in self.all)
        return reached if self.marked is None else self.marked


class Policy:
    """Decides where a student resumes. `choices` are the places the user is asked to choose from."""

    name = ""

    def choices(self, reports: Reports, device: str | None) -> list[int]:
        """The place, or several for a policy that asks; `device` is the one that resumes, if one does."""
        return [self.place(reports)] if reports.all else [0]

    def place(self, reports: Reports) -> int:
        """The one place."""
        raise NotImplementedError


class LastArrival(Policy):
    """Whatever arrived last stands."""

    name = "last arrival"

    def place(self, reports: Reports) -> int:
        return reports.all[-1].place_ms


class NewestClock(Policy):
    """The report with the newest stamp of its device's own clock stands."""

    name = "newest device clock"

    def place(self, reports: Reports) -> int:
        return max(reports.all, key=lambda report: report.wall_ms).place_ms


class Furthest(Policy):
    """The furthest place that was ever reported stands."""

    name = "furthest position"

    def place(self, reports: Reports) -> int:
        return max(report.place_ms for report in reports.all)


class FurthestOrOwn(Furthest):
    """Furthest, and a prompt: this device's own last place, or the furthest? The user always knows."""

    name = "furthest plus prompt"

    def choices(self, reports: Reports, device: str | None) -> list[int]:
        own = [report.place_ms for report in reports.all if device in (None, report.device)]
        return [*super().choices(reports, device), *own[-1:]]


POLICIES: tuple[type[Policy], ...] = (LastArrival, NewestClock, Furthest, FurthestOrOwn)


class PolicyServer(Server):
    """Our server with another decider: what it tells of places and of done is the policy's."""

    def __init__(self, policy: Policy, *server: Any) -> None:
        super().__init__(*server)
        self.policy = policy
        self._reports: dict[tuple[str, str], Reports] = {}
        self._told: dict[tuple[str, str], tuple[int, bool]] = {}

    def reports(self, student: str, item: str) -> Reports:
        """What was reported of an item."""
        found = self._reports.get((student, item))
        if found is None:
            found = self._reports[student, item] = Reports(self.catalogue[item].duration_ms)
        return found

    def choices(self, student: str, item: str, device: str | None) -> list[int] | None:
        return self.policy.choices(self.reports(student, item), device)

    def believed(self, student: str, item: str) -> Belief:
        belief = super().believed(student, item)
        return Belief(self._shown(student, belief.head), belief.row)

    def _shown(self, student: str, head: dict[str, Any]) -> dict[str, Any]:
        """A head with the policy's place in it."""
        reports = self.reports(student, head["item"])
        place_ms = self.policy.choices(reports, None)[0]
        return {**head, "position_ms": min(place_ms, head["duration_ms"]), "done": reports.done}

    def _live(self, conn: int, connection: Connection, message: Any) -> None:
        super()._live(conn, connection, message)
        if isinstance(message, messages.Presence):
            clock = self.owner(connection.student).session.device(connection.device).clock
            wall_ms = self.now_ms - clock.wall_offset_ms
            report = Report(connection.device, message.position_ms, wall_ms, self.now_ms)
            self.reports(connection.student, message.item).all.append(report)
            self._tell(connection.student, [message.item])

    def _apply(self, conn: int, connection: Connection, chunk: Chunk) -> None:
        super()._apply(conn, connection, chunk)
        events = [entry for entry in entries_of(chunk) if isinstance(entry, Event)]
        for event in events:
            self._take(connection, event)
        self._tell(connection.student, dict.fromkeys(event.item for event in events))

    def _take(self, connection: Connection, event: Event) -> None:
        reports = self.reports(connection.student, event.item)
        if event.kind == "marked":
            reports.marked = event.done
        if event.kind == "reset":
            reports.all.clear()
            reports.marked = None
        place_ms = event.to_ms if event.kind == "played" else event.position_ms
        if event.kind == "reset":
            place_ms = 0
        if place_ms is not None and event.kind != "opened":
            wall_ms = round(event.wall.timestamp() * 1000)
            reports.all.append(Report(connection.device, place_ms, wall_ms, self.now_ms))

    def _tell(self, student: str, items: Iterable[str]) -> None:
        """Push what may have changed to whoever is connected."""
        for item in items:
            reports = self.reports(student, item)
            told = (self.policy.choices(reports, None)[0], reports.done)
            if self._told.get((student, item)) != told:
                self._told[student, item] = told
                for conn, connection in self.connected(student):
                    self.push_head(conn, connection, item)

    def _perform(self, outcomes: list[Outcome]) -> None:
        super()._perform([self._ours(outcome) for outcome in outcomes])

    def _ours(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Deliver) or not (outcome.key or "").startswith(HEAD):
            return outcome
        student = next((self.student_of(conn) for conn in outcome.conns), "")
        head = self._shown(student, msgspec.msgpack.decode(outcome.frame))
        return Deliver(outcome.conns, msgspec.msgpack.encode(head), outcome.key)
