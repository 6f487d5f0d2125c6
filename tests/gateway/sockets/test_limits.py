"""The bucket lets the rate through, and the announced limits are those of the settings."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sockets.limits import SocketLimits, TokenBucket


@settings(deadline=None)
@given(st.lists(st.floats(0, 3, allow_nan=False), max_size=200), st.floats(0.5, 50), st.integers(1, 60))
def test_never_more_than_burst_and_rate(pauses: list[float], rate: float, burst: int) -> None:
    now = 1000.0
    bucket = TokenBucket(burst, now)
    taken = 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now, rate, burst)
    assert taken <= burst + (now - 1000.0) * rate + 1e-6


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(3, 0.0)
    assert [bucket.take(0.0, 2.0, 3) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5, 2.0, 3), bucket.take(0.5, 2.0, 3)] == [True, False]
    assert [bucket.take(100.0, 2.0, 3) for _ in range(4)] == [True, True, True, False]


def test_what_is_announced_is_what_holds() -> None:
    limits = SocketLimits(frame_bytes=1000, messages_per_s=3.5, heartbeat_ms=7)
    announced = limits.announced()
    assert (announced.frame_bytes, announced.messages_per_s, announced.heartbeat_ms) == (1000, 3.5, 7)
    assert announced.events_per_message == limits.events_per_message == 500
