"""A small catalogue and progress to read, written the way the product writes them."""

from persistence import courses, items, students
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.items import Item, Version
from persistence.postgres import Postgres
from persistence.students import Enrolment, Student


def named(item: str, kind: str = "video", version: str | None = "v1") -> ItemContent:
    """An item as a document has it."""
    return ItemContent(item, kind, item.title(), version)


SECTIONS = [
    SectionContent("First", [named("intro", version="v2"), named("paper", "pdf")]),
    SectionContent("Second", [named("gone"), named("outro")]),
]
INTRO = CourseContent("Systems", "How they fail", "Dr. Vey", "posters/systems.jpg", SECTIONS)


async def write_catalogue(postgres: Postgres) -> None:
    """Courses `systems` (mira, ben), `hidden` (mira a student, ben its instructor), `other` (ben)."""
    await students.put(postgres, [Student("mira", "Mira"), Student("ben", "Ben"), Student("zoe", "Zoë")])
    await courses.put(postgres, "systems", INTRO, published=True)
    await courses.put(postgres, "hidden", CourseContent("Hidden"), published=False)
    await courses.put(postgres, "other", CourseContent("Other"), published=True)
    placed = [
        ("intro", "systems", "video"),
        ("paper", "systems", "pdf"),
        ("outro", "systems", "video"),
        ("extra", "systems", "text"),
        ("secret", "hidden", "video"),
        ("theirs", "other", "video"),
    ]
    await items.put(
        postgres,
        [
            Item(item, course, kind, item.title(), "v2" if item == "intro" else "v1", place)
            for place, (item, course, kind) in enumerate(placed)
        ],
        [
            *(Version(item, "v1", 60_000) for item, _, _ in placed),
            Version("intro", "v2", 61_000, {"key": "media/intro/v2"}),
        ],
    )
    await students.enrol(
        postgres,
        [
            Enrolment("mira", "systems"),
            Enrolment("mira", "hidden"),
            Enrolment("ben", "systems"),
            Enrolment("ben", "hidden", "instructor"),
            Enrolment("ben", "other"),
        ],
    )


async def write_progress(
    postgres: Postgres,
    student: str,
    item: str,
    course: str,
    *,
    rev: int,
    position_ms: int,
    done: bool = False,
) -> None:
    """A row of progress as a checkpoint leaves it: everything seen up to the position."""
    await postgres.execute(
        "INSERT INTO progress (student, item, course, version, rev, epoch, pass, position_ms, device, rule,"
        " done, completions, coverage, furthest_ms, content_ms, wall, merge, updated_at)"
        " VALUES ($1, $2, $3, 'v1', $4, 1, 1, $5, 'phone', 'R2', $6, '{}',"
        " int4multirange(int4range(0, $5)), $5, $5, '{}', '{}', now())"
        " ON CONFLICT (student, item) DO UPDATE SET rev = EXCLUDED.rev, position_ms = EXCLUDED.position_ms,"
        " done = EXCLUDED.done, coverage = EXCLUDED.coverage",
        student,
        item,
        course,
        rev,
        position_ms,
        done,
    )
