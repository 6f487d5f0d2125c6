"""The visitors ask the real web gateway at their times; the table says what misses its goal."""

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from bench.browse import Figures, Part, markdown, rows
from bench.checker import Faults
from bench.measures import Times
from bench.visitor import Asked, Orders
from gateway.http.settings import WebSettings
from persistence.embedded import Embedded
from persistence.migrate import migrate
from persistence.postgres import PostgresSettings, open_postgres
from tests.gateway.http.conftest import running
from tests.requirements import ROOT


async def test_visitors_ask_everything_once_from_its_planned_time(
    embedded: Embedded, postgres_dsn: str, tmp_path: Path
) -> None:
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    await migrate(postgres)
    await postgres.close()
    settings = WebSettings(
        port=0, postgres_dsn=postgres_dsn, redis_url=embedded.redis_url, keys_folder=tmp_path / "keys"
    )
    async with running(settings) as web:
        token = web.token("mira")
        visits = [("search", token, "/v1/catalogue?q=a"), ("page", token, "/v1/courses/none")] * 10
        orders = Orders(f"http://{web.host}:{web.port}", 100.0, [("warm-up", token, "/v1/catalogue")], visits)
        (tmp_path / "orders").write_bytes(msgspec.json.encode(orders))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.visitor", str(tmp_path / "orders"), str(tmp_path / "asked")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        assert process.stdin is not None and process.stdout is not None
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
            begin_s = time.monotonic() + 0.1
            process.stdin.write(f"{begin_s}\n".encode())
            assert await process.wait() == 0
    asked = msgspec.json.decode((tmp_path / "asked").read_bytes(), type=list[Asked])
    assert Counter((one.kind, one.status) for one in asked) == {("search", 200): 10, ("page", 404): 10}
    planned = sorted(one.planned_s for one in asked)
    assert planned == pytest.approx([begin_s + number / 100 for number in range(20)])
    assert all(one.late_s <= one.took_s for one in asked)


def figures(search_s: float, ack_s: float) -> Figures:
    def times(p99_s: float) -> Times:
        return Times(100, p99_s / 2, p99_s, p99_s)

    return Figures(
        parts=[
            Part("alone", times(0.1), {"shards": 0.5}),
            Part("browsing", times(ack_s), {"shards": 0.6, "web gateway": 0.4}),
            Part("alone again", times(0.2), {"shards": 0.5}),
        ],
        visits={"search cold": times(search_s), "browse cold": times(9.0)},
        late=times(0.001),
        statuses={200: 100},
        updates=1000,
        hit_rates={"search": 0.5},
        faults=Faults(),
    )


def test_what_misses_its_goal_is_said() -> None:
    good = [goal for _, _, goal in rows(figures(0.049, 0.29)) if goal]
    assert len(good) == 4 and all(goal.endswith(": ok") for goal in good)
    bad = [goal for _, _, goal in rows(figures(0.051, 0.31)) if goal.endswith("misses")]
    assert bad == ["p99 < 50 ms: misses", "≤ 2: misses"]


def test_the_ratio_is_to_the_mean_of_both_parts_alone() -> None:
    assert figures(0.01, 0.3).ack_ratio == pytest.approx(2.0)
    assert "| ack p99 with visitors / without | 2.00 |" in markdown(figures(0.01, 0.3))
