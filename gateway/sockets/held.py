"""What connections say of slots that nobody serves for the moment: kept in order until the owner is known."""

from actors.batch import Outgoing
from actors.lane import LaneFull

HELD_MAX = 10_000
"""Operations kept for a slot whose owner is not known; a slot has some hundred students."""


class Held:
    """Operations by slot, in their order. A slot is in it while anything of it waits, and what comes then has
    to wait behind that."""

    def __init__(self) -> None:
        self._of_slot: dict[int, list[Outgoing]] = {}

    def __contains__(self, slot: int) -> bool:
        return slot in self._of_slot

    def __len__(self) -> int:
        return len(self._of_slot)

    def put(self, slot: int, operation: Outgoing) -> None:
        """Keep an operation behind those of its slot. Raises `LaneFull`."""
        held = self._of_slot.setdefault(slot, [])
        if len(held) >= HELD_MAX:
            raise LaneFull(f"{len(held)} operations wait for the owner of slot {slot}; try later")
        held.append(operation)

    def take(self, slot: int) -> list[Outgoing]:
        """What waits in a slot, which is kept no longer."""
        return self._of_slot.pop(slot, [])

    def take_all(self) -> list[Outgoing]:
        """What waits in all slots, which are kept no longer."""
        held, self._of_slot = self._of_slot, {}
        return [operation for operations in held.values() for operation in operations]
