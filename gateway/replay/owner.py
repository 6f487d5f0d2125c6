"""One student's owner in virtual time: the product's residents and checkpointer over rows in memory."""

import asyncio
from collections.abc import Callable, Mapping

from actors.at_rest import session_from
from actors.batch import Outcome, Outcomes, Outgoing, batch_decoder, encode_batch, encoder, outcomes_decoder
from actors.checkpointer import Checkpointer
from actors.core.placement import slot_of
from actors.core.session import Session
from actors.residents import Residents, Turn
from actors.settings import ShardSettings
from gateway.replay.catalogue import Catalogue
from gateway.replay.store import Store
from persistence.errors import Fenced, PlayheadError

GATEWAY = "replay"
WRITE_S = 60.0
"""How long a checkpoint may take, in the loop's virtual time."""

_SETTINGS = ShardSettings(postgres_dsn="")


class NotWritten(PlayheadError):
    """The checkpointer gave up on rows of a replay: a defect of the product."""


class Owner:
    """A shard's incarnation that has one student. `heard` takes outcomes for connections."""

    def __init__(
        self,
        student: str,
        store: Store,
        catalogue: Catalogue,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[list[Outcome]], None],
        now_ms: int,
    ) -> None:
        self.student = student
        self._loop = loop
        self._heard = heard
        self._slot = slot_of(student)
        self._life = f"epoch-{store.take_over()}"
        self.residents = Residents(catalogue)
        self.residents.admit(session_from(student, store.load(), store.epoch), now_ms)
        self._checkpointer = Checkpointer(
            _SETTINGS,
            self.residents,
            catalogue,
            {self._slot: store.epoch},
            store.write,
            self._committed,
            self._fenced,
        )

    @property
    def session(self) -> Session:
        """The live state."""
        return self.residents[self.student].session

    def run(self, operations: list[Outgoing], now_ms: int) -> None:
        """Carry out a batch as it comes from a gateway: encoded, decoded, merged, answered."""
        batch = batch_decoder.decode(encode_batch(GATEWAY, "one", operations))
        turn = self.residents.run(batch.gateway, batch.life, batch.operations, now_ms)
        self._perform(turn)

    def edited(self, item: str, now_ms: int) -> None:
        """The item has another current version."""
        self._perform(self.residents.edited({item}, now_ms))

    def checkpoint(self) -> None:
        """Write whatever is dirty; when this returns it is durable. Raises `NotWritten`."""
        if self.session.dirty and not self._loop.run_until_complete(self._write()):
            raise NotWritten(f"the rows of {self.student} could not be written; see the log")

    async def _write(self) -> bool:
        self._checkpointer.mark(self.student, self._slot, urgent=False)
        return await self._checkpointer.flush(WRITE_S)

    def _committed(self, watermarks: Mapping[str, Mapping[str, int]]) -> None:
        turn = Turn()
        for student, of_devices in watermarks.items():
            self.residents.acknowledge(student, of_devices, turn)
        self._perform(turn)

    def _fenced(self, error: Fenced) -> None:
        raise error

    def _perform(self, turn: Turn) -> None:
        for _gateway, outcomes in turn.take_all():
            blob = encoder.encode(Outcomes("owner", self._life, outcomes))
            self._heard(outcomes_decoder.decode(blob).outcomes)
