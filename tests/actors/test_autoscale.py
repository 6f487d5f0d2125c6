"""Automatic sizing: what the directory tells is turned into looks, and decisions into changes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from actors.autoscale import SILENT_S, Autoscale, Autoscaling, CpuShares
from actors.core.sizing import Band

BAND = Band(
    count_min=1,
    count_max=6,
    sessions_low=10,
    sessions_high=100,
    cpu_low=0.2,
    cpu_high=0.6,
    up_after_s=3,
    down_after_s=6,
    rest_s=2,
)


class Place:
    """A directory with shards that carry what they are told to, on a clock of its own."""

    def __init__(self, shards: dict[str, str]) -> None:
        self.nodes = sorted(set(shards.values()))
        self.sessions, self.cpu = 50, 0.4
        self.seconds = 0
        self.silent: set[str] = set()
        self.busy = False
        self.moving = False
        self.where = dict(shards)
        self.used = dict.fromkeys(shards, 0.0)
        self.scaled: list[tuple[int, list[str]]] = []
        self.cores: list[float] = []
        self.asked = asyncio.Event()
        self.autoscale = Autoscale(
            Autoscaling(band=BAND, cores_per_actor=0.5),
            self.stats,
            self.scale,
            alive=self.alive,
            request=self.request,
            now_s=lambda: float(self.seconds),
        )

    async def stats(self) -> dict[str, Any]:
        actors: dict[str, Any] = {
            name: {
                "pid": 1,
                "node": node,
                "cpu_s": self.used[name],
                "sessions": self.sessions,
                "seen_s": SILENT_S + 1 if name in self.silent else 0.2,
            }
            for name, node in self.where.items()
        }
        change = {"state": "moving"} if self.moving else None
        return {"change": change, "actors": {**actors, "gateway:socket:0": {"pid": 2, "seen_s": None}}}

    async def scale(self, shards: int | None, gateways: int | None, leave: Sequence[str] = ()) -> None:
        if self.busy:
            raise RuntimeError("another change is under way")
        assert shards is not None and gateways is None
        self.scaled.append((shards, list(leave)))

    async def alive(self) -> list[str]:
        return self.nodes

    async def request(self, cores: float) -> None:
        self.cores.append(cores)
        self.asked.set()

    async def looks(self, count: int) -> None:
        for _ in range(count):
            self.seconds += 1
            for name in self.where:
                self.used[name] += self.cpu
            await self.autoscale.look()


async def test_a_load_inside_the_band_changes_nothing() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    await place.looks(30)
    assert place.scaled == [] and place.cores == [1.5]


async def test_a_load_above_brings_one_more_and_asks_ray_for_its_cores() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    place.sessions = 75
    place.cpu = 0.7
    await place.looks(6)
    assert place.scaled == [(3, [])]
    assert place.cores == [1.5, 2.0]


async def test_after_a_change_by_hand_the_figures_settle_first() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    place.sessions, place.cpu = 1, 0.01
    await place.looks(6)
    place.where["shard:2"], place.used["shard:2"] = "a", 0.0
    await place.looks(int(BAND.rest_s + BAND.down_after_s) - 1)
    assert place.scaled == []
    await place.looks(4)
    assert [count for count, _ in place.scaled] == [2]


async def test_what_cannot_begin_is_tried_again_later() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    place.sessions, place.busy = 200, True
    with pytest.raises(RuntimeError):
        await place.looks(9)
    place.busy = False
    await place.looks(9)
    assert place.scaled[0] == (3, [])


async def test_while_slots_move_nothing_else_begins() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    place.sessions, place.moving = 200, True
    await place.looks(20)
    assert place.scaled == []
    place.moving = False
    await place.looks(9)
    assert place.scaled == [(3, [])]


async def test_a_load_that_is_gone_drains_one() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    place.sessions, place.cpu = 1, 0.01
    await place.looks(9)
    assert place.scaled == [(1, ["shard:1"])]


async def test_at_the_end_ray_hears_that_nothing_is_wanted() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    running = asyncio.create_task(place.autoscale.run_for_ever())
    await asyncio.wait_for(place.asked.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert place.cores == [1.5, 0.0]


async def test_while_a_shard_is_silent_none_goes() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    place.sessions, place.cpu = 1, 0.01
    place.silent = {"shard:1"}
    await place.looks(20)
    assert place.scaled == []


async def test_a_node_that_came_takes_its_share_after_a_while() -> None:
    place = Place({"shard:0": "a", "shard:1": "a", "shard:2": "a"})
    place.nodes = ["a", "b"]
    await place.looks(4)
    assert place.scaled == []
    await place.looks(2)
    assert place.scaled == [(3, ["shard:2"])]


async def test_a_node_that_comes_and_goes_changes_nothing() -> None:
    place = Place({"shard:0": "a", "shard:1": "a"})
    for _ in range(8):
        place.nodes = ["a", "b"]
        await place.looks(2)
        place.nodes = ["a"]
        await place.looks(1)
    assert place.scaled == []


def test_cpu_is_a_share_of_the_time_between_two_looks_at_one_process() -> None:
    shares = CpuShares()
    assert shares.share("shard:0", 1, 10.0, 100.0) is None
    assert shares.share("shard:0", 1, 11.0, 102.0) == 0.5
    assert shares.share("shard:0", 1, 11.0, 102.1) == 0.5, "the same figures again"
    assert shares.share("shard:0", 2, 0.1, 104.0) is None, "a new process began anew"
    assert shares.share("shard:0", 2, 2.1, 106.0) == 1.0
