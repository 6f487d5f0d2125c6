"""The journal of head changes of an item (R4)."""

from typing import NamedTuple

from actors.core.run import Key, Mark

CHANGES_MAX = 8
"""Head changes kept here; the checkpoint history has them all."""

PLACE, DONE, EPOCH = "place", "done", "epoch"
"""What changed: who has the head and where, whether the item is done, or the epoch."""


class Change(NamedTuple):
    """One head change: what it was, who caused it and when, and the place before it.

    `place_ms` is None if the place did not change; `rule` and `loser` say how the head was decided.
    """

    what: str
    by: Mark
    place_ms: int | None
    rule: str = ""
    loser: Key | None = None
