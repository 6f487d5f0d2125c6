"""Pushes to a gateway for which there was no room: who has to hear that something was missed (design 4.6)."""

from actors.batch import AllApplied, AllDurable, Close, Deliver, Outcome, Reattach
from actors.heads import encode
from actors.messages import Discontinuity

HEAD_KEY, HINT_KEY = "head:", "presence:"

DROPPED_MAX = 50_000
"""Pairs of connection and item that are remembered for one gateway; with more it is given up."""


class Dropped:
    """What one gateway has missed. Heads can be pulled by item, acknowledgements come with a new attach."""

    def __init__(self, dropped_max: int = DROPPED_MAX) -> None:
        self._dropped_max = dropped_max
        self._items: dict[int, set[str]] = {}
        self._unheard: set[int] = set()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def full(self) -> bool:
        """Whether more was dropped than can be remembered."""
        return self._size > self._dropped_max

    def add(self, outcome: Outcome) -> None:
        """Remember whom this one was for. Once it is full only that is remembered."""
        if self.full or not isinstance(outcome, Deliver | Close | AllApplied | AllDurable):
            return
        key = outcome.key or "" if isinstance(outcome, Deliver) else ""
        if key.startswith(HINT_KEY):
            return
        conns = outcome.seqs if isinstance(outcome, AllApplied | AllDurable) else outcome.conns
        for conn in conns:
            if key.startswith(HEAD_KEY):
                missed = self._items.setdefault(conn, set())
                self._size -= len(missed)
                missed.add(key.removeprefix(HEAD_KEY))
                self._size += len(missed)
            elif conn not in self._unheard:
                self._unheard.add(conn)
                self._size += 1

    def take(self, most: int) -> list[Outcome]:
        """Up to so many outcomes that tell them; what is given is not remembered any more."""
        told: list[Outcome] = []
        if self._unheard and most:
            told.append(Reattach(sorted(self._unheard)))
            self._size -= len(self._unheard)
            self._unheard = set()
        while self._items and len(told) < most:
            conn, items = self._items.popitem()
            self._size -= len(items)
            told.append(Deliver([conn], encode(Discontinuity(sorted(items)))))
        return told
