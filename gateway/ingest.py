"""Bringing the demo course in: encode (needs no server), put into the object store, register. Idempotent."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from actors import lecture as drawing
from actors.ffmpeg import TranscodeError
from actors.lecture import Lecture
from actors.transcode import Encoded, read_encoded, remote_encode, steps_of
from actors.transcode import Rendition as EncodedRendition
from gateway.demo_course import CONTENT, COURSE, ITEMS, STUDENTS, DemoItem
from persistence import courses, items, students
from persistence.errors import StoreError
from persistence.media import Media, Rendition
from persistence.objects import Objects, ObjectStore, open_objects
from persistence.postgres import Postgres

OnProgress = Callable[[str, float], None]
"""Called with the name of a step and the fraction of it that is done, 0 to 1."""

ENCODE, UPLOAD, REGISTER = "lectures", "upload", "course"

# Part of every version: to be raised when the same source would be encoded otherwise.
ENCODING = "1"

_CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg"}
_PUTS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Prepared:
    """A lecture that is encoded: which item it is, its version, and the folder with its files."""

    item: DemoItem
    title: str
    version: str
    folder: Path
    encoded: Encoded


def _quiet(step: str, fraction: float) -> None:
    """Report no progress."""


async def ingest_lecture(
    media_folder: Path,
    store: ObjectStore,
    postgres: Postgres,
    video: Path | None = None,
    on_progress: OnProgress = _quiet,
    lectures: Sequence[DemoItem] = ITEMS,
) -> list[str]:
    """`prepare` and `register` in one: the ids of the items. A second call finds everything."""
    prepared = await prepare(media_folder, video, on_progress, lectures)
    return await register(prepared, store, postgres, on_progress)


async def prepare(
    media_folder: Path,
    video: Path | None = None,
    on_progress: OnProgress = _quiet,
    lectures: Sequence[DemoItem] = ITEMS,
    in_cluster: bool = False,
) -> list[Prepared]:
    """Encode the demo's lectures, or take them from `media_folder` where they are already.

    Needs no server, so it may run while they start; `in_cluster` makes each a task of the Ray cluster this
    process is attached to, whose nodes share `media_folder`. `video` takes the place of the first lecture;
    the SHA-256 of a file is its version. Cancelling ends ffmpeg. Raises `TranscodeError`.
    """
    total_s = sum(item.lecture.duration_s for item in lectures)
    done_s, prepared = 0, []
    for place, item in enumerate(lectures):
        source = video if place == 0 else None

        def advance(fraction: float, begun_s: int = done_s, item: DemoItem = item) -> None:
            on_progress(ENCODE, (begun_s + fraction * item.lecture.duration_s) / total_s)

        prepared.append(await _prepare_one(media_folder, item, source, advance, in_cluster))
        done_s += item.lecture.duration_s
    on_progress(ENCODE, 1.0)
    return prepared


async def _prepare_one(
    media_folder: Path,
    item: DemoItem,
    video: Path | None,
    on_progress: Callable[[float], None],
    in_cluster: bool,
) -> Prepared:
    version = await asyncio.to_thread(_version_of_file, video) if video else _version_of_lecture(item.lecture)
    folder = media_folder / version
    encoded = read_encoded(folder)
    if encoded is None:
        run = _in_cluster if in_cluster else _in_thread
        encoded = await run(*_absolute(video or item.lecture, folder), on_progress)
    return Prepared(item, _title(video) if video else item.title, version, folder, encoded)


def _absolute(source: Path | Lecture, folder: Path) -> tuple[Path | Lecture, Path]:
    """Source and folder as they are called from any working directory."""
    return source.absolute() if isinstance(source, Path) else source, folder.absolute()


def _title(video: Path) -> str:
    """The file's name, whatever bytes it is made of."""
    return video.stem.encode("utf-8", "replace").decode()[:200]


def _version_of_file(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(ENCODING.encode())
    return f"f{digest.hexdigest()[:24]}"


def _version_of_lecture(lecture: Lecture) -> str:
    drawn = (drawing.ground_script(lecture), drawing.script(lecture), drawing.poster_script(lecture))
    return f"g{hashlib.sha256((ENCODING + ''.join(drawn)).encode()).hexdigest()[:24]}"


async def _in_thread(source: Path | Lecture, folder: Path, on_progress: Callable[[float], None]) -> Encoded:
    """Encode beside the loop; cancelled, the steps are closed (which kills ffmpeg) before this returns."""
    steps = steps_of(source, folder)
    loop, stop = asyncio.get_running_loop(), threading.Event()

    def drive() -> Encoded | None:
        try:
            while not stop.is_set():
                loop.call_soon_threadsafe(on_progress, next(steps))
        except StopIteration as end:
            encoded: Encoded = end.value
            return encoded
        finally:
            steps.close()
        return None

    running = loop.run_in_executor(None, drive)
    try:
        encoded = await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        raise
    assert encoded is not None, "only a cancelled run ends without a result"
    return encoded


async def _in_cluster(source: Path | Lecture, folder: Path, on_progress: Callable[[float], None]) -> Encoded:
    """Encode as a Ray task, which may find a node with more time than this one."""
    import ray  # here, so that encoding without a cluster does not wait for it

    running = remote_encode().remote(source, folder)
    try:
        async for reference in running:
            said: float | Encoded = await reference
            if isinstance(said, Encoded):
                return said
            on_progress(said)
    except asyncio.CancelledError:
        ray.cancel(running)
        raise
    raise TranscodeError("the encoding task ended without a result; start it again")


async def register(
    prepared: list[Prepared], store: ObjectStore, postgres: Postgres, on_progress: OnProgress = _quiet
) -> list[str]:
    """Put what is missing into the object store, then say in Postgres where it is: the ids of the items.

    The keys are made here and never change their content. Raises `StoreError`.
    """
    async with open_objects(store) as objects:
        await objects.ensure_bucket()
        await _upload(objects, prepared, on_progress)
    await _describe(postgres, prepared)
    on_progress(REGISTER, 1.0)
    return [one.item.id for one in prepared]


def _key(one: Prepared, file: str) -> str:
    return f"course/{COURSE}/{one.item.id}/{one.version}/{file}"


async def _upload(objects: Objects, prepared: list[Prepared], on_progress: OnProgress) -> None:
    files = [(_key(one, name), one.folder / name) for one in prepared for name in one.encoded.files]
    at_once, done = asyncio.Semaphore(_PUTS_AT_ONCE), 0

    async def put(key: str, path: Path) -> None:
        nonlocal done
        async with at_once:
            stored = await objects.head(key)
            if stored is None or stored.length_bytes != (await asyncio.to_thread(path.stat)).st_size:
                await objects.put_file(key, path, _CONTENT_TYPES[path.suffix])
        done += 1
        on_progress(UPLOAD, done / len(files))

    try:
        async with asyncio.TaskGroup() as group:
            for key, path in files:
                group.create_task(put(key, path))
    except* StoreError as failed:
        raise failed.exceptions[0] from None


async def _describe(postgres: Postgres, prepared: list[Prepared]) -> None:
    """The rows, in the order in which they refer to each other. What is already so is not written."""
    content = msgspec.structs.replace(CONTENT, poster=_key(prepared[0], prepared[0].encoded.poster))
    await courses.put(postgres, COURSE, content, published=True)
    await items.put(postgres, [_item(one) for one in prepared], [_item_version(one) for one in prepared])
    await students.put(postgres, STUDENTS)
    await students.enrol(postgres, [students.Enrolment(student.id, COURSE) for student in STUDENTS])


def _item(one: Prepared) -> items.Item:
    return items.Item(one.item.id, COURSE, "video", one.title, one.version, one.item.place)


def _item_version(one: Prepared) -> items.Version:
    media = Media(
        kind="hls",
        renditions=tuple(_rendition(one, rendition) for rendition in one.encoded.renditions),
        poster=_key(one, one.encoded.poster),
        plain=_key(one, one.encoded.plain),
    )
    return items.Version(one.item.id, one.version, one.encoded.duration_ms, media.document())


def _rendition(one: Prepared, made: EncodedRendition) -> Rendition:
    return Rendition(
        name=made.name,
        width=made.width,
        height=made.height,
        frames_per_s=made.frames_per_s,
        bitrate=made.bitrate,
        peak_bitrate=made.peak_bitrate,
        codecs=made.codecs,
        key=_key(one, made.file),
        playlist=made.playlist,
    )
