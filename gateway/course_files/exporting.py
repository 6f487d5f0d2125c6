"""Writing a published course as a folder of files, from which it can be imported again.

Importing what was exported changes nothing: what cannot be told from the files alone (which version a video
is, of which only renditions are kept) stands in versions.json beside them.
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gateway.course_files import quizzes
from gateway.course_files.format import COURSE_FILE, QuizFile
from gateway.course_files.importing import content_of
from gateway.course_files.lines import CourseRefused, Problem, read_yaml
from gateway.course_files.making import VERSIONS_FILE, Exported, OnItem, identify, poster_key, poster_mark
from gateway.course_files.reading import (
    CourseFolder,
    QuizSource,
    read_course,
)
from gateway.course_files.writing import write_yaml
from persistence import drafts, items
from persistence.courses import CourseContent, ItemContent
from persistence.errors import PlayheadError
from persistence.media import Media, of_document, pdf_of
from persistence.objects import Objects, ObjectStore, open_objects
from persistence.postgres import Postgres

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class CannotExport(PlayheadError):
    """A course cannot be written to files; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote: the folder, the version it has, its items, and what could not be written."""

    folder: Path
    number: int
    items: int
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Export:
    """One export into `folder`. `as_files` are items whose generated form would make another version."""

    folder: Path
    objects: Objects
    postgres: Postgres
    on_progress: OnItem
    as_files: frozenset[str] = frozenset()
    names: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    async def write(self, course: str, content: CourseContent) -> None:
        """The whole folder."""
        document: dict[str, Any] = {"id": course}
        for name in ("title", "description", "instructor", "category", "difficulty", "language"):
            if value := getattr(content, name):
                document[name] = value
        sections, posters = [], list[str]()
        for section in content.sections:
            written = [await self._item(item, posters) for item in section.items]
            sections.append({"title": section.title, "items": [item for item in written if item]})
        if content.poster and content.poster not in posters[:1]:
            document["poster"] = await self._file(f"poster{Path(content.poster).suffix}", content.poster)
        document["sections"] = sections
        await asyncio.to_thread(write_yaml, self.folder / COURSE_FILE, document)

    async def _item(self, item: ItemContent, posters: list[str]) -> dict[str, Any] | None:
        """An item as course.yaml has it; None, and a note, for one without its file."""
        written: dict[str, Any] = {"id": item.id, "kind": item.kind, "title": item.title}
        if item.kind in ("video", "pdf"):
            version = await items.version(self.postgres, item.id, item.version or "")
            media = of_document(version.media) if version else None
            pdf = pdf_of(version.media) if version else None
            if isinstance(media, Media):
                posters.append(media.poster)
                written |= await self._video(item, media)
            elif pdf is not None:
                written |= await self._pdf(item, pdf.key)
            else:
                self.notes.append(f"{item.id} was left out: it has no {item.kind}")
                return None
            self.kept[item.id] = item.version or ""
        else:
            written |= await asyncio.to_thread(self._content, item)
        self.on_progress(item.id, 1.0)
        return written

    async def _video(self, item: ItemContent, media: Media) -> dict[str, Any]:
        written: dict[str, Any] = {}
        source, more = self._source(item)
        if "lecture" in source:
            written["lecture"] = source["lecture"]
        else:
            best = max(media.renditions, key=lambda one: one.height * one.width)
            written["file"] = await self._file(f"videos/{item.id}.mp4", best.key, item.id)
        if more:
            written["content"] = msgspec.json.encode(more).decode()
        tracks = [
            {
                "language": track.language,
                "label": track.label,
                "file": await self._file(f"captions/{item.id}.{track.language}.vtt", track.key),
            }
            for track in media.captions
        ]
        return written | ({"captions": tracks} if tracks else {})

    async def _pdf(self, item: ItemContent, key: str) -> dict[str, Any]:
        source, more = self._source(item)
        if "handout" in source:
            name = self._name(f"texts/{item.id}.md")
            await asyncio.to_thread(_write, self.folder / name, source["handout"])
            written = {"handout": name}
        else:
            written = {"file": await self._file(f"documents/{item.id}.pdf", key, item.id)}
        return written | ({"content": msgspec.json.encode(more).decode()} if more else {})

    def _source(self, item: ItemContent) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """What an item was generated from, and the rest of its content: all of it for what is a file now."""
        source = item.content.get("source")
        if not isinstance(source, dict) or [*source] not in (["lecture"], ["handout"]):
            return {}, item.content
        if item.id in self.as_files:
            return {}, item.content
        return source, {name: value for name, value in item.content.items() if name != "source"}

    def _content(self, item: ItemContent) -> dict[str, Any]:
        """Text, assignment and quiz as files, where these say all of it; else their content as it is."""
        if item.kind in ("text", "assignment") and [*item.content] == ["markdown"]:
            name = self._name(f"texts/{item.id}.md")
            _write(self.folder / name, item.content["markdown"])
            return {"file": name}
        if item.kind == "quiz" and _says_all(self.folder, item.content):
            name = self._name(f"quizzes/{item.id}.yaml")
            write_yaml(self.folder / name, quizzes.file_of(item.content), head="")
            return {"file": name}
        return {"content": msgspec.json.encode(item.content).decode()}

    async def _file(self, name: str, key: str, item: str = "") -> str:
        """Read an object into a file; gives the file's name."""
        name = self._name(name)
        stored = await self.objects.head(key)
        if stored is None:
            raise CannotExport(f"the object {key} is not in the store any more; upload the file again")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)

        def advance(fraction: float) -> None:
            if item:
                self.on_progress(item, fraction)

        await self.objects.get_file(key, path, stored.length_bytes, advance)
        return name

    def _name(self, name: str) -> str:
        """A file name of plain letters that no other item has."""
        place = Path(name)
        stem = _UNSAFE.sub("_", place.stem).lstrip(".") or "item"
        found, count = f"{place.parent}/{stem}{place.suffix}".removeprefix("./"), 1
        while found.lower() in self.names:
            count += 1
            found = f"{place.parent}/{stem}-{count}{place.suffix}".removeprefix("./")
        self.names.add(found.lower())
        return found


def _quiet(item: str, fraction: float) -> None:
    """Report no progress."""


async def export_course(
    postgres: Postgres, store: ObjectStore, course: str, to: Path, on_progress: OnItem = _quiet
) -> Written:
    """Write what is published of a course to the folder `to`, which must be new or empty.

    The folder is there whole or not at all. It holds the answers of quizzes. Raises `CannotExport`,
    `StoreError`.
    """
    _check_target(to)
    version = await drafts.version(postgres, course)
    if version is None:
        raise CannotExport(f"nothing was published of a course {course}; publish it first, or mind its id")
    making = await asyncio.to_thread(_beside, to)
    try:
        async with open_objects(store) as objects:
            export = _Export(making, objects, postgres, on_progress)
            await export.write(course, version.content)
            read = await _read_back(making)
            differing = frozenset(await _differing(read, version.content))
            if differing:  # their files changed since they were generated: those are what is published
                await asyncio.to_thread(_empty, making)
                export = _Export(making, objects, postgres, on_progress, differing)
                await export.write(course, version.content)
                read = await _read_back(making)
        await _note_versions(read, making, export.kept, version.content.poster)
        await asyncio.to_thread(_move, making, to)
    finally:
        await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
    return Written(to, version.number, len(version.content.items()), tuple(export.notes))


def _beside(to: Path) -> Path:
    """A folder to write in, which becomes `to` in one step."""
    parent = to.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=parent))


def _check_target(to: Path) -> None:
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise CannotExport(f"{to} is there already and not empty; name a folder that is new")


async def _read_back(folder: Path) -> CourseFolder:
    """What was written, as an import reads it."""
    try:
        return await asyncio.to_thread(read_course, folder)
    except CourseRefused as error:
        why = "; ".join(str(problem) for problem in error.problems[:3])
        raise CannotExport(f"the course cannot be said in files: {why}; mend it in its editor") from error


async def _differing(read: CourseFolder, content: CourseContent) -> list[str]:
    """Items that are generated at import, and would become other versions than the published ones."""
    named = {item.id: item for item in content.items()}
    made = {one.item.id: one.version for one in await identify(read)}
    return [
        item.id
        for item in read.items
        if "source" in content_of(item) and made[item.id] != named[item.id].version
    ]


async def _note_versions(read: CourseFolder, folder: Path, kept: Mapping[str, str], poster: str) -> None:
    noted = {
        one.item.id: Exported(kept[one.item.id], one.version)
        for one in await identify(read)
        if one.item.id in kept and kept[one.item.id] != one.version
    }
    if read.poster is not None and poster_key(read, read.poster) != poster:
        noted["/poster"] = Exported(poster, poster_mark(read.poster))
    if noted:
        (folder / VERSIONS_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(noted), indent=2))


def _says_all(folder: Path, content: dict[str, Any]) -> bool:
    """Whether the YAML of a quiz says all of its content."""
    probe, problems = folder / ".quiz.yaml", list[Problem]()
    try:
        write_yaml(probe, quizzes.file_of(content), head="")
        quiz = read_yaml(probe, probe.name, QuizFile, problems)
    except (KeyError, TypeError, AttributeError):
        return False
    finally:
        probe.unlink(missing_ok=True)
    return quiz is not None and quizzes.content_of(QuizSource(quiz.questions).questions) == content


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _empty(folder: Path) -> None:
    for place in folder.iterdir():
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def _move(making: Path, to: Path) -> None:
    making.chmod(0o755)
    if to.exists():
        to.rmdir()
    making.rename(to)
