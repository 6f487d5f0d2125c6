"""What a device says happened: the event, valid by construction, and the closed list of its kinds."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

SEQ_MAX = 2**53 - 1
"""Largest sequence number, revision or time on the wire: the largest integer JavaScript keeps exact."""

POSITION_MAX_MS = 2**31 - 1
"""Largest position: an int4 in Postgres, 24 days of content."""

RATE_MIN, RATE_MAX = 0.1, 16.0
"""Playback rates a browser's media element accepts (HTML: 0.0625 to 16), rounded up to a useful least."""

WALL_MIN, WALL_END = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""Stamps lie in [WALL_MIN, WALL_END): a `datetime` there is one in every zone, so it can be told in UTC."""

VALUE_MAX = 4096
"""Longest answer to a question, in characters."""


Kind = Literal[
    "opened",  # a visit begins: intent, and for a bookmark the place
    "play",  # play pressed at position_ms, or an automatic start (by="auto")
    "played",  # content [from_ms, to_ms) was played at `rate`, ending at this event's stamp
    "paused",  # the player stopped at position_ms
    "ended",  # the player reached the end of the item at position_ms
    "sought",  # the user moved the position to position_ms
    "chosen",  # the user took an offered place, or "stay here"
    "undone",  # the user reverts the latest head change of this item
    "reset",  # the user starts the item afresh
    "marked",  # the user ticks done, or takes it back
    "answered",  # one question of a quiz was given a value
    "submitted",  # the attempt at a quiz was handed in
    "closed",  # the visit ends with a goodbye
]
Intent = Literal["resume", "bookmark", "auto", "advance"]
By = Literal["user", "auto"]

ACTIONS: frozenset[str] = frozenset({"play", "sought", "chosen", "undone", "reset", "marked"})
"""Kinds that are a user action and so begin a run (docs/sync.md, "Run"); `play` only if by the user."""

REGISTERS: frozenset[str] = frozenset({"answered", "submitted"})
"""Kinds that concern an attempt at a quiz, and no place in the content."""

PLACED: frozenset[str] = frozenset({"play", "paused", "ended", "sought", "chosen"})
"""Kinds that must state a position."""

FLUSHED: frozenset[str] = frozenset(
    {"paused", "ended", "sought", "chosen", "undone", "reset", "marked", "closed", *REGISTERS}
)
"""Kinds after which, as after a completion, the state is written within about a second (design 4.5)."""


class BadEvent(ValueError):
    """The event cannot be: names the field and what it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One journal entry of a device. Positions and spans are content ms of `version`.

    `seq` is dense per (student, device) from 1; `session` is the visit; `base_rev` the newest revision of
    this item that the device had seen when the run began. `mono_ms` counts real time within `boot`;
    `wall` is the device's clock as a UTC instant, never compared raw (docs/sync.md, corrected time).
    """

    seq: int
    session: str
    item: str
    version: str
    base_rev: int
    kind: Kind
    mono_ms: int
    boot: str
    wall: datetime
    position_ms: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    rate: float = 1.0
    intent: Intent = "resume"
    by: By = "user"
    done: bool | None = None
    question: str | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        check_range("seq", self.seq, 1, SEQ_MAX)
        check_range("base_rev", self.base_rev, 0, SEQ_MAX)
        check_range("mono_ms", self.mono_ms, 0, SEQ_MAX)
        for name in ("session", "item", "version", "boot"):
            check_name(name, getattr(self, name))
        check_instant("wall", self.wall)
        if not RATE_MIN <= self.rate <= RATE_MAX:
            raise BadEvent(f"rate: must lie between {RATE_MIN} and {RATE_MAX}")
        self._check_places()

    def _check_places(self) -> None:
        for name in ("position_ms", "from_ms", "to_ms"):
            value = getattr(self, name)
            if value is not None:
                check_range(name, value, 0, POSITION_MAX_MS)
        if self.kind in PLACED and self.position_ms is None:
            raise BadEvent(f"position_ms: missing, {self.kind} states a position")
        if self.kind == "played":
            if self.from_ms is None or self.to_ms is None:
                raise BadEvent("from_ms, to_ms: missing, played states a span")
            if self.to_ms < self.from_ms:
                raise BadEvent("to_ms: must not lie before from_ms")
        if self.kind == "marked" and self.done is None:
            raise BadEvent("done: missing, marked states done or not done")
        if self.kind == "answered":
            self._check_answer()

    def _check_answer(self) -> None:
        if self.question is None or self.value is None:
            raise BadEvent("question, value: missing, answered states both")
        check_name("question", self.question)
        if len(self.value) > VALUE_MAX:
            raise BadEvent(f"value: must be at most {VALUE_MAX} characters")
        if not self.value.isprintable() and any(_is_control(char) for char in self.value):
            raise BadEvent("value: a control character that is no tab or line break, or half a character")

    @property
    def starts_run(self) -> bool:
        """Whether the event is a user action, which begins a run."""
        return self.kind in ACTIONS and not (self.kind == "play" and self.by == "auto")


@dataclass(frozen=True, slots=True)
class Refused:
    """A journal entry nobody can read: folded at its place as refused, so it blocks nothing (design 4.2)."""

    seq: int
    code: str
    message: str


Entry = Event | Refused


def _is_control(char: str) -> bool:
    """What no person types; a joined emoji or a space that does not break is no control character."""
    return unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n\r"


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Raise `BadEvent` unless least <= value <= most."""
    if not least <= value <= most:
        raise BadEvent(f"{name}: must lie between {least} and {most}")


def check_instant(name: str, value: datetime) -> None:
    """Raise `BadEvent` unless `value` states its zone and is a moment that can be told in UTC."""
    if value.utcoffset() is None:
        raise BadEvent(f"{name}: a stamp without a zone is refused; send a UTC instant ending in Z")
    if not WALL_MIN <= value < WALL_END:
        raise BadEvent(f"{name}: must lie in the years 2 to 9998 of UTC")


def check_name(name: str, value: str) -> None:
    """Raise `BadEvent` unless `value` is 1 to 64 printable characters that Postgres can store."""
    if not 1 <= len(value) <= 64 or not value.isprintable():
        raise BadEvent(f"{name}: must be 1 to 64 printable characters")
