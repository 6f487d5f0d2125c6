"""The catalogue at rest: every published course, searched, browsed by facets, and completed while one types.

What is found is the same for everybody and cached by what was asked; whether one is enrolled is not in it.
Every entry has the version of the whole listing, which a publish changes in its own transaction
(0011_search.sql).
"""

import asyncio
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from msgspec import Meta

from persistence import queries
from persistence.cache import Cache, search_entry
from persistence.courses import Access
from persistence.postgres import Postgres, PostgresSettings, StoreRefused, open_postgres

SQL = queries.load("search")

TEXT_MAX = 200
"""Characters of a search (H10)."""

LIMIT_MAX = 100
COMPLETIONS = 8

MATCHES_MAX = 1000
"""Ranked, paged and counted are so many at most; of a word that is everywhere no more are looked at."""

SIMILAR_MAX = 20

TIMEOUT_MS = 500
"""Of one statement (H10): whatever is asked, Postgres works no longer at it."""

SESSION = {
    "statement_timeout": f"{TIMEOUT_MS}ms",
    # Each plan is made for what is asked: with the filters that are set, not with all that might be.
    "plan_cache_mode": "force_custom_plan",
    # Two letters changed over leave a short word few of its trigrams ("pyhton": 0.29), where Postgres asks
    # for 0.6. So what comes near is looked at from there on, and only what is about as near as the nearest is
    # shown.
    "pg_trgm.word_similarity_threshold": "0.28",
}
_NEAR = 0.8

# Marks around hits that no text of ours holds (the statement strips them), so nothing here is ever markup
# (H11).
_HIT_BEGINS, _HIT_ENDS = "\x02", "\x03"
_HEADLINE = f"StartSel={_HIT_BEGINS}, StopSel={_HIT_ENDS}, MaxWords=32, MinWords=16, ShortWord=2"
_MARKS = re.compile(f"[{_HIT_BEGINS}{_HIT_ENDS}]")

_UNDEFINED = ("42883", "42704")  # the extension was there when the listing was prepared, and is gone

Facet = Literal["category", "difficulty", "language", "duration"]
FACETS: tuple[Facet, ...] = ("category", "difficulty", "language", "duration")

Duration = Literal["", "0-1h", "1-4h", "4-12h", "12h+"]


class Filters(msgspec.Struct, frozen=True):
    """What a course must be; empty for any. `language` is a primary subtag, as `en`."""

    category: str = ""
    difficulty: str = ""
    language: str = ""
    duration: str = ""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ends: after the course of this rank (a search) or title (else), and id."""

    rank: Annotated[float, Meta(ge=0, le=100)]
    title_key: Annotated[str, Meta(max_length=200)]
    course: Annotated[str, Meta(max_length=64)]


BEGIN_OF_SEARCH = Place(100.0, "", "")
BEGIN_OF_ALL = Place(0.0, "", "")


class Asked(msgspec.Struct, frozen=True):
    """One question: without `text` all courses, by title; `after` is the `next` of the page before."""

    text: str = ""
    filters: Filters = Filters()
    after: Place | None = None
    limit: int = 20


class Span(msgspec.Struct, frozen=True):
    """A piece of text, never markup; `hit` where it is what was searched for."""

    text: str
    hit: bool


class Listed(msgspec.Struct, frozen=True):
    """A published course as one line. `poster` is a key in the object store, or empty."""

    id: str
    title: str
    description: str
    snippet: list[Span]
    instructor: str
    category: str
    difficulty: str
    language: str
    duration_ms: int
    items_total: int
    poster: str


class FacetCount(msgspec.Struct, frozen=True):
    """How many courses have this value."""

    value: str
    count: int


class Found(msgspec.Struct, frozen=True):
    """A page of what was found.

    `total` is exact, or the least there are. `facets` count, for each,
    what the other filters leave. `similar`:
    nothing matches as written, these have titles like it.
    """

    courses: list[Listed]
    facets: dict[Facet, list[FacetCount]]
    total: int
    total_exact: bool
    similar: bool
    next: Place | None


class Completion(msgspec.Struct, frozen=True):
    """A course whose title is what somebody began to type."""

    id: str
    title: str


class Published(msgspec.Struct, frozen=True):
    """That a course is published, so that anybody may read its outline; and whether the student is in it."""

    access: Access
    enrolled: bool


class _Page(msgspec.Struct, frozen=True):
    courses: list[Listed]
    total: int
    similar: bool
    next: Place | None


class _Cell(msgspec.Struct, frozen=True, array_like=True):
    category: str
    difficulty: str
    language: str
    duration: str
    count: int


class _Text(msgspec.Struct, frozen=True):
    text: str


class _Counted(msgspec.Struct, frozen=True):
    text: str
    filters: Filters


@dataclass(frozen=True, slots=True)
class _Facets:
    counts: dict[Facet, list[FacetCount]]
    total: int


@dataclass(frozen=True, slots=True)
class _State:
    version: str
    configs: list[str]
    trigrams: bool


@dataclass(frozen=True, slots=True)
class Searches:
    """Connections for searches alone (`bounded`), on which no statement works longer than `TIMEOUT_MS` (H10).

    However many search at once, and whatever for, everything else has its own connections (`postgres`); so
    has what was found before, of which only the version is asked.
    """

    postgres: Postgres
    bounded: Postgres


async def open_searches(postgres: Postgres, settings: PostgresSettings) -> Searches:
    """Connect, beside `postgres`; who opened closes `bounded`. Raises what `open_postgres` raises."""
    return Searches(postgres, await open_postgres(replace(settings, session=SESSION)))


async def find(searches: Searches, cache: Cache, asked: Asked) -> Found:
    """A page of courses. Raises `StoreUnavailable` if it takes longer than `TIMEOUT_MS`."""
    limit = max(1, min(asked.limit, LIMIT_MAX))
    asked = Asked(_plain(asked.text), asked.filters, asked.after, limit)
    state = await _state(searches.postgres)
    entry = search_entry("found", asked, state.version, Found)
    return await cache.get(entry, lambda: _find(searches.bounded, cache, state, asked))


async def complete(searches: Searches, cache: Cache, text: str) -> list[Completion]:
    """At most `COMPLETIONS` courses with titles that begin like this, or with words that do, by title."""
    text = _plain(text)
    if not text:
        return []
    state = await _state(searches.postgres)
    entry = search_entry("completions", _Text(text), state.version, list[Completion])
    return await cache.get(entry, lambda: _completions(searches.bounded, text))


async def enrolled(postgres: Postgres, student: str, courses: Iterable[str]) -> set[str]:
    """Which of the courses the student is in."""
    asked = list(courses)
    if not asked:
        return set()
    return {row["course"] for row in await postgres.rows(SQL["enrolled"], student, asked)}


async def published(postgres: Postgres, student: str, course: str) -> Published | None:
    """The right of anybody to read the outline of a published course; None for any other."""
    row = await postgres.row(SQL["published"], student, course)
    if row is None:
        return None
    return Published(Access(student, course, row["version"]), row["enrolled"])


def _plain(text: str) -> str:
    """What means the same is written the same, so that it is looked up once."""
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


async def _state(postgres: Postgres) -> _State:
    row = await postgres.row(SQL["state"])
    if row is None:
        raise AssertionError("listing_state has lost its row")
    return _State(row["version"], sorted(row["configs"]), row["trigrams"])


async def _find(postgres: Postgres, cache: Cache, state: _State, asked: Asked) -> Found:
    page, facets = await asyncio.gather(
        _page(postgres, state, asked), _facets(postgres, cache, state, asked.text, asked.filters)
    )
    total = page.total if asked.text else facets.total
    return Found(
        courses=page.courses,
        facets={facet: [] for facet in FACETS} if page.similar else facets.counts,
        total=total,
        total_exact=not asked.text or total < MATCHES_MAX,
        similar=page.similar,
        next=page.next,
    )


async def _facets(postgres: Postgres, cache: Cache, state: _State, text: str, filters: Filters) -> _Facets:
    """The counts, from those without any filter: who turns a page or changes a filter has them from before.

    Of too many matches those are not all; then what the filters leave is counted by itself.
    """

    async def cells(only: Filters) -> list[_Cell]:
        entry = search_entry("facets", _Counted(text, only), state.version, list[_Cell])
        return await cache.get(entry, lambda: _cells(postgres, state, text, only))

    everything = narrowed = await cells(Filters())
    if text and filters != Filters() and sum(cell.count for cell in everything) >= MATCHES_MAX:
        narrowed = await cells(filters)
    chosen = _filters(filters)
    counts, _ = _counted(everything, chosen)
    more, total = _counted(narrowed, chosen)
    for place, value in enumerate(chosen):
        if not value:
            counts[place] = more[place]
        elif total:
            counts[place][value] = total
    return _Facets(dict(zip(FACETS, map(_ordered, counts), strict=True)), total)


async def _page(postgres: Postgres, state: _State, asked: Asked) -> _Page:
    if not asked.text:
        return await _browsed(postgres, asked)
    page = await _matched(postgres, state, asked)
    if page.total == 0 and state.trigrams and asked.after is None:
        return await _similar(postgres, asked)
    return page


async def _matched(postgres: Postgres, state: _State, asked: Asked) -> _Page:
    after = asked.after or BEGIN_OF_SEARCH
    rows = await postgres.rows(
        SQL["matched"],
        asked.text,
        state.configs,
        *_filters(asked.filters),
        asked.limit + 1,
        MATCHES_MAX,
        after.rank,
        after.course,
        _HEADLINE,
    )
    total: int = rows[0]["total"]
    rows = [row for row in rows if row["id"] is not None]
    shown = rows[: asked.limit]
    more = len(rows) > asked.limit
    return _Page(
        courses=[_listed(row, _spans(row["snippet"])) for row in shown],
        total=total,
        similar=False,
        next=Place(shown[-1]["rank"], "", shown[-1]["id"]) if more else None,
    )


async def _browsed(postgres: Postgres, asked: Asked) -> _Page:
    after = asked.after or BEGIN_OF_ALL
    rows = await postgres.rows(
        SQL["browsed"], *_filters(asked.filters), asked.limit + 1, after.title_key, after.course
    )
    shown = rows[: asked.limit]
    more = len(rows) > asked.limit
    return _Page(
        courses=[_listed(row, []) for row in shown],
        total=0,
        similar=False,
        next=Place(0.0, shown[-1]["title_key"], shown[-1]["id"]) if more else None,
    )


async def _similar(postgres: Postgres, asked: Asked) -> _Page:
    try:
        rows = await postgres.rows(
            SQL["similar"], asked.text, *_filters(asked.filters), min(asked.limit, SIMILAR_MAX)
        )
    except StoreRefused as error:
        if error.sqlstate not in _UNDEFINED:
            raise
        rows = []
    rows = [row for row in rows if row["likeness"] >= _NEAR * rows[0]["likeness"]]
    return _Page([_listed(row, []) for row in rows], len(rows), bool(rows), None)


async def _cells(postgres: Postgres, state: _State, text: str, filters: Filters) -> list[_Cell]:
    if text:
        chosen = _filters(filters)
        rows = await postgres.rows(SQL["matched_facets"], text, state.configs, *chosen, MATCHES_MAX)
    else:
        rows = await postgres.rows(SQL["all_facets"])
    return [_Cell(*row) for row in rows]


async def _completions(postgres: Postgres, text: str) -> list[Completion]:
    # Words that begin with one letter are most words.
    inside = len(text.split()[-1]) > 1
    rows = await postgres.rows(SQL["completed"], text, COMPLETIONS, inside)
    return [Completion(row["id"], row["title"]) for row in rows]


def _filters(filters: Filters) -> tuple[str, str, str, str]:
    return filters.category, filters.difficulty, filters.language, filters.duration


def _listed(row: asyncpg.Record, snippet: list[Span]) -> Listed:
    facts: dict[str, Any] = {name: row[name] for name in Listed.__struct_fields__ if name != "snippet"}
    return Listed(snippet=snippet, **facts)


def _spans(marked: str) -> list[Span]:
    """The pieces of a marked text: outside and inside by turns."""
    pieces = _MARKS.split(marked)
    return [Span(piece, place % 2 == 1) for place, piece in enumerate(pieces) if piece]


def _counted(cells: list[_Cell], chosen: Sequence[str]) -> tuple[list[Counter[str]], int]:
    """For each facet, what the choices in the others leave of its values; and what all leave."""
    counts: list[Counter[str]] = [Counter() for _ in FACETS]
    total = 0
    for cell in cells:
        values = (cell.category, cell.difficulty, cell.language, cell.duration)
        missed = [place for place, value in enumerate(chosen) if value and value != values[place]]
        if not missed:
            total += cell.count
        if len(missed) < 2:
            for place in missed or range(len(FACETS)):
                counts[place][values[place]] += cell.count
    return counts, total


def _ordered(counts: Counter[str]) -> list[FacetCount]:
    """The most frequent first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [FacetCount(value, count) for value, count in ordered if value]
