"""What is at rest in a replay: rows as JSON bytes, written by the rules of the checkpoint statement.

The rules are those of persistence/sql/checkpoints.sql: nothing is written under an old epoch, a progress row
is replaced only by one that holds more events, a watermark never goes back, a head change is written once.
"""

import msgspec
from msgspec.structs import replace

from persistence.changes import HeadChange
from persistence.checkpoints import Checkpoint, DeviceRow, ProgressRow, Written, unpack
from persistence.sessions import StoredSession

_encode = msgspec.json.Encoder().encode
_checkpoint = msgspec.json.Decoder(Checkpoint)
_progress = msgspec.json.Decoder(ProgressRow)
_device = msgspec.json.Decoder(DeviceRow)


class Store:
    """One student's rows; the student has a slot of their own here, `epoch` is its lease."""

    def __init__(self, courses: set[str]) -> None:
        self.epoch = 0
        self._courses = courses
        self._progress: dict[str, bytes] = {}
        self._devices: dict[str, bytes] = {}
        self.changes: dict[tuple[object, ...], HeadChange] = {}

    def take_over(self) -> int:
        """A new owner: the epoch under which it may write from now on."""
        self.epoch += 1
        return self.epoch

    def load(self) -> StoredSession:
        """What a new owner finds."""
        return StoredSession(
            progress=[_read_progress(row) for row in self._progress.values()],
            devices=[_read_device(row) for row in self._devices.values()],
            courses=set(self._courses),
        )

    async def write(self, checkpoint: Checkpoint) -> Written:
        """Commit a checkpoint as it arrives."""
        arrived = _checkpoint.decode(_encode(checkpoint))
        if set(arrived.epochs.values()) != {self.epoch}:
            return Written(0, frozenset(arrived.epochs))
        written = 0
        for row in arrived.progress:
            old = self._progress.get(row.item)
            if old is None or row.folded > _progress.decode(old).folded:
                self._progress[row.item] = _encode(row)
                written += 1
        for change in arrived.changes:
            key = (change.student, change.item, change.rev, change.what, change.at)
            self.changes.setdefault(key, change)
        for device in arrived.devices:
            known = self._devices.get(device.device)
            if known is None or device.durable_seq >= _device.decode(known).durable_seq:
                self._devices[device.device] = _encode(device)
        return Written(written)


def _read_progress(written: bytes) -> ProgressRow:
    """As `sessions.load` gives it: what was packed on its way is read again."""
    row = _progress.decode(written)
    return replace(row, merge=unpack(row.packed), packed=b"") if row.packed else row


def _read_device(written: bytes) -> DeviceRow:
    row = _device.decode(written)
    return replace(row, visit=unpack(row.packed), packed=b"") if row.packed else row
