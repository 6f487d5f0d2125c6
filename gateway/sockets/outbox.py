"""What waits for one peer that reads too slowly: bounded, newest first, honest about what was dropped (P8).

A connection has an outbox only while its transport is above the high-water mark; otherwise frames go
straight through and cost nothing here.
"""

HEAD_KEY = "head:"
"""Keys of heads are `head:{item}`: live pushes, which may be dropped because they can be pulled again."""


class Outbox:
    """Whole frames waiting for one socket, in the order of their last change.

    A frame with a key replaces the waiting one of the same key. Heads beyond `heads_bytes` are dropped and
    their items remembered for `discontinuity`, at most `items_max` of them.
    """

    __slots__ = ("_frames", "_heads_bytes", "_heads_max", "_items_max", "_unkeyed", "dropped", "size_bytes")

    def __init__(self, heads_bytes: int, items_max: int) -> None:
        self._frames: dict[str | int, bytes] = {}
        self._heads_max = heads_bytes
        self._heads_bytes = 0
        self._items_max = items_max
        self._unkeyed = 0
        self.size_bytes = 0
        self.dropped: set[str] = set()

    def put(self, frame: bytes, key: str | None) -> bool:
        """Keep a frame. False: more was dropped than can be named, the peer is too slow to keep."""
        if key is None:
            self._unkeyed += 1
            self._frames[self._unkeyed] = frame
            self.size_bytes += len(frame)
            return True
        is_head = key.startswith(HEAD_KEY)
        self._take_out(key, is_head)
        if is_head and self._heads_bytes + len(frame) > self._heads_max:
            self.dropped.add(key.removeprefix(HEAD_KEY))
            return len(self.dropped) <= self._items_max
        self._frames[key] = frame
        self.size_bytes += len(frame)
        if is_head:
            self._heads_bytes += len(frame)
            self.dropped.discard(key.removeprefix(HEAD_KEY))
        return True

    def _take_out(self, key: str, is_head: bool) -> None:
        older = self._frames.pop(key, None)
        if older is not None:
            self.size_bytes -= len(older)
            if is_head:
                self._heads_bytes -= len(older)

    def frames(self) -> list[bytes]:
        """All that waits, in order."""
        return list(self._frames.values())
