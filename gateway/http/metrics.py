"""What the web gateway counts, in a registry of its own, in Prometheus' text."""

import functools

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from persistence.cache import KINDS, Cache
from persistence.postgres import Postgres

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 20.0)


class WebMetrics:
    """Requests by route and status, their time, and the state of the stores."""

    def __init__(self, postgres: Postgres, cache: Cache) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.requests = Counter(
            "playhead_web_requests",
            "Answered requests",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "playhead_web_request_seconds",
            "Time to answer",
            ["route"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.running = Gauge(
            "playhead_web_requests_running", "Requests being answered", registry=self.registry
        )
        self.actions = Counter(
            "playhead_web_actions",
            "Undo, choose and reset by what became of them",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self.refused = Counter("playhead_web_shed", "Requests refused under load", registry=self.registry)
        for name in ("hits", "misses", "failures", "poisoned"):
            gauge = Gauge(
                f"playhead_web_cache_{name}", f"Cache {name} since the start", registry=self.registry
            )
            gauge.set_function(functools.partial(getattr, cache.stats, name))
        self._count_cache_by_kind(cache)
        for name in ("size", "idle", "max"):
            gauge = Gauge(f"playhead_web_postgres_{name}", f"Connections: {name}", registry=self.registry)
            gauge.set_function(functools.partial(_connections, postgres, name))

    def _count_cache_by_kind(self, cache: Cache) -> None:
        stats = cache.stats
        rate = Gauge("playhead_web_cache_hit_rate", "Hits of all reads", ["kind"], registry=self.registry)
        reads = Gauge("playhead_web_cache_reads", "Reads since the start", ["kind"], registry=self.registry)
        for kind in KINDS:
            rate.labels(kind).set_function(functools.partial(stats.hit_rate, kind))
            reads.labels(kind).set_function(functools.partial(stats.reads, kind))

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)

    def answered(self) -> int:
        """Requests answered so far."""
        return int(
            sum(
                sample.value
                for metric in self.requests.collect()
                for sample in metric.samples
                if sample.name.endswith("_total")
            )
        )


def _connections(postgres: Postgres, name: str) -> float:
    return postgres.stats()[name]
