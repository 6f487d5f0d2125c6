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
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from ray.exceptions import ActorDiedError

from actors.actions import Actions
from actors.activation import Activation
from actors.batch import (
    Acted,
    Attach,
    Close,
    Deliver,
    Moved,
    Operation,
    Outcome,
    Outcomes,
    PullHeads,
    Reattach,
    act_decoder,
    batch_decoder,
    encoder,
)
from actors.checkpointer import Checkpointer
from actors.core.item import Item
from actors.core.placement import slot_of
from actors.dropped import Dropped
from actors.garbage import Garbage
from actors.handoff import Handoff, Released
from actors.lane import Lane, LaneFull, Pace
from actors.metrics import ShardMetrics
from actors.named import named_actor
from actors.nodes import footprint
from actors.residents import Residents, Turn
from actors.riding import RIDE_MAX, Riding
from actors.settings import ShardSettings
from persistence import checkpoints, leases
from persistence.errors import Fenced
from persistence.migrate import ensure_months
from persistence.postgres import Postgres, PostgresSettings, open_postgres

log = structlog.get_logger()

EXIT_FENCED = 70
"""Exit status of a shard that a newer incarnation has replaced (sysexits: internal software error)."""

PUSHES_PER_S = 4.0
"""Calls with pushes alone that a shard makes without waiting: a busy gateway fetches them with its next
batch, an idle one hears them at once."""

UPKEEP_S = 1.0
MONTHS_EVERY_S = 6 * 3600.0
"""How often the coming monthly partitions are made sure of; a shard may live for months."""

TOLD_S = 1.0
"""How long gateways may take to hear the last words of a shard that ends."""

MOVED = Acted(code="moved", message="another shard has this student")

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
        # Whoever sets up the logs gives the shard a process of its own.
        self._garbage = Garbage(time.monotonic()) if set_up_logs is not None else None
        if set_up_logs is not None:
            set_up_logs()
        self.name = name
        self.settings = settings
        self.life = uuid.uuid4().hex
        self._catalogue: dict[str, Item] = {}
        self._residents = Residents(self._catalogue)
        self._actions = Actions(self._residents, self._catalogue)
        self._epochs: dict[int, int] = {}
        self._served: set[int] = set()
        self._handoff: Handoff | None = None
        self._map_version = 0
        self._lanes: dict[str, Lane[Outcome]] = {}
        self._gateways: dict[str, Any] = {}
        self._failures: dict[str, int] = {}
        self._forgotten: dict[str, int] = {}
        self._dropped: dict[str, Dropped] = {}
        self._pace = Pace(PUSHES_PER_S)
        self._riding = Riding()
        self._starting = asyncio.Lock()
        self._activation: Activation | None = None
        self._postgres: Postgres | None = None
        self._checkpointer: Checkpointer | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._metrics = ShardMetrics(name)
        self._updates = 0
        self._batches = 0

    async def own(self, slots: list[int], map_version: int) -> dict[int, int]:
        """Take these slots, whoever had them; gives their epochs. State of them is loaded only after this
        commits."""
        handoff = await self._moves()
        self._map_version = map_version
        await handoff.take(slots)
        return {slot: self._epochs[slot] for slot in slots}

    async def release(self, slots: list[int]) -> list[Released]:
        """Give slots away, see `Handoff.release`."""
        return await (await self._moves()).release(slots)

    async def accept(self, offered: list[Released]) -> dict[int, int]:
        """Take over slots that were released, see `Handoff.accept`."""
        return await (await self._moves()).accept(offered)

    async def loads(self) -> dict[int, int]:
        """Sessions in memory by slot; slots without any are not among them."""
        return Counter(resident.slot for resident in self._residents)

    async def apply(self, blob: bytes) -> bytes:
        """Carry out a `Batch`; gives the `Outcomes` for the gateway that called."""
        activation = await self._started()
        batch = batch_decoder.decode(blob)
        if lost := self._riding.lost(batch.gateway, batch.heard):
            self._queue_first(batch.gateway, lost)
        here, away = self._split(batch.operations)
        freezes = self._handoff.freezes if self._handoff is not None else 0
        ready, late = await activation.prepare(here)
        if self._handoff is not None and self._handoff.freezes != freezes:
            # Slots were frozen meanwhile: from here to the end of `run` nothing else can happen.
            ready, frozen = self._split(ready)
            late, later = self._split(late)
            away += frozen + later
        turn = self._residents.run(batch.gateway, batch.life, ready, now_ms())
        self._batches += 1
        self._updates += turn.entries
        self._metrics.batch(len(batch.operations))
        for student in turn.dirty:
            self._mark(student, student in turn.urgent)
        own = turn.take(batch.gateway)
        if away:
            own.append(Moved([operation.conn for operation in away], self._map_version))
        if unheard := [operation.conn for operation in late if not isinstance(operation, Attach)]:
            # An `Attach` without an answer is sent again by itself; for others the device has to resend.
            own.append(Reattach(unheard))
        self._push(turn)
        lane = self._lanes.get(batch.gateway)
        riders = lane.take(RIDE_MAX) if lane is not None else []
        # Sent again, a batch brings its acknowledgements again; what it changed is changed by then.
        once: list[Outcome] = [outcome for outcome in own if isinstance(outcome, Deliver | Close)]
        number = self._riding.leave(batch.gateway, riders + once)
        return encoder.encode(Outcomes(self.name, self._life_for(batch.gateway), riders + own, number))

    async def act(self, blob: bytes) -> bytes:
        """Carry out an `Act`; gives `Acted`, when it is applied and, within about 2 s, committed."""
        activation, actions = await self._started(), self._actions
        act = act_decoder.decode(blob)
        if slot_of(act.student) not in self._served:
            return encoder.encode(MOVED)
        if actions.full:
            return encoder.encode(Acted(code="busy", message="too many actions are being carried out"))
        if not await actions.prepare(act, activation):
            return encoder.encode(Acted(code="late", message="the student was not loaded in time"))
        if slot_of(act.student) not in self._served:
            return encoder.encode(MOVED)
        turn, acted = actions.run(act, now_ms())
        self._updates += turn.entries
        for student in turn.dirty:
            self._mark(student, student in turn.urgent)
        self._push(turn)
        if acted.head and await actions.durable(act):
            acted = msgspec.structs.replace(acted, durable=True)
        return encoder.encode(acted)

    async def stats(self) -> dict[str, float | int | str]:
        """Figures of this shard, for `playhead status` and the directory."""
        checkpointer = self._checkpointer
        return {
            "name": self.name,
            "life": self.life,
            "pid": os.getpid(),
            **footprint(),
            "slots": len(self._served),
            "sessions": len(self._residents),
            "connections": self._residents.connections,
            "updates": self._updates,
            "batches": self._batches,
            "actions": self._actions.done,
            "durable_lag_s": round(checkpointer.lag_s(), 2) if checkpointer else 0.0,
            "dirty": checkpointer.waiting() if checkpointer else 0,
            "statements": checkpointer.statements if checkpointer else 0,
            "rows": checkpointer.rows if checkpointer else 0,
            "failures": checkpointer.failures if checkpointer else 0,
            "quarantined": checkpointer.quarantined if checkpointer else 0,
            "unreadable": len(self._activation.unreadable) if self._activation else 0,
        }

    async def meet(self, gateways: list[str]) -> None:
        """These are all socket gateways: find the new ones before anything is delivered to them (Ray imports
        their class, which would hold up the first pushes by about a second), and let go of the others."""
        for gateway in gateways:
            if gateway not in self._gateways:
                self._gateways[gateway] = await named_actor(gateway)
        for gateway in self._lanes.keys() - set(gateways):
            self._forget(gateway)
            self._gateways.pop(gateway, None)
            await self._lanes.pop(gateway).stop()

    async def drain(self, timeout_s: float) -> bool:
        """Write everything that is only in memory, and tell the gateways; True if all of it is durable."""
        written = await self._checkpointer.flush(timeout_s) if self._checkpointer else True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TOLD_S):
                await asyncio.gather(*(lane.passed() for lane in self._lanes.values()))
        return written

    async def _moves(self) -> Handoff:
        await self._started()
        assert self._handoff is not None
        return self._handoff

    async def _bring(self, students: Sequence[str]) -> None:
        """Load these before anybody asks for them, as far as it is quick."""
        if students and self._activation is not None:
            await self._activation.prepare([PullHeads(0, student, []) for student in students])

    async def _started(self) -> Activation:
        if self._activation is not None:
            return self._activation
        async with self._starting:
            return self._activation or await self._start()

    async def _start(self) -> Activation:
        settings = self.settings
        postgres = await open_postgres(
            PostgresSettings(settings.postgres_dsn, f"playhead {self.name}", 1, settings.connections)
        )
        try:
            slots = await leases.owned(postgres, self.name)
            self._epochs.update(await leases.take(postgres, slots, self.name) if slots else {})
            self._served.update(self._epochs)
        except BaseException:
            await postgres.close()
            raise
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
        self._handoff = Handoff(
            self.name,
            postgres,
            self._epochs,
            self._served,
            self._residents,
            self._checkpointer,
            self._bring,
            self._exit_fenced,
        )
        self._activation = Activation(
            postgres,
            self._residents,
            self._catalogue,
            self._epochs,
            settings.catalogue_ttl_s,
            now_ms,
            self._edited,
        )
        log.info("shard_started", shard=self.name, slots=len(self._epochs), life=self.life)
        return self._activation

    def _mark(self, student: str, urgent: bool) -> None:
        assert self._checkpointer is not None
        self._checkpointer.mark(student, slot_of(student), urgent)

    def _split(self, operations: list[Operation]) -> tuple[list[Operation], list[Operation]]:
        here: list[Operation] = []
        away: list[Operation] = []
        for operation in operations:
            (here if slot_of(operation.student) in self._served else away).append(operation)
        return here, away

    def _edited(self, items: set[str]) -> None:
        turn = self._residents.edited(items, now_ms())
        for student in turn.dirty:
            self._mark(student, urgent=False)
        self._push(turn)

    def _committed(self, watermarks: Mapping[str, Mapping[str, int]]) -> None:
        turn = Turn()
        for student, of_devices in watermarks.items():
            self._residents.acknowledge(student, of_devices, turn)
        self._push(turn)
        for student in watermarks:
            self._actions.committed(student)

    def _push(self, turn: Turn) -> None:
        for gateway, outcomes in turn.take_all():
            self._queue(gateway, outcomes)

    def _queue(self, gateway: str, outcomes: list[Outcome]) -> None:
        """Let these go with the next answer to the gateway, or by a call of their own if that is not soon."""
        lane = self._lane_to(gateway)
        for index, outcome in enumerate(outcomes):
            try:
                lane.put(outcome)
            except LaneFull:
                # Live push may be dropped under pressure; the truth can be pulled (design 4.6).
                self._drop(gateway, outcomes[index:])
                break

    def _queue_first(self, gateway: str, lost: list[Outcome]) -> None:
        """These went with an answer that was lost; what waits now is newer, and comes after them."""
        lane = self._lane_to(gateway)
        room = lane.room
        lane.put_back(lost[:room])
        if len(lost) > room:
            self._drop(gateway, lost[room:])

    def _lane_to(self, gateway: str) -> Lane[Outcome]:
        lane = self._lanes.get(gateway)
        return self._open_lane(gateway) if lane is None else lane  # an empty lane is falsy

    def _drop(self, gateway: str, outcomes: list[Outcome]) -> None:
        """There is no room for these: whom they were for hears it with the next call that succeeds."""
        dropped = self._dropped.setdefault(gateway, Dropped())
        if not dropped:
            log.warning("pushes_dropped", gateway=gateway, shard=self.name)
        for outcome in outcomes:
            dropped.add(outcome)

    def _confess(self, gateway: str) -> None:
        """There is room again: tell connections what they missed; a gateway that missed too much attaches
        all of them anew."""
        dropped = self._dropped.get(gateway)
        if dropped is None:
            return
        if dropped.full:
            self._forget(gateway)
            return
        self._push(Turn({gateway: dropped.take(self._lanes[gateway].room)}))
        if not dropped:
            del self._dropped[gateway]

    def _open_lane(self, gateway: str) -> Lane[Outcome]:
        async def send(outcomes: list[Outcome]) -> None:
            await self._deliver(gateway, outcomes)

        settings = self.settings
        lane = self._lanes[gateway] = Lane(
            send,
            window_s=settings.window_s,
            patience_s=settings.patience_s,
            pace=self._pace,
            capacity=settings.lane_outcomes,
        )
        lane.start()
        return lane

    async def _deliver(self, gateway: str, outcomes: list[Outcome]) -> None:
        """One push to a gateway; after three failures in a row its connections are forgotten."""
        try:
            blob = encoder.encode(Outcomes(self.name, self._life_for(gateway), outcomes))
            async with asyncio.timeout(self.settings.call_deadline_s):
                if gateway not in self._gateways:
                    self._gateways[gateway] = await named_actor(gateway)
                await self._gateways[gateway].deliver.remote(blob)
            self._failures.pop(gateway, None)
            self._confess(gateway)
        except Exception as error:
            if isinstance(error, ActorDiedError):
                # One that restarts keeps its handle, and a look-up needs the control plane (F8).
                self._gateways.pop(gateway, None)
            self._failures[gateway] = self._failures.get(gateway, 0) + 1
            if self._failures[gateway] < GATEWAY_GIVE_UP:
                raise
            self._forget(gateway)

    def _forget(self, gateway: str) -> None:
        """The gateway's connections are no more, until it attaches them again."""
        log.warning("gateway_forgotten", gateway=gateway, shard=self.name)
        self._forgotten[gateway] = self._forgotten.get(gateway, 0) + 1
        self._dropped.pop(gateway, None)
        self._riding.forget(gateway)
        turn = Turn()
        self._residents.forget(gateway, now_ms(), turn)
        turn.take(gateway)
        self._push(turn)

    def _life_for(self, gateway: str) -> str:
        """Our incarnation as this gateway sees it: another one after we forgot its connections, so that it
        attaches them again even if their devices have nothing to say."""
        forgotten = self._forgotten.get(gateway, 0)
        return f"{self.life}.{forgotten}" if forgotten else self.life

    async def _upkeep_for_ever(self, postgres: Postgres, checkpointer: Checkpointer) -> None:
        """Once a second; what goes wrong is logged and tried again, the task never ends by itself."""
        months_due = time.monotonic()
        while True:
            await asyncio.sleep(UPKEEP_S)
            try:
                self._upkeep_once(checkpointer)
                if self._activation is not None:
                    self._activation.follow()
                if time.monotonic() >= months_due:
                    months_due = time.monotonic() + MONTHS_EVERY_S
                    await ensure_months(postgres)
            except Exception:
                log.exception("upkeep_failed", shard=self.name)

    def _upkeep_once(self, checkpointer: Checkpointer) -> None:
        self._push(self._residents.close_gaps(now_ms()))
        self._residents.evict_idle(now_ms(), round(self.settings.idle_eviction_s * 1000))
        if self._garbage is not None:
            self._garbage.tend(time.monotonic(), len(self._residents))
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
