"""Enrolments over HTTP: joining and leaving what is published; the people of a course for who teaches it."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest_asyncio

from persistence import courses, students
from persistence.courses import CourseContent
from persistence.students import Enrolment, Student
from tests.gateway.http.conftest import Answer, Web


@pytest_asyncio.fixture(loop_scope="session")
async def course(web: Web) -> AsyncIterator[str]:
    """A published course for each test, Tina its instructor, Ada around."""
    name = f"course-{uuid.uuid4().hex[:8]}"
    postgres = web.deps.postgres
    await students.put(postgres, [Student("tina", "Tina"), Student("ada", "Ada", "plus")])
    await courses.put(postgres, name, CourseContent("A course"), published=True)
    await students.enrol(postgres, [Enrolment("tina", name, "instructor")])
    yield name


async def join(web: Web, course: str, student: str = "ada", key: str = "") -> Answer:
    return await web.ask(
        "POST",
        f"/v1/courses/{course}/enrolment",
        student=student,
        headers={"Idempotency-Key": key or uuid.uuid4().hex},
    )


async def test_a_student_joins_once_and_leaves(web: Web, course: str) -> None:
    key = uuid.uuid4().hex
    answers = await asyncio.gather(*(join(web, course, key=key) for _ in range(4)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].json["role"] == "student"
    assert (await web.ask("GET", f"/v1/courses/{course}", student="ada")).status == 200
    left = await web.ask("DELETE", f"/v1/courses/{course}/enrolment", student="ada")
    assert (left.status, left.body) == (204, b"")
    assert (await web.ask("GET", f"/v1/courses/{course}", student="ada")).status == 404
    assert (await web.ask("DELETE", f"/v1/courses/{course}/enrolment", student="ada")).status == 404


async def test_h7_what_cannot_be_joined_is_not_there(web: Web) -> None:
    hidden, missing = await join(web, "hidden"), await join(web, "none")
    assert (hidden.status, hidden.body) == (404, missing.body)
    assert (await join(web, "systems", student="nobody")).status == 404


async def test_the_last_instructor_stays(web: Web, course: str) -> None:
    for method, path, body in (
        ("DELETE", f"/v1/courses/{course}/enrolment", None),
        ("DELETE", f"/v1/teaching/courses/{course}/people/tina", None),
        ("POST", f"/v1/teaching/courses/{course}/people", {"student": "tina", "role": "student"}),
    ):
        answer = await web.ask(method, path, student="tina", json=body)
        assert (answer.status, answer.json["code"]) == (409, "nobody_teaches")


async def test_people_are_seen_and_changed_by_who_teaches(web: Web, course: str) -> None:
    path = f"/v1/teaching/courses/{course}/people"
    added = await web.ask("POST", path, student="tina", json={"student": "ada", "role": "assistant"})
    assert (added.status, added.json["role"], added.json["name"]) == (200, "assistant", "Ada")
    first = (await web.ask("GET", f"{path}?limit=1", student="ada")).json
    assert ([one["student"] for one in first["people"]], first["next"]) == (["ada"], "ada")
    rest = (await web.ask("GET", f"{path}?after=ada&limit=1", student="ada")).json
    assert [one["student"] for one in rest["people"]] == ["tina"]
    only = (await web.ask("GET", f"{path}?role=instructor", student="ada")).json
    assert [one["student"] for one in only["people"]] == ["tina"]
    unknown = await web.ask("POST", path, student="tina", json={"student": "who", "role": "student"})
    assert (unknown.status, unknown.json["code"]) == (422, "no_student")
    bad = await web.ask("POST", path, student="tina", json={"student": "ada", "role": "owner"})
    assert bad.status == 422
    assert (await web.ask("GET", f"{path}?role=owner", student="ada")).status == 400


async def test_me_is_who_the_token_says(web: Web, course: str) -> None:
    assert (await web.ask("GET", "/v1/me", student="ada")).json == {
        "id": "ada",
        "name": "Ada",
        "subscription": "plus",
        "may_teach": False,
    }
    assert (await web.ask("GET", "/v1/me", student="nobody")).status == 404
