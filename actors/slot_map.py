"""The slot map: which shard has each of the 256 slots, in versions that only grow.

Truth is in the leases. The version is the sum of their epochs when they were read, plus one for each change
since: every change of an owner raises an epoch, so a directory that was killed and reads them again is never
behind the versions it has given out.
"""

from collections.abc import Iterable, Mapping

from actors.core.placement import SLOTS


class SlotMap:
    """`version` 0 and no owners until `read`."""

    def __init__(self) -> None:
        self.version = 0
        self.owners: list[str] = []

    @property
    def known(self) -> bool:
        """Whether the leases have been read."""
        return self.version > 0

    def read(self, leases: Mapping[int, tuple[str, int]]) -> None:
        """Take the owners from the leases of all slots, `(owner, epoch)` by slot."""
        self.owners = [leases[slot][0] for slot in range(SLOTS)]
        self.version = max(self.version + 1, sum(epoch for _, epoch in leases.values()))

    def assign(self, slots: Iterable[int], shard: str) -> None:
        """The shard has these slots now. Those it had before make no version: no epoch has risen for them."""
        gained = [slot for slot in slots if self.owners[slot] != shard]
        for slot in gained:
            self.owners[slot] = shard
        self.version += bool(gained)

    def of(self, shard: str) -> list[int]:
        """The slots of a shard."""
        return [slot for slot, owner in enumerate(self.owners) if owner == shard]
