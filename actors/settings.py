"""Settings of the live layer, built once at the entry; nothing below reads the environment."""

from dataclasses import dataclass

NAMESPACE = "playhead"
"""Ray namespace of all named actors."""

DIRECTORY = "directory"
"""Actor name of the directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSettings:
    """How a shard works. Times in s.

    `checkpoint_interval_s` is how long plain playing waits for its checkpoint (design 4.5: 30 s at the
    latest, the statement's own time included); `flush_after_s` how long pause, seek and close wait.
    `checkpoint_rows` is how many students one statement carries: about 10 ms of work in one piece.
    """

    postgres_dsn: str
    connections: int = 2
    checkpoint_interval_s: float = 26.0
    flush_after_s: float = 0.5
    checkpoint_rows: int = 250
    idle_eviction_s: float = 120.0
    catalogue_ttl_s: float = 60.0
    call_deadline_s: float = 5.0
    window_s: float = 0.02
    patience_s: float = 0.12
    lane_outcomes: int = 100_000
