"""Moves slots from shard to shard while they are in use (design 5), and knows how long each was away.

A move asks the former owner to release, the next one to accept, and then tells the gateways. What has
become of a slot when one of these calls fails is not guessed but read from its lease: if nobody has it, it is
offered in turn until somebody has; if somebody has, that is where it is. So a move ends or is undone, whoever
dies in between, and a directory that was killed goes on by the same reading.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from actors.handoff import Released
from actors.metrics import MoveMetrics
from actors.slot_map import SlotMap
from persistence import leases
from persistence.errors import PlayheadError, StoreError
from persistence.postgres import Postgres

log = structlog.get_logger()

IN_FLIGHT = 3
"""Moves under way at once: each is a pause for its students and a burst of work for two shards."""

IDLE_TOGETHER = 32
"""Slots without a session in memory that move as one: nobody waits for them."""

READY_S = 3.0
RELEASE_S = 8.0
ACCEPT_S = 8.0
PUBLISH_S = 5.0
"""Deadlines of the calls. None of them is what makes a move safe."""

TRIES = 30
AGAIN_S = 0.5
"""How often a move that was undone or cut short is tried again, and after how long: a shard that was killed
is back after about two seconds."""


class NotMoved(PlayheadError):
    """Slots could not be moved: they are where they were, and served."""


@dataclass(slots=True)
class Tally:
    """What has been moved so far. `pauses_ms`: for each slot, from when its former owner stopped serving it
    until every connection of it was attached at the next one."""

    to_move: int = 0
    moved: int = 0
    in_flight: int = 0
    again: int = 0
    pauses_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Move:
    """Some slots on their way from one shard to another."""

    slots: Sequence[int]
    source: str
    target: str


class Moving:
    """Moves slots of one map. `handle(shard)` gives its actor. `publish(moved, given_back)` tells the
    gateways the map and returns when the connections of these slots have arrived, at the next shard or at the
    former.
    """

    def __init__(
        self,
        postgres: Postgres,
        slot_map: SlotMap,
        handle: Callable[[str], Any],
        publish: Callable[[Sequence[int], Sequence[int]], Awaitable[None]],
        metrics: MoveMetrics,
    ) -> None:
        self._postgres = postgres
        self._map = slot_map
        self._handle = handle
        self._publish = publish
        self._metrics = metrics

    async def run(self, wanted: Sequence[str], loads: Mapping[int, int], tally: Tally) -> None:
        """Bring every slot to the shard that is wanted for it, idle ones first. Raises `NotMoved`."""
        moves = plan(self._map.owners, wanted, loads)
        tally.to_move = sum(len(move.slots) for move in moves)
        turns = asyncio.Semaphore(IN_FLIGHT)

        async def one(move: Move) -> None:
            async with turns:
                tally.in_flight += len(move.slots)
                self._metrics.in_flight(tally.in_flight)
                try:
                    await self._move(move, tally)
                finally:
                    tally.in_flight -= len(move.slots)
                    self._metrics.in_flight(tally.in_flight)

        # One that does not succeed must not cut the others short.
        ended = await asyncio.gather(*map(one, moves), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _move(self, move: Move, tally: Tally) -> None:
        left = list(move.slots)
        for _ in range(TRIES):
            await self._try(Move(left, move.source, move.target), tally)
            left = [slot for slot in left if self._map.owners[slot] != move.target]
            if not left:
                return
            tally.again += 1
            await asyncio.sleep(AGAIN_S)
        raise NotMoved(
            f"slots {left} stay on {move.source}: {move.target} did not take them, or what they hold could "
            "not be written; see the log, then run the same again"
        )

    async def _try(self, move: Move, tally: Tally) -> None:
        """One try. Whatever happens in it, afterwards the map says where these slots are."""
        loop = asyncio.get_running_loop()
        released: list[Released] = []
        taken: dict[int, int] = {}
        released_s = loop.time()
        try:
            async with asyncio.timeout(READY_S):
                # Nothing is taken from anybody for a shard that cannot have it.
                await self._handle(move.target).own.remote([], self._map.version)
            async with asyncio.timeout(RELEASE_S):
                released = await self._handle(move.source).release.remote(list(move.slots))
            released_s = loop.time()
            if released:
                async with asyncio.timeout(ACCEPT_S):
                    taken = await self._handle(move.target).accept.remote(released)
                self._map.assign(taken, move.target)
            if len(released) < len(move.slots) or len(taken) < len(released):
                await self._find(move)
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the leases say what has happened
            log.warning("move_cut_short", source=move.source, target=move.target, error=_said(error))
            await self._find(move)
        moved = [slot for slot in move.slots if self._map.owners[slot] == move.target]
        # What was given back has lost its connections as well.
        await self._publish(moved, [one.slot for one in released if one.slot not in moved])
        self._count(moved, released, loop.time() - released_s, tally)

    def _count(
        self, moved: Iterable[int], released: Sequence[Released], since_s: float, tally: Tally
    ) -> None:
        frozen_s = {one.slot: one.frozen_s for one in released}
        for slot in moved:
            pause_s = frozen_s.get(slot, 0.0) + since_s
            tally.moved += 1
            tally.pauses_ms.append(round(1000 * pause_s, 1))
            self._metrics.moved(pause_s)

    async def _find(self, move: Move) -> None:
        """Read from the leases who has the slots; what nobody has is offered until somebody has it."""
        offered_to = 0
        while True:
            try:
                known = await leases.owners(self._postgres)
            except StoreError as error:
                log.warning("leases_not_read", error=str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            by_owner: dict[str, list[int]] = defaultdict(list)
            for slot in move.slots:
                by_owner[known[slot][0]].append(slot)
            adrift = by_owner.pop("", [])
            for owner, slots in by_owner.items():
                self._map.assign(slots, owner)
            if not adrift:
                return
            shard = (move.target, move.source)[offered_to % 2]
            offered_to += 1
            await self._offer(shard, [Released(slot, known[slot][1]) for slot in adrift])

    async def _offer(self, shard: str, adrift: list[Released]) -> None:
        try:
            async with asyncio.timeout(ACCEPT_S):
                await self._handle(shard).accept.remote(adrift)
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the other one is asked next
            log.warning("slots_adrift", shard=shard, slots=[one.slot for one in adrift], error=_said(error))
            await asyncio.sleep(AGAIN_S)


def plan(owners: Sequence[str], wanted: Sequence[str], loads: Mapping[int, int]) -> list[Move]:
    """The moves from one map to another: idle slots first and many at once, then the others, each alone, the
    least busy ones first."""
    idle: dict[tuple[str, str], list[int]] = defaultdict(list)
    busy: list[Move] = []
    changed = [slot for slot, owner in enumerate(owners) if owner != wanted[slot]]
    for slot in sorted(changed, key=lambda slot: loads.get(slot, 0)):
        ways = owners[slot], wanted[slot]
        if loads.get(slot, 0):
            busy.append(Move([slot], *ways))
        else:
            idle[ways].append(slot)
    together = [
        Move(slots[start : start + IDLE_TOGETHER], *ways)
        for ways, slots in idle.items()
        for start in range(0, len(slots), IDLE_TOGETHER)
    ]
    return together + busy


def _said(error: BaseException) -> str:
    return repr(error)[:200]
