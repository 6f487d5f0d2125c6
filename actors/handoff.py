"""How a shard gives slots away and takes them over, live (design 5): freeze, write, release, epoch + 1 there.

A slot that is given away is written while it is still served, so that little is left for the moment in which
it is frozen: what comes for it then is answered `moved`, and the gateway keeps it for the next owner. It is
released in Postgres only when nothing of it is in memory alone, so whoever takes it over has everything that
was ever called applied. What cannot be written in time stays where it is, served as before. Safety is not in
these times but in the lease: whoever has released a slot can write nothing of it any more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from actors.checkpointer import Checkpointer
from actors.residents import Residents
from persistence import leases
from persistence.errors import Fenced, StoreUnavailable
from persistence.postgres import Postgres

log = structlog.get_logger()

WARM_S = 3.0
"""How long what is dirty is written while the slots are still served."""

FREEZE_S = 0.4
"""How long the rest may take while they are frozen; if it takes longer they are served again (design 5)."""

AGAIN_S = 0.1
"""Pause before Postgres is asked again what has become of a lease."""


@dataclass(frozen=True, slots=True)
class Released:
    """A slot that nobody has, under this epoch. `continues` is the epoch of its former owner if all that was
    applied under that is durable, else -1; `students` were in memory there, `frozen_s` how long it has not
    been served."""

    slot: int
    epoch: int
    continues: int = -1
    students: Sequence[str] = ()
    frozen_s: float = 0.0


class Handoff:
    """The slots of one shard. `epochs` are those it may write, `served` those it answers for; both are the
    shard's own. `bring(students)` returns when they are in memory, `fenced(error)` hears that somebody else
    has taken a slot.
    """

    def __init__(
        self,
        name: str,
        postgres: Postgres,
        epochs: dict[int, int],
        served: set[int],
        residents: Residents,
        checkpointer: Checkpointer,
        bring: Callable[[Sequence[str]], Awaitable[None]],
        fenced: Callable[[Fenced], None],
    ) -> None:
        self._name = name
        self._postgres = postgres
        self._epochs = epochs
        self._served = served
        self._residents = residents
        self._checkpointer = checkpointer
        self._bring = bring
        self._fenced = fenced
        self.freezes = 0
        """How often slots were frozen: whoever waits between asking and answering looks at it again."""

    async def take(self, slots: Iterable[int]) -> None:
        """Own these slots, whoever had them: for slots whose owner is gone."""
        missing = [slot for slot in slots if slot not in self._epochs]
        if missing:
            self._begin(await leases.take(self._postgres, missing, self._name), {})

    async def release(self, slots: Sequence[int]) -> list[Released]:
        """Give these slots away; those that are in the answer, nobody has now. The others are served here as
        before, because they could not be written in time, or are not ours."""
        ours = [slot for slot in slots if slot in self._served]
        if not ours:
            return []
        loop = asyncio.get_running_loop()
        await self._checkpointer.flush_slots(ours, WARM_S)
        ours = [slot for slot in ours if slot in self._served]
        began_s = loop.time()
        self._served.difference_update(ours)
        self.freezes += 1
        try:
            written = await self._write_rest(ours)
        except BaseException:
            self._served.update(ours)
            raise
        self._served.update(set(ours) - set(written))
        released = await self._let_go({slot: self._epochs[slot] for slot in written}) if written else {}
        return [
            Released(slot, epoch, continues, students, loop.time() - began_s)
            for slot, (epoch, continues, students) in released.items()
        ]

    async def accept(self, offered: Sequence[Released]) -> dict[int, int]:
        """Take over slots that were released: the epochs of those we have now. Their students are here."""
        wanted = {one.slot: one.epoch for one in offered}
        while True:
            try:
                taken = await leases.accept(self._postgres, wanted, self._name)
                if len(taken) < len(wanted):
                    # An earlier try may have committed without our hearing of it.
                    owners = await leases.owners(self._postgres)
                    taken |= {s: e + 1 for s, e in wanted.items() if owners[s] == (self._name, e + 1)}
                break
            except StoreUnavailable as error:
                log.warning("slots_not_taken_yet", shard=self._name, slots=sorted(wanted), error=str(error))
                await asyncio.sleep(AGAIN_S)
        fresh = {slot: epoch for slot, epoch in taken.items() if self._epochs.get(slot) != epoch}
        self._begin(fresh, {one.slot: one.continues for one in offered})
        await self._bring([student for one in offered if one.slot in fresh for student in one.students])
        return taken

    def _begin(self, epochs: Mapping[int, int], continues: Mapping[int, int]) -> None:
        for slot, epoch in epochs.items():
            self._epochs[slot] = epoch
            self._residents.continues[slot] = continues.get(slot, -1)
            self._served.add(slot)

    async def _write_rest(self, slots: Sequence[int]) -> list[int]:
        """Which of the frozen slots have nothing left to write."""
        written = await self._checkpointer.flush_slots(slots, FREEZE_S)
        late = sorted(set(slots) - written)
        if late:
            log.warning("slots_not_written_in_time", shard=self._name, slots=late)
        return [slot for slot in slots if slot in written]

    async def _let_go(self, held: Mapping[int, int]) -> dict[int, tuple[int, int, list[str]]]:
        """Release the slots in Postgres and forget them; epoch, `continues` and students of each."""
        self._checkpointer.leaving.update(held)
        try:
            gone = await self._release_in_postgres(held)
        finally:
            self._checkpointer.leaving.difference_update(held)
        released: dict[int, tuple[int, int, list[str]]] = {}
        clean = {slot for slot in gone if not self._checkpointer.left_in(slot)}
        students = self._residents.drop(gone.keys())
        for slot, epoch in gone.items():
            former = self._epochs.pop(slot)
            self._residents.continues.pop(slot, None)
            released[slot] = epoch, former if slot in clean else -1, students.get(slot, [])
        return released

    async def _release_in_postgres(self, held: Mapping[int, int]) -> dict[int, int]:
        """Frozen slots stay frozen until it is known what has become of them."""
        while True:
            try:
                gone = await leases.release(self._postgres, held, self._name)
                if len(gone) == len(held):
                    return gone
                owners = await leases.owners(self._postgres)
            except StoreUnavailable as error:
                log.warning("slots_not_released_yet", shard=self._name, slots=sorted(held), error=str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            # An earlier try may have committed without our hearing of it.
            gone |= {slot: epoch + 1 for slot, epoch in held.items() if owners[slot] == ("", epoch + 1)}
            if lost := held.keys() - gone.keys():
                self._fenced(Fenced(f"slots {sorted(lost)} have another owner; this shard exits"))
                raise Fenced("this shard has lost its slots")
            return gone
