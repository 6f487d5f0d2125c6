"""Several nodes: one comes and takes its share, one is drained, one is killed; nobody loses anything.

The cluster is a process of its own, see nodes.py; what it saw is looked at here.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

pytestmark = pytest.mark.timeout(300)

RUN_S = 240.0
Step = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def steps(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Step]]:
    """What the program said of each step, by its name."""
    folder: Path = tmp_path_factory.mktemp("nodes")
    with (folder / "log").open("wb") as log:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.acceptance.nodes", str(folder)),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=Path(__file__).parents[2],
        )
        try:
            async with asyncio.timeout(RUN_S):
                said, _ = await program.communicate()
        finally:
            if program.returncode is None:
                # It ends what it has started.
                program.send_signal(signal.SIGINT)
                await program.wait()
    found = [json.loads(line) for line in said.splitlines() if line.startswith(b'{"step"')]
    assert program.returncode == 0, (folder / "log").read_text()[-4000:]
    yield {step["step"]: step for step in found}


def kinds_on(step: Step, node: str) -> set[str]:
    return {name.rpartition(":")[0] for name in step["where"].get(node, ())}


async def test_every_node_begins_with_its_share(steps: dict[str, Step]) -> None:
    begun = steps["begin"]
    assert len(begun["where"]) == 3
    assert all({"shard", "gateway:socket"} <= kinds_on(begun, node) for node in begun["where"])
    assert sorted(begun["slots"].values()) == [64, 64, 128]


async def test_slots_move_to_a_node_that_is_added(steps: dict[str, Step]) -> None:
    before, added = steps["begin"], steps["added"]
    assert added["node"] not in before["where"] and len(added["where"]) == 4
    assert kinds_on(added, added["node"]) == {"shard", "gateway:socket"}
    assert added["change"]["state"] == "done"
    assert added["slots"][added["node"]] == added["change"]["moved"], "only what the new node takes has moved"


async def test_a_drained_node_has_nothing_left(steps: dict[str, Step]) -> None:
    drained = steps["drained"]
    assert drained["node"] not in drained["where"] and drained["node"] not in drained["slots"]
    assert drained["change"]["state"] == "done"
    assert sum(drained["slots"].values()) == 256


async def test_f5_after_a_killed_node_everybody_is_served_elsewhere(steps: dict[str, Step]) -> None:
    killed = steps["killed"]
    assert {name.rpartition(":")[0] for name in killed["change"]["had"]} >= {"shard", "gateway:socket"}
    assert killed["node"] not in killed["where"] and killed["node"] not in killed["slots"]
    assert set(killed["change"]["had"]) <= {name for names in killed["where"].values() for name in names}
    assert sum(killed["slots"].values()) == 256


async def test_nobody_has_lost_anything(steps: dict[str, Step]) -> None:
    ended = steps["end"]
    assert ended["wrong"] == []
    assert all(int(code) == 1006 or 4000 <= int(code) < 4500 for code in ended["closes"]), "no close for good"


async def test_a_load_brings_a_shard_and_is_gone_with_it(steps: dict[str, Step]) -> None:
    grown, shrunk = steps["grown"], steps["shrunk"]
    assert (len(grown["before"]), len(grown["shards"]), len(shrunk["shards"])) == (1, 2, 1)
    # Shards, a socket gateway and a web gateway, a core each.
    assert (grown["cores"], shrunk["cores"]) == (4, 3)
    assert shrunk["wrong"] == [] and shrunk["closes"] == {}
