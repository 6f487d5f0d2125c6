"""From sources to what can be uploaded: videos encoded, lectures drawn, handouts set. Needs no server.

What was made lies in a folder of its own, named by a hash of what it was made from, and is found there the
next time.
"""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from actors import lecture as drawing
from actors.lecture import Lecture
from actors.making import ENCODING
from actors.transcode import Encoded
from gateway.course_files import handout
from gateway.course_files.encoding import encode
from gateway.course_files.reading import (
    CourseFolder,
    CourseItem,
    HandoutSource,
    LectureSource,
    PdfSource,
    VideoSource,
)
from persistence.objects import key_of

OnItem = Callable[[str, float], None]
"""Called with the id of an item and the fraction of its making that is done, 0 to 1."""

TASKS_AT_ONCE = 4
"""Encodings that wait in the cluster at the same time; on this machine it is one."""

VERSIONS_FILE = "versions.json"


class Exported(msgspec.Struct, frozen=True):
    """What `playhead export` notes of an item: which version its files are while they hash to `made_of`."""

    version: str
    made_of: str


@dataclass(frozen=True, slots=True)
class MadeCaptions:
    """Captions, and the hash that names them."""

    language: str
    label: str
    text: str
    mark: str


@dataclass(frozen=True, slots=True)
class Identified:
    """An item with media of its own: `mark` names what its files are made from, `version` that with captions.

    `exported` is the version that an export says these very files are, or empty.
    """

    item: CourseItem
    mark: str
    version: str
    captions: tuple[MadeCaptions, ...] = ()
    exported: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """An item whose files lie in `folder`: a video as encoded (and its captions), or `pdf` with its pages."""

    identified: Identified
    folder: Path
    encoded: Encoded | None = None
    captions: tuple[Path, ...] = ()
    pdf: Path | None = None
    pages: int = 0


class _Handout(msgspec.Struct, frozen=True):
    """Lies beside a handout when it is whole."""

    pages: int


def _quiet(item: str, fraction: float) -> None:
    """Report no progress."""


async def identify(course: CourseFolder) -> list[Identified]:
    """The items that have media, and the versions their sources make: every file is read and hashed."""
    exported = await asyncio.to_thread(read_exported, course.folder)
    found = []
    for item in course.items:
        if isinstance(item.source, VideoSource | LectureSource | PdfSource | HandoutSource):
            found.append(await asyncio.to_thread(_identify, course, item, exported.get(item.id)))
    return found


def read_exported(folder: Path) -> dict[str, Exported]:
    """What an export noted of the items beside course.yaml; nothing where that is missing or mangled."""
    try:
        with (folder / VERSIONS_FILE).open("rb") as file:
            return msgspec.json.decode(file.read(1024 * 1024), type=dict[str, Exported])
    except (OSError, msgspec.MsgspecError):
        return {}


def _identify(course: CourseFolder, item: CourseItem, exported: Exported | None) -> Identified:
    mark = _mark(course, item)
    captions = tuple(
        MadeCaptions(one.language, one.label, one.text, f"c{_hash_of(one.text.encode())}")
        for one in item.captions
    )
    version = mark
    if captions:
        told = msgspec.json.encode([(one.language, one.label, one.mark) for one in captions])
        version = mark[0] + _hash_of(mark.encode() + told)
    same = exported is not None and exported.made_of == version
    return Identified(item, mark, version, captions, exported.version if exported and same else "")


def _mark(course: CourseFolder, item: CourseItem) -> str:
    source = item.source
    if isinstance(source, VideoSource):
        return f"f{_hash_of_file(source.path, ENCODING)}"
    if isinstance(source, PdfSource):
        return f"p{_hash_of_file(source.path)}"
    if isinstance(source, LectureSource):
        return _mark_of_lecture(source.lecture)
    assert isinstance(source, HandoutSource)
    told = msgspec.json.encode([handout.SETTING, course.title, item.title, source.markdown])
    return f"h{_hash_of(told)}"


def _mark_of_lecture(lecture: Lecture) -> str:
    drawn = (drawing.ground_script(lecture), drawing.script(lecture), drawing.poster_script(lecture))
    return f"g{_hash_of((ENCODING + ''.join(drawn)).encode())}"


def poster_mark(poster: Path) -> str:
    """What names a picture of the course."""
    return f"i{_hash_of_file(poster)}"


def poster_key(course: CourseFolder, poster: Path) -> str:
    """The key of a picture that an import puts."""
    return key_of("course", course.id, "poster", f"{poster_mark(poster)}{poster.suffix.lower()}")


def _hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


def _hash_of_file(path: Path, more: str = "") -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(more.encode())
    return digest.hexdigest()[:24]


async def make(
    course: CourseFolder,
    wanted: Sequence[Identified],
    work: Path,
    on_progress: OnItem = _quiet,
    *,
    in_cluster: bool = False,
    there: Collection[str] = (),
) -> list[Made]:
    """Make what is wanted in folders of `work`, or find it there; items whose ids are `there` are left out.

    `in_cluster` makes each video a task of the Ray cluster this process is attached to, whose nodes share
    `work` and the course's folder. Cancelling ends what runs. Raises `TranscodeError` and `OSError`.
    """
    at_once = asyncio.Semaphore(TASKS_AT_ONCE if in_cluster else 1)

    async def one(identified: Identified) -> Made:
        async with at_once:
            made = await _make_one(course, identified, work, on_progress, in_cluster)
        on_progress(identified.item.id, 1.0)
        return made

    tasks = [asyncio.create_task(one(entry)) for entry in wanted if entry.item.id not in there]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _make_one(
    course: CourseFolder, identified: Identified, work: Path, on_progress: OnItem, in_cluster: bool
) -> Made:
    item, folder = identified.item, work / identified.mark
    source = item.source
    if isinstance(source, PdfSource):
        return Made(identified, source.path.parent, pdf=source.path, pages=source.pages)
    if isinstance(source, HandoutSource):
        pages = await asyncio.to_thread(_set_handout, source.markdown, item.title, course.title, folder)
        return Made(identified, folder, pdf=folder / "handout.pdf", pages=pages)
    assert isinstance(source, VideoSource | LectureSource)
    what = source.path if isinstance(source, VideoSource) else source.lecture
    encoded = await encode(what, folder, lambda done: on_progress(item.id, done), in_cluster=in_cluster)
    captions = tuple(work / "captions" / f"{one.mark}.vtt" for one in identified.captions)
    for path, one in zip(captions, identified.captions, strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(one.text.encode())
    return Made(identified, folder, encoded, captions)


def _set_handout(markdown: str, title: str, course: str, folder: Path) -> int:
    """Set a handout in `folder`, whole or not at all; its number of pages."""
    about = folder / "handout.json"
    if about.is_file() and (folder / "handout.pdf").is_file():
        return msgspec.json.decode(about.read_bytes(), type=_Handout).pages
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        pages = handout.write_handout(markdown, title, course, making / "handout.pdf")
        (making / about.name).write_bytes(msgspec.json.encode(_Handout(pages)))
        if folder.exists():
            shutil.rmtree(folder)
        making.replace(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return pages
