"""Drafts and publishing: by revision, in one transaction, never changed afterwards; ids stay, answers are
hidden.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from persistence import courses, drafts, items, sessions, students
from persistence.contents import BadContent
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.drafts import NoDraft, Stale, Taken, Unpublishable
from persistence.ids import BadId
from persistence.items import Item, Version
from persistence.postgres import Postgres, StoreRefused

QUIZ = {"questions": [{"id": "q1", "text": "Why?", "kind": "text", "answers": ["a-secret-answer"]}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def people(postgres: Postgres) -> None:
    await students.put(
        postgres, [students.Student("mira", "Mira", may_teach=True), students.Student("ada", "Ada")]
    )


@pytest_asyncio.fixture(loop_scope="session")
async def course(postgres: Postgres) -> AsyncIterator[str]:
    """A course of its own for each test, Mira its instructor."""
    name = f"course-{uuid.uuid4().hex[:8]}"
    await drafts.create(postgres, name, "Resuming", "mira")
    yield name


def lecture(course: str, version: str | None = None, title: str = "A lecture") -> ItemContent:
    return ItemContent(f"{course}-lecture", "video", title, version)


def text(course: str, markdown: str = "# Read me") -> ItemContent:
    return ItemContent(f"{course}-text", "text", "To read", None, {"markdown": markdown})


def quiz(course: str, content: dict[str, Any] = QUIZ) -> ItemContent:
    return ItemContent(f"{course}-quiz", "quiz", "To try", None, content)


def document(*some: ItemContent, title: str = "Resuming") -> CourseContent:
    return CourseContent(title, "How", "Mira", sections=[SectionContent("First", list(some))], language="en")


async def uploaded(postgres: Postgres, item: ItemContent, version: str, **more: Any) -> None:
    """What the pipeline leaves: a version of the item, named in no draft yet."""
    duration_ms = more.pop("duration_ms", 60_000)
    await items.put(postgres, [], [Version(item.id, version, duration_ms, **more)])


async def published(postgres: Postgres, course: str, *some: ItemContent) -> drafts.Published:
    rev = await drafts.write(postgres, course, document(*some), "mira", None)
    return await drafts.publish(postgres, course, "mira", rev)


async def page(postgres: Postgres, course: str) -> list[tuple[str, str, int]]:
    """What a student sees of a course, past any cache."""
    loaded = await courses._load(postgres, course)
    return [
        (item.id, item.version, item.duration_ms) for section in loaded.sections for item in section.items
    ]


async def test_a_new_course_is_a_draft_of_its_instructor(postgres: Postgres, course: str) -> None:
    draft = await drafts.read(postgres, course)
    assert draft is not None
    assert (draft.rev, draft.number, draft.changed, draft.content.title) == (1, 0, True, "Resuming")
    assert (await courses.access(postgres, "mira", course)) is not None
    await students.enrol(postgres, [students.Enrolment("ada", course)])
    assert await courses.access(postgres, "ada", course) is None, "nobody sees what was never published"
    with pytest.raises(Taken):
        await drafts.create(postgres, course, "Again", "ada")
    with pytest.raises(BadId):
        await drafts.create(postgres, "no id", "Again", "ada")
    assert await drafts.read(postgres, "none") is None


async def test_a_draft_is_written_by_who_saw_it_as_it_is(postgres: Postgres, course: str) -> None:
    rev = await drafts.write(postgres, course, document(title="One"), "mira", 1)
    with pytest.raises(Stale) as stale:
        await drafts.write(postgres, course, document(title="Two"), "mira", 1)
    assert stale.value.rev == rev
    draft = await drafts.read(postgres, course)
    assert draft is not None
    assert (draft.content.title, draft.rev, draft.updated_by) == ("One", rev, "mira")


async def test_of_many_who_write_at_once_one_wins(postgres: Postgres, course: str) -> None:
    writes = (drafts.write(postgres, course, document(title=f"{n}"), "mira", 1) for n in range(6))
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Stale"] * 5 + ["int"]


async def test_items_of_a_draft_have_rows_nobody_sees(postgres: Postgres, course: str) -> None:
    await drafts.write(postgres, course, document(lecture(course)), "mira", None)
    await uploaded(postgres, lecture(course), "v1", media={"kind": "hls"})
    assert await items.open_for(postgres, "mira", lecture(course).id) is None
    assert await sessions.load_items(postgres, [lecture(course).id]) == []
    assert await page(postgres, course) == []
    row = await postgres.row("SELECT items_total, duration_ms FROM course WHERE id = $1", course)
    assert row is not None
    assert tuple(row) == (0, 0)


async def test_a_publish_is_what_students_see(postgres: Postgres, course: str) -> None:
    await drafts.write(postgres, course, document(lecture(course), text(course)), "mira", None)
    await uploaded(postgres, lecture(course), "v1")
    assert await drafts.set_item_version(postgres, course, lecture(course).id, "v1")
    draft = await drafts.read(postgres, course)
    assert draft is not None
    made = await drafts.publish(postgres, course, "mira", draft.rev)
    assert made.number == 1
    seen = await page(postgres, course)
    assert [(item, duration_ms) for item, _, duration_ms in seen] == [
        (lecture(course).id, 60_000),
        (text(course).id, 1_000),
    ]
    row = await postgres.row("SELECT * FROM course WHERE id = $1", course)
    assert row is not None
    assert (row["items_total"], row["duration_ms"], row["number"], row["published"]) == (2, 61_000, 1, True)
    assert (row["language"], row["instructor"], row["category"]) == ("en", "Mira", "")
    after = await drafts.read(postgres, course)
    assert after is not None
    assert (after.changed, after.number, after.rev) == (False, 1, made.rev)
    opened = await items.open_for(postgres, "mira", text(course).id)
    assert opened is not None
    assert opened.media == {"kind": "text", "markdown": "# Read me"}


async def test_two_publishes_at_once_one_wins(postgres: Postgres, course: str) -> None:
    rev = await drafts.write(postgres, course, document(text(course)), "mira", None)
    publishes = (drafts.publish(postgres, course, "mira", rev) for _ in range(5))
    outcomes = await asyncio.gather(*publishes, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Published"] + ["Stale"] * 4
    assert [line.number for line in await drafts.versions(postgres, course, None, 10)] == [1]


async def test_a_published_version_never_changes(postgres: Postgres, course: str) -> None:
    await published(postgres, course, text(course, "one"))
    first = await drafts.version(postgres, course, 1)
    await published(postgres, course, text(course, "two"))
    assert await drafts.version(postgres, course, 1) == first
    with pytest.raises(StoreRefused, match="never changes"):
        await postgres.execute("UPDATE course_version SET content = '{}' WHERE course = $1", course)
    lines = await drafts.versions(postgres, course, None, 1)
    assert [line.number for line in lines] == [2]
    assert [line.number for line in await drafts.versions(postgres, course, 2, 10)] == [1]
    assert await drafts.version(postgres, course, 3) is None


async def test_the_same_content_is_the_same_version(postgres: Postgres, course: str) -> None:
    await published(postgres, course, text(course, "one"), quiz(course))
    before = await page(postgres, course)
    await published(postgres, course, text(course, "two"), quiz(course))
    changed = await page(postgres, course)
    assert changed[1] == before[1]
    assert changed[0] != before[0]
    await published(postgres, course, text(course, "one"), quiz(course))
    assert await page(postgres, course) == before


async def test_answers_are_in_no_public_document(postgres: Postgres, course: str) -> None:
    await published(postgres, course, quiz(course))
    opened = await items.open_for(postgres, "mira", quiz(course).id)
    assert opened is not None
    public = await postgres.value(
        "SELECT jsonb_build_array(course.content, version.content, made.media)::text FROM course"
        " JOIN course_version AS version ON version.course = course.id"
        " JOIN item_version AS made ON made.item = $2 WHERE course.id = $1",
        course,
        quiz(course).id,
    )
    assert "Why?" in public
    assert "a-secret-answer" not in public
    assert await items.secret(postgres, quiz(course).id, opened.version) == QUIZ
    whole = await drafts.published(postgres, course)
    assert whole is not None
    assert whole.items()[0].content == QUIZ
    draft = await drafts.read(postgres, course)
    assert draft is not None
    assert draft.content.items()[0].content == QUIZ


async def test_an_item_that_is_left_out_is_retired_and_may_come_back(postgres: Postgres, course: str) -> None:
    await published(postgres, course, text(course), quiz(course))
    await published(postgres, course, text(course))
    assert [item for item, _, _ in await page(postgres, course)] == [text(course).id]
    assert await items.open_for(postgres, "mira", quiz(course).id) is None
    stored = {
        item.id: item for item in await sessions.load_items(postgres, [text(course).id, quiz(course).id])
    }
    assert all(item.published for item in stored.values()), "what was watched off line counts (R9)"
    assert list(stored[text(course).id].syllabus) == [text(course).id]
    assert await postgres.value("SELECT items_total FROM course WHERE id = $1", course) == 1
    await published(postgres, course, quiz(course), text(course))
    assert [item for item, _, _ in await page(postgres, course)] == [quiz(course).id, text(course).id]
    stored = {item.id: item for item in await sessions.load_items(postgres, [quiz(course).id])}
    assert list(stored[quiz(course).id].syllabus) == [quiz(course).id, text(course).id]


async def test_a_file_of_another_kind_is_no_version_of_an_item(postgres: Postgres, course: str) -> None:
    """The kind was changed after the upload, which may go on until something is published."""
    item = ItemContent(f"{course}-film", "pdf", "Film", "u1")
    rev = await drafts.write(postgres, course, document(item), "mira", None)
    await uploaded(postgres, item, "u1", media={"kind": "hls"})
    with pytest.raises(Unpublishable, match="has no version u1"):
        await drafts.publish(postgres, course, "mira", rev)
    await uploaded(postgres, item, "u1", media={"kind": "pdf"})
    assert (await drafts.publish(postgres, course, "mira", rev)).number == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": None}, "has no video yet"),
        ({"version": "none"}, "has no version none"),
        ({"title": " "}, "has no title"),
        ({"kind": "quiz", "version": None}, "questions"),
        ({"kind": "text", "version": None, "content": {"markdown": ""}}, "markdown"),
    ],
)
async def test_what_is_not_ready_is_refused_by_name_and_nothing_happens(
    postgres: Postgres, course: str, change: dict[str, Any], said: str
) -> None:
    made = {"id": f"{course}-x", "kind": "video", "title": "X", "version": "v1", "content": {}} | change
    rev = await drafts.write(postgres, course, document(text(course), ItemContent(**made)), "mira", None)
    with pytest.raises(Unpublishable, match=rf"{course}-x.*{said}"):
        await drafts.publish(postgres, course, "mira", rev)
    assert await page(postgres, course) == []
    assert await drafts.versions(postgres, course, None, 10) == []
    draft = await drafts.read(postgres, course)
    assert draft is not None
    assert (draft.rev, draft.number) == (rev, 0)


async def test_an_empty_course_is_not_published(postgres: Postgres, course: str) -> None:
    for content, said in ((document(), "no items"), (document(text(course), title=""), "no title")):
        rev = await drafts.write(postgres, course, content, "mira", None)
        with pytest.raises(Unpublishable, match=said):
            await drafts.publish(postgres, course, "mira", rev)
    with pytest.raises(NoDraft):
        await drafts.publish(postgres, "none", "mira", None)


async def test_ids_are_one_courses_and_keep_their_kind(postgres: Postgres, course: str) -> None:
    await published(postgres, course, text(course))
    other = f"{course}-other"
    await drafts.create(postgres, other, "Other", "mira")
    with pytest.raises(Taken, match=text(course).id):
        await drafts.write(postgres, other, document(text(course)), "mira", None)
    with pytest.raises(BadContent, match="another kind"):
        await drafts.write(
            postgres, course, document(ItemContent(text(course).id, "quiz", "Q")), "mira", None
        )
    with pytest.raises(BadContent, match="two items"):
        await drafts.write(postgres, course, document(text(course), text(course)), "mira", None)
    with pytest.raises(BadContent, match="a kind is"):
        await drafts.write(postgres, course, document(ItemContent("x", "Video!", "Q")), "mira", None)
    with pytest.raises(BadId):
        await drafts.write(postgres, course, document(ItemContent("a b", "text", "Q")), "mira", None)


async def test_of_two_courses_that_want_one_new_id_one_gets_it(postgres: Postgres, course: str) -> None:
    other, wanted = f"{course}-other", ItemContent(f"{course}-new", "text", "New")
    await drafts.create(postgres, other, "Other", "mira")
    outcomes = await asyncio.gather(
        *(drafts.write(postgres, one, document(wanted), "mira", None) for one in (course, other)),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Taken", "int"]


async def test_an_unknown_kind_is_kept_and_published(postgres: Postgres, course: str) -> None:
    lab = ItemContent(f"{course}-lab", "lab", "A lab", None, {"steps": [1, {"deep": True}]})
    await published(postgres, course, lab)
    opened = await items.open_for(postgres, "mira", lab.id)
    assert opened is not None
    assert (opened.kind, opened.media) == ("lab", {"kind": "lab", "steps": [1, {"deep": True}]})


async def test_a_version_that_comes_while_somebody_edits_is_not_lost(postgres: Postgres, course: str) -> None:
    rev = await drafts.write(postgres, course, document(lecture(course)), "mira", None)
    await uploaded(postgres, lecture(course), "v1")
    assert await drafts.set_item_version(postgres, course, lecture(course).id, "v1")
    with pytest.raises(Stale):
        await drafts.write(postgres, course, document(lecture(course), title="Edited"), "mira", rev)
    assert not await drafts.set_item_version(postgres, course, "gone", "v1")


async def test_a_course_written_without_a_draft_gets_one(postgres: Postgres, course: str) -> None:
    name = f"{course}-plain"
    plain = ItemContent(f"{name}-text", "text", "T", "v1", {"markdown": "x"})
    await courses.put(postgres, name, document(plain), published=True)
    await items.put(postgres, [Item(plain.id, name, "text", "T", "v1")], [Version(plain.id, "v1", 1000)])
    draft = await drafts.read(postgres, name)
    assert draft is not None
    assert draft.content.items() == [plain]
    assert (await drafts.publish(postgres, name, "mira", draft.rev)).number == 1


async def test_a_nul_is_refused_as_content(postgres: Postgres, course: str) -> None:
    with pytest.raises(BadContent, match="NUL"):
        await drafts.write(postgres, course, document(text(course, "a\x00b")), "mira", None)


async def test_who_teaches_sees_their_courses_page_by_page(postgres: Postgres) -> None:
    await students.put(postgres, [students.Student("tom", "Tom")])
    names = sorted(f"taught-{uuid.uuid4().hex[:8]}" for _ in range(3))
    for name in names:
        await drafts.create(postgres, name, name, "tom")
    await students.enrol(postgres, [students.Enrolment("mira", names[0], "assistant")])
    first = await drafts.taught(postgres, "tom", "", 2)
    assert [(one.id, one.role, one.changed) for one in first] == [
        (name, "instructor", True) for name in names[:2]
    ]
    assert [one.id for one in await drafts.taught(postgres, "tom", names[1], 2)] == names[2:]
    assert [one.role for one in await drafts.taught(postgres, "mira", "taught", 100)] == ["assistant"]
    assert await drafts.taught(postgres, "ada", "", 100) == []
