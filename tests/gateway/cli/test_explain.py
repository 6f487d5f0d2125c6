"""`playhead explain`: from Postgres alone, in words and for programs, now and then."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from actors.batch import Act, encoder
from persistence import courses, items, students
from persistence.embedded import Embedded
from persistence.embedded import postgres as embedded_postgres
from persistence.errors import SetupError
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from tests.actors.shards_here import running_shard
from tests.gateway.cli.test_command import playhead

DURABLE_S = 20.0
NAME = "Ada's [/page]"
"""Whoever names a device does not write the terminal's markup."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def acted(postgres_dsn: str) -> AsyncIterator[Postgres]:
    """A database in which ada chose 12:03, then 28:40, and then reset; the shard is gone."""
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests", 1, 1))
    await migrate(postgres)
    await courses.put(postgres, "c1", courses.CourseContent("A course"), published=True)
    lecture = items.Item("lec1", "c1", "video", "A lecture", "v1")
    await items.put(postgres, [lecture], [items.Version("lec1", "v1", 3_600_000)])
    await students.put(postgres, [students.Student("ada", "Ada")])
    await students.enrol(postgres, [students.Enrolment("ada", "c1")])
    async with running_shard(postgres_dsn, flush_after_s=0.05) as shard:
        for kind, position_ms in (("chosen", 723_000), ("chosen", 1_720_000), ("reset", None)):
            act = Act("ada", "lec1", kind, uuid.uuid4().hex, position_ms, device_name=NAME)
            await shard.act(encoder.encode(act))
            assert await shard.drain(DURABLE_S)
    yield postgres
    await postgres.close()


async def explain(dsn: str, *arguments: str) -> tuple[int, str, str]:
    return await playhead("explain", "ada", *arguments, PLAYHEAD_POSTGRES_DSN=dsn, COLUMNS="160", TZ="UTC")


async def test_it_says_where_why_and_what_changed(acted: Postgres, postgres_dsn: str) -> None:
    code, out, err = await explain(postgres_dsn, "lec1")
    assert (code, err) == (0, "")
    assert "lec1 for ada: 0:00 of 1:00:00, not done, pass 1, epoch 2, version v1" in out
    assert f"The reset on {NAME} at" in out and "starts the item afresh (R7)" in out
    assert "And 2 earlier runs, on which nothing depends any more: --all tells them." in out
    assert "before reset" not in out and "before reset" in (await explain(postgres_dsn, "lec1", "--all"))[1]
    assert "28:40" in out and "UTC" in out
    assert "started it afresh at" in out
    assert "what is live is at most one checkpoint (30 s) ahead" in out


async def test_it_says_what_was_then(acted: Postgres, postgres_dsn: str) -> None:
    at = await acted.value("SELECT max(at) FROM head_change WHERE student = 'ada' AND what = 'place'")
    code, out, _ = await explain(postgres_dsn, "lec1", "--at", at.isoformat(), "--zone", "Asia/Tokyo")
    assert code == 0 and "JST" in out
    assert "lec1 for ada: 28:40 of 1:00:00" in out and "from 12:03 to 28:40" in out
    assert "the journal of head changes" in out


async def test_for_programs_it_is_what_the_web_gives(acted: Postgres, postgres_dsn: str) -> None:
    code, out, _ = await explain(postgres_dsn, "lec1", "--json")
    found = json.loads(out)
    assert (code, found["position_ms"], found["epoch"], found["pass"]) == (0, 0, 2, 1)
    assert [run["verdict"] for run in found["runs"]] == ["head"] and found["earlier"] == 2
    found = json.loads((await explain(postgres_dsn, "lec1", "--json", "--all"))[1])
    assert [run["verdict"] for run in found["runs"]] == ["head", "before_reset", "before_reset"]
    assert found["changes"][0]["what"] == "epoch"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("lec1", "--at", "2026-03-02T19:00:00"), "2026-03-02T19:00:00Z"),
        (("lec1", "--at", "noon"), "2026-03-02T19:00:00Z"),
        (("lec1", "--zone", "Mars"), "Europe/Vienna"),
        (("lec9",), "no item lec9"),
    ],
)
async def test_what_is_wrong_is_one_line(
    acted: Postgres, postgres_dsn: str, arguments: tuple[str, ...], says: str
) -> None:
    code, out, err = await explain(postgres_dsn, *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("playhead: ") and says in err


async def test_somebody_unknown_is_one_line_too(acted: Postgres, postgres_dsn: str) -> None:
    code, out, err = await playhead("explain", "bob", "lec1", PLAYHEAD_POSTGRES_DSN=postgres_dsn)
    assert (code, out) == (1, "") and "no student bob" in err


async def test_without_a_dsn_it_asks_the_server_of_the_data_folder(
    embedded: Embedded, tmp_path: Path
) -> None:
    assert embedded_postgres.dsn_at(embedded.folder.path) == embedded.postgres_dsn
    with pytest.raises(SetupError, match="PLAYHEAD_POSTGRES_DSN"):
        embedded_postgres.dsn_at(tmp_path)
