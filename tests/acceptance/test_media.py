"""Addresses over the socket on the whole system: socket gateway, Ray, web gateway, Postgres."""

import pytest

from gateway.client import MediaRefused
from persistence import items
from persistence.items import Item, Version
from persistence.media import Media
from tests.acceptance.system import COURSE, System


async def test_s46_a_device_renews_its_addresses_on_the_open_socket(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    document = Media(
        "hls", (), f"course/{COURSE}/{item}/v1/poster.jpg", f"course/{COURSE}/{item}/v1/360p.mp4"
    )
    await items.put(
        system.postgres,
        [Item(item, COURSE, "video", "A lecture", "v1", 0)],
        [Version(item, "v1", 60_000, document.document())],
    )
    device = await system.device(student).start()
    told = await device.media(item)
    assert told["version"] == "v1" and told["hls_url"].startswith("/v1/media/")
    assert 0 < told["renew_at_s"] < told["expires_in_s"] <= 15 * 60
    with pytest.raises(MediaRefused) as refused:
        await device.media("no-such-item")
    assert refused.value.code == "not_found"
