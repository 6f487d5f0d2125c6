"""Courses, items and progress as students read them: theirs, published, current, through the cache."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from persistence import courses, items, progress, students
from persistence.cache import Cache
from persistence.courses import CourseContent, SectionContent
from persistence.embedded import Embedded
from persistence.ids import BadId
from persistence.items import Item, Version
from persistence.postgres import Postgres, StoreRefused
from persistence.redis import open_redis
from persistence.students import Enrolment, Student
from tests.persistence.catalogue import INTRO, write_catalogue, write_progress


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def catalogue(postgres: Postgres) -> Postgres:
    await write_catalogue(postgres)
    return postgres


@pytest_asyncio.fixture(loop_scope="session")
async def cache(embedded: Embedded) -> AsyncIterator[Cache]:
    opened = Cache(open_redis(embedded.redis_url))
    yield opened
    await opened.close()


async def read(postgres: Postgres, cache: Cache, student: str, course: str) -> courses.Course:
    granted = await courses.access(postgres, student, course)
    assert granted is not None
    return await courses.read(postgres, cache, granted)


async def progress_of(
    postgres: Postgres, cache: Cache, student: str, course: str
) -> dict[str, progress.Progress]:
    granted = await courses.access(postgres, student, course)
    assert granted is not None
    return await progress.of_course(postgres, cache, granted)


async def test_a_list_shows_what_one_may_see_page_by_page(catalogue: Postgres) -> None:
    await write_progress(catalogue, "ben", "outro", "systems", rev=1, position_ms=60_000, done=True)
    whole = await courses.of_student(catalogue, "ben", "", 100)
    assert [(course.id, course.items_total, course.items_done) for course in whole] == [
        ("hidden", 1, 0),
        ("other", 1, 0),
        ("systems", 4, 1),
    ]
    assert [course.id for course in await courses.of_student(catalogue, "mira", "", 100)] == ["systems"]
    assert await courses.of_student(catalogue, "zoe", "", 100) == []
    assert [course.id for course in await courses.of_student(catalogue, "ben", "hidden", 1)] == ["other"]
    assert (whole[2].title, whole[2].description, whole[2].instructor) == (
        "Systems",
        "How they fail",
        "Dr. Vey",
    )


async def test_h17_a_page_is_clamped(catalogue: Postgres) -> None:
    assert len(await courses.of_student(catalogue, "ben", "", 10**9)) == 3
    assert len(await courses.of_student(catalogue, "ben", "", -5)) == 1


async def test_a_course_has_its_items_in_order_and_versions(catalogue: Postgres, cache: Cache) -> None:
    course = await read(catalogue, cache, "mira", "systems")
    assert [(section.title, [item.id for item in section.items]) for section in course.sections] == [
        ("First", ["intro", "paper"]),
        ("Second", ["outro"]),
        ("", ["extra"]),
    ]
    assert (course.sections[0].items[0].version, course.sections[0].items[0].duration_ms) == ("v2", 61_000)


@pytest.mark.parametrize(
    ("student", "course"),
    [("mira", "other"), ("mira", "hidden"), ("zoe", "systems"), ("nobody", "systems"), ("mira", "none")],
)
async def test_h7_no_access_and_no_course_are_the_same(
    catalogue: Postgres, student: str, course: str
) -> None:
    assert await courses.access(catalogue, student, course) is None


async def test_instructors_see_what_is_not_published(catalogue: Postgres) -> None:
    assert await courses.access(catalogue, "ben", "hidden") is not None
    assert await items.open_for(catalogue, "ben", "secret") is not None
    assert await items.open_for(catalogue, "mira", "secret") is None
    assert await items.open_for(catalogue, "mira", "theirs") is None
    assert await items.open_for(catalogue, "mira", "none") is None


async def test_an_open_item_is_the_current_version(catalogue: Postgres) -> None:
    opened = await items.open_for(catalogue, "mira", "intro")
    assert opened is not None
    assert (opened.version, opened.duration_ms, opened.media) == ("v2", 61_000, {"key": "media/intro/v2"})
    old = await items.version(catalogue, "intro", "v1")
    assert old is not None
    assert old.duration_ms == 60_000
    assert await items.version(catalogue, "intro", "v9") is None


async def test_a_cached_course_is_never_older_than_its_parts(catalogue: Postgres, cache: Cache) -> None:
    async def title() -> str:
        return (await read(catalogue, cache, "mira", "systems")).sections[0].items[0].title

    assert await title() == "Intro"
    hits = cache.stats.hits
    assert await title() == "Intro"
    assert cache.stats.hits == hits + 1
    await items.put(catalogue, [Item("intro", "systems", "video", "Renamed", "v2")], [])
    assert await title() == "Renamed"
    await items.put(catalogue, [], [Version("intro", "v2", 99_000)])
    assert (await read(catalogue, cache, "mira", "systems")).sections[0].items[0].duration_ms == 99_000
    await courses.put(catalogue, "systems", CourseContent("New", sections=INTRO.sections), published=True)
    assert (await read(catalogue, cache, "mira", "systems")).title == "New"
    await items.put(catalogue, [Item("extra", "other", "text", "Extra", "v1")], [])
    assert [section.title for section in (await read(catalogue, cache, "mira", "systems")).sections] == [
        "First",
        "Second",
    ]
    await catalogue.execute("DELETE FROM item WHERE id = 'paper'")
    assert [item.id for item in (await read(catalogue, cache, "mira", "systems")).sections[0].items] == [
        "intro"
    ]


async def test_cached_progress_is_never_older_than_postgres(catalogue: Postgres, cache: Cache) -> None:
    assert await progress_of(catalogue, cache, "mira", "systems") == {}
    await write_progress(catalogue, "mira", "intro", "systems", rev=3, position_ms=5_000)
    found = await progress_of(catalogue, cache, "mira", "systems")
    assert (found["intro"].rev, found["intro"].position_ms, found["intro"].coverage_ms) == (3, 5_000, 5_000)
    assert await progress_of(catalogue, cache, "mira", "systems") == found
    assert cache.stats.hits == 1
    await write_progress(catalogue, "mira", "intro", "systems", rev=3, position_ms=5_001)
    assert (await progress_of(catalogue, cache, "mira", "systems"))["intro"].position_ms == 5_001
    assert (await progress.of_item(catalogue, "mira", "intro")) == (
        await progress_of(catalogue, cache, "mira", "systems")
    )["intro"]
    assert await progress.of_item(catalogue, "ben", "intro") is None
    assert (await progress_of(catalogue, cache, "ben", "systems")).keys() == {"outro"}


async def test_students_are_found_and_renamed(catalogue: Postgres) -> None:
    assert await students.find(catalogue, "zoe") == Student("zoe", "Zoë")
    assert await students.find(catalogue, "none") is None
    await students.put(catalogue, [Student("zoe", "Zoe")])
    assert await students.find(catalogue, "zoe") == Student("zoe", "Zoe")
    with pytest.raises(StoreRefused):
        await students.enrol(catalogue, [Enrolment("zoe", "none")])


@pytest.mark.parametrize("bad", ["", "a" * 65, "a b", "a/b", "'; --", "\x00", "é", "-a", "a\n"])
async def test_s1_ids_are_safe_everywhere(catalogue: Postgres, bad: str) -> None:
    with pytest.raises(BadId):
        await students.put(catalogue, [Student(bad, "")])
    with pytest.raises(BadId):
        await courses.put(catalogue, bad, CourseContent(""), published=True)
    with pytest.raises(BadId):
        await items.put(catalogue, [Item(bad, "systems", "video", "", "v1")], [])


async def test_long_courses_are_documents_of_any_shape(catalogue: Postgres, cache: Cache) -> None:
    await catalogue.execute(
        "UPDATE course SET content = $1 WHERE id = 'other'", {"title": "O", "unknown": [1]}
    )
    assert (await read(catalogue, cache, "ben", "other")).title == "O"
    await courses.put(
        catalogue, "other", CourseContent("P", sections=[SectionContent("s", [])]), published=True
    )
    assert (await read(catalogue, cache, "ben", "other")).sections[0].title == "s"
