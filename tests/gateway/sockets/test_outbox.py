"""What waits for a slow peer: bounded, latest first, and honest about the rest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sockets.outbox import Outbox

KEYS = st.one_of(
    st.none(),
    st.sampled_from(["applied", "durable"]),
    st.integers(0, 12).map(lambda n: f"head:item-{n}"),
)


def test_a_newer_one_replaces_the_waiting_one_of_its_key() -> None:
    outbox = Outbox(heads_bytes=1000, items_max=5)
    for frame, key in (
        (b"a1", "applied"),
        (b"u1", None),
        (b"a2", "applied"),
        (b"u2", None),
        (b"h1", "head:x"),
    ):
        assert outbox.put(frame, key)
    assert outbox.frames() == [b"u1", b"a2", b"u2", b"h1"]
    assert outbox.size_bytes == 8


def test_heads_beyond_their_share_are_dropped_and_named() -> None:
    outbox = Outbox(heads_bytes=10, items_max=2)
    assert outbox.put(b"x" * 8, "head:a")
    assert outbox.put(b"x" * 8, "head:b") and outbox.put(b"y", None)
    assert outbox.dropped == {"b"}
    assert outbox.put(b"z" * 2, "head:b") and outbox.dropped == set()
    assert outbox.put(b"x" * 11, "head:c")
    assert outbox.put(b"x" * 11, "head:d")
    assert not outbox.put(b"x" * 11, "head:e"), "more is dropped than may be named"


@settings(deadline=None)
@given(st.lists(st.tuples(KEYS, st.binary(min_size=1, max_size=40))))
def test_the_latest_of_each_waits_or_is_named_and_the_size_is_right(
    puts: list[tuple[str | None, bytes]],
) -> None:
    outbox = Outbox(heads_bytes=100, items_max=1000)
    latest: dict[str, bytes] = {}
    unkeyed: list[bytes] = []
    for number, (key, body) in enumerate(puts):
        frame = number.to_bytes(2, "big") + body
        outbox.put(frame, key)
        if key is None:
            unkeyed.append(frame)
        else:
            latest[key] = frame
    waiting = outbox.frames()
    assert [frame for frame in waiting if frame in unkeyed] == unkeyed
    for key, frame in latest.items():
        named = key.startswith("head:") and key.removeprefix("head:") in outbox.dropped
        assert (frame in waiting) != named
    assert len(waiting) == len(unkeyed) + len(latest) - len(outbox.dropped)
    assert outbox.size_bytes == sum(map(len, waiting))
