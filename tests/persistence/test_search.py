"""Search, facets, browsing and completion on a real server: what is found, in which order, never stale."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from persistence import search
from persistence.cache import Cache
from persistence.embedded import DataFolder, Embedded, valkey
from persistence.embedded import postgres as embedded_postgres
from persistence.errors import StoreUnavailable
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from persistence.redis import open_redis
from persistence.search import Asked, FacetCount, Filters, Found, Searches

HOUR_MS = 3_600_000

BUNDLED, SYSTEM = embedded_postgres.find_binaries(), embedded_postgres.system_binaries()
BINARIES = [BUNDLED, *([SYSTEM] if SYSTEM not in (None, BUNDLED) else [])]

COURSES: list[dict[str, Any]] = [
    {"id": "algebra", "title": "Linear Algebra", "description": "Vectors and matrices for everybody.",
     "instructor": "Ada Keel", "category": "Mathematics", "difficulty": "beginner", "language": "en",
     "hours": 0.5},
    {"id": "vision", "title": "Computer vision", "description": "Some linear algebra, then running cameras.",
     "instructor": "Ben Orr", "category": "Data", "difficulty": "advanced", "language": "en-GB", "hours": 3},
    {"id": "python", "title": "Python from scratch", "description": "Write programs.",
    "instructor": "Ada Keel",
     "category": "Computer science", "difficulty": "beginner", "language": "", "hours": 5,
     "sections": ["Variables", "Generators and coroutines"]},
    {"id": "haus", "title": "Häuser bauen", "description": "Vom Fundament zum Dach.",
    "instructor": "Jörg Weiß",
     "category": "Engineering", "difficulty": "", "language": "de", "hours": 20},
    {"id": "who", "title": "The Who", "description": "A band and its records.", "instructor": "",
    "category": "Music",
     "difficulty": "beginner", "language": "en", "hours": 1},
    {"id": "kanji", "title": "日本語 入門", "description": "", "instructor": "", "category": "Languages",
     "difficulty": "", "language": "ja", "hours": 2},
]  # fmt: skip


def document(course: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in course.items() if name not in ("id", "hours", "sections")}
    return found | {"sections": [{"title": title, "items": []} for title in course.get("sections", [])]}


async def put(postgres: Postgres, course: dict[str, Any], *, published: bool = True) -> None:
    await postgres.execute(
        "INSERT INTO course (id, content, published, duration_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (id)"
        " DO UPDATE SET content = EXCLUDED.content, published = EXCLUDED.published,"
        " duration_ms = EXCLUDED.duration_ms",
        course["id"], document(course), published, int(course.get("hours", 1) * HOUR_MS),
    )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def listed(postgres: Postgres) -> Postgres:
    await postgres.execute("DELETE FROM course")
    for course in COURSES:
        await put(postgres, course)
    await put(postgres, {"id": "draft", "title": "Linear drafts"}, published=False)
    return postgres


@pytest_asyncio.fixture(loop_scope="session")
async def cache(embedded: Embedded) -> AsyncIterator[Cache]:
    opened = Cache(open_redis(embedded.redis_url))
    yield opened
    await opened.close()


async def ids(postgres: Postgres, cache: Cache, text: str = "", **filters: str) -> list[str]:
    found = await search.find(Searches(postgres, postgres), cache, Asked(text, Filters(**filters)))
    return [course.id for course in found.courses]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linear algebra", ["algebra", "vision"]),
        ("  LINEAR   Algebra ", ["algebra", "vision"]),
        ('"algebra linear"', []),
        ('"linear algebra"', ["algebra", "vision"]),
        ("linear -cameras", ["algebra"]),
        ("python or vectors", ["python", "algebra"]),
        ("vector", ["algebra"]),
        ("run camera", ["vision"]),
        ("keel", ["algebra", "python"]),
        ("keel algebra", ["algebra"]),
        ("coroutine", ["python"]),
        ("haus", ["haus"]),
        ("jörg", ["haus"]),
        ("the who", ["who"]),
        ("who", ["who"]),
        ("日本語", ["kanji"]),
        ("draft", []),
        ("nothing of the kind", []),
        ("", ["vision", "haus", "algebra", "python", "who", "kanji"]),
    ],
)
async def test_what_is_found_and_in_which_order(
    listed: Postgres, cache: Cache, text: str, expected: list[str]
) -> None:
    found = await ids(listed, cache, text)
    assert found == (sorted(expected, key=_title) if not text else expected)


def _title(course: str) -> str:
    return next(str(one["title"]).lower() for one in COURSES if one["id"] == course)


async def test_a_word_in_a_title_stands_before_any_number_of_it_in_descriptions(
    listed: Postgres, cache: Cache
) -> None:
    much = {
        "id": "aaa",
        "title": "Much",
        "description": "gravity " * 200,
        "instructor": "Gravity",
        "sections": ["gravity"],
    }
    await put(listed, much)
    await put(
        listed, {"id": "zzz", "title": "On very many things and at last on gravity too", "description": ""}
    )
    assert await ids(listed, cache, "gravity") == ["zzz", "aaa"]


async def test_words_near_each_other_in_a_description_never_outrank_a_title(
    listed: Postgres, cache: Cache
) -> None:
    far = "Gravity and eleven more or less long, rather slow and very flat waves"
    await put(listed, {"id": "aaa", "title": "Much", "description": "gravity waves " * 100})
    await put(listed, {"id": "zzz", "title": far})
    assert await ids(listed, cache, "gravity waves") == ["zzz", "aaa"]


async def test_what_is_half_in_a_title_stands_before_what_is_not(listed: Postgres, cache: Cache) -> None:
    await put(listed, {"id": "aaa", "title": "One", "instructor": "Keel", "description": "About gravity."})
    await put(listed, {"id": "zzz", "title": "Gravity", "instructor": "Keel", "description": "About one."})
    assert await ids(listed, cache, "gravity keel") == ["zzz", "aaa"]


async def test_h17_of_too_many_matches_what_a_filter_leaves_is_counted_by_itself(
    listed: Postgres, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MATCHES_MAX", 2)
    for category in ("One", "Two"):
        for number in range(3):
            course = {"id": f"{category}{number}", "title": "Title", "description": "everywhere"}
            await put(listed, course | {"category": category})
    for category in ("One", "Two"):  # the first two matches are not of both
        found = await search.find(
            Searches(listed, listed), cache, Asked("everywhere", Filters(category=category))
        )
        assert (found.total, found.total_exact) == (2, False)
        assert [(one.value, one.count) for one in found.facets["duration"]] == [("1-4h", 2)]
        assert FacetCount(category, 2) in found.facets["category"]


HOSTILE = [
    "a & | !", "& | ! ( ) < > : *", ":*" * 100, "'; DROP TABLE course; --", "\\", "\\'", "'", '"',
    '"' * 199, "((((", "%",
    "%%__", "-", "-a", "-a -b", "or", "or or or", "a or -b", "!!a", "a <-> b", "<script>alert(1)</script>",
    "a" * 200,
    "é" * 200, "\U0010ffff" * 200, "𝕳" * 200, "a " * 100, "(" * 200, "\u202e\u200b", "\t\n\r", "$1",
    "E'\\\\x00'", "{}", "[]",
    "a:*b", "x:ABCD", "http://a.b/c?d=e&f", "a@b.c", "1e999999", "-1", "0x00", "(a+)+$", "\x02\x03", "NULL",
    "../../etc",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
async def test_h10_nothing_one_can_type_is_an_error(listed: Postgres, cache: Cache, text: str) -> None:
    found = await search.find(Searches(listed, listed), cache, Asked(text))
    assert found.total <= len(COURSES)
    assert len(await search.complete(Searches(listed, listed), cache, text)) <= search.COMPLETIONS
    assert await listed.value("SELECT count(*) FROM course") > len(COURSES)


async def test_h10_only_what_is_not_wanted_finds_nothing_and_reads_nothing(
    listed: Postgres, cache: Cache
) -> None:
    assert (await search.find(Searches(listed, listed), cache, Asked("-linear"))).total == 0
    assert (await search.find(Searches(listed, listed), cache, Asked("linear or -linear"))).total == 0


async def test_h10_postgres_works_no_longer_than_half_a_second(listed: Postgres) -> None:
    searches = await search.open_searches(listed, listed.settings)
    try:
        with pytest.raises(StoreUnavailable, match="57014"):
            async with asyncio.timeout(5):
                await searches.bounded.execute("SELECT pg_sleep(30)")
        assert await searches.bounded.value("SHOW plan_cache_mode") == "force_custom_plan"
    finally:
        await searches.bounded.close()
    assert await listed.value("SHOW statement_timeout") == "10s"


async def test_h10_what_was_found_before_waits_for_no_search(listed: Postgres, cache: Cache) -> None:
    searches = await search.open_searches(listed, replace(listed.settings, connections_max=1))
    try:
        found = await search.find(searches, cache, Asked("linear"))
        async with searches.bounded.connection(), asyncio.timeout(5):  # the only one
            assert await search.find(searches, cache, Asked("linear")) == found
    finally:
        await searches.bounded.close()


async def test_h11_a_snippet_is_text_with_hits_whatever_stands_in_it(listed: Postgres, cache: Cache) -> None:
    nasty = "<img src=x onerror=alert(1)> \x02forged\x03 <b>zebra</b> & zebras <script>"
    await put(listed, {"id": "nasty", "title": "Nasty", "description": nasty})
    (course,) = (await search.find(Searches(listed, listed), cache, Asked("zebra"))).courses
    assert {span.text for span in course.snippet if span.hit} == {"zebra", "zebras"}
    shown = "".join(span.text for span in course.snippet)
    assert "\x02" not in shown and "\x03" not in shown
    assert course.description == nasty


async def test_facets_count_what_the_other_filters_leave(listed: Postgres, cache: Cache) -> None:
    async def counts(text: str = "", **filters: str) -> tuple[int, dict[str, dict[str, int]]]:
        found = await search.find(Searches(listed, listed), cache, Asked(text, Filters(**filters)))
        return found.total, {
            facet: {one.value: one.count for one in values} for facet, values in found.facets.items()
        }

    total, facets = await counts()
    assert total == 6
    assert facets["difficulty"] == {"beginner": 3, "advanced": 1}
    assert facets["language"] == {"en": 3, "de": 1, "ja": 1}
    assert facets["duration"] == {"0-1h": 1, "1-4h": 3, "4-12h": 1, "12h+": 1}
    total, facets = await counts(difficulty="beginner", language="en")
    assert (total, facets["difficulty"]) == (2, {"beginner": 2, "advanced": 1})
    assert (facets["language"], facets["category"]) == ({"en": 2}, {"Mathematics": 1, "Music": 1})
    total, facets = await counts("linear", difficulty="beginner")
    assert (total, facets["difficulty"]) == (1, {"advanced": 1, "beginner": 1})
    assert facets["category"] == {"Mathematics": 1}
    assert await ids(listed, cache, "linear", category="Data", duration="1-4h") == ["vision"]
    assert await ids(listed, cache, category="' OR true --") == []


async def _pages(postgres: Postgres, cache: Cache, text: str, limit: int) -> AsyncIterator[Found]:
    after = None
    while True:
        found = await search.find(Searches(postgres, postgres), cache, Asked(text, after=after, limit=limit))
        yield found
        if (after := found.next) is None:
            return


@pytest.mark.parametrize("text", ["", "same word", "alike"])
async def test_pages_have_everything_once_while_others_come_and_go(
    listed: Postgres, cache: Cache, text: str
) -> None:
    for number in range(23):
        await put(listed, {"id": f"same{number:02}", "title": "The same word", "description": "alike"})
    seen: list[str] = []
    async for found in _pages(listed, cache, text, 5):
        seen += [course.id for course in found.courses]
        assert found.total >= 23
        await put(listed, {"id": f"more{len(seen)}", "title": "Aaa", "description": "nothing of it"})
    same = [course for course in seen if course.startswith("same")]
    assert same == sorted(same)
    assert (len(same), len(seen)) == (23, len(set(seen)))


async def test_h17_of_too_many_matches_only_so_many_are_looked_at(
    listed: Postgres, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        await put(
            listed, {"id": f"many{number:02}", "title": f"Course {number}", "description": "everywhere"}
        )
    monkeypatch.setattr(search, "MATCHES_MAX", 7)
    found = await search.find(Searches(listed, listed), cache, Asked("everywhere", limit=10**9))
    assert (len(found.courses), found.total, found.total_exact, found.next) == (7, 7, False, None)
    assert sum(one.count for one in found.facets["duration"]) == 7
    assert len((await search.find(Searches(listed, listed), cache, Asked(limit=-5))).courses) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lin", ["algebra"]), ("LINEAR ALG", ["algebra"]), ("alg", ["algebra"]), ("linear algebr",
        ["algebra"]),
        ("scr py", ["python"]), ("häu", ["haus"]), ("ha\u0308us", ["haus"]), ("p", ["python"]), ("日本",
        ["kanji"]), ("%", []),
        ("_inear", []), ("", []), ("x", []), ("draf", []), ("th", ["who"]),
    ],
)  # fmt: skip
async def test_titles_are_completed_from_their_beginning_then_from_their_words(
    listed: Postgres, cache: Cache, text: str, expected: list[str]
) -> None:
    assert [course.id for course in await search.complete(Searches(listed, listed), cache, text)] == expected


async def test_a_title_that_begins_so_stands_before_one_with_such_a_word(
    listed: Postgres, cache: Cache
) -> None:
    await put(listed, {"id": "zlinear", "title": "A linear world"})
    assert [one.id for one in await search.complete(Searches(listed, listed), cache, "lin")] == [
        "algebra",
        "zlinear",
    ]
    for number in range(10):
        await put(listed, {"id": f"lin{number}", "title": f"Lin {number}"})
    completed = await search.complete(Searches(listed, listed), cache, "lin")
    assert [one.id for one in completed] == [f"lin{number}" for number in range(search.COMPLETIONS)]


async def test_what_is_published_is_found_at_once_and_what_is_not_is_gone(
    listed: Postgres, cache: Cache
) -> None:
    new = {"id": "new", "title": "Quasars"}
    assert await ids(listed, cache, "quasars") == []
    await put(listed, new)
    assert await ids(listed, cache, "quasars") == ["new"]
    await put(listed, new | {"title": "Pulsars"})
    assert (await ids(listed, cache, "quasars"), await ids(listed, cache, "pulsars")) == ([], ["new"])
    await put(listed, new, published=False)
    assert await ids(listed, cache, "quasars") == []
    await put(listed, new)
    await listed.execute("UPDATE course SET items_total = 7 WHERE id = 'new'")
    (course,) = (await search.find(Searches(listed, listed), cache, Asked("quasars"))).courses
    assert course.items_total == 7
    await listed.execute("DELETE FROM course WHERE id = 'new'")
    assert await ids(listed, cache, "quasars") == []


async def test_the_version_changes_with_what_is_listed_and_with_nothing_else(listed: Postgres) -> None:
    async def version() -> str:
        return str((await search._state(listed)).version)

    before = await version()
    await listed.execute("UPDATE course SET updated_at = now() WHERE id = 'algebra'")
    await put(listed, {"id": "draft", "title": "Another draft"}, published=False)
    with contextlib.suppress(ZeroDivisionError):
        async with listed.connection() as connection, connection.transaction():
            await connection.execute("DELETE FROM course WHERE id = 'algebra'")
            raise ZeroDivisionError  # rolled back
    assert await version() == before
    await put(listed, {"id": "draft", "title": "Another draft"})
    assert await version() != before


async def test_two_who_publish_several_in_another_order_never_wait_in_a_circle(listed: Postgres) -> None:
    """Each has one of the two courses before either asks for the other's neighbour."""
    first, second = asyncio.Event(), asyncio.Event()

    async def publish(own: str, more: str, mine: asyncio.Event, theirs: asyncio.Event) -> None:
        async with listed.connection() as connection, connection.transaction():
            for course in (own, more):
                content = {"title": course, "sections": []}
                await connection.execute(
                    "INSERT INTO course (id, content, published) VALUES ($1, $2, true)", course, content
                )
                mine.set()
                await asyncio.wait_for(theirs.wait(), 5)

    await asyncio.gather(publish("one", "three", first, second), publish("two", "four", second, first))
    assert (
        await listed.value("SELECT count(*) FROM listing WHERE course IN ('one', 'two', 'three', 'four')")
        == 4
    )


async def test_a_second_question_is_a_hit_for_everybody_and_one_load_for_all_at_once(
    listed: Postgres, cache: Cache, embedded: Embedded
) -> None:
    await asyncio.gather(
        *(search.find(Searches(listed, listed), cache, Asked("single flight")) for _ in range(20))
    )
    # The page and the counts in it: two entries, each looked for once in Redis.
    assert cache.stats.misses_of["search"] == 2
    other = Cache(open_redis(embedded.redis_url))
    await search.find(Searches(listed, listed), other, Asked("  Single   FLIGHT"))
    assert (other.stats.misses_of["search"], other.stats.hits_of["search"]) == (0, 1)
    assert other.stats.hit_rate("search") == 1.0
    await other.close()


async def test_f17_without_redis_it_is_slower_and_never_wrong(listed: Postgres, tmp_path: Path) -> None:
    with DataFolder.open(tmp_path / "data") as folder:
        async with await valkey.start(folder) as server:
            cache = Cache(open_redis(server.url))
            before = await search.find(Searches(listed, listed), cache, Asked("linear"))
            assert await search.find(Searches(listed, listed), cache, Asked("linear")) == before
            assert cache.stats.hits_of["search"] == 1
        # Redis has ended.
        assert await search.find(Searches(listed, listed), cache, Asked("linear")) == before
        await put(listed, {"id": "late", "title": "Linear late"})
        assert "late" in await ids(listed, cache, "linear")
        assert [one.id for one in await search.complete(Searches(listed, listed), cache, "linear la")] == [
            "late"
        ]
        assert cache.stats.failures > 0
        async with await valkey.start(folder, port=server.port):
            cache._away_until_s = 0.0
            assert "late" in await ids(listed, cache, "linear")
            hits = cache.stats.hits_of["search"]
            assert "late" in await ids(listed, cache, "linear")
            assert cache.stats.hits_of["search"] == hits + 1
        await cache.close()


@pytest_asyncio.fixture(loop_scope="session", params=BINARIES, ids=lambda binaries: str(binaries.parent.name))
async def either(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Postgres]:
    """The bundled Postgres, which has no pg_trgm, and the system's, which may have it."""
    with DataFolder.open(tmp_path_factory.mktemp("either") / "data") as folder:
        starting = embedded_postgres.start(folder, bin_dir=request.param, initdb_sync=False)
        async with await starting as server:
            settings = PostgresSettings(server.dsn, "tests", connections_max=4, session=search.SESSION)
            opened = await open_postgres(settings)
            await migrate(opened)
            yield opened
            await opened.close()


async def test_a_typo_finds_similar_titles_where_postgres_can_and_breaks_nothing_where_not(
    either: Postgres, cache: Cache
) -> None:
    can = await either.value("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')")
    assert (await search._state(either)).trigrams == can
    for course in COURSES:
        await put(either, course)
    for text, expected in (("lienar algbera", "algebra"), ("pyhton", "python"), ("linaer", "algebra")):
        found = await search.find(Searches(either, either), cache, Asked(text))
        assert found.similar == can, text
        assert [course.id for course in found.courses][:1] == ([expected] if can else []), text
    assert not (await search.find(Searches(either, either), cache, Asked("linear"))).similar
    for text in ("qqqqzzzz", *HOSTILE):
        await search.find(Searches(either, either), cache, Asked(text))
    assert await ids(either, cache, "lienar algbera", category="Music") == []
    # It was there, and is gone while we run.
    await either.execute("DROP EXTENSION IF EXISTS pg_trgm CASCADE")
    await either.execute("UPDATE listing_state SET trigrams = true")
    assert await ids(either, cache, "pyhtom") == []
    await either.execute("SELECT ensure_trigrams()")
    assert await ids(either, cache, "pythn") == (["python"] if can else [])


async def test_a_migrate_waits_for_who_publishes_only_where_the_index_is_not_there(either: Postgres) -> None:
    can = await either.value("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')")
    async with either.transaction() as publishing:
        await publishing.execute("LOCK TABLE listing IN ROW EXCLUSIVE MODE")
        async with asyncio.timeout(1.5):
            assert await migrate(either) == []
    await either.execute("DROP INDEX IF EXISTS listing_trigrams")
    async with either.transaction() as publishing:
        await publishing.execute("LOCK TABLE listing IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(migrate(either))
        # For longer than a request waits for a lock.
        await asyncio.wait((migrating,), timeout=2.5)
        assert migrating.done() != can
    await migrating
    assert await either.value("SELECT to_regclass('listing_trigrams') IS NOT NULL") == can
