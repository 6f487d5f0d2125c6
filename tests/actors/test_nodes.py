"""Where new actors go, and what an actor says of itself."""

import json
import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from actors.nodes import choose, kind, surplus

NODES = ["a", "b", "c"]


def test_actors_of_a_kind_are_spread_over_the_nodes() -> None:
    names = [f"shard:{n}" for n in range(6)] + [f"gateway:socket:{n}" for n in range(3)]
    chosen = choose(names, {}, NODES)
    assert Counter((kind(name), node) for name, node in chosen.items()) == {
        **{("shard", node): 2 for node in NODES},
        **{("gateway:socket", node): 1 for node in NODES},
    }


def test_a_new_node_gets_the_new_actors_first() -> None:
    where = {"shard:0": "a", "shard:1": "a", "shard:2": "b", "shard:3": "b"}
    assert choose(["shard:4", "shard:5", "shard:6"], where, NODES) == dict.fromkeys(
        ["shard:4", "shard:5"], "c"
    ) | {"shard:6": "a"}


def test_of_nodes_with_as_many_of_the_kind_the_emptier_one_is_chosen() -> None:
    where = {"gateway:socket:0": "a", "shard:0": "a", "shard:1": "b"}
    assert choose(["gateway:web:0"], where, ["a", "b"]) == {"gateway:web:0": "b"}


@given(st.integers(0, 30), st.lists(st.sampled_from(NODES), max_size=12))
def test_nodes_differ_by_one_at_most_unless_they_did_before(count: int, before: list[str]) -> None:
    where = {f"shard:{n}": node for n, node in enumerate(before)}
    chosen = choose([f"shard:{n}" for n in range(100, 100 + count)], where, NODES)
    after = Counter({**where, **chosen}.values())
    highest = max([0, *Counter(before).values()])
    assert max([0, *after.values()]) <= max(highest, min(after[node] for node in NODES) + 1)


def test_who_leaves_for_an_empty_node_is_of_the_fullest_and_the_last_come() -> None:
    where = {**{f"shard:{n}": "a" for n in range(3)}, **{f"shard:{n}": "b" for n in (9, 10, 11)}}
    assert surplus(where, NODES) == ["shard:11", "shard:2"]
    assert surplus(where, ["a", "b"]) == [] and surplus(where, []) == []


@given(st.lists(st.sampled_from(NODES), max_size=20))
def test_once_they_have_left_nothing_is_uneven(before: list[str]) -> None:
    where = {f"shard:{n}": node for n, node in enumerate(before)}
    leaving = surplus(where, NODES)
    stay = {name: node for name, node in where.items() if name not in leaving}
    after = stay | choose([f"shard:{n}" for n in range(100, 100 + len(leaving))], stay, NODES)
    assert surplus(after, NODES) == [] and len(after) == len(where)


def test_without_nodes_ray_decides() -> None:
    assert choose(["shard:0"], {}, []) == {}


def test_outside_of_ray_an_actor_is_on_no_node() -> None:
    # A process of its own: in this one another test may have joined a cluster.
    code = "import json; from actors.nodes import footprint; print(json.dumps(footprint()))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    said = json.loads(told.stdout)
    assert said["node"] == "" and float(said["cpu_s"]) > 0
