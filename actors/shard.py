"""The shard: one process with thousands of session actors, a Ray shell around `Residents`.

It loads what a batch needs (many students in one query), runs the batch without an await, answers the
calling gateway, and pushes the rest to the other gateways. Everything it acknowledges as durable has been
committed under its slot's epoch; when a write shows a newer epoch it acknowledges nothing more and exits.
"""

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from actors.at_rest import items_from, session_from
from actors.batch import Moved, Operation, Outcome, Outcomes, batch_decoder, encoder
from actors.checkpointer import Checkpointer
from actors.core.item import Item
from actors.core.placement import slot_of
from actors.lane import Lane, LaneFull
from actors.metrics import ShardMetrics
from actors.named import named_actor
from actors.residents import Residents, Turn, needed_items
from actors.settings import ShardSettings
from persistence import checkpoints, leases, sessions
from persistence.errors import Fenced, StoreUnavailable
from persistence.migrate import ensure_months
from persistence.postgres import Postgres, PostgresSettings, open_postgres

log = structlog.get_logger()

EXIT_FENCED = 70
"""Exit status of a shard that a newer incarnation has replaced (sysexits: internal software error)."""

UPKEEP_S = 1.0
MONTHS_EVERY_S = 6 * 3600.0
"""How often the coming monthly partitions are made sure of; a shard may live for months."""

GATEWAY_GIVE_UP = 3
"""Calls to a gateway that may fail before the shard forgets its connections; they attach again."""


def now_ms() -> int:
    """Server time, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Shard:
    """One shard. Methods are called through Ray, see actors/named.py."""

    def __init__(
        self, name: str, settings: ShardSettings, set_up_logs: Callable[[], None] | None = None
    ) -> None:
        if set_up_logs is not None:
            set_up_logs()
        self.name = name
        self.settings = settings
        self.life = uuid.uuid4().hex
        self._catalogue: dict[str, Item] = {}
        self._catalogue_ms: dict[str, int] = {}
        self._residents = Residents(self._catalogue)
        self._epochs: dict[int, int] = {}
        self._map_version = 0
        self._lanes: dict[str, Lane[Outcome]] = {}
        self._gateways: dict[str, Any] = {}
        self._failures: dict[str, int] = {}
        self._starting = asyncio.Lock()
        self._loading: dict[str, asyncio.Future[None]] = {}
        self._postgres: Postgres | None = None
        self._checkpointer: Checkpointer | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._metrics = ShardMetrics(name)
        self._updates = 0
        self._batches = 0

    async def own(self, slots: list[int], map_version: int) -> dict[int, int]:
        """Take these slots; gives their epochs. State of them is loaded only after this commits."""
        postgres = await self._started()
        self._map_version = map_version
        missing = [slot for slot in slots if slot not in self._epochs]
        if missing:
            self._epochs.update(await leases.take(postgres, missing, self.name))
        return {slot: self._epochs[slot] for slot in slots}

    async def apply(self, blob: bytes) -> bytes:
        """Carry out a `Batch`; gives the `Outcomes` for the gateway that called."""
        postgres = await self._started()
        batch = batch_decoder.decode(blob)
        here, away = self._split(batch.operations)
        await self._prepare(postgres, here)
        turn = self._residents.run(batch.gateway, batch.life, here, now_ms())
        self._batches += 1
        self._updates += turn.entries
        self._metrics.batch(len(batch.operations))
        for student in turn.dirty:
            self._mark(student, student in turn.urgent)
        own = turn.outcomes.pop(batch.gateway, [])
        if away:
            own.append(Moved([operation.conn for operation in away], self._map_version))
        self._push(turn)
        return encoder.encode(Outcomes(self.name, self.life, own))

    async def stats(self) -> dict[str, float | int | str]:
        """Figures of this shard, for `playhead status` and the directory."""
        checkpointer = self._checkpointer
        return {
            "name": self.name,
            "life": self.life,
            "pid": os.getpid(),
            "slots": len(self._epochs),
            "sessions": len(self._residents),
            "connections": self._residents.connections,
            "updates": self._updates,
            "batches": self._batches,
            "durable_lag_s": round(checkpointer.lag_s(), 2) if checkpointer else 0.0,
            "dirty": checkpointer.waiting() if checkpointer else 0,
            "statements": checkpointer.statements if checkpointer else 0,
            "rows": checkpointer.rows if checkpointer else 0,
            "failures": checkpointer.failures if checkpointer else 0,
            "quarantined": checkpointer.quarantined if checkpointer else 0,
        }

    async def drain(self, timeout_s: float) -> bool:
        """Write everything that is only in memory; True if all of it is durable."""
        return await self._checkpointer.flush(timeout_s) if self._checkpointer else True

    async def _started(self) -> Postgres:
        if self._postgres is not None:
            return self._postgres
        async with self._starting:
            return self._postgres or await self._start()

    async def _start(self) -> Postgres:
        settings = self.settings
        postgres = await open_postgres(
            PostgresSettings(settings.postgres_dsn, f"playhead {self.name}", 1, settings.connections)
        )
        slots = await leases.owned(postgres, self.name)
        self._epochs.update(await leases.take(postgres, slots, self.name) if slots else {})
        self._checkpointer = Checkpointer(
            settings,
            self._residents,
            self._catalogue,
            self._epochs,
            lambda checkpoint: checkpoints.write(postgres, checkpoint),
            self._committed,
            self._exit_fenced,
        )
        self._checkpointer.start()
        self._upkeep = asyncio.create_task(self._upkeep_for_ever(postgres, self._checkpointer))
        self._postgres = postgres
        log.info("shard_started", shard=self.name, slots=len(self._epochs), life=self.life)
        return postgres

    def _mark(self, student: str, urgent: bool) -> None:
        assert self._checkpointer is not None
        self._checkpointer.mark(student, slot_of(student), urgent)

    def _split(self, operations: list[Operation]) -> tuple[list[Operation], list[Operation]]:
        here: list[Operation] = []
        away: list[Operation] = []
        for operation in operations:
            (here if slot_of(operation.student) in self._epochs else away).append(operation)
        return here, away

    async def _prepare(self, postgres: Postgres, operations: list[Operation]) -> None:
        """Load the students and items the operations name, until all are here at the same moment."""
        students = {operation.student for operation in operations}
        items = needed_items(operations)
        while True:
            strangers = [student for student in students if student not in self._residents]
            unknown = [item for item in items if self._outdated(item)]
            if not strangers and not unknown:
                return
            await asyncio.gather(self._activate(postgres, strangers), self._learn(postgres, unknown))

    async def _activate(self, postgres: Postgres, students: list[str]) -> None:
        """Load students, each once even when several batches wait for them."""
        waiting = [self._loading[student] for student in students if student in self._loading]
        fresh = [student for student in students if student not in self._loading]
        if fresh:
            loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._loading.update(dict.fromkeys(fresh, loaded))
            try:
                stored = await sessions.load(postgres, fresh)
                for student in fresh:
                    epoch = self._epochs[slot_of(student)]
                    self._residents.admit(session_from(student, stored[student], epoch), now_ms())
            finally:
                for student in fresh:
                    del self._loading[student]
                loaded.set_result(None)
        if waiting:
            await asyncio.wait(waiting, timeout=self.settings.call_deadline_s)

    def _outdated(self, item: str) -> bool:
        known_ms = self._catalogue_ms.get(item)
        return known_ms is None or now_ms() - known_ms > self.settings.catalogue_ttl_s * 1000

    async def _learn(self, postgres: Postgres, ids: list[str]) -> None:
        """Load items; one that is known already may go on as it was while Postgres is away."""
        if not ids:
            return
        try:
            found = items_from(await sessions.load_items(postgres, ids))
        except StoreUnavailable:
            if any(item not in self._catalogue for item in ids):
                raise
            found = {item: self._catalogue[item] for item in ids}
        self._catalogue.update(found)
        for item in ids:
            self._catalogue_ms[item] = now_ms()

    def _committed(self, student: str, watermarks: Mapping[str, int]) -> None:
        self._push(self._residents.acknowledge(student, watermarks))

    def _push(self, turn: Turn) -> None:
        for gateway, outcomes in turn.outcomes.items():
            lane = self._lanes.get(gateway)
            if lane is None:  # an empty lane is falsy
                lane = self._open_lane(gateway)
            with contextlib.suppress(LaneFull):
                # Live push may be dropped under pressure; the truth can be pulled (design 4.6).
                for outcome in outcomes:
                    lane.put(outcome)

    def _open_lane(self, gateway: str) -> Lane[Outcome]:
        async def send(outcomes: list[Outcome]) -> None:
            await self._deliver(gateway, outcomes)

        lane = self._lanes[gateway] = Lane(send, window_s=self.settings.window_s)
        lane.start()
        return lane

    async def _deliver(self, gateway: str, outcomes: list[Outcome]) -> None:
        """One push to a gateway; after three failures in a row its connections are forgotten."""
        try:
            blob = encoder.encode(Outcomes(self.name, self.life, outcomes))
            async with asyncio.timeout(self.settings.call_deadline_s):
                if gateway not in self._gateways:
                    self._gateways[gateway] = await named_actor(gateway)
                await self._gateways[gateway].deliver.remote(blob)
            self._failures.pop(gateway, None)
        except Exception:
            self._gateways.pop(gateway, None)
            self._failures[gateway] = self._failures.get(gateway, 0) + 1
            if self._failures[gateway] < GATEWAY_GIVE_UP:
                raise
            log.warning("gateway_forgotten", gateway=gateway, shard=self.name)
            turn = Turn()
            self._residents.forget(gateway, now_ms(), turn)
            turn.outcomes.pop(gateway, None)
            self._push(turn)

    async def _upkeep_for_ever(self, postgres: Postgres, checkpointer: Checkpointer) -> None:
        """Once a second; what goes wrong is logged and tried again, the task never ends by itself."""
        months_due = time.monotonic() + MONTHS_EVERY_S
        while True:
            await asyncio.sleep(UPKEEP_S)
            try:
                self._upkeep_once(checkpointer)
                if time.monotonic() >= months_due:
                    months_due = time.monotonic() + MONTHS_EVERY_S
                    await ensure_months(postgres)
            except Exception:
                log.exception("upkeep_failed", shard=self.name)

    def _upkeep_once(self, checkpointer: Checkpointer) -> None:
        self._push(self._residents.close_gaps(now_ms()))
        self._residents.evict_idle(now_ms(), round(self.settings.idle_eviction_s * 1000))
        self._metrics.observe(
            len(self._residents),
            self._residents.connections,
            self._updates,
            checkpointer.lag_s(),
            checkpointer.rows,
        )

    def _exit_fenced(self, error: Fenced) -> None:
        log.error("shard_fenced", shard=self.name, error=str(error))
        os._exit(EXIT_FENCED)
