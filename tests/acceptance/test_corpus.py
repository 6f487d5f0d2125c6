"""Conformance scenarios on the whole system, in real time: what the replay proves is true outside of it.

Each trace is made short (squeeze.py); the replay must still agree with it, then real clients live it through
against real shards and Postgres, all at once.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.replay.expectations import Verdict
from gateway.replay.reading import read
from gateway.replay.runner import Replay
from gateway.replay.trace import Trace
from tests.acceptance.living import LivedDevice, live_through
from tests.acceptance.squeeze import squeezed
from tests.acceptance.system import System
from tests.requirements import ROOT

SHORTER = {
    "N52": 200,
    "N53": 250,
    "N54": 100,
    "N58": 125,
    "N60": 500,
    "N62": 500,
    "N63": 500,
    "N65": 200,
    "N68": 200,
    "S01": 250,
    "S02": 250,
    "S03": 200,
    "S05": 100,
    "S08": 100,
    "S09": 100,
    "S12": 125,
    "S19": 500,
    "S27": 250,
    "S40": 250,
    "S41": 125,
    "S48": 500,
}
"""By how much each is divided: its story stays the same, and it is over in half a minute."""

FLAGGED = {"S09": "P"}
"""Devices that must be told that their clock is wrong."""

Lived = dict[str, tuple[list[Verdict], dict[str, LivedDevice]]]


def short(trace: str) -> Trace:
    (path,) = (ROOT / "tests" / "corpus").glob(f"{trace.lower()}-*.json")
    return squeezed(read(path), SHORTER[trace])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(whole: System) -> AsyncIterator[Lived]:
    """All of them, lived through at the same time."""
    outcomes = await asyncio.gather(*(live_through(whole, short(trace)) for trace in SHORTER))
    yield dict(zip(SHORTER, outcomes, strict=True))
    await whole.stop_devices()


@pytest.mark.parametrize("trace", SHORTER)
def test_the_short_story_is_still_the_story(trace: str) -> None:
    replay = Replay()
    try:
        outcome = replay.run(short(trace), "at once")
    finally:
        replay.close()
    assert outcome.verdicts and not outcome.missed


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trace", SHORTER)
async def test_the_running_system_agrees(lived: Lived, trace: str) -> None:
    verdicts, _ = lived[trace]
    assert verdicts
    assert [verdict for verdict in verdicts if not verdict.ok] == []


@pytest.mark.parametrize(("trace", "device"), FLAGGED.items())
async def test_a_device_is_told_that_its_clock_is_wrong(lived: Lived, trace: str, device: str) -> None:
    _, devices = lived[trace]
    assert [name for name, one in devices.items() if one.clock_wrong()] == [device]
