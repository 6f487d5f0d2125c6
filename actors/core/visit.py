"""A visit: what one open player has done from open to close, and whether that makes a run real (R1)."""

from dataclasses import dataclass

from actors.core.events import Event
from actors.core.run import ADVANCE, AUTO, EXPLICIT, Run

REAL_PLAY_MS = 5_000
"""Content played in the visit that makes its run real (docs/sync.md, constants)."""

PEEK_MS = 60_000
"""A visit opened at a bookmark is a peek until it has played this much (docs/sync.md, constants)."""

CREDIT_SLACK_MS = 2_000
"""Content may outrun wall time by this much, once, before the credit of a span is refused (R9, W19)."""

UNSTAMPED_MS = 12_000
"""Real time granted to the first span of a visit whose opening is not at hand: one beat and some."""


@dataclass(slots=True)
class Visit:
    """One session of one device in one item.

    `mono_ms` within `boot` is the stamp up to which play has been credited, `slack_ms` what is left of the
    allowance; `run` is the sequence number of the action that began the run in progress, 0 if none.
    """

    session: str
    item: str
    intent: str = "resume"
    played_ms: int = 0
    boot: str = ""
    mono_ms: int = 0
    slack_ms: int = CREDIT_SLACK_MS
    run: int = 0

    def run_kind(self, event: Event) -> str:
        """The kind of run the event begins here, "" if none (docs/sync.md, "Run"; R10)."""
        if event.starts_run:
            return event.kind
        if event.kind == "play":
            return ADVANCE if self.intent == "advance" and not self.run else AUTO
        return ""

    def makes_real(self, run: Run) -> bool:
        """Whether the run may move the head now (R1)."""
        if run.kind == AUTO:
            return False
        if run.kind in EXPLICIT and run.kind != "sought":
            return True
        if self.intent == "bookmark" and self.played_ms < PEEK_MS:
            return False
        if run.kind == "sought":
            return True
        return bool(run.log) and self.played_ms >= REAL_PLAY_MS

    def credits(self, event: Event, length_ms: int) -> bool:
        """Whether the real time since the latest span allows one of this length; takes it if so (R9)."""
        passed_ms = event.mono_ms - self.mono_ms if event.boot == self.boot else UNSTAMPED_MS
        allowed_ms = self.slack_ms + round(passed_ms * event.rate)
        credited = length_ms <= allowed_ms
        left_ms = allowed_ms - length_ms if credited else allowed_ms
        self.slack_ms = max(0, min(CREDIT_SLACK_MS, left_ms))
        return credited

    def stamp(self, event: Event) -> None:
        """Remember the event's stamp: play up to here has been credited or refused."""
        self.boot, self.mono_ms = event.boot, event.mono_ms
