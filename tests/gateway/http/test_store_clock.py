"""S10: our clock against the object store's, asked of the real store."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from gateway.http.store_clock import StoreClock
from persistence.embedded import Embedded
from persistence.errors import StoreUnavailable
from persistence.objects import Objects, ObjectStore, open_objects

GAUGE = "playhead_objects_clock_ahead_seconds"


@pytest_asyncio.fixture(loop_scope="session")
async def objects(embedded: Embedded) -> AsyncIterator[Objects]:
    s3 = embedded.s3
    store = ObjectStore(s3.endpoint_url, s3.public_url, s3.region, s3.access_key, s3.secret_key, s3.bucket)
    async with open_objects(store) as opened:
        yield opened


@pytest.mark.parametrize("off_s", [-1200, 0, 1200])
async def test_s10_the_difference_is_told_whichever_way_it_is(objects: Objects, off_s: int) -> None:
    ahead_s = await objects.clock_ahead_s(lambda: time.time() + off_s)
    assert abs(ahead_s - off_s) < 30


async def test_s10_it_is_a_figure(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = CollectorRegistry()
    clock = StoreClock(objects, registry)
    await clock.look()
    figure = registry.get_sample_value(GAUGE)
    assert figure is not None and abs(figure) < 30
    clock.ahead_s.set(77)

    async def away(*_: Any) -> float:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(objects, "clock_ahead_s", away)
    await clock.look()
    assert registry.get_sample_value(GAUGE) == 77, "what is not known is not zero"
