"""One verdict per key of every expectation: what the trace says, and what the server believes or has told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from gateway.replay import actions as do
from gateway.replay.belief import Belief
from gateway.replay.checks import of_item
from gateway.replay.device import Device
from gateway.replay.trace import Expectation, Range, Told, Trace
from gateway.replay.world import World


@dataclass(frozen=True, slots=True)
class Verdict:
    """`where` is the part of the file (`expect[1].told[0]`), `key` its key; `ok`: they agree."""

    where: str
    key: str
    said: Any
    got: Any
    ok: bool


ASKING = (do.Play, do.Open, do.SecondTab, do.Connect, do.SignIn)
"""Actions by which a device asks the server: what it is answered is what it acts on."""

_OF_HEAD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "position_s": lambda head: head["position_ms"] / 1000,
    "done": lambda head: head["done"],
    "viewing": lambda head: head["pass"],
    "epoch": lambda head: head["epoch"],
    "version": lambda head: head["version"],
    "content_s": lambda head: head["content_ms"] / 1000,
    "furthest_s": lambda head: head["furthest_ms"] / 1000,
    "coverage_pct": lambda head: 100 * head["coverage_ms"] / max(head["duration_ms"], 1),
    "offered_s": lambda head: head["candidate"]["position_ms"] / 1000 if head["candidate"] else None,
    "answers": lambda head: (head.get("quiz") or {}).get("answers", {}),
    "submitted": lambda head: bool((head.get("quiz") or {}).get("submitted")),
}


class Judge:
    """Looks at a world at the moments its trace names, and keeps the verdicts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._trace: Trace = world.trace
        self.verdicts: list[Verdict] = []
        self._places: dict[tuple[int, str, str], tuple[Any, int, str]] = {}
        self._kept: dict[int, list[tuple[str, str]]] = {}
        self._told: dict[int, list[tuple[str, Expectation, Told]]] = {}
        self._done: set[str] = set()
        for index, expected in enumerate(self._trace.expect):
            if expected.unchanged_since is not UNSET and expected.item is not None:
                watched = self._kept.setdefault(expected.unchanged_since, [])
                watched.append((expected.student, expected.item))
            for number, told in enumerate([] if expected.told is UNSET else expected.told):
                if told.by != "end":
                    name = f"expect[{index}].told[{number}]"
                    self._told.setdefault(told.by, []).append((name, expected, told))

    # Moments.

    @property
    def kept_after(self) -> set[int]:
        """Indices after which the heads have to be remembered, for `unchanged_since`."""
        return set(self._kept)

    def keep(self, index: int) -> None:
        """Remember the heads as they are after this entry of the timeline."""
        for student, item in self._kept[index]:
            self._places[index, student, item] = self._world.server.believed(student, item).place

    def before(self, index: int) -> None:
        """An action is about to take effect: what it needs must have reached its devices."""
        action = self._trace.timeline[index]
        for name, expected, told in self._told.get(index, []):
            own = told.device == action.device
            if not own or not isinstance(action, ASKING):
                verdicts = self._told_verdicts(name, expected, told)
                if not own or all(verdict.ok for verdict in verdicts):
                    self._settle(name, verdicts)

    def at(self, index: int) -> None:
        """The device that acts has its answer, which counts, or is about to show a first frame."""
        for name, expected, told in self._told.get(index, []):
            if name not in self._done:
                self._settle(name, self._told_verdicts(name, expected, told))

    def expect(self, index: int) -> None:
        """The moment of an expectation has come."""
        expected = self._trace.expect[index]
        where = f"expect[{index}]"
        if expected.item is not None:
            belief = self._world.server.believed(expected.student, expected.item)
            for key in of_item(expected):
                self._note(where, key, getattr(expected, key), self._believed(expected, belief, key))
        if expected.course is not UNSET:
            self._note(where, "course_next", expected.course_next, self._course_next(expected))
        if expected.flagged is not UNSET:
            flagged = [name for name in expected.flagged if self._flagged(expected.student, name)]
            self._note(where, "flagged", expected.flagged, flagged)

    def finish(self) -> None:
        """The end: what must have been told by then."""
        for index, expected in enumerate(self._trace.expect):
            for number, told in enumerate([] if expected.told is UNSET else expected.told):
                name = f"expect[{index}].told[{number}]"
                if name not in self._done:
                    self._settle(name, self._told_verdicts(name, expected, told))
        for defect in self._world.server.defects:
            self.verdicts.append(Verdict("server", "defect", None, defect, ok=False))
        for handed in self._world.handed:
            if not self._near(handed.said_ms / 1000, handed.got_ms / 1000):
                where = f"timeline[{handed.index}]"
                self.verdicts.append(
                    Verdict(where, "from_s", handed.said_ms / 1000, handed.got_ms / 1000, ok=False)
                )

    # What the server believes.

    def _believed(self, expected: Expectation, belief: Belief, key: str) -> Any:
        zone_ms = self._trace.zone_ms(expected.student)
        if key == "position_s":
            return self._place_s(expected, None, _OF_HEAD[key](belief.head), expected.position_s)
        if key in _OF_HEAD:
            return _OF_HEAD[key](belief.head)
        if key == "wall_s":
            return belief.wall_ms / 1000
        if key == "days":
            return belief.days(zone_ms)
        if key == "completions":
            return belief.completions(zone_ms)
        if key == "in_continue":
            return belief.in_continue
        if key == "attempt_log":
            return self._attempt_log(expected)
        return self._unchanged(expected, belief)

    def _attempt_log(self, expected: Expectation) -> dict[str, list[str]]:
        session = self._world.server.owner(expected.student).session
        progress = session.items.get(expected.item or "")
        return progress.quiz.values if progress is not None and progress.quiz is not None else {}

    def _unchanged(self, expected: Expectation, belief: Belief) -> Any:
        """The index since which the head is the same: the one that is said, or none."""
        since = expected.unchanged_since
        assert since is not UNSET and expected.item is not None
        run, place_ms, version = self._places[since, expected.student, expected.item]
        now_run, now_ms, now_version = belief.place
        # In another version the same place has another second.
        stands = version != now_version or self._near(place_ms / 1000, now_ms / 1000)
        same = run == now_run and stands
        return since if same else f"moved from {place_ms / 1000:g} to {now_ms / 1000:g} by {now_run}"

    def _course_next(self, expected: Expectation) -> str | None:
        items = self._trace.courses[str(expected.course)]
        server = self._world.server
        return next((i for i in items if not server.believed(expected.student, i).head["done"]), None)

    def _flagged(self, student: str, name: str) -> bool:
        devices = self._world.server.owner(student).session.devices
        ids = self._world.devices[name].ids
        return any(each in devices and devices[each].clock.wrong for each in ids)

    # What devices have been told.

    def _settle(self, name: str, verdicts: list[Verdict]) -> None:
        self._done.add(name)
        self.verdicts += verdicts

    def _told_verdicts(self, name: str, expected: Expectation, told: Told) -> list[Verdict]:
        """What the device has been told as of now."""
        device = self._world.devices[told.device]
        verdicts: list[Verdict] = []
        for key in Told.__struct_fields__[2:]:
            said = getattr(told, key)
            if key == "verdict" and said is not UNSET:
                verdicts.append(self._verdict(name, expected, device, said))
            elif said is not UNSET:
                verdicts.append(self._compare(name, key, said, self._told_of(expected, told, device, key)))
        return verdicts

    def _told_of(self, expected: Expectation, told: Told, device: Device, key: str) -> Any:
        if key == "auth":
            return "expired" if device.expired_ms else None
        item = expected.item or self._item_at(told)
        if item is None:
            return "nothing: the expectation names no item"
        if key == "media_url":
            return "valid" if device.media.valid(expected.student, item) else "none that is valid"
        head = device.head(item, expected.student)
        if key == "return_s":
            return self._return_s(device, item, head)
        if head is None:
            return None
        if key == "offer_s":
            return _OF_HEAD["offered_s"](head)
        if key == "playing_on":
            return next((n for n, d in self._world.devices.items() if head["device"] in d.ids), None)
        if key == "next_item":
            return head.get("next_item")
        if key == "position_s":
            return self._place_s(expected, device.id, _OF_HEAD[key](head), told.position_s, item)
        return _OF_HEAD[key](head)

    def _place_s(
        self, expected: Expectation, device: str | None, got: float, said: Any, item: str | None = None
    ) -> float:
        """The place that counts: where the user is asked, the right one if it is among the choices."""
        choices = self._world.server.choices(expected.student, item or expected.item or "", device)
        if choices is None:
            return got
        return min((choice / 1000 for choice in choices), key=lambda choice: abs(choice - said))

    def _item_at(self, told: Told) -> str | None:
        if told.by == "end":
            return None
        action = self._trace.timeline[told.by]
        player = self._world.devices[told.device].tabs.get(getattr(action, "tab", 1))
        return getattr(action, "item", None) or (player.item if player else None)

    def _return_s(self, device: Device, item: str, head: dict[str, Any] | None) -> float | None:
        """Where a peek can go back to: what the head was when it began, or has become by others since."""
        for player in device.tabs.values():
            if player.item == item and player.back_ms is not None:
                return player.back_ms / 1000
        return head["position_ms"] / 1000 if head else None

    def _verdict(self, name: str, expected: Expectation, device: Device, said: Range) -> Verdict:
        answers: dict[int, set[str]] = {}
        for one in self._world.server.answers:
            if one.student == expected.student and one.device in device.ids:
                answers.setdefault(one.seq, set()).add(one.answer)
        inside = [
            seq
            for seq, (item, begin, end) in device.beats_of(expected.student).items()
            if (expected.item in (None, item))
            and begin >= said.from_s * 1000 - 1
            and end <= said.to_s * 1000 + 1
        ]
        got = sorted({answer for seq in inside for answer in answers.get(seq, {"none"})})
        ok = bool(inside) and all(said.answer in answers.get(seq, ()) for seq in inside)
        place = f"{said.from_s:g}-{said.to_s:g} {said.answer}"
        return Verdict(name, "verdict", place, said.answer if ok else got, ok)

    # Agreement.

    def _note(self, where: str, key: str, said: Any, got: Any) -> None:
        self.verdicts.append(self._compare(where, key, said, got))

    def _compare(self, where: str, key: str, said: Any, got: Any) -> Verdict:
        word = "pass" if key == "viewing" else key
        return Verdict(where, word, said, got, self._agree(key, said, got))

    def _agree(self, key: str, said: Any, got: Any) -> bool:
        if isinstance(said, bool) or said is None or got is None or isinstance(got, str):
            return bool(said == got)
        if key == "coverage_pct":
            return bool(abs(said - got) <= self._trace.tolerances.pct + 1e-9)
        if key == "days":
            days = {day for day, seconds in got.items() if round(seconds)}
            return bool(days == set(said)) and all(self._near(said[day], got[day]) for day in said)
        if isinstance(said, float) and isinstance(got, int | float):
            return self._near(said, got)
        return bool(said == got)

    def _near(self, said: float, got: float) -> bool:
        return abs(said - got) <= self._trace.tolerances.s + 1e-9
