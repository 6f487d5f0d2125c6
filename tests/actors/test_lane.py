"""When a batch leaves: soon while calls are plenty, worth its call when they are scarce, never too late."""

import asyncio

import pytest

from actors import lane as lanes
from actors.lane import CALLS_AT_ONCE, CALLS_PER_S, WORTH_A_CALL, Lane, Pace

NEVER_S = 3600.0


class Spent(Pace):
    """A pace with no call left; `asked` counts, `looked` is set at the third look."""

    __slots__ = ("asked", "looked")

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.looked = asyncio.Event()

    def take(self, now_s: float) -> bool:
        self.asked += 1
        if self.asked == 3:
            self.looked.set()
        return False


class Sent:
    """What a lane has sent, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def send(self, batch: list[int]) -> None:
        self.batches.append(batch)


def test_a_pace_gives_some_calls_at_once_and_then_so_many_a_second() -> None:
    pace = Pace()
    assert [pace.take(100.0) for _ in range(CALLS_AT_ONCE + 1)] == [True] * CALLS_AT_ONCE + [False]
    assert pace.take(100.0 + 1.01 / CALLS_PER_S) and not pace.take(100.0 + 1.02 / CALLS_PER_S)
    assert [pace.take(1e6) for _ in range(CALLS_AT_ONCE + 1)] == [True] * CALLS_AT_ONCE + [False]


async def test_a_lane_with_calls_left_waits_for_its_window_only() -> None:
    sent = Sent()
    lane = Lane(sent.send, window_s=0.001, patience_s=NEVER_S)
    lane.start()
    lane.put(1)
    async with asyncio.timeout(5):
        await lane.settled()
    await lane.stop()
    assert sent.batches == [[1]]


async def test_without_a_call_left_a_batch_grows_until_it_is_worth_one() -> None:
    sent, pace = Sent(), Spent()
    lane = Lane(sent.send, window_s=0.001, patience_s=NEVER_S, pace=pace)
    lane.start()
    lane.put(0)
    async with asyncio.timeout(5):
        await pace.looked.wait()
        assert sent.batches == []
        for item in range(1, WORTH_A_CALL):
            lane.put(item)
        await lane.settled()
    await lane.stop()
    assert sent.batches == [list(range(WORTH_A_CALL))]


async def test_without_a_call_left_nothing_waits_longer_than_the_patience() -> None:
    sent, pace = Sent(), Spent()
    lane = Lane(sent.send, window_s=0.001, patience_s=0.02, pace=pace)
    lane.start()
    lane.put(1)
    async with asyncio.timeout(5):
        await lane.settled()
    await lane.stop()
    assert sent.batches == [[1]] and pace.asked > 1


async def test_what_waits_behind_a_worthy_batch_leaves_with_the_next_ones() -> None:
    sent = Sent()
    lane = Lane(sent.send, window_s=0.001, patience_s=0.002, pace=Spent(), batch_max=WORTH_A_CALL)
    lane.start()
    for item in range(2 * WORTH_A_CALL + 1):
        lane.put(item)
    async with asyncio.timeout(5):
        await lane.settled()
    await lane.stop()
    assert [len(batch) for batch in sent.batches] == [WORTH_A_CALL, WORTH_A_CALL, 1]


async def test_a_nudge_sends_a_batch_of_nothing() -> None:
    sent = Sent()
    lane = Lane(sent.send, window_s=0.001)
    lane.start()
    lane.nudge()
    async with asyncio.timeout(5):
        await lane.settled()
    await lane.stop()
    assert sent.batches == [[]]


async def test_slow_answers_make_batches_smaller_and_quick_ones_larger_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "SLOW_S", 0.0)
    sent = Sent()
    lane = Lane(sent.send, window_s=0.0)
    for item in range(3000):
        lane.put(item)
    lane.start()
    async with asyncio.timeout(5):
        await lane.settled()
        monkeypatch.setattr(lanes, "SLOW_S", NEVER_S)
        for item in range(3000, 4500):
            lane.put(item)
        await lane.settled()
    await lane.stop()
    assert [len(batch) for batch in sent.batches] == [2000, 1000, 500, 626, 374]
    assert [item for batch in sent.batches for item in batch] == list(range(4500))
