"""What the types of a trace cannot say: references, order of time, links, and where players stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import UNSET

from gateway.replay import actions as do
from gateway.replay.actions import IN_PLAYER, OF_LINK, SERVER, Action
from gateway.replay.trace import Expectation, Item, Told, Trace, Version

SAME_S = 1e-6

DAY_MS = 86_400_000
PLAY_MAX_MS, WAIT_MAX_MS = 30 * DAY_MS, 20 * 365 * DAY_MS
"""How long one action may last: a replay takes a step for each beat, or sign of life of who waits."""


def problems_of(trace: Trace) -> list[str]:
    """Everything that is wrong with a trace whose keys and types are right, each naming its key."""
    found = [*_items(trace), *_courses(trace)]
    if not found:
        found += _Timeline(trace).problems()
        found += [
            problem for index, one in enumerate(trace.expect) for problem in _expected(trace, index, one)
        ]
    if not trace.expect:
        found.append("expect: nothing is expected")
    return found


def _items(trace: Trace) -> Iterator[str]:
    for name, item in trace.items.items():
        if item.kind == "quiz":
            if not item.questions:
                yield f"items.{name}.questions: a quiz has questions"
        elif item.duration_s is None:
            yield f"items.{name}.duration_s: missing"
        elif item.versions is not None:
            yield from _versions(name, item)
    for name, device in trace.devices.items():
        if name == SERVER:
            yield f"devices.{SERVER}: this name is for the server itself"
        if not device.student:
            yield f"devices.{name}.student: missing"


def _versions(name: str, item: Item) -> Iterator[str]:
    versions = item.versions or {}
    first = versions.get("v1")
    if first is None or first.duration_s != item.duration_s:
        yield f"items.{name}.versions.v1: the original version, as long as duration_s"
    for key, version in versions.items():
        where = f"items.{name}.versions.{key}"
        if key == "v1":
            continue
        if version.origin not in versions or version.origin == key or version.edits is None:
            yield f"{where}: a later version names `from` and `edits`"
            continue
        if any((edit.cut is None) == (edit.insert is None) for edit in version.edits):
            yield f"{where}.edits: each is either a cut or an insert"
        elif any(edit.cut and edit.cut[1] < edit.cut[0] for edit in version.edits):
            yield f"{where}.edits: a cut ends after it begins"
        made_s = versions[version.origin].duration_s + sum(edit.longer_s for edit in version.edits)
        if abs(made_s - version.duration_s) > SAME_S:
            yield f"{where}.duration_s: the edits make it {made_s:g}"
    if not _rooted(versions):
        yield f"items.{name}.versions: every version goes back to v1"


def _rooted(versions: Mapping[str, Version]) -> bool:
    """Whether the way from each version back to what it was made from ends at v1."""
    for key in versions:
        origin: str | None = key
        for _ in versions:
            if origin is not None and origin != "v1":
                origin = versions[origin].origin if origin in versions else None
        if origin != "v1":
            return False
    return True


def _courses(trace: Trace) -> Iterator[str]:
    for name, items in trace.courses.items():
        for item in items:
            if item not in trace.items:
                yield f"courses.{name}: there is no item {item}"


@dataclass
class _Standing:
    """Where a player stands, as far as the trace says; None: it floats, and the server hands it a place."""

    item: str
    place_s: float | None


@dataclass
class _Timeline:
    """Walks the timeline once and notes what cannot be."""

    trace: Trace
    links: dict[str, bool] = field(default_factory=dict)
    users: dict[str, str | None] = field(default_factory=dict)
    busy_ms: dict[str, int] = field(default_factory=dict)
    players: dict[tuple[str, int], _Standing] = field(default_factory=dict)
    index: int = 0

    def problems(self) -> Iterator[str]:
        last_ms = -1
        for name, device in self.trace.devices.items():
            self.links[name], self.users[name] = device.online, device.student
        if not self.trace.timeline:
            yield "timeline: nothing happens"
        for index, action in enumerate(self.trace.timeline):
            where = f"timeline[{index}]"
            try:
                at_ms, end_ms = action.at_ms, action.end_ms
            except ValueError as error:
                yield f"{where}.at: {error}"
                return
            if at_ms < last_ms:
                yield f"{where}.at: earlier than the entry before it"
            last_ms = at_ms
            self.index = index
            problem = self._one(action, end_ms)
            if problem:
                yield f"{where}.{problem}"

    def _one(self, action: Action, end_ms: int) -> str | None:
        longest_ms = PLAY_MAX_MS if isinstance(action, do.Play) else WAIT_MAX_MS
        if end_ms - action.at_ms > longest_ms:
            return f"do: lasts longer than {longest_ms // DAY_MS} days"
        item = getattr(action, "item", None)
        if item is not None and item not in self.trace.items:
            return f"item: there is no item {item}"
        version = getattr(action, "version", None)
        if item is not None and version is not None and version not in self.trace.items[item].durations_ms():
            return f"version: {item} has no version {version}"
        if isinstance(action, do.ServerAction):
            return self._server(action)
        if action.device not in self.trace.devices:
            return f"device: there is no device {action.device}"
        if not isinstance(action, OF_LINK) and action.at_ms < self.busy_ms.get(action.device, -1):
            return f"at: {action.device} is still busy with what it did before"
        return self._link(action) or self._user(action) or self._player(action, end_ms)

    def _server(self, action: do.ServerAction) -> str | None:
        if action.device != SERVER:
            return f"device: {action.do} is done by the {SERVER}"
        if isinstance(action, do.CrashOwner):
            for device, user in self.users.items():
                self.links[device] = self.links[device] and user != action.student
        return None

    def _link(self, action: Action) -> str | None:
        device = action.device
        if isinstance(action, do.Connect | do.Disconnect):
            up = isinstance(action, do.Connect)
            if self.links[device] == up:
                return f"do: the link of {device} is {'up' if up else 'down'} already"
            self.links[device] = up
            if up and self.busy_ms.get(device, -1) <= action.at_ms:
                self._float(device)
        elif isinstance(action, do.Kill | do.Reboot | do.Wipe):
            self.links[device] = False
            self.players = {key: player for key, player in self.players.items() if key[0] != device}
        elif isinstance(action, do.DeliverBy) and all(
            getattr(action, key) is None
            for key in ("copies", "order", "acks", "hold", "release", "cut", "corrupt_s")
        ):
            return "do: deliver says what the network does"
        return None

    def _user(self, action: Action) -> str | None:
        device = action.device
        if isinstance(action, do.Wipe):
            self.users[device] = None
        elif isinstance(action, do.SignIn):
            self.users[device] = action.student
        elif isinstance(action, do.Open | do.SecondTab | do.SetDone | do.Reset | do.SignOut):
            if self.users[device] is None:
                return f"device: nobody is signed in on {device}"
            if isinstance(action, do.SignOut):
                self.users[device] = None
        return None

    def _player(self, action: Action, end_ms: int) -> str | None:
        if isinstance(action, do.Open):
            stands = action.intent == "bookmark" or action.beyond
            self.players[action.device, action.tab] = _Standing(action.item, action.at_s if stands else None)
        elif isinstance(action, do.SecondTab):
            self.players[action.device, 2] = _Standing(action.item, None)
        elif isinstance(action, IN_PLAYER):
            player = self.players.get((action.device, action.tab))
            if player is None:
                return f"do: {action.do} without an open player"
            self.busy_ms[action.device] = max(self.busy_ms.get(action.device, -1), end_ms)
            return self._move(action, player, end_ms)
        return None

    def _move(self, action: Action, player: _Standing, end_ms: int) -> str | None:
        lengths = self.trace.items[player.item].durations_ms().values()
        longest_s = max(lengths) / 1000
        if isinstance(action, do.Play):
            return self._play(action, player, longest_s)
        if isinstance(action, do.Seek):
            if action.to_s > longest_s and not action.beyond:
                return "to_s: beyond the item, without `beyond`"
            player.place_s = action.to_s
        elif isinstance(action, do.Choose):
            player.place_s = action.position_s
        elif isinstance(action, do.Close):
            del self.players[action.device, getattr(action, "tab", 1)]
        elif isinstance(action, do.Pause | do.Idle | do.Stall):
            if not isinstance(action, do.Pause) and end_ms <= action.at_ms:
                return "until: not later than at"
            if self.links[action.device]:
                player.place_s = None
        elif isinstance(action, do.Undo):
            player.place_s = None
        elif not self.trace.items[player.item].questions:
            return f"do: {action.do} in an item that is no quiz"
        return None

    def _play(self, action: do.Play, player: _Standing, longest_s: float) -> str | None:
        if action.to_s < action.from_s:
            return "to_s: lies before from_s"
        if action.to_s > longest_s and not action.beyond:
            return "to_s: beyond the item, without `beyond`"
        if player.place_s is not None and abs(player.place_s - action.from_s) > SAME_S:
            return f"from_s: the player stands at {player.place_s:g}"
        goes_on = any(
            later.device == action.device
            and isinstance(later, (*IN_PLAYER, do.Open, do.Kill, do.Reboot))
            and later.at_ms == action.end_ms
            for later in self.trace.timeline[self.index + 1 :]
        )
        floats = not goes_on and self.links[action.device]
        player.place_s = None if floats else action.to_s
        return None

    def _float(self, device: str) -> None:
        for (owner, _), player in self.players.items():
            if owner == device:
                player.place_s = None


def _expected(trace: Trace, index: int, expected: Expectation) -> Iterator[str]:
    where, last = f"expect[{index}]", len(trace.timeline)
    if expected.after != "end" and expected.after >= last:
        yield f"{where}.after: there is no timeline[{expected.after}]"
    if expected.student not in trace.people:
        yield f"{where}.student: there is no student {expected.student}"
    if expected.item is not None and expected.item not in trace.items:
        yield f"{where}.item: there is no item {expected.item}"
    if expected.item is None and any(True for _ in of_item(expected)):
        yield f"{where}.item: missing"
    if expected.unchanged_since is not UNSET and expected.unchanged_since >= last:
        yield f"{where}.unchanged_since: there is no timeline[{expected.unchanged_since}]"
    if expected.course is not UNSET and expected.course not in trace.courses:
        yield f"{where}.course: there is no course {expected.course}"
    if (expected.course is UNSET) != (expected.course_next is UNSET):
        yield f"{where}.course_next: stands beside course"
    for device in [] if expected.flagged is UNSET else expected.flagged:
        if device not in trace.devices:
            yield f"{where}.flagged: there is no device {device}"
    for number, told in enumerate([] if expected.told is UNSET else expected.told):
        problem = _told(trace, told)
        if problem:
            yield f"{where}.told[{number}].{problem}"


def _told(trace: Trace, told: Told) -> str | None:
    if told.device not in trace.devices:
        return f"device: there is no device {told.device}"
    if told.by != "end" and told.by >= len(trace.timeline):
        return f"by: there is no timeline[{told.by}]"
    if all(getattr(told, key) is UNSET for key in told.__struct_fields__[2:]):
        return "device: nothing is said that it must have been told"
    return None


NOT_OF_ITEM = frozenset({"after", "student", "item", "course", "course_next", "flagged", "told"})


def of_item(expected: Expectation) -> Iterator[str]:
    """The names of the keys that say something about the item."""
    for key in expected.__struct_fields__:
        if key not in NOT_OF_ITEM and getattr(expected, key) is not UNSET:
            yield key
