"""R8: what an earlier release made durable is read by this one, says the same, and goes on.

`rows/shape-N.json` holds rows as that release wrote them, with the head it told of them.
"""

import json
from typing import Any

import msgspec
import pytest

from actors.core.earlier import SHAPE
from actors.heads import head_of
from persistence.checkpoints import DeviceRow, ProgressRow
from tests.actors.core.devices import LECTURE, START_MS, World, item
from tests.requirements import ROOT

STORED = [
    pytest.param(stored, id=f"{path.stem} {stored['name']}")
    for path in sorted((ROOT / "tests" / "actors" / "core" / "rows").glob("shape-*.json"))
    for stored in json.loads(path.read_text())
]


def loaded(stored: dict[str, Any]) -> World:
    """A world that comes to life from these rows."""
    world = World(item(duration_s=stored["head"]["duration_ms"] / 1000))
    for row in stored["progress"]:
        world.progress_rows[row["item"]] = msgspec.json.encode(msgspec.convert(row, ProgressRow))
    for row in stored["devices"]:
        world.device_rows[row["device"]] = msgspec.json.encode(msgspec.convert(row, DeviceRow))
    world.crash()
    return world


def told(world: World, at_s: float) -> dict[str, Any]:
    head = head_of(world.session, world.catalogue[LECTURE], START_MS + round(at_s * 1000))
    told: dict[str, Any] = json.loads(msgspec.json.encode(head))
    return told


@pytest.mark.parametrize("stored", STORED)
def test_it_stands_where_it_stood(stored: dict[str, Any]) -> None:
    now = told(loaded(stored), stored["at_s"])
    assert {name: now[name] for name in stored["head"]} == stored["head"]


@pytest.mark.parametrize("stored", STORED)
def test_it_goes_on_and_is_written_in_the_present_shape(stored: dict[str, Any]) -> None:
    world, at_s = loaded(stored), stored["at_s"]
    before = told(world, at_s)
    phone = world.device("new phone", online=False)
    phone.connect(at_s)
    visit = phone.open(at_s)
    visit.play(at_s, before["position_ms"] / 1000 % 600, before["position_ms"] / 1000 % 600 + 10)
    after = told(world, at_s + 10)
    assert after["device"] == "new phone" and after["content_ms"] == before["content_ms"] + 10_000
    assert (after["done"], after["epoch"]) == (before["done"], before["epoch"])
    world.checkpoint()
    assert msgspec.json.decode(world.progress_rows[LECTURE])["merge"]["shape"] == SHAPE
    world.crash()
    again = told(world, at_s + 10)
    assert {**again, "playing": None} == {**after, "playing": None}


@pytest.mark.parametrize("stored", STORED)
def test_what_its_devices_had_not_sent_is_dated_as_before(stored: dict[str, Any]) -> None:
    world = loaded(stored)
    for row in stored["devices"]:
        clock = world.session.devices[row["device"]].clock
        for boot, offset_ms in row["visit"]["boots"]:
            received_ms = START_MS + 86_400_000
            assert clock.corrected_ms(boot, 5_000, 0, received_ms) == 5_000 + offset_ms
