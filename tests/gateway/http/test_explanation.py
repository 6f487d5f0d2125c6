"""Why the position is what it is, over HTTP: read at rest, from what a real shard has written there."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from actors.batch import Act, Apply, Attach, Batch, Detach, Operation, encoder
from actors.core.events import Event
from actors.messages import ClockReading, Device
from actors.shard import Shard, now_ms
from gateway.http.settings import WebSettings
from persistence import items, students
from tests.actors.shards_here import running_shard
from tests.gateway.http.conftest import Web

HOUR_MS = 3_600_000
DURABLE_S = 20.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shard(web_settings: WebSettings, web: Web) -> AsyncIterator[Shard]:
    long = items.Item("long", "systems", "video", "Long", "v1", 9)
    await items.put(web.deps.postgres, [long], [items.Version("long", "v1", HOUR_MS)])
    async with running_shard(web_settings.postgres_dsn, flush_after_s=0.05) as started:
        yield started


class Student:
    """Somebody whose devices say things to the shard."""

    def __init__(self, web: Web, shard: Shard) -> None:
        self.web, self.shard = web, shard
        self.id = f"una-{uuid.uuid4().hex[:8]}"
        self.began_ms = now_ms() - HOUR_MS
        self.seqs: dict[str, int] = {}

    async def watch(self, device: str, minute: float, from_s: float, to_s: float, base_rev: int = 0) -> None:
        """A device that was off line has played so much from that minute on, and comes back."""
        start_ms, length_ms = round(minute * 60_000), round((to_s - from_s) * 1000)
        plain = {"session": f"{device}-{minute}", "item": "long", "version": "v1", "base_rev": base_rev}
        beat = {"from_ms": round(from_s * 1000), "to_ms": round(to_s * 1000)}
        told: list[tuple[str, int, dict[str, Any]]] = [
            ("opened", start_ms, {}),
            ("play", start_ms, {"position_ms": beat["from_ms"]}),
            ("played", start_ms + length_ms, beat),
            ("paused", start_ms + length_ms, {"position_ms": beat["to_ms"]}),
        ]
        entries = []
        for kind, mono_ms, fields in told:
            seq = self.seqs[device] = self.seqs.get(device, 0) + 1
            wall = datetime.fromtimestamp((self.began_ms + mono_ms) / 1000, UTC)
            stamp = {"mono_ms": mono_ms, "boot": "b1", "wall": wall}
            entries.append(Event(seq=seq, kind=kind, **plain, **stamp, **fields))  # type: ignore[arg-type]
        here = ClockReading(datetime.fromtimestamp(now_ms() / 1000, UTC), now_ms() - self.began_ms, "b1")
        batch: list[Operation] = [
            Attach(1, self.id, Device(device, device, device.title()), here, now_ms()),
            Apply(1, self.id, entries),
            Detach(1, self.id),
        ]
        await self.shard.apply(encoder.encode(Batch("gateway:socket:none", "1", batch)))
        assert await self.shard.drain(DURABLE_S)

    async def act(self, kind: str, **more: Any) -> None:
        await self.shard.act(encoder.encode(Act(self.id, "long", kind, uuid.uuid4().hex, **more)))
        assert await self.shard.drain(DURABLE_S)

    async def asks(self, path: str) -> Any:
        answer = await self.web.ask("GET", f"/v1/progress/long/{path}", student=self.id)
        assert answer.status == 200, answer.body
        return answer.json

    @property
    def rev(self) -> int:
        return self.shard._residents[self.id].session.items["long"].rev


@pytest_asyncio.fixture(loop_scope="session")
async def una(web: Web, shard: Shard) -> Student:
    made = Student(web, shard)
    await students.put(web.deps.postgres, [students.Student(made.id, "Una")])
    await students.enrol(web.deps.postgres, [students.Enrolment(made.id, "systems")])
    return made


async def test_r3_the_runs_the_rule_and_the_loser_are_told(una: Student) -> None:
    await una.watch("television", 0, 0, 1720)
    await una.watch("phone", 40, 2000, 2723)
    found = await una.asks("explain")
    assert (found["item"], found["version"], found["rule"]) == ("long", "v1", "R3")
    assert (found["position_ms"], found["duration_ms"], found["done"]) == (2_723_000, HOUR_MS, False)
    assert (found["pass"], found["epoch"]) == (1, 1)
    assert "counts: it began later than the play on Television" in found["sentence"]
    assert "28:40 on Television is offered" in found["sentence"]
    assert [(run["device"], run["verdict"]) for run in found["runs"]] == [
        ("phone", "head"),
        ("television", "lost"),
    ]
    head = found["runs"][0]
    assert (head["device_name"], head["device_kind"], head["kind"]) == ("Phone", "phone", "play")
    assert (head["from_ms"], head["position_ms"], head["base_rev"]) == (2_000_000, 2_723_000, 0)
    assert datetime.fromisoformat(head["action_at"]).tzinfo is not None
    assert found["coverage"] == [[0, 1_720_000], [2_000_000, 2_723_000]]
    assert (found["candidate"]["position_ms"], found["candidate"]["device"]) == (1_720_000, "television")
    assert datetime.fromisoformat(found["as_of"]) <= datetime.now(UTC)
    assert found["changes"] == (await una.asks("history"))["changes"]


async def test_r4_the_history_has_every_change_with_a_sentence(una: Student) -> None:
    await una.watch("phone", 0, 0, 600)
    await una.act("chosen", position_ms=120_000, device_name="Profile")
    await una.act("undone")
    await una.act("reset")
    changes = (await una.asks("history"))["changes"]
    assert [change["what"] for change in changes[:3]] == ["epoch", "place", "place"]
    reset, undone, chosen = changes[:3]
    assert (chosen["former_ms"], chosen["position_ms"], chosen["device_name"]) == (
        600_000,
        120_000,
        "Profile",
    )
    assert (undone["former_ms"], undone["position_ms"]) == (120_000, 600_000)
    assert "brought the place back from 2:00 to 10:00 (R4)" in undone["sentence"]
    assert (reset["epoch"], reset["position_ms"]) == (2, 0)
    assert reset["sentence"].startswith("Web page started it afresh at ")
    assert (changes[3]["device_name"], changes[3]["device_kind"]) == ("Phone", "phone")
    assert {change["device_kind"] for change in changes[:3]} == {"api"}
    assert [change["rev"] for change in changes] == sorted((c["rev"] for c in changes), reverse=True)


async def test_r4_an_offer_leaves_a_line_in_the_history_and_does_not_move_the_past(una: Student) -> None:
    await una.watch("phone", 40, 2000, 2723)
    await una.watch("television", 0, 0, 1720)
    offer = (await una.asks("history"))["changes"][0]
    assert (offer["what"], offer["rule"], offer["device_name"], offer["device_kind"]) == (
        "offer",
        "R3",
        "Television",
        "television",
    )
    assert (offer["position_ms"], offer["former_ms"]) == (1_720_000, None)
    assert offer["sentence"].startswith("Television's 28:40 came in later; Phone's play at ")
    assert offer["sentence"].endswith(" began later and keeps the place (R3). 28:40 is offered.")
    then = (datetime.now(UTC) + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    assert (await una.asks(f"explain?at={then}"))["position_ms"] == 2_723_000


async def test_of_many_runs_those_are_told_that_matter_now(una: Student) -> None:
    for n in range(6):
        await una.act("chosen", position_ms=60_000 * (9 - n))
    found = await una.asks("explain")
    assert ([run["from_ms"] for run in found["runs"]], found["earlier"]) == ([240_000, 300_000], 4)
    found = await una.asks("explain?all=true")
    assert (len(found["runs"]), found["earlier"]) == (6, 0)


async def test_the_history_comes_page_by_page_and_nothing_is_missing(una: Student) -> None:
    await una.watch("phone", 0, 0, 600)
    for n in range(7):
        await una.act("chosen", position_ms=60_000 * (9 - n))
    whole = (await una.asks("history?limit=100"))["changes"]
    assert len(whole) >= 7
    pages, before = [], 0
    while True:
        page = await una.asks(f"history?limit=3&before={before}")
        pages += page["changes"]
        if page["next"] is None:
            break
        assert page["next"] == page["changes"][-1]["rev"]
        before = page["next"]
    assert pages == whole


async def test_changes_of_one_revision_stay_on_one_page(una: Student) -> None:
    await una.watch("television", 0, 0, 600)
    await una.watch("phone", 10, 600, 3500, una.rev)
    whole = (await una.asks("history"))["changes"]
    together = [change for change in whole if change["rev"] == whole[0]["rev"]]
    assert {change["what"] for change in together} == {"place", "done"}
    page = await una.asks("history?limit=1")
    assert page["changes"] == together and page["next"] == whole[0]["rev"]
    rest = await una.asks(f"history?limit=50&before={page['next']}")
    assert (together + rest["changes"], rest["next"]) == (whole, None)


async def test_what_was_then_is_explained_by_what_had_happened_by_then(una: Student) -> None:
    await una.watch("phone", 0, 0, 600)
    await una.act("chosen", position_ms=120_000)
    chosen_at = (await una.asks("history"))["changes"][0]["at"]
    await una.act("reset")
    assert (await una.asks("explain"))["epoch"] == 2
    found = await una.asks(f"explain?at={chosen_at}")
    assert (found["position_ms"], found["epoch"], found["runs"][0]["kind"]) == (120_000, 1, "chosen")
    assert found["runs"][0]["verdict"] == "head" and found["coverage"] == []
    long_ago = (datetime.now(UTC) - timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%SZ")
    nothing = await una.asks(f"explain?at={long_ago}")
    assert (nothing["position_ms"], nothing["runs"], nothing["changes"]) == (0, [], [])
    assert nothing["sentence"] == "Nothing had counted by then, so it began at 0:00."


async def test_what_was_then_stands_where_play_had_come_to_by_then(una: Student) -> None:
    await una.watch("television", 0, 0, 60)
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await una.watch("television", 1, 60, 600, base_rev=una.rev)
    after = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    assert len((await una.asks("history"))["changes"]) == 1, "play that only goes on is no change"
    assert (await una.asks(f"explain?at={before}"))["position_ms"] == 60_000
    found = await una.asks(f"explain?at={after}")
    assert (found["position_ms"], found["runs"][0]["device"]) == (600_000, "television")


async def test_sentences_tell_the_time_in_the_zone_asked_for(una: Student) -> None:
    await una.watch("phone", 0, 0, 600)
    at = datetime.fromtimestamp(una.began_ms / 1000, UTC)
    assert f"Phone at {at:%H:%M}" in (await una.asks("explain"))["sentence"]
    there = at + timedelta(hours=9)
    assert f"Phone at {there:%H:%M}" in (await una.asks("explain?zone=Asia/Tokyo"))["sentence"]


async def test_what_was_never_begun_is_explained_too(una: Student) -> None:
    found = await una.asks("explain")
    assert (found["position_ms"], found["rule"], found["runs"], found["as_of"]) == (0, "", [], None)
    assert await una.asks("history") == {"item": "long", "changes": [], "next": None}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("explain?at=2026-03-02T19:00:00", "with its zone, such as 2026-03-02T19:00:00Z"),
        ("explain?at=yesterday", "with its zone"),
        ("explain?at=0001-01-01T00:00:00%2B23:00", "years"),
        ("explain?at=9999-12-31T23:59:59Z&zone=Asia/Tokyo", "years"),
        ("explain?zone=Mars/Base", "the name of a time zone"),
        ("explain?zone=../../etc/passwd", "the name of a time zone"),
        ("history?zone=", "the name of a time zone"),
        ("history?before=-1", "the `next` of the page before"),
        ("history?before=9007199254740992", "the `next` of the page before"),
        ("history?limit=many", ""),
    ],
)
async def test_h9_what_cannot_be_asked_is_400_and_says_what_to_send(web: Web, path: str, says: str) -> None:
    answer = await web.ask("GET", f"/v1/progress/intro/{path}", student="mira")
    assert (answer.status, answer.json["code"]) == (400, "bad_query")
    assert says in answer.json["detail"]


@pytest.mark.parametrize("what", ["explain", "history"])
async def test_h7_what_is_anothers_hidden_or_nowhere_is_404_in_the_same_words(web: Web, what: str) -> None:
    paths = [f"/v1/progress/{item}/{what}" for item in ("theirs", "secret", "nothing")]
    answers = [await web.ask("GET", path, student="mira") for path in paths]
    answers.append(await web.ask("GET", f"/v1/progress/intro/{what}", student="zoe"))
    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1


async def test_h7_of_an_item_both_may_see_each_sees_their_own(una: Student, web: Web) -> None:
    await una.watch("phone", 0, 0, 600)
    for what in ("explain", "history"):
        answer = await web.ask("GET", f"/v1/progress/long/{what}", student="ben")
        assert answer.status == 200 and b"Phone" not in answer.body
