"""What a shard shows in Ray's metrics: sessions, updates, durable lag and batch size, tagged by shard."""

from ray.util.metrics import Counter, Gauge, Histogram

BATCH_SIZES = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0]


class ShardMetrics:
    """The metrics of one shard. Batch sizes are kept and handed over once a second, not call by call."""

    def __init__(self, shard: str) -> None:
        tags = {"shard": shard}

        def gauge(name: str, description: str) -> Gauge:
            made = Gauge(name, description, ("shard",))
            made.set_default_tags(tags)
            return made

        self._sessions = gauge("playhead_sessions", "Sessions in memory")
        self._connections = gauge("playhead_connections", "Connections attached")
        self._lag = gauge("playhead_durable_lag_seconds", "Age of the oldest change not yet durable")
        self._updates = Counter("playhead_updates", "Journal entries received", ("shard",))
        self._rows = Counter("playhead_checkpoint_rows", "Progress rows written", ("shard",))
        self._batch = Histogram("playhead_batch_size", "Operations a batch", BATCH_SIZES, ("shard",))
        for metric in (self._updates, self._rows, self._batch):
            metric.set_default_tags(tags)
        self._sizes: list[int] = []
        self._seen = [0, 0]

    def batch(self, operations: int) -> None:
        """A batch of so many operations has run; 0 asks only whether the shard still knows its callers."""
        if operations:
            self._sizes.append(operations)

    def observe(self, sessions: int, connections: int, updates: int, lag_s: float, rows: int) -> None:
        """Hand the figures to Ray; counters are totals since the shard started."""
        self._sessions.set(sessions)
        self._connections.set(connections)
        self._lag.set(lag_s)
        for counter, total, place in ((self._updates, updates, 0), (self._rows, rows, 1)):
            if total > self._seen[place]:
                counter.inc(total - self._seen[place])
                self._seen[place] = total
        for size in self._sizes:
            self._batch.observe(size)
        self._sizes.clear()


PAUSES_S = [0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 2.0, 5.0]


class MoveMetrics:
    """What the directory shows in Ray's metrics of slots that move."""

    def __init__(self) -> None:
        self._moves = Counter("playhead_slot_moves", "Slots moved from shard to shard")
        self._pause = Histogram("playhead_slot_pause_seconds", "How long a moved slot was away", PAUSES_S)
        self._in_flight = Gauge("playhead_slot_moves_in_flight", "Slots on their way")

    def moved(self, pause_s: float) -> None:
        """A slot has arrived."""
        self._moves.inc()
        self._pause.observe(pause_s)

    def in_flight(self, slots: int) -> None:
        """So many are on their way."""
        self._in_flight.set(slots)
