"""The catalogue over HTTP: every published course, for whoever is signed in: search, completion, outline."""

import base64
import binascii
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.http.courses import poster_url
from gateway.http.problems import Problem, not_found
from gateway.http.routes import Call, Route, Who
from persistence import courses, search
from persistence.search import (
    TEXT_MAX,
    Asked,
    Completion,
    Duration,
    FacetCount,
    Filters,
    Listed,
    Place,
    Span,
)

# What Postgres cannot store or nobody can have typed: control characters but blanks, halves of a pair (H9).
_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]*$"

Text = Annotated[str, Meta(max_length=TEXT_MAX, pattern=_TEXT)]


class CatalogueQuery(msgspec.Struct, frozen=True):
    """What is looked for: `q` in words, facets by value, `after` the `next` of the page before.

    `q` knows "phrases", `or` and `-not`; anything else in it is words. Without it all courses are listed, by
    title. `language` is a primary subtag, as `en`. `limit` is clamped to 1 to 100.
    """

    q: Text = ""
    category: Annotated[str, Meta(max_length=64, pattern=_TEXT)] = ""
    difficulty: Literal["", "beginner", "intermediate", "advanced"] = ""
    language: Annotated[str, Meta(pattern=r"^[a-z]{0,8}$")] = ""
    duration: Duration = ""
    after: Annotated[str, Meta(max_length=1500, pattern=r"^[A-Za-z0-9_-]*$")] = ""
    limit: int = 20


class CompletionQuery(msgspec.Struct, frozen=True):
    """What somebody has typed so far."""

    q: Text = ""


class CatalogueLine(msgspec.Struct, frozen=True):
    """A published course. `snippet` is plain text in pieces, those that were searched for marked as hits."""

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
    poster_url: str | None
    enrolled: bool


class FacetCounts(msgspec.Struct, frozen=True):
    """What may be chosen in each facet, the most frequent first; each as if nothing were chosen in it."""

    category: list[FacetCount]
    difficulty: list[FacetCount]
    language: list[FacetCount]
    duration: list[FacetCount]


class CatalogueList(msgspec.Struct, frozen=True):
    """A page of courses; `next` is null on the last one.

    With `total_exact` false there are at least so many. `similar`: nothing matches as written, these have
    titles like it.
    """

    courses: list[CatalogueLine]
    facets: FacetCounts
    total: int
    total_exact: bool
    similar: bool
    next: str | None


class CompletionList(msgspec.Struct, frozen=True):
    """Titles that begin as was typed, then those with a word that does."""

    courses: list[Completion]


class OutlineItem(msgspec.Struct, frozen=True):
    """An item by name and length."""

    id: str
    kind: str
    title: str
    duration_ms: int


class OutlineSection(msgspec.Struct, frozen=True):
    """A part of a course."""

    title: str
    items: list[OutlineItem]


class Outline(msgspec.Struct, frozen=True):
    """What a course holds, for whoever thinks of joining it."""

    id: str
    title: str
    description: str
    instructor: str
    category: str
    difficulty: str
    language: str
    duration_ms: int
    items_total: int
    poster_url: str | None
    enrolled: bool
    sections: list[OutlineSection]


def routes() -> list[Route]:
    """The catalogue."""
    student = Who.STUDENT
    return [
        Route(
            "GET",
            "/v1/catalogue",
            student,
            listed,
            "Published courses: searched by words, narrowed by facets",
            CatalogueList,
            query=CatalogueQuery,
        ),
        Route(
            "GET",
            "/v1/catalogue/complete",
            student,
            completed,
            "Titles for what somebody is typing",
            CompletionList,
            query=CompletionQuery,
        ),
        Route(
            "GET",
            "/v1/catalogue/{course}",
            student,
            outline,
            "What a published course holds",
            Outline,
            problems=(404,),
        ),
    ]


async def listed(call: Call) -> CatalogueList:
    """A page of what was searched for."""
    given = call.query(CatalogueQuery)
    asked = Asked(
        text=given.q,
        filters=Filters(given.category, given.difficulty, given.language, given.duration),
        after=_place(given.after) if given.after else None,
        limit=given.limit,
    )
    found = await search.find(call.deps.searches, call.deps.cache, asked)
    own = await search.enrolled(call.deps.postgres, call.student, [course.id for course in found.courses])
    return CatalogueList(
        courses=[_line(call, course, course.id in own) for course in found.courses],
        facets=FacetCounts(**found.facets),
        total=found.total,
        total_exact=found.total_exact,
        similar=found.similar,
        next=None if found.next is None else _cursor(found.next),
    )


async def completed(call: Call) -> CompletionList:
    """Titles for what was typed."""
    text = call.query(CompletionQuery).q
    return CompletionList(await search.complete(call.deps.searches, call.deps.cache, text))


async def outline(call: Call) -> Outline:
    """A published course without its media and anybody's progress."""
    facts = await search.published(call.deps.postgres, call.student, call.path_id("course"))
    if facts is None:
        raise not_found()
    course = await courses.read(call.deps.postgres, call.deps.cache, facts.access)
    return Outline(
        id=course.id,
        title=course.title,
        description=course.description,
        instructor=course.instructor,
        category=course.category,
        difficulty=course.difficulty,
        language=course.language,
        duration_ms=course.duration_ms,
        items_total=course.items_total,
        poster_url=poster_url(call, course.poster),
        enrolled=facts.enrolled,
        sections=[
            OutlineSection(
                section.title,
                [OutlineItem(item.id, item.kind, item.title, item.duration_ms) for item in section.items],
            )
            for section in course.sections
        ],
    )


def _line(call: Call, course: Listed, enrolled: bool) -> CatalogueLine:
    return CatalogueLine(
        id=course.id,
        title=course.title,
        description=course.description,
        snippet=course.snippet,
        instructor=course.instructor,
        category=course.category,
        difficulty=course.difficulty,
        language=course.language,
        duration_ms=course.duration_ms,
        items_total=course.items_total,
        poster_url=poster_url(call, course.poster),
        enrolled=enrolled,
    )


def _cursor(place: Place) -> str:
    """A place in the order, as text. It opens nothing, so nobody has to sign it; it is read strictly."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def _place(cursor: str) -> Place:
    try:
        place = msgspec.msgpack.decode(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=Place
        )
        # Postgres stores no NUL.
        if "\x00" not in place.title_key + place.course:
            return place
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        pass
    raise Problem(400, "bad_cursor", "after: give the `next` of the page before, as it is, or nothing")
