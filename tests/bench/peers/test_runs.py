"""The real peers: what they acknowledged as durable is there after a restart, and no process is left."""

import os
from pathlib import Path

import psutil
import pytest

from bench.peers.runs import run_peer
from bench.peers.servers import PEERS, Peer, install
from bench.plan import Mix
from gateway.cli.steps import Steps

pytestmark = [pytest.mark.requires("node"), pytest.mark.timeout(240)]

MIX = Mix(seed=5, students=20, updates=30, period_ms=200, tag="peers")
SAVE_EVERY_MS = 1000


@pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))
async def test_a_peer_does_the_work_of_the_plan(peer: Peer, tmp_path: Path) -> None:
    await install(peer)
    before = set(psutil.Process(os.getpid()).children(recursive=True))
    with Steps() as steps:
        found = await run_peer(
            peer, MIX, loaders=2, scratch=tmp_path, steps=steps, save_every_ms=SAVE_EVERY_MS
        )
    assert found.faults_kept == ()
    assert (found.faults, found.connections, found.updates) == (0, MIX.connections, MIX.updates_in_all)
    assert found.times["ack"].count == MIX.updates_in_all
    assert found.times["push"].count > 0
    stored = found.times["durable_playing"].count + found.times["durable_flushed"].count
    assert stored == MIX.updates_in_all
    assert found.window.all_cpu_s > 0
    assert set(psutil.Process(os.getpid()).children(recursive=True)) <= before
