"""What a socket gateway counts: plain integers on the hot path, turned into Prometheus text when asked."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PREFIX = "playhead_socket"
_COUNTED = {
    "accepted": "TCP connections accepted",
    "greeted": "connections that said hello and were let in",
    "frames_in": "messages from devices",
    "frames_out": "frames to devices",
    "bytes_in": "bytes from devices",
    "bytes_out": "bytes to devices",
    "entries_in": "journal entries from devices",
    "strikes": "refused frames",
    "media_wishes": "times a device asked how to play an item",
    "postponed": "connections told when to come back, before they were let in",
    "turned_away": "handshakes refused for load: too many connections, or pending from one address",
    "deferred": "connections whose updates were left in their journals for a while: a shard was behind",
    "discontinuities": "discontinuity messages: pushes were dropped",
    "batches": "batches answered by shards",
    "failed_batches": "calls to shards that failed and were repeated",
    "operations": "operations in answered batches",
}


class Metrics:
    """Counters of one process. `gauges` are asked when the text is made."""

    __slots__ = (*_COUNTED, "answered_in_s", "closes", "gauges", "registry", "write_buffer_max")

    accepted: int
    greeted: int
    frames_in: int
    frames_out: int
    bytes_in: int
    bytes_out: int
    entries_in: int
    strikes: int
    media_wishes: int
    postponed: int
    turned_away: int
    deferred: int
    discontinuities: int
    batches: int
    failed_batches: int
    operations: int

    def __init__(self) -> None:
        for name in _COUNTED:
            setattr(self, name, 0)
        self.closes: Counter[int] = Counter()
        self.write_buffer_max = 0
        self.gauges: dict[str, Callable[[], float]] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.answered_in_s = Histogram(
            f"{PREFIX}_ack_seconds",
            "from the first operation of a batch to its answer, window included",
            buckets=(0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1, 2, 5, 10),
            registry=self.registry,
        )

    def collect(self) -> Iterator[Metric]:
        """The families for prometheus_client."""
        for name, meaning in _COUNTED.items():
            yield CounterMetricFamily(f"{PREFIX}_{name}", meaning, value=getattr(self, name))
        closes = CounterMetricFamily(f"{PREFIX}_closes", "closes by code", labels=["code"])
        for code, count in sorted(self.closes.items()):
            closes.add_metric([str(code)], count)
        yield closes
        yield GaugeMetricFamily(
            f"{PREFIX}_write_buffer_max_bytes", "largest unsent of one socket", value=self.write_buffer_max
        )
        for name, ask in self.gauges.items():
            yield GaugeMetricFamily(f"{PREFIX}_{name}", name.replace("_", " "), value=ask())

    def text(self) -> str:
        """All of it in the Prometheus text format."""
        return generate_latest(self.registry).decode()

    def numbers(self) -> dict[str, object]:
        """The same as plain numbers."""
        counted: dict[str, object] = {name: getattr(self, name) for name in _COUNTED}
        gauges = {name: ask() for name, ask in self.gauges.items()}
        closes = {str(code): count for code, count in self.closes.items()}
        return {**counted, **gauges, "closes": closes, "write_buffer_max": self.write_buffer_max}
