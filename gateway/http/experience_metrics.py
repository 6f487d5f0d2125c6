"""How playing goes, as figures for Prometheus: by quality, never by video or student."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.http.cmcd import Cmcd
from persistence.experience import Happening

START_BUCKETS_S = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
THROUGHPUT_BUCKETS_KBPS = (300, 700, 1500, 3000, 6000, 12_000, 25_000, 100_000)

LADDER = ("144p", "240p", "360p", "480p", "720p", "1080p", "1440p", "2160p")
QUALITIES = frozenset({*LADDER, "mp4", "offline"})
"""What a label may say; a browser could name anything, and each name costs memory for good (rule 13)."""


class ExperienceMetrics:
    """Counted when an event is taken in, whatever becomes of its row."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"playhead_experience_{name}", meaning, labels, registry=registry)

        self.events = counter("events", "What players told, by what became of it", "outcome")
        self.watched_s = counter("watched_seconds", "Content played", "quality")
        self.stalls = counter("stalls", "Times the buffer ran empty while playing", "quality")
        self.stalled_s = counter("stalled_seconds", "Time the buffer was empty while playing", "quality")
        self.switches = counter("switches", "Changes of quality", "direction")
        self.errors = counter("errors", "Errors of players; a fatal one ended the play", "quality", "fatal")
        self.frames = counter("frames", "Video frames", "fate")
        self.start_s = Histogram(
            "playhead_experience_start_seconds",
            "From pressing play to the first frame",
            ["quality"],
            buckets=START_BUCKETS_S,
            registry=registry,
        )
        self.waiting = Gauge("playhead_experience_waiting", "Rows not yet written", registry=registry)
        self.requests = Counter(
            "playhead_cmcd_requests", "Playlists asked for with CMCD headers", ["starved"], registry=registry
        )
        self.throughput_kbps = Histogram(
            "playhead_cmcd_throughput_kbps",
            "Throughput players measured",
            buckets=THROUGHPUT_BUCKETS_KBPS,
            registry=registry,
        )
        # So that a rule which divides finds a zero instead of nothing.
        for fatal in ("true", "false"):
            self.errors.labels("other", fatal)
        for outcome in ("taken", "refused", "dropped", "lost"):
            self.events.labels(outcome)

    def happened(self, one: Happening) -> None:
        """Count one event."""
        quality = label(one.quality)
        seconds = one.duration_ms / 1000
        match one.kind:
            case "start":
                self.start_s.labels(quality).observe(seconds)
            case "stall":
                self.stalls.labels(quality).inc()
                self.stalled_s.labels(quality).inc(seconds)
            case "watched":
                self.watched_s.labels(quality).inc(seconds)
            case "switch":
                self.switches.labels(direction(one.from_quality, one.quality)).inc()
            case "error":
                # The same error is told once, with how often it came; a play ends once, whatever is told.
                times = 1 if one.fatal else max(1, one.count)
                self.errors.labels(quality, "true" if one.fatal else "false").inc(times)
            case "frames":
                self.frames.labels("dropped").inc(one.count)
                self.frames.labels("shown").inc(one.total)

    def told(self, said: Cmcd | None) -> None:
        """Count what a player said with a request."""
        if said is None:
            return
        self.requests.labels("true" if said.starved else "false").inc()
        if said.throughput_kbps is not None:
            self.throughput_kbps.observe(said.throughput_kbps)


def label(quality: str) -> str:
    """The quality as a label."""
    return quality if quality in QUALITIES else "other"


def direction(before: str, now: str) -> str:
    """`up`, `down` or `other`."""
    if before not in LADDER or now not in LADDER or before == now:
        return "other"
    return "up" if LADDER.index(now) > LADDER.index(before) else "down"
