"""How to play an item, asked on a socket (P34-P36): real enrolments and signatures behind a real socket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.http import media as over_http
from gateway.http.deps import Deps, open_deps
from gateway.http.settings import WebSettings
from gateway.sockets import media
from gateway.sockets.media import Ask, MediaUnavailable, Wish
from persistence import items
from persistence.embedded import Embedded
from persistence.items import Item, Version
from persistence.media import Caption, Media
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import PostgresSettings, open_postgres
from persistence.students import Enrolment, enrol
from tests.gateway.sockets.conftest import Start, events, played
from tests.gateway.sockets.raw import JSON, V1
from tests.persistence.catalogue import write_catalogue

DOCUMENT = Media(
    kind="hls",
    renditions=(),
    poster="course/systems/intro/u1/poster.jpg",
    plain="course/systems/intro/u1/360p.mp4",
    captions=(Caption("en", "English", "course/systems/intro/u1/en.vtt"),),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deps(
    embedded: Embedded, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deps]:
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    await migrate(postgres)
    await write_catalogue(postgres)
    await items.put(
        postgres,
        [Item("intro", "systems", "video", "Intro", "u1", 0)],
        [Version("intro", "u1", 61_000, DOCUMENT.document())],
    )
    await postgres.close()
    folder: Path = tmp_path_factory.mktemp("web")
    store = ObjectStore("http://inside", "http://objects.test", "us-east-1", "key", "secret", "bucket")
    settings = WebSettings(
        port=0, postgres_dsn=postgres_dsn, redis_url=embedded.redis_url, objects=store, keys_folder=folder
    )
    async with open_deps(settings) as opened:
        yield opened


@pytest.fixture
def calls() -> list[list[Wish]]:
    """What the web gateway was asked, call by call."""
    return []


@pytest.fixture
def ask(deps: Deps, calls: list[list[Wish]]) -> Ask:
    async def answer(wishes: Sequence[Wish]) -> list[bytes | None]:
        calls.append(list(wishes))
        return await over_http.answers(deps, wishes)

    return answer


@pytest.mark.parametrize("protocol", [V1, JSON])
async def test_p34_the_answer_is_the_document_of_the_page(
    start: Start, deps: Deps, ask: Ask, protocol: str
) -> None:
    gateway = await start(ask_media=ask)
    phone = await gateway.join("mira", protocol=protocol)
    phone.say({"type": "media", "item": "intro"})
    told = await phone.message("media")
    assert (told["item"], told["code"], told["retry_after_ms"]) == ("intro", "", 0)
    found = await over_http.answer(deps, "mira", "intro")
    assert found is not None
    document = told["media"]
    assert (document["version"], document["kind"]) == ("u1", "hls")
    assert document["mp4_url"] == found.mp4_url and document["mp4_url"].startswith("http://objects.test/")
    assert document["hls_url"] == found.hls_url
    assert document["captions"] == [{"language": "en", "label": "English", "url": found.captions[0].url}]
    assert 0 < document["renew_at_s"] < document["expires_in_s"] <= 15 * 60
    assert gateway.metrics.media_wishes == 1


async def test_p34_missing_foreign_and_not_to_be_played_are_one_answer(start: Start, ask: Ask) -> None:
    gateway = await start(ask_media=ask)
    phone, other = await gateway.join("mira"), await gateway.join("zoe", "laptop")
    answers = []
    for device, item in (
        (phone, "theirs"),
        (phone, "nothing"),
        (phone, "paper"),
        (phone, "a b"),
        (other, "intro"),
    ):
        device.say({"type": "media", "item": item})
        answers.append({**await device.message("media"), "item": ""})
    assert all(answer == answers[0] for answer in answers)
    assert (answers[0]["media"], answers[0]["code"], answers[0]["retry_after_ms"]) == (None, "not_found", 0)


async def test_a9_enrolment_is_asked_for_each_time(start: Start, deps: Deps, ask: Ask) -> None:
    await enrol(deps.postgres, [Enrolment("zoe", "systems")])
    gateway = await start(ask_media=ask)
    phone = await gateway.join("zoe")
    phone.say({"type": "media", "item": "intro"})
    assert (await phone.message("media"))["media"] is not None
    await deps.postgres.execute("DELETE FROM enrolment WHERE student = 'zoe'")
    phone.say({"type": "media", "item": "intro"})
    assert (await phone.message("media"))["code"] == "not_found"


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({}, "malformed", "item"),
        ({"item": 7}, "malformed", "item"),
        ({"item": ""}, "malformed", "item"),
        ({"item": "x" * 65}, "malformed", "item"),
        ({"item": "a\nb"}, "malformed", "item"),
        ({"item": "intro", "more": float("inf")}, "not_finite", "more"),
    ],
)
async def test_w12_what_is_no_wish_is_a_strike(
    start: Start, ask: Ask, calls: list[list[Wish]], wish: dict[str, Any], code: str, field: str
) -> None:
    gateway = await start(ask_media=ask)
    phone = await gateway.join("mira")
    phone.say({"type": "media", **wish})
    told = await phone.message("error")
    assert (told["code"], told["field"], told["strikes_left"]) == (code, field, 2)
    assert calls == []


@pytest.mark.parametrize("name", ["student", "course", "student_id"])
async def test_p25_a_wish_that_names_somebody_is_closed_with_4504(start: Start, ask: Ask, name: str) -> None:
    gateway = await start(ask_media=ask)
    phone = await gateway.join("zoe")
    phone.say({"type": "media", "item": "intro", name: "mira"})
    assert (await phone.closed()).code == 4504


async def test_a_wish_before_hello_is_the_last_message(start: Start, ask: Ask) -> None:
    gateway = await start(ask_media=ask)
    nobody = await gateway.join("mira")
    await nobody.leave()
    raw = await type(nobody).open(gateway.address)
    raw.say({"type": "media", "item": "intro"})
    assert (await raw.closed()).code == 4502


async def test_wishes_of_one_moment_are_one_call_and_one_answer_for_equal_ones(
    start: Start, ask: Ask, calls: list[list[Wish]]
) -> None:
    gateway = await start(ask_media=ask)
    devices = [await gateway.join("mira", f"device-{n}") for n in range(4)]
    other = await gateway.join("ben", "laptop")
    for device in (*devices, other):
        device.say({"type": "media", "item": "intro"})
    answers = [await device.message("media") for device in (*devices, other)]
    assert all(answer["media"] for answer in answers)
    assert len({answer["media"]["hls_url"] for answer in answers}) == 2, "a token for each student"
    assert len(calls) <= 2 and {wish for call in calls for wish in call} == {
        ("mira", "intro"),
        ("ben", "intro"),
    }


async def test_p36_who_asks_too_often_is_busy_and_updates_go_on(start: Start, ask: Ask) -> None:
    gateway = await start(ask_media=ask)
    phone = await gateway.join("mira")
    answers = []
    for _ in range(40):
        phone.say({"type": "media", "item": "intro"})
        answers.append(await phone.message("media"))
    busy = [answer for answer in answers if answer["code"] == "busy"]
    assert 15 <= len(busy) <= 20
    assert all(1000 <= answer["retry_after_ms"] <= 4000 and answer["media"] is None for answer in busy)
    phone.say(events(played(1)))
    assert (await phone.message("applied"))["seq"] == 1


async def test_p36_a_connection_has_few_questions_open(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(wishes: Sequence[Wish]) -> list[bytes | None]:
        asked.set()
        await go_on.wait()
        return [None for _ in wishes]

    gateway = await start(ask_media=slow)
    phone = await gateway.join("mira")
    for n in range(media.CONNECTION_WISHES_MAX + 2):
        phone.say({"type": "media", "item": f"item-{n}"})
    codes = [(await phone.message("media"))["code"] for _ in range(2)]
    assert codes == ["busy", "busy"]
    go_on.set()
    rest = [(await phone.message("media"))["code"] for _ in range(media.CONNECTION_WISHES_MAX)]
    assert set(rest) == {"not_found"}
    assert not gateway.server.media._by_conn and not gateway.server.media._waiting


async def test_a_web_gateway_that_does_not_answer_costs_no_socket(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "ASK_S", 0.05)
    answers = iter(["refuse", "hang", "serve"])

    async def failing(wishes: Sequence[Wish]) -> list[bytes | None]:
        how = next(answers)
        if how == "refuse":
            raise MediaUnavailable("the web gateway is away")
        if how == "hang":
            await asyncio.Event().wait()
        return [None for _ in wishes]

    gateway = await start(ask_media=failing)
    phone = await gateway.join("mira")
    for code in ("unavailable", "unavailable", "not_found"):
        phone.say({"type": "media", "item": "intro"})
        told = await phone.message("media")
        assert (told["code"], told["media"]) == (code, None)
        assert (told["retry_after_ms"] > 0) == (code == "unavailable")


async def test_a_gateway_without_a_web_gateway_says_so(start: Start) -> None:
    gateway = await start()
    phone = await gateway.join("mira")
    phone.say({"type": "media", "item": "intro"})
    assert (await phone.message("media"))["code"] == "unavailable"


async def test_who_left_before_the_answer_is_forgotten(start: Start) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(wishes: Sequence[Wish]) -> list[bytes | None]:
        asked.set()
        await go_on.wait()
        return [None for _ in wishes]

    gateway = await start(ask_media=slow)
    phone = await gateway.join("mira")
    phone.say({"type": "media", "item": "intro"})
    async with asyncio.timeout(10):
        await asked.wait()
    await phone.leave()
    await gateway.settled(lambda: gateway.server.connections == 0)
    go_on.set()
    await gateway.settled(lambda: not gateway.server.media._waiting)
    assert not gateway.server.media._by_conn
