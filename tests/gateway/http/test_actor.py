"""The web gateway as Ray runs it: its port, its figures, its return after SIGKILL, its end."""

import asyncio
import os
import signal
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from actors.named import ActorSpec, create, end
from gateway.cluster import Cluster
from gateway.http.actor import WebGateway
from gateway.http.settings import WebSettings
from tests.acceptance.system import free_port

WAIT_S = 30.0


async def answers(actor: Any) -> dict[str, Any]:
    """The figures, as soon as the actor gives them."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                stats: dict[str, Any] = await actor.stats.remote()
            except Exception:  # noqa: BLE001 - Ray's errors while it restarts
                await asyncio.sleep(0.1)
            else:
                return stats


async def test_f1_a_killed_gateway_comes_back_and_a_drained_one_ends(
    ray_cluster: Cluster, web_settings: WebSettings
) -> None:
    settings = replace(web_settings, port=free_port())
    spec = ActorSpec("gateway:web:test", WebGateway, ("gateway:web:test", settings))
    actor = create(spec)
    async with asyncio.timeout(WAIT_S):
        host, port = await actor.start.remote()
        assert (host, port) == (settings.host, settings.port)
        assert await actor.start.remote() == (host, port)
    before = await answers(actor)
    assert (before["health"], before["requests"]) == ("ok", 0)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/readyz") as response:
            assert (response.status, (await response.json())["ready"]) == (200, True)
        assert (await answers(actor))["requests"] == 1
        os.kill(before["pid"], signal.SIGKILL)
        after = await answers(actor)
        while after["pid"] == before["pid"]:
            after = await answers(actor)
        assert after["health"] == "starting"
        async with asyncio.timeout(WAIT_S):
            assert await actor.start.remote() == (host, port)
        async with session.get(f"http://{host}:{port}/healthz") as response:
            assert response.status == 200
        async with asyncio.timeout(WAIT_S):
            await actor.drain.remote()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"http://{host}:{port}/healthz")
    await end(spec.name)
