"""Items at rest: how a version was made from another one comes back as it was given (R9)."""

from typing import Any

import pytest

from actors.at_rest import items_from
from actors.core.editions import Edition
from persistence import courses, items, sessions
from persistence.courses import CourseContent
from persistence.items import EDITS_MAX, BadEdits, Item, Version
from persistence.postgres import Postgres

EDITS = ({"insert": [50_000, 2_000]}, {"cut": [1_000, 4_000]})


async def put(postgres: Postgres, course: str, *versions: Version) -> None:
    await courses.put(postgres, course, CourseContent(course), published=True)
    rows = [
        Item(name, course, "video", name, "v2", place) for place, name in enumerate(("b-late", "a-first"))
    ]
    firsts = [Version(row.id, "v1", 60_000) for row in rows]
    await items.put(postgres, rows, [*firsts, *(Version(row.id, "v2", 59_000) for row in rows), *versions])


async def test_r9_edits_come_back_as_they_were_given(postgres: Postgres) -> None:
    await put(postgres, "edited", Version("b-late", "v2", 59_000, {}, "v1", EDITS))
    found = items_from(await sessions.load_items(postgres, ["b-late", "a-first"]))
    made = Edition("v1", cuts=[(1_000, 4_000)], inserts=[(50_000, 2_000)])
    assert found["b-late"].edits == {"v2": made}
    assert found["b-late"].durations_ms == {"v1": 60_000, "v2": 59_000}
    assert found["b-late"].way_from("v1").place(60_000) == 59_000
    assert found["a-first"].edits == {}


async def test_the_items_of_a_course_share_its_syllabus(postgres: Postgres) -> None:
    await put(postgres, "edited")
    found = items_from(await sessions.load_items(postgres, ["a-first", "b-late"]))
    assert found["a-first"].syllabus == ("b-late", "a-first")
    assert found["a-first"].syllabus is found["b-late"].syllabus


async def test_a_version_may_come_with_the_one_it_was_made_from(postgres: Postgres) -> None:
    await courses.put(postgres, "alone", CourseContent("Alone"), published=True)
    both = [Version("new", "a2", 59_000, {}, "z1", EDITS), Version("new", "z1", 60_000)]
    await items.put(postgres, [Item("new", "alone", "video", "New", "a2")], both)
    found = items_from(await sessions.load_items(postgres, ["new"]))
    assert found["new"].edits["a2"].since == "z1"


@pytest.mark.parametrize(
    ("since", "edits", "said"),
    [
        (None, EDITS, "give from_version"),
        ("v1", [{"cut": [5, 5]}], "cuts must not"),
        ("v1", [{"cut": [-1, 5]}], "cuts must not"),
        ("v1", [{"cut": [0, 10]}, {"cut": [5, 20]}], "cuts must not"),
        ("v1", [{"insert": [5, 0]}], "an insert has"),
        ("v1", [{"insert": [-5, 1]}], "an insert has"),
        ("v1", [{"move": [5, 10]}], "is neither"),
        ("v1", [{"cut": [5]}], "is neither"),
        ("v1", [{"cut": [0.5, 10]}], "whole ms"),
        ("v1", [{"insert": ["5", 10]}], "whole ms"),
        ("v1", [{"cut": [5, 10], "insert": [1, 2]}], "is neither"),
        ("v1", [{"insert": [n, 1]} for n in range(EDITS_MAX + 1)], "more than"),
    ],
)
async def test_edits_that_cannot_be_carried_out_are_refused(
    postgres: Postgres, since: str | None, edits: Any, said: str
) -> None:
    with pytest.raises(BadEdits, match=said):
        await items.put(postgres, [], [Version("b-late", "v9", 59_000, {}, since, edits)])
