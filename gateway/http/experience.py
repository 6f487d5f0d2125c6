"""How playing goes, over HTTP: players tell it in batches, instructors read what became of their course."""

import time
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Annotated, cast, get_args

import msgspec
from msgspec import Meta

from gateway.http.problems import Problem
from gateway.http.routes import Call, Route, Who
from persistence import experience
from persistence.experience import Happening, Kind, Sums
from persistence.ids import ID_PATTERN

WEEK_MS = 7 * 24 * 3600 * 1000
DAY_MS = 24 * 3600 * 1000
KINDS = frozenset(get_args(Kind))

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
Quality = Annotated[str, Meta(pattern=r"^[0-9a-z]{0,16}$")]
Count = Annotated[int, Meta(ge=0, le=10**9)]


class PlayerEvent(msgspec.Struct, frozen=True):
    """Something that happened in one play of an item, `age_ms` before it is sent: no device's clock is read.

    `play` is a random id of one page visit. Kinds: `start` (`duration_ms` from the press to the first frame),
    `stall` (`duration_ms`, seeks left out), `switch` (`from` one quality to another, `auto` or by the user),
    `error` (`code` of the player, HTTP `status`, how often it came as `count`; `fatal` ended the play),
    `frames` (`count` dropped, `total` shown), `watched` (`duration_ms` played in `quality` since the last:
    what the others are measured against). Other kinds, and fields nobody knows, change nothing.
    """

    kind: Annotated[str, Meta(max_length=16)]
    item: Id
    version: Id
    play: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    age_ms: Annotated[int, Meta(ge=0, le=WEEK_MS)]
    quality: Quality = ""
    from_quality: Quality = msgspec.field(default="", name="from")
    duration_ms: Annotated[int, Meta(ge=0, le=DAY_MS)] = 0
    count: Count = 0
    total: Count = 0
    code: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{0,64}$")] = ""
    status: Annotated[int, Meta(ge=0, le=599)] = 0
    fatal: bool = False
    auto: bool = True


class PlayerEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch. Sent once: what is sent again counts again."""

    events: Annotated[list[PlayerEvent], Meta(max_length=100)]


class Span(msgspec.Struct, frozen=True):
    """How far back to look, in days."""

    days: Annotated[int, Meta(ge=1, le=730)] = 7


class Figures(msgspec.Struct, frozen=True):
    """Added up. `starts_300` plays began within 300 ms, `starts_1000` and `starts_3000` likewise; `start_ms`
    is the mean, null without a start. `stalled` is the share of the time spent waiting, `failed` that of the
    plays which an error ended; 0 to 1."""

    starts: int
    starts_300: int
    starts_1000: int
    starts_3000: int
    start_ms: int | None
    watched_ms: int
    stalls: int
    stall_ms: int
    stalled: float
    switches: int
    errors: int
    fatal_errors: int
    failed: float
    frames_dropped: int
    frames_shown: int


class QualityFigures(msgspec.Struct, frozen=True):
    """One quality of an item; "" where no player said which."""

    quality: str
    figures: Figures


class ItemFigures(msgspec.Struct, frozen=True):
    """One item, and each quality it was played in, most watched first."""

    item: str
    title: str
    figures: Figures
    qualities: list[QualityFigures]


class CourseExperience(msgspec.Struct, frozen=True):
    """How playing went in a course in the last `days`; the items that were watched most come first."""

    course: str
    days: int
    figures: Figures
    items: list[ItemFigures]


async def take(call: Call) -> None:
    """`POST /v1/experience`. What is not the student's is left out and told to nobody: it changes nothing."""
    events, intake = call.body(PlayerEvents).events, call.deps.experience
    if wait_s := intake.wait_s(call.student):
        raise Problem(429, "too_many", "Send what happened in fewer batches.", {"Retry-After": str(wait_s)})
    known = [event for event in events if event.kind in KINDS]
    courses = await intake.courses(call.student, {(event.item, event.version) for event in known})
    now = datetime.fromtimestamp(time.time(), UTC)
    happenings = [
        _happening(event, courses[event.item, event.version], call.student, now)
        for event in known
        if (event.item, event.version) in courses
    ]
    intake.take(happenings)
    intake.refused(len(events) - len(happenings))


def _happening(event: PlayerEvent, course: str, student: str, now: datetime) -> Happening:
    return Happening(
        at=now - timedelta(milliseconds=event.age_ms),
        course=course,
        item=event.item,
        version=event.version,
        student=student,
        play=event.play,
        kind=cast(Kind, event.kind),
        quality=event.quality,
        from_quality=event.from_quality,
        duration_ms=event.duration_ms,
        count=event.count,
        total=event.total,
        code=event.code,
        status=event.status,
        fatal=event.fatal,
        auto=event.auto,
    )


async def of_course(call: Call) -> CourseExperience:
    """`GET /v1/teaching/courses/{course}/experience`, for the course's instructors."""
    course, days = call.path_id("course"), call.query(Span).days
    since = datetime.fromtimestamp(time.time(), UTC) - timedelta(days=days)
    sums = await experience.of_course(call.deps.postgres, course, since)
    items = []
    for (item, title), some in groupby(sums, key=lambda one: (one.item, one.title)):
        qualities = list(some)
        items.append(
            ItemFigures(
                item=item,
                title=title,
                figures=figures(qualities),
                qualities=[QualityFigures(one.quality, figures([one])) for one in qualities],
            )
        )
    return CourseExperience(course, days, figures(sums), items)


def figures(sums: list[Sums]) -> Figures:
    """Sums added up, with the shares that people read."""

    def total(name: str) -> int:
        return sum(int(getattr(one, name)) for one in sums)

    starts, fatal, stall_ms, watched_ms = map(total, ("starts", "fatal_errors", "stall_ms", "watched_ms"))
    return Figures(
        starts=starts,
        starts_300=total("starts_300"),
        starts_1000=total("starts_1000"),
        starts_3000=total("starts_3000"),
        start_ms=round(total("start_ms") / starts) if starts else None,
        watched_ms=watched_ms,
        stalls=total("stalls"),
        stall_ms=stall_ms,
        stalled=_share(stall_ms, watched_ms),
        switches=total("switches"),
        errors=total("errors"),
        fatal_errors=fatal,
        failed=_share(fatal, starts),
        frames_dropped=total("frames_dropped"),
        frames_shown=total("frames_shown"),
    )


def _share(part: int, rest: int) -> float:
    return round(part / (part + rest), 4) if part else 0.0


ROUTES = (
    Route(
        "POST",
        "/v1/experience",
        Who.STUDENT,
        take,
        "How playing went, in batches of at most 100 events",
        None,
        takes=PlayerEvents,
        status=204,
        problems=(429,),
    ),
    Route(
        "GET",
        "/v1/teaching/courses/{course}/experience",
        Who.STUDENT,
        of_course,
        "How playing goes in a course, for its instructors",
        CourseExperience,
        query=Span,
        teaches="instructor",
        problems=(404,),
    ),
)
