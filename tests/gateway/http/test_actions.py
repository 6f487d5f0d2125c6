"""Undo, choose and reset over HTTP, carried out by a real shard on the gateway's own Postgres."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from openapi_schema_validator import OAS31Validator

from actors.core.placement import SLOTS
from actors.shard import Shard
from gateway.http.settings import WebSettings
from gateway.http.shards import Shards
from persistence import courses, items, students
from tests.actors.shards_here import running_shard
from tests.gateway.http.conftest import Answer, Web, running

SHARD = "shard:0"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shard(web_settings: WebSettings) -> AsyncIterator[Shard]:
    async with running_shard(web_settings.postgres_dsn, SHARD, flush_after_s=0.05) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def web(web_settings: WebSettings, shard: Shard) -> AsyncIterator[Web]:
    """A gateway that asks the shard."""

    async def call(name: str, blob: bytes) -> bytes:
        assert name == SHARD
        return await shard.act(blob)

    async def fetch_map() -> tuple[int, list[str]]:
        return 1, [SHARD] * SLOTS

    async with running(web_settings) as started:
        started.deps.shards = Shards(call, fetch_map)
        await items.put(
            started.deps.postgres,
            [items.Item("test", "systems", "quiz", "A test", "v1", 9)],
            [items.Version("test", "v1", 0)],
        )
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def una(web: Web) -> str:
    """A student of `systems`, new for each test."""
    student = f"una-{uuid.uuid4().hex[:8]}"
    await students.put(web.deps.postgres, [students.Student(student, "Una")])
    await students.enrol(web.deps.postgres, [students.Enrolment(student, "systems")])
    return student


async def act(
    web: Web, student: str | None, name: str, item: str = "intro", key: str | None = "", **body: Any
) -> Answer:
    headers = {} if key is None else {"Idempotency-Key": key or uuid.uuid4().hex}
    return await web.ask("POST", f"/v1/progress/{item}/{name}", student=student, json=body, headers=headers)


async def test_a_choice_is_the_head_and_durable(web: Web, una: str) -> None:
    answer = await act(web, una, "choose", position_ms=20_000, device_name="Una's page")
    assert (answer.status, answer.json["durable"]) == (200, True)
    head = answer.json["head"]
    assert (head["type"], head["item"], head["version"]) == ("head", "intro", "v2")
    assert (head["position_ms"], head["device"], head["device_kind"]) == (20_000, "api", "api")
    assert (head["device_name"], head["rule"], head["pass"], head["epoch"]) == ("Una's page", "R2", 1, 1)
    unnamed = (await act(web, una, "choose", position_ms=10_000)).json["head"]
    assert (unnamed["position_ms"], unnamed["device_name"]) == (10_000, "Web page")


async def test_the_answer_is_what_the_document_says(web: Web, una: str) -> None:
    document = (await web.ask("GET", "/openapi.json")).json
    bodies: dict[str, dict[str, Any]] = {"choose": {"position_ms": 5}, "reset": {}, "undo": {}}
    for name, body in bodies.items():
        operation = document["paths"][f"/v1/progress/{{item}}/{name}"]["post"]
        assert [p["name"] for p in operation["parameters"]] == ["item", "Idempotency-Key"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        answer = await act(web, una, name, **body)
        assert answer.status == 200
        OAS31Validator(schema | {"components": document["components"]}).validate(answer.json)


async def test_r4_undo_and_reset(web: Web, una: str) -> None:
    await act(web, una, "choose", position_ms=40_000)
    reset = (await act(web, una, "reset")).json["head"]
    assert (reset["position_ms"], reset["epoch"]) == (0, 2)
    back = (await act(web, una, "undo")).json["head"]
    assert (back["position_ms"], back["epoch"]) == (40_000, 1)
    assert back["rev"] > reset["rev"]


async def test_r4_a_small_move_is_undone_and_done_again(web: Web, una: str) -> None:
    await act(web, una, "choose", position_ms=5_000)
    await act(web, una, "choose", position_ms=12_000)
    assert (await act(web, una, "undo")).json["head"]["position_ms"] == 5_000
    assert (await act(web, una, "undo")).json["head"]["position_ms"] == 12_000


async def test_r4_with_nothing_to_undo_an_undo_is_a_conflict_and_changes_nothing(web: Web, una: str) -> None:
    answer = await act(web, una, "undo")
    assert (answer.status, answer.json["code"]) == (409, "nothing_to_undo")
    assert (await web.ask("GET", "/v1/progress/intro", student=una)).json["progress"] is None
    chosen = (await act(web, una, "choose", position_ms=5_000)).json["head"]
    assert (await act(web, una, "undo", key="k1")).status == 409
    again = (await act(web, una, "choose", position_ms=5_000)).json["head"]
    assert again["rev"] == chosen["rev"] + 1, "the undo has taken no revision"
    await act(web, una, "choose", position_ms=9_000)
    assert (await act(web, una, "undo", key="k1")).json["head"]["position_ms"] == 5_000


@pytest.mark.parametrize("name", ["undo", "reset"])
async def test_p30_undo_and_reset_need_no_body(web: Web, una: str, name: str) -> None:
    await act(web, una, "choose", position_ms=5_000)
    await act(web, una, "choose", position_ms=9_000)
    headers = {"Idempotency-Key": "k1"}
    answer = await web.ask("POST", f"/v1/progress/intro/{name}", student=una, headers=headers)
    assert answer.status == 200, answer.body
    assert answer.json["head"]["position_ms"] == (5_000 if name == "undo" else 0)
    bare = {"Idempotency-Key": "k2"}
    chosen = await web.ask("POST", "/v1/progress/intro/choose", student=una, headers=bare)
    assert chosen.status == 415
    as_text = await web.ask("POST", f"/v1/progress/intro/{name}", student=una, headers=bare, data="{}")
    assert as_text.status == 415


async def test_one_key_is_one_action_however_often_it_is_sent(web: Web, una: str) -> None:
    answers = await asyncio.gather(*(act(web, una, "reset", key="again") for _ in range(5)))
    assert {answer.json["head"]["epoch"] for answer in answers} == {2}
    assert len({answer.json["head"]["rev"] for answer in answers}) == 1
    assert (await act(web, una, "reset", key="another")).json["head"]["epoch"] == 3
    elsewhere = await act(web, una, "reset", "outro", key="again")
    assert (elsewhere.status, elsewhere.json["code"]) == (422, "key_reused")
    assert "on another item" in elsewhere.json["detail"]


@pytest.mark.parametrize("key", [None, "a" * 65, "tab\there", "é\xa0"])
async def test_without_a_proper_key_nothing_is_done(web: Web, una: str, key: str | None) -> None:
    answer = await act(web, una, "reset", key=key)
    assert (answer.status, answer.json["code"]) == (400, "idempotency_key")
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await web.ask("POST", "/v1/progress/intro/reset", student=una, json={}, headers=twice)
    assert answer.status == 400
    assert (await web.ask("GET", "/v1/progress/intro", student=una)).json["progress"] is None


@pytest.mark.parametrize("name", ["undo", "choose", "reset"])
async def test_h7_what_is_anothers_hidden_or_nowhere_is_404_in_the_same_words(web: Web, name: str) -> None:
    body: dict[str, Any] = {"position_ms": 1} if name == "choose" else {}
    answers = [await act(web, "mira", name, item, **body) for item in ("theirs", "secret", "nothing")]
    answers.append(await act(web, "zoe", name, "intro", **body))
    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    assert (await act(web, None, name, **body)).status == 401


async def test_a_place_that_cannot_be_is_422(web: Web, una: str) -> None:
    beyond = await act(web, una, "choose", position_ms=61_001)
    assert (beyond.status, beyond.json["code"]) == (422, "beyond_end")
    assert (await act(web, una, "choose", position_ms=61_000)).status == 200
    for body in ({"position_ms": -1}, {"position_ms": 1.5}, {"position_ms": None}, {}, {"base_rev": -1}):
        answer = await act(web, una, "choose", **body)
        assert (answer.status, answer.json["code"]) == (422, "invalid"), body
    named = await act(web, una, "choose", position_ms=1, device_name="a\nb")
    assert (named.status, named.json["code"]) == (422, "invalid")


@pytest.mark.parametrize("name", ["undo", "choose", "reset"])
async def test_a_quiz_has_no_place(web: Web, una: str, name: str) -> None:
    body: dict[str, Any] = {"position_ms": 0} if name == "choose" else {}
    answer = await act(web, una, name, "test", **body)
    assert (answer.status, answer.json["code"]) == (422, "no_place")


async def test_who_left_the_course_finds_nothing_any_more(web: Web, una: str) -> None:
    assert (await act(web, una, "reset")).status == 200
    await web.deps.postgres.execute("DELETE FROM enrolment WHERE student = $1", una)
    assert (await act(web, una, "reset")).status == 404


async def test_a_course_that_is_taken_back_takes_its_items_along(web: Web, una: str) -> None:
    postgres = web.deps.postgres
    await courses.put(postgres, "brief", courses.CourseContent("Brief"), published=True)
    await items.put(
        postgres, [items.Item("short", "brief", "video", "S", "v1")], [items.Version("short", "v1", 9)]
    )
    await students.enrol(postgres, [students.Enrolment(una, "brief")])
    assert (await act(web, una, "reset", "short")).status == 200
    await courses.put(postgres, "brief", courses.CourseContent("Brief"), published=False)
    assert (await act(web, una, "reset", "short")).status == 404


async def test_actions_are_counted(web: Web, una: str) -> None:
    await act(web, una, "reset", key="counted")
    await act(web, una, "reset", key="counted")
    text = (await web.ask("GET", "/metrics")).body.decode()
    assert 'playhead_web_actions_total{kind="reset",outcome="durable"}' in text
    assert 'playhead_web_actions_total{kind="reset",outcome="repeated"}' in text
