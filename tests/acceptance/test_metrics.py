"""What operators see: actors named as a map of the system, shards' figures in Ray's metrics."""

import aiohttp
import ray
from ray.util import list_named_actors

from actors.settings import NAMESPACE
from tests.acceptance.system import System
from tests.acceptance.watching import Viewer

FIGURES = (
    "sessions",
    "connections",
    "updates",
    "durable_lag_seconds",
    "batch_size_bucket",
    "checkpoint_rows",
)


async def test_the_dashboard_reads_as_a_map(system: System) -> None:
    named = {
        actor["name"] for actor in list_named_actors(all_namespaces=True) if actor["namespace"] == NAMESPACE
    }
    assert {"directory", "shard:0", "shard:1", "gateway:socket:0", "gateway:web:0"} <= named


async def test_shards_report_to_ray(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(10_000)
    await viewer.pause()
    await phone.until_durable()
    shard = await system.shard_of(student)
    port = ray.nodes()[0]["MetricsExportPort"]  # type: ignore[no-untyped-call]

    async def all_there() -> bool:
        async with (
            aiohttp.ClientSession() as web,
            web.get(f"http://127.0.0.1:{port}/metrics") as answer,
        ):
            lines = [line for line in (await answer.text()).splitlines() if f'shard="{shard}"' in line]
        return all(any(line.startswith(f"ray_playhead_{name}") for line in lines) for name in FIGURES)

    await system.until(all_there, 60)
