"""One device's network: what `deliver` makes of its messages on their way up and down."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.client.journal import CHUNK_BYTES
from gateway.client.protocol import Message, events_message
from gateway.replay.actions import DeliverBy, LinkCut, Order
from gateway.replay.shuffle import Shuffle

ANSWERS = frozenset({"welcome", "applied", "durable", "rejected", "resync"})
"""What the server says to a device about what it has sent; `acks: drop` loses these."""

EVENTS_MAX = 400


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal entry on its way: its seq, its bytes, and whether it is a play beat."""

    seq: int
    packed: bytes
    beat: bool


class Network:
    """Carries entries up by `send` (a message as bytes) and says which answers get down."""

    def __init__(self, send: Callable[[bytes], None], shuffle: Shuffle) -> None:
        self._send = send
        self._shuffle = shuffle
        self._copies = 1
        self._order: Order = "fifo"
        self._drops = False
        self._holds = False
        self._held: list[Entry] = []
        self._cut: LinkCut | None = None
        self._acks_left: int | None = None

    @property
    def silent(self) -> bool:
        """Whether the present connection has been cut and nothing passes any more."""
        return self._acks_left is not None

    def change(self, by: DeliverBy) -> None:
        """Take the settings that an action names; whatever it does not name stays."""
        self._copies = self._copies if by.copies is None else by.copies
        self._order = self._order if by.order is None else by.order
        self._drops = self._drops if by.acks is None else by.acks == "drop"
        self._holds = self._holds if by.hold is None else by.hold
        self._cut = self._cut if by.cut is None else by.cut
        if by.release is not None:
            held, self._held, self._holds = self._held, [], False
            self._carry(_ordered(held, by.release))

    def begin(self) -> None:
        """A connection begins; if it is the one to be cut it soon falls silent."""
        self._acks_left = None

    def end(self) -> None:
        """The connection is over."""
        self._acks_left = None

    def lose(self) -> None:
        """Another device or another student from now on: what was under way never arrives (R9)."""
        self._held = []

    def live(self, entry: Entry) -> None:
        """An entry that has just been written, on a link that is up."""
        if self.silent:
            return
        if self._holds:
            self._held.append(entry)
        else:
            self._carry([entry])

    def flush(self, entries: list[Entry]) -> None:
        """The journal, on connecting."""
        if self._cut is not None:
            entries, self._acks_left, self._cut = _first(entries, self._cut.up), self._cut.acks, None
        entries = self._shuffle.order(entries) if self._order == "fifo" else _ordered(entries, self._order)
        if self._holds:
            self._held += entries
        else:
            self._carry(entries, singly=self.silent)

    def resend(self, entries: list[Entry]) -> None:
        """What the server says is missing, in order; it waits where everything waits."""
        if not self._holds:
            self._carry(entries)

    def hears(self, message: Message, beats: Callable[[int], int]) -> bool:
        """Whether a message gets down. `beats(seq)` counts the play beats a watermark acknowledges anew."""
        kind = message["type"]
        if self._acks_left is not None:
            if kind != "durable" or self._drops or self._acks_left <= 0:
                return False
            acknowledged = beats(message["seq"])
            if acknowledged > self._acks_left:
                return False
            self._acks_left -= acknowledged
            return True
        return not (self._drops and kind in ANSWERS)

    def _carry(self, entries: list[Entry], singly: bool = False) -> None:
        for chunk in self._chunks(entries, 1 if singly else EVENTS_MAX):
            message = events_message(chunk)
            for _ in range(self._copies):
                self._send(message)

    def _chunks(self, entries: list[Entry], most: int) -> Iterable[list[bytes]]:
        chunk: list[bytes] = []
        size, room = 0, self._shuffle.chunk(most)
        for entry in entries:
            if chunk and (len(chunk) >= room or size + len(entry.packed) > CHUNK_BYTES):
                yield chunk
                chunk, size, room = [], 0, self._shuffle.chunk(most)
            chunk.append(entry.packed)
            size += len(entry.packed)
        if chunk:
            yield chunk


def _first(entries: list[Entry], beats: int) -> list[Entry]:
    """What gets up before the connection is cut: everything before the first beat too many."""
    passed: list[Entry] = []
    for entry in entries:
        if entry.beat:
            if beats == 0:
                break
            beats -= 1
        passed.append(entry)
    return passed


def _ordered(entries: list[Entry], order: Order) -> list[Entry]:
    if order == "reverse":
        return entries[::-1]
    return entries[-1:] + entries[:-1] if order == "last_first" else list(entries)
