"""What a checkpoint holds is enough to go on: the same journals end the same, however delivered (R5, R6, R8).

Journals of several devices are delivered doubled, shuffled, cut into batches and to owners that die, and
whoever comes next starts from the latest checkpoint. Nothing of that may show in the end.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.progress import Progress
from actors.core.session import Device as LiveDevice
from actors.core.state import merge_state, restore_merge, restore_visits, visits_state
from tests.actors.core.devices import LECTURE, World, item

HOUR = 3600
DURATION_S = 600


@dataclass(frozen=True)
class Act:
    """What a user does next on a device: after a pause, at a place, for a time."""

    wait_s: int
    what: str
    place_s: int
    length_s: int
    rate: float


acts = st.builds(
    Act,
    wait_s=st.integers(0, 300),
    what=st.sampled_from(["play", "play", "play", "seek", "pause", "close", "mark", "unmark", "reset"]),
    place_s=st.integers(0, DURATION_S - 1),
    length_s=st.integers(0, 200),
    rate=st.sampled_from([0.5, 1.0, 2.0]),
)
scripts = st.fixed_dictionaries({name: st.lists(acts, max_size=12) for name in "ABC"})


def written(scripts: dict[str, list[Act]]) -> World:
    """A world whose devices have written their journals off line. No two actions fall on one moment."""
    world = World(item(duration_s=DURATION_S))
    for n, (name, script) in enumerate(scripts.items()):
        device = world.device(name, online=False)
        at_s, visit = n * 0.1, None
        for act in script:
            at_s += act.wait_s
            visit = visit or device.open(at_s)
            if act.what == "play":
                until_s = min(act.place_s + act.length_s, DURATION_S)
                at_s = visit.play(at_s, act.place_s, until_s, act.rate)
            elif act.what == "seek":
                visit.seek(at_s, act.place_s)
            elif act.what == "pause":
                visit.pause(at_s, act.place_s)
            elif act.what == "reset":
                visit.reset(at_s)
            elif act.what in ("mark", "unmark"):
                visit.mark(at_s, done=act.what == "mark")
            else:
                visit.close(at_s)
                visit = None
            at_s += 0.3
    return world


def in_order(world: World) -> None:
    for device in world.devices.values():
        device.connect(100 * HOUR)


def in_disorder(world: World, rng: random.Random) -> None:
    """Deliver everything at least once, through deaths, with repeats, in any order and any batches."""
    for device in world.devices.values():
        device.connect(100 * HOUR, deliver=False)
    for _ in range(rng.randrange(8)):
        device = rng.choice(list(world.devices.values()))
        if not device.online:
            device.connect(100 * HOUR, deliver=False)
        entries = rng.choices(device.journal, k=rng.randrange(20)) if device.journal else []
        device.deliver(entries, 100 * HOUR)
        if rng.random() < 0.5:
            world.checkpoint()
        if rng.random() < 0.4:
            world.crash()
    devices = list(world.devices.values())
    rng.shuffle(devices)
    for device in devices:
        device.connect(100 * HOUR, deliver=False)
        entries = list(device.journal)
        rng.shuffle(entries)
        while entries:
            size = rng.randrange(1, len(entries) + 1)
            device.deliver(entries[:size], 100 * HOUR)
            entries = entries[size:]


def without_ticks(scripts: dict[str, list[Act]]) -> dict[str, list[Act]]:
    """A tick asks whether the item is done, and so what the server has heard: it may depend on delivery."""
    return {name: [act for act in script if "mark" not in act.what] for name, script in scripts.items()}


def time_of(world: World) -> tuple[Any, ...]:
    """What R5 says of time, and R6 of the journals."""
    progress = world.session.items.get(LECTURE) or Progress(LECTURE)
    watermarks = {name: device.applied_seq for name, device in world.session.devices.items()}
    return progress.content_ms, list(progress.wall), watermarks


def place_of(world: World) -> tuple[Any, ...]:
    """The head, and what R7 says of epochs and completion."""
    progress = world.session.items.get(LECTURE) or Progress(LECTURE)
    covered = progress.epoch, list(progress.coverage), progress.done
    return covered, progress.position_ms, world.holder()


def compare(
    scripts: dict[str, list[Act]], rng: random.Random, what: Callable[[World], tuple[Any, ...]]
) -> None:
    straight, shaken = written(scripts), written(scripts)
    in_order(straight)
    in_disorder(shaken, rng)
    assert what(shaken) == what(straight)


@given(scripts, st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_r5_r6_r8_time_and_watermarks_do_not_depend_on_delivery(
    scripts: dict[str, list[Act]], rng: random.Random
) -> None:
    compare(scripts, rng, time_of)


@given(scripts, st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_r3_r7_the_head_and_coverage_do_not_depend_on_delivery(
    scripts: dict[str, list[Act]], rng: random.Random
) -> None:
    compare(without_ticks(scripts), rng, place_of)


def restored_is_the_same(world: World) -> None:
    for progress in world.session.items.values():
        state = msgspec.json.decode(msgspec.json.encode(merge_state(progress)))
        twin = Progress(progress.item, progress.version, progress.rev, progress.rule)
        twin.content_ms, twin.wall, twin.folded = progress.content_ms, progress.wall, progress.folded
        restore_merge(twin, state)
        assert twin == progress
    for device in world.session.devices.values():
        state = msgspec.json.decode(msgspec.json.encode(visits_state(device)))
        again = LiveDevice(device.id, applied_seq=device.applied_seq)
        restore_visits(again, state)
        assert again == device


@given(scripts)
@settings(max_examples=50)
def test_what_is_written_is_what_is_read(scripts: dict[str, list[Act]]) -> None:
    world = written(scripts)
    in_order(world)
    restored_is_the_same(world)


def test_what_is_written_of_very_many_runs_is_bounded_and_read_again() -> None:
    world = World(item(duration_s=100_000))
    phone = world.device("P")
    for n in range(200):
        phone.watch(n * 100, n * 20, n * 20 + 30)
    restored_is_the_same(world)
    assert world.progress().epochs.current.passes[0].let_go["P"].length() > 3_000_000
    assert len(msgspec.json.encode(merge_state(world.progress()))) < 8_000


def test_a_snapshot_does_not_change_with_the_session() -> None:
    world = World()
    visit = world.device("P").open(0)
    at_s = visit.play(0, 0, 60)
    progress = world.progress()
    snapshot = merge_state(progress)
    before = msgspec.json.encode(snapshot)
    visit.go_on(at_s, 60, 120)
    visit.seek(130, 900)
    assert msgspec.json.encode(snapshot) == before


def test_the_state_of_one_long_play_is_small() -> None:
    world = World()
    world.device("P").watch(0, 0, 3000)
    assert len(msgspec.json.encode(merge_state(world.progress()))) < 500
