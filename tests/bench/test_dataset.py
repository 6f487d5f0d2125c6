"""The dataset, small: what is written is what the product would have written, and can be found."""

from collections.abc import AsyncIterator

import pytest_asyncio

from bench.dataset import Size, course_id, enrolments_of, student_id, write
from bench.visits import POPULAR, SHARES, Plan, pool
from bench.words import Writer
from gateway.cli.steps import Steps
from persistence import courses, search
from persistence.cache import Cache
from persistence.embedded import Embedded
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from persistence.redis import open_redis
from persistence.search import Asked, Searches

SIZE = Size(courses=400, students=3000, items=4, progress=200)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dataset(postgres_dsn: str) -> AsyncIterator[Postgres]:
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests", connections_max=4))
    await migrate(postgres)
    with Steps() as steps:
        await write(postgres, SIZE, steps)
    yield postgres
    await postgres.close()


async def test_everything_is_there_and_refers_to_what_there_is(dataset: Postgres) -> None:
    for table, count in (("course", 400), ("listing", 400), ("student", 3000), ("progress", 200)):
        assert await dataset.value(f"SELECT count(*) FROM {table}") == count
    # No trigger looked when it was copied: these are the foreign keys.
    for lost in (
        "SELECT count(*) FROM item LEFT JOIN course ON course.id = item.course WHERE course.id IS NULL",
        "SELECT count(*) FROM item LEFT JOIN item_version USING (version) WHERE item_version.item IS NULL",
        "SELECT count(*) FROM enrolment LEFT JOIN course ON course.id = course WHERE course.id IS NULL",
        "SELECT count(*) FROM enrolment LEFT JOIN student ON student.id = student WHERE student.id IS NULL",
        "SELECT count(*) FROM progress LEFT JOIN enrolment USING (student, course)"
        " WHERE enrolment.student IS NULL",
    ):
        assert await dataset.value(lost) == 0


async def test_counts_and_listing_are_what_the_triggers_make_of_it(dataset: Postgres) -> None:
    listing = "SELECT md5(string_agg(listing::text, '' ORDER BY course)) FROM listing"
    counts = (
        "SELECT md5(string_agg(concat_ws(',', id, duration_ms, items_total), '' ORDER BY id)) FROM course"
    )
    before = await dataset.value(listing), await dataset.value(counts)
    await dataset.execute("UPDATE item SET title = title")
    await dataset.execute(
        "DELETE FROM listing; UPDATE course SET published = false; UPDATE course SET published = true"
    )
    assert (await dataset.value(listing), await dataset.value(counts)) == before


async def test_a_student_of_it_reads_a_course_and_finds_it(dataset: Postgres, embedded: Embedded) -> None:
    cache = Cache(open_redis(embedded.redis_url))
    course = course_id(enrolments_of(SIZE, 17)[0])
    granted = await courses.access(dataset, student_id(17), course)
    assert granted is not None
    page = await courses.read(dataset, cache, granted)
    assert sum(len(section.items) for section in page.sections) == page.items_total
    found = await search.find(Searches(dataset, dataset), cache, Asked(page.title, limit=100))
    assert course in [one.id for one in found.courses]
    await cache.close()


async def test_visits_are_mixed_as_said_and_cold_ones_never_come_twice(dataset: Postgres) -> None:
    plan = Plan(await pool(dataset, 1), 1)
    warm = {visit.path for visit in plan.warm_up()}
    visits = plan.visits(2000)
    for kind, share in SHARES.items():
        assert abs(sum(visit.kind.startswith(kind) for visit in visits) / 2000 - share / 100) < 0.05
    pages = [visit for visit in visits if visit.kind.startswith(("page", "outline"))]
    cold = [visit.path for visit in pages if visit.kind.endswith("cold")]
    assert len({path.rpartition("/")[2] for path in cold}) == len(cold)
    assert not warm & set(cold)
    assert {visit.path for visit in pages if visit.kind.endswith("warm")} <= warm
    seen = set(warm)
    for visit in visits:
        if not visit.kind.startswith(("page", "outline")):
            assert visit.kind.endswith("warm") == (visit.path in seen)
            seen.add(visit.path)
    assert SIZE.courses > POPULAR


def test_the_same_seed_gives_the_same_words() -> None:
    one, two, other = Writer(1), Writer(1), Writer(2)
    assert [one.course() for _ in range(50)] == [two.course() for _ in range(50)]
    assert [one.course() for _ in range(5)] != [other.course() for _ in range(5)]
