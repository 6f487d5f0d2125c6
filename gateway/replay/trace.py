"""A trace: one conformance file, read strictly into types, or refused with the file and the key."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.replay.actions import Action, Anything, Name, Seconds, ms
from persistence.errors import PlayheadError

Tz = Annotated[str, Meta(pattern=r"^[+-]\d\d:\d\d$")]
Index = Annotated[int, Meta(ge=0)]
Moment = Index | Literal["end"]
Text = Annotated[str, Meta(min_length=1, pattern=r"^[^\n]*\S[^\n]*$")]


class BadTrace(PlayheadError):
    """A file that is not of the format: `path`, and what is wrong with which key."""

    def __init__(self, path: Path, problems: Iterable[str]) -> None:
        self.path = path
        self.problems = list(problems)
        said = "; ".join(self.problems)
        super().__init__(f"{path}: {said}. The format is described in docs/conformance.md")


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a trace; an unknown key is an error."""


class Edit(Strict, frozen=True):
    """A piece taken out, [from, to), or put in, (at, length): seconds of the version it is made from."""

    cut: tuple[Seconds, Seconds] | None = None
    insert: tuple[Seconds, Seconds] | None = None

    @property
    def longer_s(self) -> float:
        """By how much the version grows."""
        return (self.insert[1] if self.insert else 0.0) - (self.cut[1] - self.cut[0] if self.cut else 0.0)


class Version(Strict, frozen=True):
    """One content version: how long it is, and what it was made of by which edits."""

    duration_s: Annotated[float, Meta(gt=0)]
    origin: str | None = msgspec.field(name="from", default=None)
    edits: list[Edit] | None = None


class Item(Strict, frozen=True):
    """Something with progress. `url_ttl_s` is how long a media address lives."""

    kind: Literal["video", "audio", "pdf", "quiz"]
    duration_s: Annotated[float, Meta(gt=0)] | None = None
    versions: dict[str, Version] | None = None
    url_ttl_s: Annotated[float, Meta(gt=0)] | None = None
    questions: list[str] | None = None

    def durations_ms(self) -> dict[str, int]:
        """Length of every version; a quiz has one version without length."""
        if self.versions is None:
            return {"v1": ms(self.duration_s or 0.0)}
        return {name: ms(version.duration_s) for name, version in self.versions.items()}


class Student(Strict, frozen=True):
    """A student, if the zone of their calendar days is not UTC."""

    tz: Tz


class Device(Strict, frozen=True):
    """A device at the start: whose, of which kind, with or without a link, how wrong its clock is."""

    student: Name
    kind: Annotated[str, Meta(max_length=16)]
    online: bool
    clock_skew_s: float
    tz: str | None = None


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Spans of a device and the answer each of them must have got at least once."""

    from_s: Seconds
    to_s: Seconds
    answer: Literal["applied", "duplicate", "quarantined", "malformed"] = msgspec.field(name="is")


class Told(Strict, frozen=True, kw_only=True):
    """What must have reached a device before the action at index `by`, or by the end."""

    device: Name
    by: Moment
    position_s: float | UnsetType = UNSET
    done: bool | UnsetType = UNSET
    offer_s: float | UnsetType | None = UNSET
    return_s: float | UnsetType = UNSET
    playing_on: Name | UnsetType = UNSET
    media_url: Literal["valid"] | UnsetType = UNSET
    next_item: Name | UnsetType | None = UNSET
    version: Name | UnsetType = UNSET
    auth: Literal["expired"] | UnsetType = UNSET
    verdict: Range | UnsetType = UNSET


class Expectation(Strict, frozen=True, kw_only=True):
    """What the server must believe at a moment, and what devices must have been told by then."""

    after: Moment
    student: Name
    item: Name | None = None
    position_s: float | UnsetType = UNSET
    done: bool | UnsetType = UNSET
    viewing: int | UnsetType = msgspec.field(name="pass", default=UNSET)
    epoch: int | UnsetType = UNSET
    completions: list[str] | UnsetType = UNSET
    content_s: float | UnsetType = UNSET
    wall_s: float | UnsetType = UNSET
    coverage_pct: float | UnsetType = UNSET
    days: dict[str, float] | UnsetType = UNSET
    offered_s: float | UnsetType | None = UNSET
    furthest_s: float | UnsetType = UNSET
    in_continue: bool | UnsetType = UNSET
    version: str | UnsetType = UNSET
    unchanged_since: Index | UnsetType = UNSET
    course: str | UnsetType = UNSET
    course_next: str | UnsetType | None = UNSET
    answers: dict[str, str] | UnsetType = UNSET
    attempt_log: dict[str, list[str]] | UnsetType = UNSET
    submitted: bool | UnsetType = UNSET
    flagged: list[str] | UnsetType = UNSET
    told: list[Told] | UnsetType = UNSET


class Tolerances(Strict, frozen=True):
    """How far a number may be off: seconds, and percent of coverage."""

    s: float = 1.0
    pct: float = 0.5


class Trace(Strict, frozen=True, kw_only=True):
    """One scenario: what the users did, and what a right server believes."""

    id: Annotated[str, Meta(pattern=r"^[A-Z]\d\d+$")]
    title: Text
    story: Text
    source: list[str]
    went_wrong: Text
    why: Text
    rules: list[Annotated[str, Meta(pattern=r"^R(10|[1-9])$")]]
    items: dict[str, Item]
    devices: dict[str, Device]
    timeline: list[Anything]
    expect: list[Expectation]
    tolerances: Tolerances
    students: dict[str, Student] = msgspec.field(default_factory=dict)
    courses: dict[str, list[str]] = msgspec.field(default_factory=dict)

    @property
    def people(self) -> list[str]:
        """All students the trace names, in order."""
        named = [device.student for device in self.devices.values()]
        named += [action.student for action in self.timeline if hasattr(action, "student")]
        return list(dict.fromkeys(named))

    def zone_ms(self, student: str) -> int:
        """How far the student's calendar is ahead of UTC."""
        tz = self.students[student].tz if student in self.students else "+00:00"
        minutes = int(tz[1:3]) * 60 + int(tz[4:])
        return (-60_000 if tz[0] == "-" else 60_000) * minutes

    def end_of(self, moment: Moment) -> tuple[int, int]:
        """When a moment of the trace is: its time and its place among what happens then."""
        if isinstance(moment, str):
            return 1 << 62, 1 << 30
        action: Action = self.timeline[moment]
        return action.end_ms, moment
