"""A web gateway finds the one writer: by a map it keeps, again after `moved`, after a death, in time."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from actors.batch import Act
from actors.core.placement import SLOTS, slot_of
from actors.shard import Shard
from gateway.http.settings import WebSettings
from gateway.http.shards import Shards
from persistence import students
from persistence.postgres import PostgresSettings, open_postgres
from tests.actors.shards_here import running_shard


class Cluster:
    """Two shards in this process and the directory's map; each of them can be away."""

    def __init__(self, shards: dict[str, Shard]) -> None:
        self.shards = shards
        self.owners = ["shard:0"] * SLOTS
        self.version = 1
        self.fetches = 0
        self.asked: list[str] = []
        self.directory = True
        self.dying = 0
        self.way = Shards(self.call, self.fetch_map)

    async def call(self, shard: str, blob: bytes) -> bytes:
        self.asked.append(shard)
        answer = await self.shards[shard].act(blob)
        if self.dying:
            self.dying -= 1
            raise ConnectionError("it has run, and nobody heard of it")
        return answer

    async def fetch_map(self) -> tuple[int, list[str]]:
        self.fetches += 1
        if not self.directory:
            raise ConnectionError("no directory")
        return self.version, list(self.owners)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shards(web_settings: WebSettings) -> AsyncIterator[dict[str, Shard]]:
    dsn = web_settings.postgres_dsn
    async with running_shard(dsn, "shard:1") as second:
        released = await second.release(list(range(SLOTS)))
        async with running_shard(dsn, "shard:0") as first:
            assert len(released) == SLOTS
            yield {"shard:0": first, "shard:1": second}


@pytest.fixture
def cluster(shards: dict[str, Shard]) -> Cluster:
    return Cluster(shards)


@pytest_asyncio.fixture(loop_scope="session")
async def una(web_settings: WebSettings) -> str:
    student = f"una-{uuid.uuid4().hex[:8]}"
    postgres = await open_postgres(PostgresSettings(web_settings.postgres_dsn, "tests"))
    await students.put(postgres, [students.Student(student, "Una")])
    await students.enrol(postgres, [students.Enrolment(student, "systems")])
    await postgres.close()
    return student


def reset(student: str) -> Act:
    return Act(student, "intro", "reset", uuid.uuid4().hex)


async def test_the_map_is_kept_while_the_directory_is_down(cluster: Cluster, una: str) -> None:
    assert (await cluster.way.act(reset(una))).head
    cluster.directory = False
    assert (await cluster.way.act(reset(una))).head
    assert (cluster.fetches, cluster.asked) == (1, ["shard:0", "shard:0"])


async def test_what_moved_is_asked_for_where_it_is_now(
    cluster: Cluster, shards: dict[str, Shard], una: str
) -> None:
    assert (await cluster.way.act(reset(una))).head
    slot = slot_of(una)
    released = await shards["shard:0"].release([slot])
    await shards["shard:1"].accept(released)
    cluster.owners[slot], cluster.version = "shard:1", 2
    moved = await cluster.way.act(reset(una))
    assert moved.head and not moved.repeated
    assert cluster.asked == ["shard:0", "shard:0", "shard:1"]
    await shards["shard:0"].accept(await shards["shard:1"].release([slot]))


async def test_f3_a_call_that_ran_unheard_is_repeated_and_happens_once(cluster: Cluster, una: str) -> None:
    cluster.dying = 2
    acted = await cluster.way.act(reset(una))
    assert (acted.repeated, len(cluster.asked)) == (True, 3)
    session = cluster.shards["shard:0"]._residents[una].session
    assert session.items["intro"].epoch == 2


async def test_without_any_shard_the_caller_gives_up_in_its_own_time(cluster: Cluster, una: str) -> None:
    cluster.directory = False
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await cluster.way.act(reset(una))
    assert cluster.fetches > 1 and cluster.asked == []
