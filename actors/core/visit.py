"""A visit: what one open player has done from open to close, and whether that makes a run real (R1)."""

from dataclasses import dataclass

from actors.core.events import Event
from actors.core.run import Run

REAL_PLAY_MS = 5_000
"""Content played in the visit that makes its run real (rules.md, constants)."""

PEEK_MS = 60_000
"""A visit opened at a bookmark is a peek until it has played this much (rules.md, constants)."""

CREDIT_SLACK_MS = 2_000
"""Content may outrun wall time by this much before the credit of a span is refused (R9, W19)."""


@dataclass(slots=True)
class Visit:
    """One session of one device in one item. `mono_ms` within `boot` is the stamp of its latest event."""

    session: str
    item: str
    intent: str = "resume"
    played_ms: int = 0
    boot: str = ""
    mono_ms: int = 0
    run: Run | None = None

    def starts_run(self, event: Event) -> bool:
        """Whether the event begins a run here: a user action, or the play that continues one (R10)."""
        return event.starts_run or (event.kind == "play" and self.intent == "advance" and self.run is None)

    def makes_real(self, kind: str) -> bool:
        """Whether a run that began with `kind` may move the head now (R1)."""
        if kind in ("chosen", "undone", "reset", "marked"):
            return True
        if self.intent == "bookmark":
            return self.played_ms >= PEEK_MS
        return kind == "sought" or self.played_ms >= REAL_PLAY_MS

    def earns_credit(self, event: Event, length_ms: int) -> bool:
        """Whether the real time since the visit's previous event allows a span of `length_ms` (R9)."""
        if event.boot != self.boot:
            return True
        return length_ms <= (event.mono_ms - self.mono_ms) * event.rate + CREDIT_SLACK_MS

    def stamp(self, event: Event) -> None:
        """Remember the event's stamp as the latest of the visit."""
        self.boot, self.mono_ms = event.boot, event.mono_ms
