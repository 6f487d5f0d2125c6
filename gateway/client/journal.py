"""Owns one device's events from birth to durable (P20, R8): numbered at once, kept until committed.

A journal is sealed to one student and one device (R9). Entries are kept packed, as they go out.
"""

from collections.abc import Iterator
from typing import Any

import msgpack

Event = dict[str, Any]

CHUNK_BYTES = 14 * 1024
"""Packed events in one message: with its frame below the 16 KiB a server announces (P4), and so below the
64 KiB of R8."""

CHUNK_EVENTS = 500
"""Events in one message until `welcome` has announced the server's own limit."""

_packer = msgpack.Packer()


class Journal:
    """Entries by `seq`, dense from 1. In memory: `FileJournal` outlives the process.

    `last_seq` is the newest number given out, `durable_seq` the newest known committed.
    """

    __slots__ = ("_entries", "device", "durable_seq", "last_seq", "student")

    def __init__(self, student: str, device: str) -> None:
        self.student = student
        self.device = device
        self.last_seq = 0
        self.durable_seq = 0
        self._entries: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Event]:
        """The events not yet durable, oldest first."""
        return (msgpack.unpackb(entry) for entry in self._entries.values())

    def append(self, event: Event) -> Event:
        """Write an event down as the next entry; gives it with its `seq`."""
        entry = {"seq": self.last_seq + 1, **event}
        self.put(self.last_seq + 1, _packer.pack(entry))
        return entry

    def put(self, seq: int, packed: bytes) -> None:
        """Write down an entry that is numbered and packed already; `seq` is the next one."""
        self._entries[seq] = packed
        self.last_seq = seq

    def forget(self, durable_seq: int) -> None:
        """Let go of what is committed. A watermark that goes back is ignored."""
        if durable_seq <= self.durable_seq:
            return
        self.durable_seq = durable_seq
        # Oldest first and dense: what is forgotten stands in front.
        for seq in list(self._entries):
            if seq > durable_seq:
                break
            del self._entries[seq]

    def continue_from(self, applied_seq: int) -> None:
        """P21: a journal that was rolled back goes on where the server is, so no number is used twice."""
        self.last_seq = max(self.last_seq, applied_seq)

    def after(self, seq: int) -> Iterator[tuple[int, bytes]]:
        """The packed entries after `seq`, oldest first."""
        return ((each, packed) for each, packed in self._entries.items() if each > seq)

    def chunks(
        self, after_seq: int, events_max: int = CHUNK_EVENTS, bytes_max: int = CHUNK_BYTES
    ) -> Iterator[list[bytes]]:
        """The entries after `after_seq` in chunks, each small enough for one message (R8)."""
        chunk: list[bytes] = []
        size = 0
        for _, packed in self.after(after_seq):
            if chunk and (size + len(packed) > bytes_max or len(chunk) == events_max):
                yield chunk
                chunk, size = [], 0
            chunk.append(packed)
            size += len(packed)
        if chunk:
            yield chunk
