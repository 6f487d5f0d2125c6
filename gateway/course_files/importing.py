"""Bringing a course folder in: upload what was made, write the versions, the draft, and publish. Idempotent.

A second run finds every object, version and document as it would write them: it writes and publishes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from actors.making import CONTENT_TYPES, EDITED_MAX_MS, EDITED_MAX_RATIO, media_of
from gateway.course_files import quizzes
from gateway.course_files.format import COURSE_FILE
from gateway.course_files.lines import CourseRefused, Problem
from gateway.course_files.making import (
    Exported,
    Identified,
    Made,
    OnItem,
    poster_key,
    poster_mark,
    read_exported,
)
from gateway.course_files.reading import (
    CourseFolder,
    CourseItem,
    Edits,
    HandoutSource,
    LectureSource,
    OtherSource,
    QuizSource,
    TextSource,
)
from persistence import drafts, items, students
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.drafts import Draft
from persistence.errors import PlayheadError, StoreError
from persistence.media import Caption, Media, Pdf, of_document
from persistence.objects import Objects, ObjectStore, key_of, open_objects
from persistence.postgres import Postgres

PUTS_AT_ONCE = 4

_CONTENT_TYPES = {**CONTENT_TYPES, ".png": "image/png", ".webp": "image/webp"}


class DraftInTheWay(PlayheadError):
    """The course's draft has changes that nobody published; an import would overwrite them."""


class NoTeacher(PlayheadError):
    """Somebody who should teach a course is not known."""


@dataclass(frozen=True, slots=True)
class Line:
    """What an import did with one item: `what` is `new`, `new version`, `changed` or `as it was`."""

    id: str
    kind: str
    title: str
    what: str
    version: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import did. `number` is the version that is published now; `retired` were left out by it."""

    course: str
    number: int
    published: bool
    lines: tuple[Line, ...]
    retired: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    """A file for the object store, and the item it belongs to."""

    item: str
    key: str
    path: Path


@dataclass(slots=True)
class _Plan:
    """What an import will write."""

    files: list[_File] = field(default_factory=list)
    versions: list[items.Version] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    poster: str = ""
    posters: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _quiet(item: str, fraction: float) -> None:
    """Report no progress."""


async def already(postgres: Postgres, identified: Sequence[Identified]) -> dict[str, items.Version]:
    """By item, the version that its files are, where Postgres has it: that one needs no making."""
    found = {}
    for one in identified:
        for name in filter(None, (one.exported, one.version)):
            version = await items.version(postgres, one.item.id, name)
            if version is not None and one.item.id not in found:
                found[one.item.id] = version
    return found


async def bring_in(
    course: CourseFolder,
    identified: Sequence[Identified],
    made: Sequence[Made],
    store: ObjectStore,
    postgres: Postgres,
    *,
    by: str = "",
    over_draft: bool = False,
    on_progress: OnItem = _quiet,
) -> Outcome:
    """Upload, write and publish. What is not `made` has to be there `already`.

    `by` is noted as who did it, and may go over what it wrote itself; `over_draft` overwrites what others
    changed in the draft and did not publish. Raises `DraftInTheWay`, `CourseRefused`, `StoreError`, and what
    `drafts.write` and `drafts.publish` raise.
    """
    await check_edits(postgres, course, identified, made)
    draft = await drafts.read(postgres, course.id)
    there = await already(postgres, identified)
    before = {item.id: item for item in draft.content.items()} if draft else {}
    plan = _plan(course, identified, {one.identified.item.id: one for one in made}, there, before)
    if course.poster is not None:
        now = draft.content.poster if draft else ""
        plan.poster = await asyncio.to_thread(_poster_key, course, course.poster, now)
        if plan.poster != now:
            plan.files.append(_File("poster", plan.poster, course.poster))
    content = _content(course, plan, before)
    same = draft is not None and _alike(draft.content, content)
    if draft is not None and not same:
        plan.notes += _overwritten(draft, by, over_draft)
    await _upload(store, plan.files, on_progress)
    number = draft.number if draft else 0
    published = not (same and draft is not None and not draft.changed and number)
    if published:
        number, content = await _publish(course, content, plan, draft, postgres, by, same)
    lines = tuple(_line(item, content, before) for item in course.items)
    kept = {item.id for item in course.items}
    retired = tuple(item for item in before if item not in kept) if published else ()
    return Outcome(course.id, number, published, lines, retired, tuple(plan.notes))


def _overwritten(draft: Draft, by: str, over_draft: bool) -> list[str]:
    """What to say of the work of others that another document replaces. Raises `DraftInTheWay`."""
    if draft.updated_by == by:
        return []
    whose = draft.updated_by or "somebody"
    if draft.changed and not over_draft:
        raise DraftInTheWay(
            f"the draft of {draft.course} was changed by {whose} and not published; publish and export it, "
            "or overwrite it with --over-draft"
        )
    if draft.changed:
        return [f"what {whose} changed in the draft and did not publish is overwritten"]
    return [f"what {whose} published is replaced; it is kept as version {draft.number}"]


async def _publish(
    course: CourseFolder,
    content: CourseContent,
    plan: _Plan,
    draft: Draft | None,
    postgres: Postgres,
    by: str,
    same: bool,
) -> tuple[int, CourseContent]:
    """The draft first: it makes the rows of new items, to which versions refer. Gives what is published."""
    rev = draft.rev if draft else None
    if not same:
        rev = await drafts.write(postgres, course.id, content, by, rev)
    if plan.versions:
        await items.put(postgres, [], plan.versions)
    number = (await drafts.publish(postgres, course.id, by, rev)).number
    version = await drafts.version(postgres, course.id, number)
    return number, version.content if version is not None else content


async def check_teachers(postgres: Postgres, teachers: Sequence[str]) -> None:
    """Raise `NoTeacher` for one who is not there."""
    for teacher in teachers:
        if await students.find(postgres, teacher) is None:
            raise NoTeacher(f"there is no student {teacher}; who teaches has to have signed in once before")


async def teach(postgres: Postgres, course: str, teachers: Sequence[str]) -> None:
    """Make students instructors of a course."""
    await students.enrol(postgres, [students.Enrolment(one, course, "instructor") for one in teachers])


def _plan(
    course: CourseFolder,
    identified: Sequence[Identified],
    made: Mapping[str, Made],
    there: Mapping[str, items.Version],
    before: Mapping[str, ItemContent],
) -> _Plan:
    plan = _Plan()
    for one in identified:
        found = there.get(one.item.id)
        mine = made.get(one.item.id)
        plan.named[one.item.id] = found.version if found else one.version
        if mine is not None and (found is None or found.version == one.version):
            document = _place(course, one, mine, plan)
            if found is None:
                plan.versions.append(_version(one, mine, document, before.get(one.item.id), plan))
        elif found is not None:
            media = of_document(found.media)
            if media is not None:
                plan.posters[one.item.id] = media.poster
        else:
            raise StoreError(f"{one.item.id} was not made and is not there; start the import again")
    return plan


def _place(course: CourseFolder, one: Identified, made: Made, plan: _Plan) -> Media | Pdf:
    """Note where the files of an item go; gives what a version says of them."""
    item = one.item.id

    def key(file: str) -> str:
        return key_of("course", course.id, item, one.mark, file)

    if made.encoded is None:
        assert made.pdf is not None, "what was made is a video or a PDF"
        plan.files.append(_File(item, key("document.pdf"), made.pdf))
        return Pdf("pdf", key("document.pdf"), made.pages, made.pdf.stat().st_size)
    plan.files += [_File(item, key(name), made.folder / name) for name in made.encoded.files]
    captions = tuple(
        Caption(
            track.language, track.label, key_of("course", course.id, item, "captions", f"{track.mark}.vtt")
        )
        for track in one.captions
    )
    plan.files += [_File(item, track.key, path) for track, path in zip(captions, made.captions, strict=True)]
    media = msgspec.structs.replace(media_of(made.encoded, key), captions=captions)
    plan.posters[item] = media.poster
    return media


def _version(
    one: Identified, made: Made, document: Media | Pdf, before: ItemContent | None, plan: _Plan
) -> items.Version:
    """The row of a version that is new; made from the one the course shows until now, if any (R9)."""
    duration_ms = made.encoded.duration_ms if made.encoded else made.pages * 1000
    from_version, edits = before.version if before else None, one.item.edits
    if edits is not None and from_version is None:
        plan.notes.append(f"{one.item.id}: its edits were left out, for it has no earlier version here")
        edits = None
    return items.Version(
        item=one.item.id,
        version=one.version,
        duration_ms=duration_ms,
        media=document.document(),
        from_version=edits.from_version if edits else from_version,
        edits=edits.document() if edits else (),
    )


async def check_edits(
    postgres: Postgres, course: CourseFolder, identified: Sequence[Identified], made: Sequence[Made] = ()
) -> None:
    """Raise `CourseRefused` for edits that cannot be what became of an earlier version.

    That is, for versions that are new: they start from one the item does not have, though it has others; or
    they lead to another length than what was `made` of the file has.
    """
    draft = await drafts.read(postgres, course.id)
    before = {item.id: item.version for item in draft.content.items()} if draft else {}
    there = await already(postgres, identified)
    lengths = {one.identified.item.id: one.encoded.duration_ms for one in made if one.encoded}
    problems = []
    for item in course.items:
        if item.edits is None or not before.get(item.id) or item.id in there:
            continue
        base = await items.version(postgres, item.id, item.edits.from_version)
        if base is None:
            what = (
                f"{item.id} has no version {item.edits.from_version}; the one shown now is {before[item.id]}"
            )
            problems.append(Problem(COURSE_FILE, item.edits.line, what))
        elif item.id in lengths and (what := _other_length(item.edits, base.duration_ms, lengths[item.id])):
            problems.append(Problem(COURSE_FILE, item.edits.line, f"{item.id}: {what}"))
    if problems:
        raise CourseRefused(problems)


def _other_length(edits: Edits, before_ms: int, now_ms: int) -> str:
    """What to say where the edits do not make this length of that one: progress would be mapped wrongly."""
    expected_ms = before_ms + sum(length_ms for _, length_ms in edits.inserts)
    expected_ms -= sum(to_ms - from_ms for from_ms, to_ms in edits.cuts)
    if abs(expected_ms - now_ms) <= max(EDITED_MAX_MS, EDITED_MAX_RATIO * expected_ms):
        return ""
    return (
        f"the edits make {expected_ms / 1000:.1f} s of {before_ms / 1000:.1f} s, but the file has "
        f"{now_ms / 1000:.1f} s; mend its cuts and inserts"
    )


def _content(course: CourseFolder, plan: _Plan, before: Mapping[str, ItemContent]) -> CourseContent:
    """The document of the course; what is made of content keeps the version it has, until it is published."""
    sections = [
        SectionContent(
            section.title, [_item_content(item, plan, before.get(item.id)) for item in section.items]
        )
        for section in course.sections
    ]
    first = next((plan.posters[item.id] for item in course.items if item.id in plan.posters), "")
    return CourseContent(
        title=course.title,
        description=course.description,
        instructor=course.instructor,
        poster=plan.poster or first,
        sections=sections,
        category=course.category,
        difficulty=course.difficulty,
        language=course.language,
    )


def _item_content(item: CourseItem, plan: _Plan, before: ItemContent | None) -> ItemContent:
    version = plan.named.get(item.id) or (before.version if before else None)
    return ItemContent(item.id, item.kind, item.title, version, {**content_of(item), **item.more})


def content_of(item: CourseItem) -> dict[str, Any]:
    """What the document of a course holds of an item, by what it is made of."""
    source = item.source
    if isinstance(source, LectureSource):
        return {"source": {"lecture": dict(source.written)}}
    if isinstance(source, HandoutSource):
        return {"source": {"handout": source.markdown}}
    if isinstance(source, TextSource):
        return {"markdown": source.markdown}
    if isinstance(source, QuizSource):
        return quizzes.content_of(source.questions)
    return dict(source.content) if isinstance(source, OtherSource) else {}


def _poster_key(course: CourseFolder, poster: Path, now: str) -> str:
    """The key of the course's picture: the one it has `now` if an export says that this is that picture."""
    exported = read_exported(course.folder).get("/poster")
    if exported is not None and exported == Exported(now, poster_mark(poster)):
        return now
    return poster_key(course, poster)


def _alike(one: CourseContent, other: CourseContent) -> bool:
    """Whether two documents say the same, whatever their lists are made of."""
    return msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(
        other, order="deterministic"
    )


def _line(item: CourseItem, content: CourseContent, before: Mapping[str, ItemContent]) -> Line:
    now = next(one for one in content.items() if one.id == item.id)
    was = before.get(item.id)
    if was is None:
        what = "new"
    elif was == now:
        what = "as it was"
    else:
        what = "new version" if was.version != now.version else "changed"
    return Line(item.id, item.kind, item.title, what, now.version or "")


async def _upload(store: ObjectStore, files: Sequence[_File], on_progress: OnItem) -> None:
    """Put what the store does not have. Raises the first `StoreError`."""
    if not files:
        return
    totals: dict[str, int] = {}
    done: dict[str, float] = {}
    for file in files:
        totals[file.item] = totals.get(file.item, 0) + 1
    async with open_objects(store) as objects:
        await objects.ensure_bucket()
        at_once = asyncio.Semaphore(PUTS_AT_ONCE)

        async def put(file: _File) -> None:
            async with at_once:
                await _put(objects, file)
            done[file.item] = done.get(file.item, 0) + 1
            on_progress(file.item, done[file.item] / totals[file.item])

        try:
            async with asyncio.TaskGroup() as group:
                for file in files:
                    group.create_task(put(file))
        except* StoreError as failed:
            raise failed.exceptions[0] from None


async def _put(objects: Objects, file: _File) -> None:
    stored = await objects.head(file.key)
    length_bytes = (await asyncio.to_thread(file.path.stat)).st_size
    if stored is None or stored.length_bytes != length_bytes:
        await objects.put_file(file.key, file.path, _CONTENT_TYPES[file.path.suffix.lower()])
