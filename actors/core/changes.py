"""What a change of the head is, for the history and for the undo (R4)."""

from actors.core.run import EXPLICIT, JUMP_MS, Run

NAMED_MS = 1_000
"""A place that the user has named is another one from here on; nearer, it is the rounding of a player."""

PLACE, DONE, EPOCH = "place", "done", "epoch"
"""What changed: who has the head and where, whether the item is done, or the epoch."""


def moves(head: Run, former: Run, former_ms: int) -> bool:
    """Whether a run that has the head now changes it; the former one's run stood at `former_ms`.

    It is another device's, or its user has named another place, or it jumped: play that goes on from where
    the head stood changes nothing. The history and the undo both go by this.
    """
    apart_ms = abs(former_ms - head.start_ms)
    return former.device != head.device or apart_ms > (NAMED_MS if head.kind in EXPLICIT else JUMP_MS)
