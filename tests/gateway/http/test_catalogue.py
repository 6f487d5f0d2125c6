"""The catalogue over HTTP: what is published, to everybody signed in, and nothing one can send breaks it."""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from gateway.http.catalogue import _cursor
from persistence.embedded import DataFolder, valkey
from persistence.search import Place
from tests.gateway.http.conftest import Web, running
from tests.persistence.test_search import HOSTILE, put

ONE = {
    "id": "one", "title": "Glaciers", "description": "Ice <img src=x onerror=alert(1)> and glaciers.",
    "category": "Ice",
    "instructor": "Ada", "difficulty": "beginner", "language": "en-GB", "poster": "posters/one.jpg",
    "hours": 2,
    "sections": ["Cold", "Colder"],
}  # fmt: skip


async def test_a_search_gives_lines_facets_and_whether_one_is_in(web: Web) -> None:
    await put(web.deps.postgres, ONE)
    answer = await web.ask("GET", "/v1/catalogue?q=glacier", student="mira")
    assert answer.status == 200
    (line,) = answer.json["courses"]
    store = web.deps.settings.objects
    assert store is not None
    assert line.pop("poster_url").startswith(f"{store.public_url}/{store.bucket}/posters/one.jpg?")
    assert [span["text"] for span in line["snippet"] if span["hit"]] == ["glaciers"]
    assert all(set(span) == {"text", "hit"} for span in line.pop("snippet"))
    assert line == {
        "id": "one", "title": "Glaciers", "description": ONE["description"], "instructor": "Ada",
        "category": "Ice",
        "difficulty": "beginner", "language": "en", "duration_ms": 7_200_000, "items_total": 0,
        "enrolled": False,
    }  # fmt: skip
    assert answer.json["facets"] == {
        "category": [{"value": "Ice", "count": 1}],
        "difficulty": [{"value": "beginner", "count": 1}],
        "language": [{"value": "en", "count": 1}],
        "duration": [{"value": "1-4h", "count": 1}],
    }
    rest = {name: answer.json[name] for name in ("total", "total_exact", "similar", "next")}
    assert rest == {"total": 1, "total_exact": True, "similar": False, "next": None}


async def test_enrolled_is_the_askers_own_although_the_answer_is_cached(web: Web) -> None:
    await put(web.deps.postgres, ONE)
    for _ in range(2):
        for student, own in (("mira", {"systems"}), ("ben", {"systems", "other"}), ("zoe", set())):
            lines = (await web.ask("GET", "/v1/catalogue?limit=100", student=student)).json
            assert {line["id"] for line in lines["courses"]} >= {"systems", "other", "one"}
            assert {line["id"] for line in lines["courses"] if line["enrolled"]} == own


async def test_unpublished_courses_are_found_by_nobody(web: Web) -> None:
    for student in ("mira", "ben"):  # ben is its instructor
        assert (await web.ask("GET", "/v1/catalogue?q=hidden", student=student)).json["courses"] == []
        assert (await web.ask("GET", "/v1/catalogue/complete?q=hid", student=student)).json == {"courses": []}
        missing = await web.ask("GET", "/v1/catalogue/none", student=student)
        hidden = await web.ask("GET", "/v1/catalogue/hidden", student=student)
        assert (hidden.status, hidden.body) == (404, missing.body)


async def test_an_outline_is_for_everybody_and_has_no_media_and_no_progress(web: Web) -> None:
    for student, own in (("mira", True), ("zoe", False)):
        course = (await web.ask("GET", "/v1/catalogue/systems", student=student)).json
        assert (course["id"], course["title"], course["enrolled"]) == ("systems", "Systems", own)
        assert course["poster_url"]
        items = [item for section in course["sections"] for item in section["items"]]
        assert {"id": "intro", "kind": "video", "title": "Intro", "duration_ms": 61_000} in items
        assert all(set(item) == {"id", "kind", "title", "duration_ms"} for item in items)
    assert (await web.ask("GET", "/v1/courses/systems", student="zoe")).status == 404


async def test_titles_are_completed(web: Web) -> None:
    await put(web.deps.postgres, ONE)
    answer = await web.ask("GET", "/v1/catalogue/complete?q=gla", student="mira")
    assert answer.json == {"courses": [{"id": "one", "title": "Glaciers"}]}
    assert (await web.ask("GET", "/v1/catalogue/complete", student="mira")).json == {"courses": []}


@pytest.mark.parametrize("query", ["", "q=paged", "category=Paging"])
async def test_a_page_goes_on_where_the_last_one_ended(web: Web, query: str) -> None:
    for number in range(7):
        course = {"id": f"paged{number}", "title": f"Paged {number}", "category": "Paging"}
        await put(web.deps.postgres, course)
    seen: list[str] = []
    after = ""
    while after is not None:
        answer = await web.ask("GET", f"/v1/catalogue?{query}&limit=3&after={after}", student="mira")
        assert len(answer.json["courses"]) <= 3
        seen += [course["id"] for course in answer.json["courses"]]
        after = answer.json["next"]
    assert len(seen) == len(set(seen)) == answer.json["total"]
    assert {f"paged{number}" for number in range(7)} <= set(seen)


@pytest.mark.parametrize("text", HOSTILE)
async def test_h10_no_search_is_an_error(web: Web, text: str) -> None:
    for place in ("/v1/catalogue", "/v1/catalogue/complete"):
        answer = await web.ask("GET", f"{place}?q={quote(text)}", student="mira")
        assert answer.status == (400 if "\x02" in text else 200)


@pytest.mark.parametrize(
    "query",
    [
        "q=" + "a" * 201, "q=%00", "q=a%00b", "q=%01", "q=a&q=b", "category=%00", "category=" + "a" * 65,
        "difficulty=easy", "difficulty='; --", "language=EN", "language=../..", "language=en-GB",
        "duration=1h", "limit=x",
        "after=%00", "after=!!", "after=AAAA", "after=a", "after=" + "A" * 1501,
        "after=' OR 1=1", "q=" + "%F0%9F%98%80" * 201,
    ],
)  # fmt: skip
async def test_h9_what_a_query_cannot_be_is_400(web: Web, query: str) -> None:
    answer = await web.ask("GET", f"/v1/catalogue?{query}", student="mira")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert b"Traceback" not in answer.body and b"SELECT" not in answer.body


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).decode().rstrip("=")


@pytest.mark.parametrize(
    "value",
    [None, [], {}, "text", [1.0], [float("nan"), "", ""], [-1.0, "", ""], [1e9, "", ""], ["1", "", ""],
    [1.0, 2, ""],
     [1.0, "a" * 201, ""], [1.0, "a\x00b", ""], [1.0, "", "\x00"], [1.0, "", "a" * 65]],
)  # fmt: skip
async def test_h9_a_cursor_is_read_strictly(web: Web, value: object) -> None:
    for query in ("", "q=systems&"):
        answer = await web.ask("GET", f"/v1/catalogue?{query}after={_encoded(value)}", student="mira")
        assert (answer.status, answer.json["code"]) == (400, "bad_cursor")


async def test_h9_a_made_up_place_is_only_another_page(web: Web) -> None:
    for place in (Place(0.0, "'; DROP TABLE course; --", "x"), Place(50.0, "\U0010ffff" * 200, "~" * 64)):
        for query in ("", "q=systems&"):
            answer = await web.ask("GET", f"/v1/catalogue?{query}after={_cursor(place)}", student="mira")
            assert answer.status == 200


async def test_h17_limits_are_clamped(web: Web) -> None:
    for limit, most in ((10**6, 100), ("9" * 400, 100), (0, 1), (-7, 1)):
        answer = await web.ask("GET", f"/v1/catalogue?limit={limit}&fields=*&page=1000000000", student="mira")
        assert answer.status == 200
        assert 1 <= len(answer.json["courses"]) <= most


async def test_f17_the_catalogue_goes_on_without_redis(web: Web, tmp_path: Path) -> None:
    await put(web.deps.postgres, ONE)
    paths = (
        "/v1/catalogue?q=glacier",
        "/v1/catalogue/complete?q=gla",
        "/v1/catalogue/systems",
        "/v1/catalogue",
    )
    with DataFolder.open(tmp_path / "data") as folder:
        server = await valkey.start(folder)
        async with running(web.deps.settings, redis_url=server.url) as own:
            try:
                before = [(await own.ask("GET", path, student="mira")).json for path in paths]
                hits = own.deps.cache.stats.hits
                assert (await own.ask("GET", paths[0], student="mira")).json["courses"]
                assert own.deps.cache.stats.hits > hits
            finally:
                await server.stop()
            for path, answer in zip(paths, before, strict=True):
                again = await own.ask("GET", path, student="mira")
                assert again.status == 200
                assert _without_addresses(again.json) == _without_addresses(answer)
            await put(own.deps.postgres, ONE | {"title": "Melting glaciers"})
            found = (await own.ask("GET", paths[0], student="mira")).json["courses"]
            assert [course["title"] for course in found] == ["Melting glaciers"]


def _without_addresses(answer: Any) -> Any:
    """They change with the clock."""
    if isinstance(answer, dict):
        return {name: _without_addresses(value) for name, value in answer.items() if name != "poster_url"}
    return [_without_addresses(value) for value in answer] if isinstance(answer, list) else answer


async def test_hits_are_counted_by_kind(web: Web) -> None:
    for _ in range(3):
        await web.ask("GET", "/v1/catalogue?q=counted", student="mira")
    metrics = (await web.ask("GET", "/metrics")).body.decode()
    rates = {
        line.split()[0]: float(line.split()[1]) for line in metrics.splitlines() if "cache_hit_rate{" in line
    }
    assert set(rates) == {
        f'playhead_web_cache_hit_rate{{kind="{kind}"}}' for kind in ("course", "student_progress", "search")
    }
    assert 0 < rates['playhead_web_cache_hit_rate{kind="search"}'] < 1
