"""Teaching: drafts by revision, publishing once, versions that stay, and nothing for who may not."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway.http.teaching import id_of
from persistence import items, students
from persistence.items import Version
from persistence.students import Enrolment, Student
from tests.gateway.http.conftest import Answer, Web

QUIZ = {"questions": [{"id": "q1", "text": "Why?", "kind": "text", "answers": ["a-secret-answer"]}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def people(web: Web) -> None:
    await students.put(
        web.deps.postgres,
        [
            Student("tina", "Tina", may_teach=True),
            Student("tom", "Tom", may_teach=True),
            Student("ada", "Ada"),
        ],
    )


async def begin(web: Web, **more: Any) -> Answer:
    """Tina begins a course."""
    key = more.pop("key", uuid.uuid4().hex)
    student = more.pop("student", "tina")
    body = {"title": "How to resume"} | more
    return await web.ask(
        "POST", "/v1/teaching/courses", student=student, json=body, headers={"Idempotency-Key": key}
    )


@pytest_asyncio.fixture(loop_scope="session")
async def course(web: Web) -> AsyncIterator[str]:
    """A course of its own for each test."""
    begun = await begin(web)
    assert begun.status == 201
    yield begun.json["course"]


def text(course: str, markdown: str = "# Read me") -> dict[str, Any]:
    return {"id": f"{course}-text", "kind": "text", "title": "To read", "content": {"markdown": markdown}}


def quiz(course: str) -> dict[str, Any]:
    return {"id": f"{course}-quiz", "kind": "quiz", "title": "To try", "content": QUIZ}


def lecture(course: str, version: str | None = None) -> dict[str, Any]:
    return {"id": f"{course}-lecture", "kind": "video", "title": "A lecture", "version": version}


def document(*some: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"title": "How to resume", "sections": [{"title": "First", "items": list(some)}]} | more


async def write(web: Web, course: str, etag: str, body: dict[str, Any], student: str = "tina") -> Answer:
    return await web.ask(
        "PUT", f"/v1/teaching/courses/{course}", student=student, json=body, headers={"If-Match": etag}
    )


async def publish(web: Web, course: str, etag: str, key: str = "", student: str = "tina") -> Answer:
    headers = {"If-Match": etag, "Idempotency-Key": key or uuid.uuid4().hex}
    return await web.ask("POST", f"/v1/teaching/courses/{course}/publish", student=student, headers=headers)


async def published(web: Web, course: str, *some: dict[str, Any]) -> Answer:
    """Write and publish these items."""
    etag = (await web.ask("GET", f"/v1/teaching/courses/{course}", student="tina")).headers["ETag"]
    written = await write(web, course, etag, document(*some))
    assert written.status == 200, written.json
    return await publish(web, course, written.headers["ETag"])


async def test_who_may_teach_begins_a_course_and_is_its_instructor(web: Web) -> None:
    begun = await begin(web)
    course = begun.json["course"]
    assert (begun.status, begun.headers["Location"]) == (201, f"/v1/teaching/courses/{course}")
    assert course.startswith("how-to-resume-")
    assert (begun.json["role"], begun.json["number"], begun.json["changed"]) == ("instructor", 0, True)
    listed = (await web.ask("GET", "/v1/teaching/courses?limit=100", student="tina")).json["courses"]
    assert course in [one["id"] for one in listed]
    assert (await web.ask("GET", f"/v1/catalogue/{course}", student="ada")).status == 404


async def test_a8_who_may_not_teach_begins_nothing(web: Web) -> None:
    for student in ("ada", "nobody"):
        answer = await begin(web, student=student)
        assert (answer.status, answer.json["code"]) == (403, "forbidden")


async def test_an_id_that_is_taken_or_none_is_refused(web: Web, course: str) -> None:
    taken = await begin(web, id=course, student="tom")
    assert (taken.status, taken.json["code"]) == (409, "taken")
    for bad in ("a b", "../x", "", "é"):
        assert (await begin(web, id=bad)).status == 422


async def test_h16_a_course_begun_twice_under_one_key_is_one(web: Web) -> None:
    key = uuid.uuid4().hex
    answers = await asyncio.gather(*(begin(web, key=key) for _ in range(4)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert {answer.headers["Location"] for answer in answers} == {
        f"/v1/teaching/courses/{answers[0].json['course']}"
    }
    other = await begin(web, key=key, title="Another")
    assert (other.status, other.json["code"]) == (409, "key_reused")
    toms = await begin(web, key=key, student="tom")
    assert toms.status == 201
    assert toms.json["course"] != answers[0].json["course"]
    without = await web.ask("POST", "/v1/teaching/courses", student="tina", json={"title": "x"})
    assert (without.status, without.json["code"]) == (400, "idempotency_key")


async def test_a_draft_is_replaced_by_who_saw_it(web: Web, course: str) -> None:
    first = await web.ask("GET", f"/v1/teaching/courses/{course}", student="tina")
    sent = document(text(course), quiz(course), category="Systems", difficulty="beginner", language="en-GB")
    written = await write(web, course, first.headers["ETag"], sent)
    assert written.status == 200
    assert written.headers["ETag"] != first.headers["ETag"]
    content = written.json["content"]
    assert (content["category"], content["difficulty"], content["language"]) == (
        "Systems",
        "beginner",
        "en-GB",
    )
    assert content["sections"][0]["items"][1]["content"] == QUIZ
    stale = await write(web, course, first.headers["ETag"], document(title="Lost"))
    assert (stale.status, stale.json["code"]) == (412, "stale")
    assert stale.headers["ETag"] == written.headers["ETag"]
    again = await web.ask("GET", f"/v1/teaching/courses/{course}", student="tina")
    assert again.json == written.json
    back = await write(web, course, f"W/{again.headers['ETag']}", again.json["content"])
    assert back.status == 200, "what was read can be sent back as it is, also through a proxy that packs"


@pytest.mark.parametrize(
    ("header", "status"), [(None, 428), ("*", 400), ("1", 400), ('"x"', 400), ('"1", "2"', 400)]
)
async def test_a_change_says_what_it_saw(web: Web, course: str, header: str | None, status: int) -> None:
    headers = {} if header is None else {"If-Match": header}
    path = f"/v1/teaching/courses/{course}"
    answer = await web.ask("PUT", path, student="tina", json=document(), headers=headers)
    assert answer.status == status
    keyed = headers | {"Idempotency-Key": uuid.uuid4().hex}
    assert (await web.ask("POST", f"{path}/publish", student="tina", headers=keyed)).status == status


@pytest.mark.parametrize(
    "bad",
    [
        {"role": "admin"},
        {"title": 5},
        {"title": "x" * 301},
        {"difficulty": "deadly"},
        {"language": "no language"},
        {"poster": "course/another/poster.jpg"},
        {"poster": "../../etc/passwd"},
        {"poster": "course/{course}/a b.jpg"},
        {"poster": "course/{course}/"},
        {"poster": "course/{course}/../x.jpg"},
        {"poster": "course/{course}/ü.jpg"},
        {"sections": [{"title": "s", "items": [{"id": "a", "kind": "text", "title": "t", "score": 1}]}]},
        {"sections": [{"title": "s", "items": [{"id": "a b", "kind": "text", "title": "t"}]}]},
        {"sections": [{"title": "s", "items": [{"id": "a", "kind": "<b>", "title": "t"}]}]},
        {"sections": [{"title": "s", "owner": "x"}]},
        {"sections": [{"title": "s"}] * 201},
        {"description": "a\x00b"},
    ],
)
async def test_h8_a_draft_has_its_fields_and_no_others(web: Web, course: str, bad: dict[str, Any]) -> None:
    if "poster" in bad:
        bad = {"poster": bad["poster"].replace("{course}", course)}
    answer = await write(web, course, '"1"', document() | bad)
    assert (answer.status, answer.json["code"]) == (422, "invalid")


async def test_a_published_course_is_there_for_students(web: Web, course: str) -> None:
    made = await published(web, course, text(course), quiz(course))
    assert (made.status, made.json["number"]) == (200, 1)
    key = {"Idempotency-Key": uuid.uuid4().hex}
    joined = await web.ask("POST", f"/v1/courses/{course}/enrolment", student="ada", headers=key)
    assert joined.status == 201
    page = (await web.ask("GET", f"/v1/courses/{course}", student="ada")).json
    assert (page["role"], page["items_total"], page["duration_ms"]) == ("student", 2, 1000)
    assert page["continue_item"] == f"{course}-text"
    item = (await web.ask("GET", f"/v1/items/{course}-quiz", student="ada")).json
    assert item["content"] == {"questions": [{"id": "q1", "text": "Why?", "kind": "text"}]}


async def test_answers_are_in_no_answer_for_a_student(web: Web, course: str) -> None:
    await published(web, course, quiz(course))
    key = {"Idempotency-Key": uuid.uuid4().hex}
    assert (
        await web.ask("POST", f"/v1/courses/{course}/enrolment", student="ada", headers=key)
    ).status == 201
    for path in (
        f"/v1/courses/{course}",
        f"/v1/items/{course}-quiz",
        f"/v1/catalogue/{course}",
        "/v1/courses",
    ):
        answer = await web.ask("GET", path, student="ada")
        assert answer.status == 200
        assert b"a-secret-answer" not in answer.body
    for path in ("", "/versions/1", "/versions", "/preview"):
        answer = await web.ask("GET", f"/v1/teaching/courses/{course}{path}", student="ada")
        assert answer.status == 403
        assert b"a-secret-answer" not in answer.body


async def test_two_who_publish_at_once_one_wins(web: Web, course: str) -> None:
    await students.enrol(web.deps.postgres, [Enrolment("tom", course, "instructor")])
    written = await write(web, course, '"1"', document(text(course)))
    etag = written.headers["ETag"]
    answers = await asyncio.gather(
        *(publish(web, course, etag, student=student) for student in ("tina", "tom", "tina", "tom"))
    )
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412]
    versions = (await web.ask("GET", f"/v1/teaching/courses/{course}/versions", student="tina")).json
    assert [version["number"] for version in versions["versions"]] == [1]


async def test_h16_a_publish_sent_again_is_the_one_it_was(web: Web, course: str) -> None:
    written = await write(web, course, '"1"', document(text(course)))
    etag, key = written.headers["ETag"], uuid.uuid4().hex
    answers = [await publish(web, course, etag, key) for _ in range(2)]
    assert [(answer.status, answer.json["number"]) for answer in answers] == [(200, 1), (200, 1)]
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]
    later = await publish(web, course, answers[0].headers["ETag"], key)
    assert (later.status, later.json["code"]) == (409, "key_reused")


async def test_what_is_not_ready_is_named(web: Web, course: str) -> None:
    written = await write(web, course, '"1"', document(text(course), lecture(course)))
    key = uuid.uuid4().hex
    refused = await publish(web, course, written.headers["ETag"], key)
    assert (refused.status, refused.json["code"]) == (422, "unpublishable")
    assert f"{course}-lecture" in refused.json["detail"]
    await items.put(web.deps.postgres, [], [Version(f"{course}-lecture", "v1", 60_000)])
    ready = await write(web, course, written.headers["ETag"], document(text(course), lecture(course, "v1")))
    assert (await publish(web, course, ready.headers["ETag"], key)).status == 200


async def test_versions_stay_and_come_page_by_page(web: Web, course: str) -> None:
    for markdown in ("one", "two", "three"):
        assert (await published(web, course, text(course, markdown), quiz(course))).status == 200
    path = f"/v1/teaching/courses/{course}/versions"
    first = (await web.ask("GET", f"{path}?limit=2", student="tina")).json
    assert ([one["number"] for one in first["versions"]], first["next"]) == ([3, 2], 2)
    rest = (await web.ask("GET", f"{path}?limit=2&before=2", student="tina")).json
    assert ([one["number"] for one in rest["versions"]], rest["next"]) == ([1], None)
    one = (await web.ask("GET", f"{path}/1", student="tina")).json
    kept = one["content"]["sections"][0]["items"]
    assert (kept[0]["content"], kept[1]["content"]) == ({"markdown": "one"}, QUIZ)
    assert one["published_by"] == "tina"
    assert (await web.ask("GET", f"{path}/9", student="tina")).status == 404
    for bad in ("x", "-1", "1.5", "9" * 30, "%00"):
        assert (await web.ask("GET", f"{path}/{bad}", student="tina")).status == 400


async def test_a_preview_is_the_draft_as_a_page(web: Web, course: str) -> None:
    await published(web, course, text(course))
    etag = (await web.ask("GET", f"/v1/teaching/courses/{course}", student="tina")).headers["ETag"]
    await write(web, course, etag, document(lecture(course), text(course, "x" * 3000)))
    await items.put(web.deps.postgres, [], [Version(f"{course}-lecture", "v1", 60_000)])
    page = (await web.ask("GET", f"/v1/teaching/courses/{course}/preview", student="tina")).json
    lines = page["sections"][0]["items"]
    assert [(line["id"], line["version"], line["duration_ms"]) for line in lines] == [
        (f"{course}-lecture", None, 0),
        (f"{course}-text", None, 2000),
    ]
    seen = (await web.ask("GET", f"/v1/courses/{course}", student="tina")).json
    assert [line["id"] for section in seen["sections"] for line in section["items"]] == [f"{course}-text"]


async def test_a9_a_role_in_one_course_is_none_in_another(web: Web, course: str) -> None:
    other = (await begin(web, student="tom")).json["course"]
    for path in ("", "/versions", "/preview", "/people"):
        foreign = await web.ask("GET", f"/v1/teaching/courses/{course}{path}", student="tom")
        missing = await web.ask("GET", f"/v1/teaching/courses/none{path}", student="tom")
        assert (foreign.status, foreign.body) == (404, missing.body)
        assert (await web.ask("GET", f"/v1/teaching/courses/{other}{path}", student="tom")).status == 200
    assert (await write(web, course, '"1"', document(), student="tom")).status == 404
    assert (await publish(web, course, '"1"', student="tom")).status == 404


async def test_a9_what_somebody_is_counts_when_they_ask(web: Web, course: str) -> None:
    people = f"/v1/teaching/courses/{course}/people"
    for role, read, change in (("instructor", 200, 200), ("assistant", 200, 403), ("instructor", 200, 200)):
        wish = {"student": "tom", "role": role}
        assert (await web.ask("POST", people, student="tina", json=wish)).status == 200
        draft = await web.ask("GET", f"/v1/teaching/courses/{course}", student="tom")
        assert draft.status == read
        assert (await write(web, course, draft.headers["ETag"], document(), student="tom")).status == change
    assert (await web.ask("DELETE", f"{people}/tom", student="tina")).status == 204
    assert (await web.ask("GET", f"/v1/teaching/courses/{course}", student="tom")).status == 404


async def test_an_item_of_another_course_cannot_be_taken(web: Web, course: str) -> None:
    answer = await write(web, course, '"1"', document({"id": "theirs", "kind": "video", "title": "Mine now"}))
    assert (answer.status, answer.json["code"]) == (409, "taken")
    assert (await web.ask("GET", "/v1/items/theirs", student="ben")).json["title"] == "Theirs"


@pytest.mark.parametrize(
    ("title", "made"),
    [
        ("How to Resume!", "how-to-resume-1"),
        ("Élan vital", "elan-vital-1"),
        ("你好", "course-1"),
        ("-" * 10, "course-1"),
        ("a" * 100, "a" * 48 + "-1"),
    ],
)
def test_an_id_is_made_of_the_title(title: str, made: str) -> None:
    assert id_of(title, "1") == made
