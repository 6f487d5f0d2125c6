"""Courses, items and progress over HTTP: one's own, in the promised shape, and nothing of anybody else."""

import asyncio

import pytest

from tests.gateway.http.conftest import Web
from tests.persistence.catalogue import write_progress


async def test_the_list_is_the_students_own_page_by_page(web: Web) -> None:
    whole = (await web.ask("GET", "/v1/courses", student="ben")).json
    assert [course["id"] for course in whole["courses"]] == ["hidden", "other", "systems"]
    assert whole["next"] is None
    first = (await web.ask("GET", "/v1/courses?limit=2", student="ben")).json
    assert ([course["id"] for course in first["courses"]], first["next"]) == (["hidden", "other"], "other")
    rest = (await web.ask("GET", "/v1/courses?limit=2&after=other", student="ben")).json
    assert ([course["id"] for course in rest["courses"]], rest["next"]) == (["systems"], None)
    assert (await web.ask("GET", "/v1/courses", student="nobody")).json == {"courses": [], "next": None}


async def test_a_poster_is_a_signed_url_of_the_store(web: Web) -> None:
    course = (await web.ask("GET", "/v1/courses/systems", student="mira")).json
    store = web.deps.settings.objects
    assert store is not None
    assert course["poster_url"].startswith(f"{store.public_url}/{store.bucket}/posters/systems.jpg?X-Amz-")
    assert (await web.ask("GET", "/v1/courses/hidden", student="ben")).json["poster_url"] is None


async def test_a_course_shows_where_the_student_stands(web: Web) -> None:
    await write_progress(web.deps.postgres, "mira", "intro", "systems", rev=7, position_ms=12_345, done=True)
    course = (await web.ask("GET", "/v1/courses/systems", student="mira")).json
    intro, paper = course["sections"][0]["items"]
    assert (intro["id"], intro["kind"], intro["version"], intro["duration_ms"]) == (
        "intro",
        "video",
        "v2",
        61_000,
    )
    stands = {"position_ms": 12_345, "done": True, "coverage_ms": 12_345, "rev": 7}
    assert intro["progress"].items() >= stands.items()
    assert paper["progress"] is None
    item = (await web.ask("GET", "/v1/items/intro", student="mira")).json
    assert (item["course"], item["progress"]) == ("systems", intro["progress"])
    one = (await web.ask("GET", "/v1/progress/intro", student="mira")).json
    assert one == {"item": "intro", "course": "systems", "progress": intro["progress"]}
    all_of_it = (await web.ask("GET", "/v1/courses/systems/progress", student="mira")).json
    assert all_of_it == {"items": {"intro": intro["progress"]}}
    lines = (await web.ask("GET", "/v1/courses", student="mira")).json["courses"]
    assert [(line["items_total"], line["items_done"]) for line in lines] == [(4, 1)]
    ben = (await web.ask("GET", "/v1/courses/systems/progress", student="ben")).json
    assert ben == {"items": {}}


async def test_progress_is_never_older_than_what_was_written(web: Web) -> None:
    for position_ms in range(1, 20):
        await write_progress(web.deps.postgres, "ben", "outro", "systems", rev=1, position_ms=position_ms)
        answers = await asyncio.gather(
            *(web.ask("GET", "/v1/progress/outro", student="ben") for _ in range(3))
        )
        assert {answer.json["progress"]["position_ms"] for answer in answers} == {position_ms}


@pytest.mark.parametrize(
    "what", ["courses/{}", "courses/{}/progress", "items/{}", "items/{}/media", "progress/{}"]
)
async def test_h7_foreign_missing_and_unpublished_are_one_answer(web: Web, what: str) -> None:
    ids = ["other", "hidden", "none"] if what.startswith("courses") else ["theirs", "secret", "none"]
    bodies = set()
    for one in ids:
        answer = await web.ask("GET", f"/v1/{what.format(one)}", student="mira")
        assert answer.status == 404
        bodies.add((answer.body, frozenset((k, v) for k, v in answer.headers.items() if k != "Date")))
    assert len(bodies) == 1


async def test_h7_what_a_list_or_page_names_is_ones_own(web: Web) -> None:
    for path in (
        "/v1/courses?student=ben",
        "/v1/courses/systems?student=ben",
        "/v1/courses/systems/progress?s=ben",
    ):
        answer = await web.ask(
            "GET", path, student="mira", headers={"X-User-ID": "ben", "X-Student-Id": "ben"}
        )
        assert answer.status == 200
        assert b"theirs" not in answer.body
        assert b"Hidden" not in answer.body


@pytest.mark.parametrize(
    "bad",
    [
        "'%3B%20--",
        "%00",
        "a%00b",
        "..%2F..%2Fetc%2Fpasswd",
        "a%2Fb",
        "%C3%A9",
        "a" * 65,
        "a%0D%0Ab",
        "%F0%9F%92%A9",
        "1%20OR%201%3D1",
        "$ne",
        "%25s",
        "-",
        "*",
    ],
)
@pytest.mark.parametrize("what", ["courses/{}", "courses/{}/progress", "items/{}", "progress/{}"])
async def test_h9_what_can_be_no_id_is_refused(web: Web, what: str, bad: str) -> None:
    answer = await web.ask("GET", f"/v1/{what.format(bad)}", student="mira")
    assert (answer.status, answer.json["code"]) == (400, "bad_id")
    assert b"SELECT" not in answer.body


@pytest.mark.parametrize(
    "query",
    [
        "after='%3B--",
        "after=%00",
        "limit=abc",
        "limit=1.5",
        "limit=",
        "limit=1&limit=2",
        "after=a&after=b",
        "limit=0x10",
        "limit=%F3",
        "after=" + "a" * 65,
    ],
)
async def test_h9_a_query_that_cannot_be_is_refused(web: Web, query: str) -> None:
    answer = await web.ask("GET", f"/v1/courses?{query}", student="ben")
    assert (answer.status, answer.json["code"]) == (400, "bad_query")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("limit=1000000", 3),
        ("limit=-5", 1),
        ("limit=0", 1),
        ("page=1000000000", 3),
        ("fields=*&sort=x'--", 3),
        ("limit=9" + "9" * 30, 3),
    ],
)
async def test_h17_a_page_is_clamped_and_other_wishes_have_no_effect(
    web: Web, query: str, count: int
) -> None:
    answer = await web.ask("GET", f"/v1/courses?{query}", student="ben")
    assert (answer.status, len(answer.json["courses"])) == (200, count)
    assert answer.json["next"] == ("hidden" if count == 1 else None)


async def test_f17_without_redis_everything_but_tickets_works(web: Web) -> None:
    from tests.gateway.http.conftest import running

    async with running(web.deps.settings, redis_url="redis://127.0.0.1:1/0") as other:
        expected = (await web.ask("GET", "/v1/courses/systems", student="mira")).json
        assert (await other.ask("GET", "/v1/courses/systems", student="mira")).json == expected
        answer = await other.ask("POST", "/v1/tickets", student="mira", json={"device_id": "phone"})
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert 1 <= int(answer.headers["Retry-After"]) <= 4
        ready = await other.ask("GET", "/readyz")
        assert (ready.status, ready.json["redis"]) == (200, False)
