"""Shards in this process: the real sessions and rules behind real batch bytes, without Ray and Postgres."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable

from actors.batch import Close, Deliver, Moved, Outcome, Outcomes, batch_decoder, encoder
from actors.core.item import Item
from actors.core.placement import SLOTS, slot_of
from actors.core.session import REV_SHIFT, Session
from actors.residents import Residents, Turn

HOUR_MS = 3_600_000
CATALOGUE = {
    name: Item(name, "course", "1", {"1": HOUR_MS})
    for name in ("lecture", *(f"item-{n}" for n in range(300)))
}


class ShardHere:
    """One shard: `Residents` as it runs in a shard, students born on first sight. `calls` counts batches."""

    def __init__(self, name: str, slots: Iterable[int] = range(SLOTS)) -> None:
        self.name = name
        self.slots = set(slots)
        self.epoch = 1
        self.map_version = 1
        self.calls = 0
        self.push: Callable[[str, bytes], None] = lambda gateway, blob: None
        self.available = asyncio.Event()
        self.available.set()
        self.begin()

    def begin(self) -> None:
        """Start as a new incarnation that knows nobody, as after a kill and a takeover."""
        self.life = uuid.uuid4().hex
        self.epoch += 1
        self.residents = Residents(CATALOGUE)

    async def apply(self, blob: bytes) -> bytes:
        """As `Shard.apply`."""
        await self.available.wait()
        self.calls += 1
        batch = batch_decoder.decode(blob)
        here = [operation for operation in batch.operations if slot_of(operation.student) in self.slots]
        away = [operation for operation in batch.operations if slot_of(operation.student) not in self.slots]
        now_ms = time.time_ns() // 1_000_000
        for operation in here:
            session = Session(operation.student, self.epoch << REV_SHIFT, frozenset({"course"}))
            self.residents.admit(session, now_ms)
        turn = self.residents.run(batch.gateway, batch.life, here, now_ms)
        own = turn.take(batch.gateway)
        if away:
            own.append(Moved([operation.conn for operation in away], self.map_version))
        for gateway, outcomes in turn.take_all():
            self.tell(gateway, outcomes)
        return encoder.encode(Outcomes(self.name, self.life, own))

    def commit(self, gateway: str, student: str) -> None:
        """What a checkpoint brings about: everything applied is durable."""
        devices = self.residents[student].session.devices.values()
        turn = Turn()
        self.residents.acknowledge(student, {device.id: device.applied_seq for device in devices}, turn)
        for name, outcomes in turn.take_all():
            self.tell(name, outcomes)

    def tell(self, gateway: str, outcomes: list[Outcome], life: str | None = None) -> None:
        """Push outcomes unasked."""
        self.push(gateway, encoder.encode(Outcomes(self.name, life or self.life, outcomes)))

    def conns(self) -> list[int]:
        """Numbers of the attached connections."""
        return [link[1] for link in self.residents._attached]


__all__ = ["CATALOGUE", "HOUR_MS", "Close", "Deliver", "ShardHere"]
