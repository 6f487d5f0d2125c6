"""The newer head reaches a device before its first frame, the other place is offered, and a change is undone.

Over real sockets and HTTP, on all devices of the student.
"""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import aiohttp

from gateway.client import Device
from tests.acceptance.system import System
from tests.acceptance.watching import Viewer

MINUTE_MS = 60_000
LONG_MS = 60 * MINUTE_MS


async def pair(system: System, duration_ms: int = LONG_MS) -> tuple[Viewer, Viewer]:
    """A student's phone and television, both on the same lecture."""
    student, item = await system.student(), await system.lecture(duration_ms)
    phone = await system.device(student, "phone").start()
    television = await system.device(student, "television").start()
    return await Viewer(phone, item).open(), await Viewer(television, item).open()


async def ask(
    system: System, viewer: Viewer, action: str, *, key: str = "", student: str = "", **body: Any
) -> tuple[int, Any]:
    """Undo, choose or reset over HTTP, as the viewer's student; gives status and answer."""
    headers = {
        "Authorization": f"Bearer {system.token(student or viewer.device.journal.student)}",
        "Idempotency-Key": key or uuid.uuid4().hex,
    }
    url = f"{system.settings.web_url}/v1/progress/{viewer.item}/{action}"
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(timeout=timeout) as web,
        web.post(url, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def ask_until_durable(system: System, viewer: Viewer, action: str, key: str, **body: Any) -> Any:
    """The same action with the same key until it is committed, as a careful page does it."""
    async with asyncio.timeout(60):
        while True:
            status, answer = await ask(system, viewer, action, key=key, **body)
            assert status == 200, answer
            if answer["durable"]:
                return answer


def shown(viewer: Viewer) -> Any:
    """The head as this device has it."""
    return viewer.device.heads[viewer.item]


def hints(device: Device) -> list[tuple[str, str]]:
    return [(said["device"], said["state"]) for said in device.messages if said["type"] == "presence"]


async def test_r10_one_that_was_away_is_handed_the_newer_place_before_its_first_frame(system: System) -> None:
    phone, television = await pair(system)
    await phone.press_play()
    await phone.watch(5 * MINUTE_MS)
    await phone.pause()
    await television.sees(5 * MINUTE_MS)
    await phone.device.until_durable()
    await phone.device.stop()
    await television.resume(20 * MINUTE_MS)
    await television.sees(25 * MINUTE_MS)
    assert shown(phone)["position_ms"] == 5 * MINUTE_MS
    await phone.device.start()
    handed = await phone.head()
    assert (handed["position_ms"], handed["device"]) == (25 * MINUTE_MS, television.device.id)
    assert handed["device_name"] == "Television"
    await phone.resume(10_000)
    await television.sees(25 * MINUTE_MS + 10_000)
    assert (shown(television)["device"], shown(television)["rule"]) == (phone.device.id, "R2")


async def test_r4_you_were_at_28_40_on_the_tv(system: System) -> None:
    """The phone was off line and went elsewhere later: it has the head, the television's place is offered."""
    phone, television = await pair(system)
    await phone.device.stop()
    await television.press_play()
    await television.watch(1_720_000)
    await television.pause()
    await television.device.until(lambda: television.device.applied == television.device.seq)
    await phone.seek(42 * MINUTE_MS)
    await phone.device.start()
    for viewer in (phone, television):
        await viewer.sees(42 * MINUTE_MS)
        head = shown(viewer)
        assert (head["rule"], head["device"]) == ("R3", phone.device.id)
        offered = head["candidate"]
        assert (offered["position_ms"], offered["device"]) == (1_720_000, television.device.id)
        assert offered["device_name"] == "Television"
    await television.choose(1_720_000)
    for viewer in (phone, television):
        await viewer.sees(1_720_000)
        assert shown(viewer)["candidate"] is None


async def test_r4_an_undo_on_one_device_is_an_undo_on_all(system: System) -> None:
    phone, television = await pair(system)
    await phone.press_play()
    await phone.watch(10 * MINUTE_MS)
    await phone.pause()
    await television.sees(10 * MINUTE_MS)
    await television.seek(MINUTE_MS)
    await phone.sees(MINUTE_MS)
    await phone.undo()
    for viewer in (phone, television):
        await viewer.sees(10 * MINUTE_MS)
        assert shown(viewer)["coverage_ms"] == 10 * MINUTE_MS


async def test_an_action_on_a_page_reaches_every_device_at_once_and_is_durable(system: System) -> None:
    phone, television = await pair(system)
    await phone.press_play()
    await phone.watch(10 * MINUTE_MS)
    await phone.pause()
    await television.sees(10 * MINUTE_MS)
    chosen = await ask_until_durable(
        system,
        phone,
        "choose",
        "chosen",
        position_ms=3 * MINUTE_MS,
        base_rev=shown(phone)["rev"],
        device_name="Profile",
    )
    assert chosen["head"]["position_ms"] == 3 * MINUTE_MS
    for viewer in (phone, television):
        await viewer.sees(3 * MINUTE_MS)
        assert (shown(viewer)["rev"], shown(viewer)["device_name"]) == (chosen["head"]["rev"], "Profile")
    _, undone = await ask(system, phone, "undo")
    for viewer in (phone, television):
        await viewer.sees(10 * MINUTE_MS)
    _, reset = await ask(system, phone, "reset", key="once")
    for viewer in (phone, television):
        await viewer.sees(0)
        assert (shown(viewer)["epoch"], shown(viewer)["coverage_ms"]) == (2, 0)
    assert undone["head"]["rev"] < reset["head"]["rev"]
    _, again = await ask(system, phone, "reset", key="once")
    assert (again["head"]["epoch"], again["head"]["rev"]) == (2, reset["head"]["rev"])
    assert shown(phone)["content_ms"] == 10 * MINUTE_MS


async def test_h7_nobody_acts_on_what_is_anothers(system: System) -> None:
    phone, _ = await pair(system)
    stranger = f"stranger-{uuid.uuid4().hex[:8]}"
    status, problem = await ask(system, phone, "reset", student=stranger)
    assert (status, problem["code"]) == (404, "not_found")


async def test_f3_an_action_survives_the_death_of_its_shard_and_happens_once(system: System) -> None:
    phone, television = await pair(system)
    await phone.press_play()
    await phone.watch(10 * MINUTE_MS)
    await phone.pause()
    await phone.device.until_durable()
    await ask_until_durable(system, phone, "choose", "first", position_ms=MINUTE_MS)
    await system.kill(await system.shard_of(phone.device.journal.student))
    status, reset = await ask(system, phone, "reset", key="second")
    assert (status, reset["head"]["epoch"]) == (200, 2)
    _, first = await ask(system, phone, "choose", position_ms=MINUTE_MS, key="first")
    assert (first["head"]["epoch"], first["head"]["position_ms"]) == (2, 0)

    def of_second_epoch(viewer: Viewer) -> Callable[[], bool]:
        return lambda: bool(shown(viewer)["epoch"] == 2)

    for viewer in (phone, television):
        await viewer.device.until(of_second_epoch(viewer), 30)


async def test_p12_the_other_device_hears_at_once_that_one_starts(system: System) -> None:
    phone, television = await pair(system)
    await phone.press_play()
    await television.device.until(lambda: (phone.device.id, "playing") in hints(television.device))
    assert television.item not in television.device.heads
    assert hints(phone.device) == []
    await phone.watch(1_000)
    await phone.pause()
    await television.device.until(lambda: hints(television.device)[-1] == (phone.device.id, "stopped"))
    await phone.press_play()
    await phone.watch(10_000)
    await television.sees(11_000)
    assert hints(television.device)[-1] == (phone.device.id, "playing")


async def test_r10_one_that_lost_the_baton_is_told_who_has_it(system: System) -> None:
    phone, television = await pair(system)
    await phone.press_play()
    await phone.watch(MINUTE_MS)
    await television.sees(MINUTE_MS)
    await television.resume(10_000)
    await phone.device.until(lambda: shown(phone)["device"] == television.device.id)
    assert (shown(phone)["device_name"], shown(phone)["device_kind"]) == ("Television", "television")
    assert shown(phone)["playing"] is True
    await phone.watch(10 * MINUTE_MS)
    await phone.device.until(lambda: phone.device.applied == phone.device.seq)
    assert (await phone.head())["device"] == television.device.id
    heads = await asyncio.gather(phone.head(), television.head())
    assert [head["position_ms"] for head in heads] == [MINUTE_MS + 10_000] * 2
