"""What must survive: rows of the fault matrix on the whole system, by SIGKILL of recorded pids."""

import os
import signal
from typing import Any

from ray.exceptions import RayActorError

from actors.named import ActorSpec, create, end
from actors.settings import ShardSettings
from actors.shard import Shard
from tests.acceptance.system import System
from tests.acceptance.watching import Viewer


async def test_f3_shard_killed_while_a_device_plays(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    laptop = await system.device(student, "laptop").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    for _ in range(4):
        await viewer.watch(10_000)
    await phone.until(lambda: phone.applied == phone.seq)
    assert phone.durable < phone.seq, "the tail must be in memory only, or this test proves nothing"
    await system.kill(await system.shard_of(student))
    await viewer.watch(10_000)
    await phone.until(lambda: any(m["type"] == "resync" for m in phone.messages), 30)
    await phone.until(lambda: phone.applied == phone.seq, 30)
    await viewer.pause()
    await phone.until_durable()
    assert phone.closes == [] and laptop.closes == [], "no socket closes when a shard dies"
    head = await laptop.pull(item)
    assert (head["position_ms"], head["content_ms"], head["coverage_ms"]) == (50_000, 50_000, 50_000)
    other = await Viewer(laptop, item).open()
    await other.resume(6_000)
    await viewer.sees(56_000)


async def test_f1_socket_gateway_killed(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(10_000)
    await phone.until(lambda: phone.applied == phone.seq)
    await system.kill("gateway:socket:0")
    await viewer.watch(10_000)
    await viewer.pause()
    await phone.until(lambda: bool(phone.closes), 30)
    await phone.until(lambda: phone.online, 60)
    await phone.until_durable(60)
    head = await phone.pull(item)
    assert (head["position_ms"], head["content_ms"]) == (20_000, 20_000)


async def test_directory_killed_while_a_device_plays_then_a_gateway(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(10_000)
    await phone.until(lambda: phone.applied == phone.seq)
    before = await system.running.stats()
    os.kill(before["pid"], signal.SIGKILL)
    await viewer.watch(10_000)
    await phone.until(lambda: phone.applied == phone.seq)
    await viewer.pause()
    await phone.until_durable()

    async def all_answer() -> dict[str, Any] | None:
        try:
            stats = await system.running.stats()
        except RayActorError:
            return None
        answered = all(actor["seen_s"] is not None for actor in stats["actors"].values())
        return stats if answered and stats["pid"] != before["pid"] else None

    after = await system.until(all_answer, 60)
    pids = {name: actor["pid"] for name, actor in after["actors"].items()}
    assert pids == {name: actor["pid"] for name, actor in before["actors"].items()}, "nobody else ended"
    assert phone.closes == [], "no socket closes when the directory dies"
    await system.kill("gateway:socket:0")
    await phone.until(lambda: bool(phone.closes), 30)
    await phone.until(lambda: phone.online, 60)
    await viewer.press_play()
    await viewer.watch(10_000)
    await viewer.pause()
    await phone.until_durable(60)
    head = await phone.pull(item)
    assert (head["position_ms"], head["content_ms"]) == (30_000, 30_000)


async def test_f27_a_second_incarnation_is_fenced_and_nothing_is_lost(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(10_000)
    await phone.until_durable()
    shard = await system.shard_of(student)
    before = await system.pid(shard)
    settings = ShardSettings(postgres_dsn=system.stores.postgres_dsn)
    double = create(ActorSpec("double", Shard, (shard, settings)))
    epochs = await double.own.remote([], 0)
    assert epochs == {}
    await viewer.watch(10_000)
    await viewer.pause()

    async def restarted() -> bool:
        return await system.pid(shard) != before

    await system.until(restarted, 40)
    await phone.until_durable(60)
    head = await phone.pull(item)
    assert (head["position_ms"], head["content_ms"]) == (20_000, 20_000)
    await end("double")
