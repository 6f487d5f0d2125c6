"""A journal that outlives its process: an append-only file, rewritten when most of it is durable.

Each record is a msgpack value: first who it belongs to, then `[seq, packed event]` for an entry and the
number alone for a durable watermark. A record cut short by a crash is the last one and was never sent.
"""

import os
from pathlib import Path
from typing import BinaryIO, Self

import msgpack

from gateway.client.errors import JournalBroken
from gateway.client.journal import Journal

FORMAT = 1
REWRITE_BYTES = 256 * 1024
"""A file is rewritten when it has grown to this and less than half of it is still needed."""


class FileJournal(Journal):
    """A journal in one file. An entry is on disk before `append` returns, so before it is sent (P20).

    One process at a time: the caller keeps others away. With `sync` every entry survives the machine's
    death, at the cost of an fsync (blocking, about a millisecond); without, only the process's.
    """

    __slots__ = ("_file", "_needed_bytes", "_path", "_sync", "_written_bytes")

    def __init__(self, path: Path, student: str, device: str, *, sync: bool = True) -> None:
        """Open the journal, or begin it. Raises `JournalBroken`."""
        super().__init__(student, device)
        self._path = path
        self._sync = sync
        self._needed_bytes = 0
        self._load()
        self._file, self._written_bytes = self._rewritten()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, seq: int, packed: bytes) -> None:
        """Write an entry to disk, then to memory."""
        self._write(msgpack.packb([seq, packed]))
        self._needed_bytes += len(packed)
        super().put(seq, packed)

    def forget(self, durable_seq: int) -> None:
        """Let go of what is committed, on disk as well."""
        if durable_seq <= self.durable_seq:
            return
        super().forget(durable_seq)
        self._needed_bytes = sum(len(packed) for _, packed in self.after(durable_seq))
        self._write(msgpack.packb(durable_seq))
        if self._written_bytes > REWRITE_BYTES and self._needed_bytes < self._written_bytes // 2:
            self._file.close()
            self._file, self._written_bytes = self._rewritten()

    def close(self) -> None:
        """Let go of the file; what it holds stays."""
        self._file.close()

    def _write(self, record: bytes) -> None:
        self._file.write(record)
        self._file.flush()
        if self._sync:
            os.fdatasync(self._file.fileno())
        self._written_bytes += len(record)

    def _load(self) -> None:
        if not self._path.exists():
            return
        records = msgpack.Unpacker(strict_map_key=True)
        records.feed(self._path.read_bytes())
        try:
            owner = next(records)
        except (StopIteration, ValueError) as error:
            raise JournalBroken(f"{self._path} is no journal; move it away to begin a new one") from error
        if owner != [FORMAT, self.student, self.device]:
            raise JournalBroken(
                f"{self._path} does not belong to {self.student} on {self.device}; a journal is sealed to "
                "its student and device (R9): name another file"
            )
        for record in records:
            if isinstance(record, int):
                super().forget(record)
                self.last_seq = max(self.last_seq, record)
            else:
                super().put(*record)

    def _rewritten(self) -> tuple[BinaryIO, int]:
        """The file anew with only what is needed, put in place in one step."""
        records = [msgpack.packb([FORMAT, self.student, self.device]), msgpack.packb(self.durable_seq)]
        records += [msgpack.packb(list(entry)) for entry in self.after(self.durable_seq)]
        self._needed_bytes = sum(len(record) for record in records)
        fresh = self._path.with_suffix(f"{self._path.suffix}.new")
        with fresh.open("wb") as file:
            file.writelines(records)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        return self._path.open("ab"), self._needed_bytes
