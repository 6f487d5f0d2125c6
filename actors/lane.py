"""One lane from a caller to a Ray actor: bounded, one batch in flight, the next collects meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from persistence.errors import PlayheadError

T = TypeVar("T")

LOOK_S = 0.005
"""How long whoever waits lets pass, at the least, before looking again."""

CALLS_PER_S, CALLS_AT_ONCE = 24.0, 8
"""Calls that all lanes of a process make together without waiting for more to send: a call of an actor takes
about 1.5 ms of CPU on either side whatever it carries (Ray 2.60), an update some 50 us on both."""

WORTH_A_CALL = 400
"""Items that share the price of a call well enough."""

SLOW_S = 2.0
"""A batch whose answer takes longer is followed by one of half the size, down to `WORTH_A_CALL`: an actor
that cannot keep up must not miss the deadline of a call as well, for then it does the same work twice."""

log = structlog.get_logger()


class LaneFull(PlayheadError):
    """The lane holds as much as it may: the caller sheds load or tells its peer to come back later."""


class Pace:
    """How many calls the lanes of one process may make before they have to wait for more items.

    Few lanes with little to say never notice: there is always a call left. When many updates or many lanes
    ask for more calls than that, batches grow instead.
    """

    __slots__ = ("_at_s", "_calls", "_calls_per_s")

    def __init__(self, calls_per_s: float = CALLS_PER_S) -> None:
        self._calls_per_s = calls_per_s
        self._calls = float(CALLS_AT_ONCE)
        self._at_s = 0.0

    def take(self, now_s: float) -> bool:
        """Take a call; False if there is none left at the moment."""
        self._calls = min(self._calls + (now_s - self._at_s) * self._calls_per_s, CALLS_AT_ONCE)
        self._at_s = now_s
        if self._calls < 1.0:
            return False
        self._calls -= 1.0
        return True


class Lane(Generic[T]):
    """Sends items in batches, in order, each batch until it is answered.

    `send(batch)` is one call with its own deadline; when it raises, the same batch is sent again after a
    pause, because a call that failed may have run: receivers decide by sequence numbers (design 3).
    `on_trouble(error)` hears of each failed call. A batch collects for `window_s` from its first item; when
    the process has no call left in its `pace`, until it is worth one, at most for `patience_s`. It holds
    `batch_max` items at most, fewer while answers are slow.
    """

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[None]],
        *,
        window_s: float = 0.02,
        patience_s: float = 0.08,
        pace: Pace | None = None,
        batch_max: int = 2000,
        capacity: int = 100_000,
        retry_s: tuple[float, float] = (0.05, 1.0),
        on_trouble: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._send = send
        self._window_s = window_s
        self._patience_s = patience_s
        self._pace = pace or Pace()
        self._first_s = 0.0
        self._nudged = False
        self._hurried = False
        self._batch_max = self.batch_now = batch_max
        self._capacity = capacity
        self._retry_s = retry_s
        self._on_trouble = on_trouble
        self._waiting: list[T] = []
        self._in_flight: list[T] = []
        self._ready = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._task: asyncio.Task[None] | None = None
        self._gone = 0
        self.sent_batches = 0
        self.sent_items = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def room(self) -> int:
        """How many more it takes now."""
        return max(0, self._capacity - len(self._waiting))

    def start(self) -> None:
        """Begin to send; the lane owns its task until `stop`."""
        self._task = asyncio.create_task(self._run())

    def put(self, item: T) -> None:
        """Queue an item. Raises `LaneFull` at capacity."""
        if len(self._waiting) >= self._capacity:
            raise LaneFull(f"{len(self._waiting)} items wait for an actor that does not answer; try later")
        if not self._waiting:
            self._begin()
        self._waiting.append(item)

    def put_back(self, items: list[T]) -> None:
        """Items that were taken out, before all that waits; the caller sees to it that there is `room`."""
        if items and not self._waiting:
            self._begin()
        self._waiting[:0] = items

    def _begin(self) -> None:
        self._first_s = asyncio.get_running_loop().time()
        self._settled.clear()
        self._ready.set()

    def nudge(self) -> None:
        """Send a batch soon even if nothing waits: an empty one asks the actor whether it still knows us."""
        self._nudged = True
        self._settled.clear()
        self._ready.set()

    def hurry(self) -> None:
        """Do not save calls with the next batch: somebody waits."""
        self._hurried = True

    def take(self, most: int) -> list[T]:
        """Take out up to so many of those that wait, to bring them another way; none while others are on
        their way here, or they would be overtaken."""
        if self._in_flight:
            return []
        taken = self._waiting[:most]
        del self._waiting[:most]
        self._gone += len(taken)
        return taken

    async def settled(self) -> None:
        """Wait until nothing waits and nothing is in flight; the caller bounds the wait."""
        await self._settled.wait()

    async def passed(self) -> None:
        """Wait until all that was put so far is answered or went another way, whatever comes after it; the
        caller bounds the wait."""
        until = self._gone + len(self._in_flight) + len(self._waiting)
        while self._gone < until:  # noqa: ASYNC110 - others pass before and after what is waited for
            await asyncio.sleep(LOOK_S)

    def recall(self, belongs: Callable[[T], bool]) -> list[T]:
        """What of these items has no answer, in order. Those that wait are not sent here any more; those in
        flight may have arrived, so that whoever gets the copies decides by sequence numbers."""
        return [*filter(belongs, self._in_flight), *self.withdraw(belongs)]

    def withdraw(self, belongs: Callable[[T], bool]) -> list[T]:
        """Take out what of these items waits, in order."""
        withdrawn = [item for item in self._waiting if belongs(item)]
        if withdrawn:
            self._waiting = [item for item in self._waiting if not belongs(item)]
            self._gone += len(withdrawn)
        return withdrawn

    async def stop(self) -> None:
        """Stop sending; what still waits is dropped (the journals of the devices have it)."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await self._ready.wait()
            await self._collect()
            self._hurried = False
            batch = self._waiting[: self.batch_now]
            del self._waiting[: len(batch)]
            if not self._waiting:
                self._ready.clear()
            if batch or self._nudged:
                self._nudged = False
                self._in_flight = batch
                await self._send_until_answered(batch)
                self._in_flight = []
                self.sent_batches += 1
                self.sent_items += len(batch)
                self._gone += len(batch)
            if not self._ready.is_set():
                self._settled.set()

    async def _collect(self) -> None:
        """Give the next batch its time; it began with its first item, perhaps while another was away."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        # Whoever only nudges has no first item.
        first_s = self._first_s if self._waiting else now_s
        until_s, patience_s = first_s + self._window_s, first_s + self._patience_s
        while len(self._waiting) < WORTH_A_CALL:
            await asyncio.sleep(max(until_s - now_s, 0.0))
            now_s = loop.time()
            taken_away = not (self._waiting or self._nudged)
            if taken_away or self._pace.take(now_s) or self._hurried or now_s >= patience_s:
                return
            until_s = min(now_s + max(self._window_s, LOOK_S), patience_s)

    async def _send_until_answered(self, batch: list[T]) -> None:
        pause_s, longest_s = self._retry_s
        loop = asyncio.get_running_loop()
        while True:
            asked_s = loop.time()
            try:
                await self._send(batch)
                self._learn(len(batch), loop.time() - asked_s)
                return
            except Exception as error:  # noqa: BLE001 - whatever Ray raises, the batch is sent again
                log.warning("lane_call_failed", error=repr(error)[:300], items=len(batch))
                self._learn(len(batch), loop.time() - asked_s)
                if self._on_trouble is not None:
                    self._on_trouble(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, longest_s)

    def _learn(self, items: int, took_s: float) -> None:
        """Smaller batches for an actor that is slow, larger ones step by step when it is not."""
        if took_s > SLOW_S:
            self.batch_now = min(self.batch_now, max(WORTH_A_CALL, items // 2))
        elif items >= self.batch_now and took_s < SLOW_S / 4:
            self.batch_now = min(self._batch_max, self.batch_now + self.batch_now // 4 + 1)
