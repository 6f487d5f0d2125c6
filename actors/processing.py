"""Uploads made ready by tasks of the Ray cluster, each by one worker at a time, again when that one died.

The truth is the upload's row: who holds its lease may write, and only as long. A task can be started twice,
lost or killed; the sweep starts another when nobody holds the lease.
"""

import asyncio
import contextlib
import errno
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import structlog

from actors import scratch
from actors.ffmpeg import Limits
from actors.making import Made, Work, make
from persistence import drafts, items, uploads
from persistence.errors import PlayheadError, SetupError, StoreError, StoreUnavailable
from persistence.objects import Objects, ObjectStore, open_objects
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from persistence.uploads import Held, Swept, Upload

log = structlog.get_logger()

Outcome = Literal["ready", "failed", "lost", "again", "not waiting"]
"""`lost`: aborted, or another has it; `again`: a store was away; `not waiting`: there was nothing to do."""

FETCHED = 0.1
"""The fraction that stands for fetching the file."""

LIMITS = Limits(time_s=6 * 3600.0, output_bytes=32 * 1024**3)

ROOM = 3
"""Free bytes wanted on disk for each byte of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingSettings:
    """How uploads are worked on; plain data, so that it travels to a Ray task. Times in s.

    `scratch_folder` None: a folder of the machine's temporary ones. A worker that says nothing for `lease_s`
    counts as dead.
    """

    postgres_dsn: str = field(repr=False)
    objects: ObjectStore
    scratch_folder: Path | None = None
    lease_s: float = 15.0
    beat_s: float = 1.0
    sweep_every_s: float = 5.0
    limits: Limits = LIMITS


Start = Callable[[ProcessingSettings, uuid.UUID], Awaitable[Outcome]]
"""Has an upload processed somewhere; returns when that has ended."""


async def process(settings: ProcessingSettings, upload: uuid.UUID) -> Outcome:
    """Make an upload ready, or find why it cannot be. Harmless when another has it, or it is done."""
    postgres = await open_postgres(PostgresSettings(settings.postgres_dsn, "playhead processing", 1, 3))
    try:
        held = await uploads.claim(postgres, upload, settings.lease_s)
        if held is None:
            return "not waiting"
        log.info("upload_claimed", upload=str(upload), attempt=held.upload.attempts)
        async with open_objects(settings.objects) as objects:
            outcome = await _Worker(settings, postgres, objects, held).work()
        log.info("upload_processed", upload=str(upload), outcome=outcome)
        return outcome
    finally:
        await postgres.close()


class _Worker:
    """One worker on one upload, which it holds."""

    def __init__(
        self, settings: ProcessingSettings, postgres: Postgres, objects: Objects, held: Held
    ) -> None:
        self._settings = settings
        self._postgres = postgres
        self._objects = objects
        self._held = held
        self._fraction = 0.0

    async def work(self) -> Outcome:
        """Work while the upload is ours; the work ends when it is not any more."""
        working = asyncio.create_task(self._outcome())
        beating = asyncio.create_task(self._beat())
        try:
            await asyncio.wait((working, beating), return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else "lost"
        finally:
            for task in (working, beating):
                task.cancel()
            await asyncio.wait((working, beating))

    async def _beat(self) -> None:
        """Say every second how far the work is; returns when the upload is not ours any more."""
        heard_s = time.monotonic()
        while time.monotonic() - heard_s < self._settings.lease_s:
            await asyncio.sleep(self._settings.beat_s)
            with contextlib.suppress(StoreError):
                if not await self._held.hold(min(self._fraction, 0.999)):
                    return
                heard_s = time.monotonic()

    async def _outcome(self) -> Outcome:
        try:
            return "ready" if await self._make() else "lost"
        except StoreError as error:
            log.warning("upload_put_off", upload=str(self._held.upload.id), error=str(error))
            # A store that is away, or a key that must be mended, says nothing against the file.
            await self._let_go(counts=not isinstance(error, StoreUnavailable | SetupError))
            return "again"
        except PlayheadError as error:
            return (
                "failed"
                if await self._held.fail(_sentence(str(error), self._held.upload.file_name))
                else "lost"
            )
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            log.error("no_room_on_disk", upload=str(self._held.upload.id))
            await self._let_go()
            return "again"

    async def _let_go(self, counts: bool = False) -> None:
        with contextlib.suppress(StoreError):
            await self._held.release(counts)

    async def _make(self) -> bool:
        upload = self._held.upload
        with scratch.folder(self._settings.scratch_folder) as folder:
            await asyncio.to_thread(_check_room, folder, upload.length_bytes)
            (folder / "source").mkdir()
            # Under the name people know it by, which is in what they are told when it cannot be used.
            source = folder / "source" / upload.file_name
            await self._objects.get_file(upload.key, source, upload.length_bytes, self._at(0.0, FETCHED))
            work = Work(upload, source, folder, self._objects, self._settings.limits)
            made = await make(work, self._at(FETCHED, 1.0))
        return await self._finish(upload, made)

    def _at(self, begin: float, end: float) -> Callable[[float], None]:
        """What hears the fraction of a part of the work."""

        def report(fraction: float) -> None:
            self._fraction = max(self._fraction, begin + (end - begin) * fraction)

        return report

    async def _finish(self, upload: Upload, made: Made) -> bool:
        """Note what was made: the next version of the item, which the course's draft names from now on.

        All of it at once or nothing, so it makes no difference when a worker dies.
        """
        if upload.item is None or made.next_version is None:
            return await self._held.finish(None, made.key)
        version = version_of(upload)
        with contextlib.suppress(_Lost):
            async with self._postgres.transaction() as inside:
                await uploads.lock_item(inside, upload.item)
                base = await uploads.base(inside, upload.item)
                duration_ms, media = made.next_version(base)
                former, edits = (base.version, upload.edits) if base is not None else (None, [])
                new = items.Version(upload.item, version, duration_ms, media, former, edits)
                # The draft first: who publishes takes the rows in this order.
                await drafts.set_item_version(inside, upload.course, upload.item, version)
                await items.put(inside, [], [new])
                if not await self._held.within(inside).finish(version, made.key):
                    raise _Lost
            return True
        return False


class _Lost(Exception):
    """The upload is not ours any more, so nothing of what was made may stay."""


def version_of(upload: Upload) -> str:
    """The version an upload becomes: the same however often it is processed."""
    return f"u{upload.id.hex[:24]}"


def _sentence(message: str, file_name: str) -> str:
    """The message as people read it; one that begins with the file's name leaves that as it is."""
    begin = message[:1] if message.startswith(file_name) else message[:1].upper()
    return f"{begin}{message[1:]}."


def _check_room(folder: Path, length_bytes: int) -> None:
    if shutil.disk_usage(folder).free < ROOM * length_bytes:
        raise OSError(errno.ENOSPC, "there is no room for what will be made of the file")


class Processing:
    """Starts the processing of uploads, starts it again where a worker died, and clears up behind them."""

    RUNNING_MAX = 64
    CLEAR_EVERY_S = 60.0

    def __init__(
        self, postgres: Postgres, objects: Objects, settings: ProcessingSettings, start: Start
    ) -> None:
        self._postgres = postgres
        self._objects = objects
        self._settings = settings
        self._start = start
        self._running: dict[uuid.UUID, asyncio.Task[None]] = {}

    def submit(self, upload: uuid.UUID) -> None:
        """Have an upload processed. What is more than enough at once, the sweep starts later."""
        if upload in self._running or len(self._running) >= self.RUNNING_MAX:
            return
        task = asyncio.create_task(self._run(upload))
        self._running[upload] = task
        task.add_done_callback(lambda _: self._running.pop(upload, None))

    async def _run(self, upload: uuid.UUID) -> None:
        try:
            await self._start(self._settings, upload)
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the lease runs out and it is tried again
            log.warning("upload_not_processed", upload=str(upload), error=repr(error)[:200])

    async def sweep(self) -> None:
        """Start what waits and has nobody; end what too many have died of."""
        await uploads.give_up(self._postgres)
        for upload in await uploads.waiting(self._postgres, self._settings.lease_s):
            self.submit(upload)

    async def clear(
        self, abandoned_s: float = uploads.ABANDONED_AFTER_S, ended_s: float = uploads.ENDED_FOR_S
    ) -> None:
        """End uploads that nobody completes (U1), and remove from the store what was sent of ended ones."""
        await uploads.abandon(self._postgres, abandoned_s)
        gone = []
        try:
            for ended in await uploads.unswept(self._postgres, ended_s):
                if await self._delete(ended):
                    gone.append(ended.id)
        finally:
            # Also where the store went away in the middle.
            if gone:
                await uploads.swept(self._postgres, gone)

    async def _delete(self, ended: Swept) -> bool:
        """Whether what was sent is gone from the store; one that it keeps must not keep the others there."""
        try:
            if ended.multipart_id is not None:
                await self._objects.abort_parts(ended.key, ended.multipart_id)
            await self._objects.delete(ended.key)
        except StoreUnavailable:
            raise
        except StoreError as error:
            log.warning("upload_not_cleared", upload=str(ended.id), error=str(error))
            return False
        return True

    async def sweep_for_ever(self) -> None:
        """Sweep and clear in turn; a store that is away is asked again."""
        cleared_s = 0.0
        while True:
            try:
                await self.sweep()
                if time.monotonic() - cleared_s > self.CLEAR_EVERY_S:
                    await self.clear()
                    cleared_s = time.monotonic()
            except StoreError as error:
                log.warning("uploads_not_swept", error=str(error))
            except Exception:
                log.exception("sweep_failed")
            await asyncio.sleep(self._settings.sweep_every_s)

    async def close(self) -> None:
        """Wait for none of them any more. Tasks of the cluster end with the process that started them."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


@contextlib.asynccontextmanager
async def open_processing(
    postgres: Postgres, objects: Objects, settings: ProcessingSettings, start: Start
) -> AsyncIterator[Processing]:
    """Processing with its sweep, for the block."""
    processing = Processing(postgres, objects, settings, start)
    sweeping = asyncio.create_task(processing.sweep_for_ever())
    try:
        yield processing
    finally:
        sweeping.cancel()
        await asyncio.wait((sweeping,))
        await processing.close()


def in_cluster(set_up: Callable[[], object] | None = None) -> Start:
    """Each upload as a Ray task, on whichever node has a core; `set_up` runs first in its process.

    Ray repeats none: the sweep does, after the lease. Without a cluster it raises, and the upload waits.
    """
    remote: list[Any] = []

    async def start(settings: ProcessingSettings, upload: uuid.UUID) -> Outcome:
        import ray  # here, so that what only processes does not wait for it

        if not ray.is_initialized():
            raise NoCluster("this process is in no Ray cluster; the upload waits for one")
        if not remote:
            remote.append(ray.remote(num_cpus=1, max_retries=0)(_process_in_task))
        outcome: Outcome = await remote[0].remote(settings, upload, set_up)
        return outcome

    return start


def _process_in_task(
    settings: ProcessingSettings, upload: uuid.UUID, set_up: Callable[[], object] | None
) -> Outcome:
    if set_up is not None:
        set_up()
    return asyncio.run(process(settings, upload))


class NoCluster(PlayheadError):
    """This process is in no Ray cluster, so no task can be started."""
