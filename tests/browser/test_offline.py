"""A device without a network: it plays on, says so, and brings every second home (R5, R8)."""

import pytest
from playwright.async_api import expect

from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.person import PAUSED, SLOW_MS, UNSAVED
from tests.browser.records import position_ms, record, watermarks

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]


async def test_r8_a_lecture_plays_on_off_line_and_every_second_comes_home(
    new_device: NewDevice, system: System
) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    await phone.press_play()
    await phone.until_played_to(6_000)
    await phone.go_offline()
    assert not await phone.page.evaluate(PAUSED), "it plays on"
    first_ms = await phone.page.evaluate(UNSAVED)
    await phone.until(f"{UNSAVED} >= {first_ms} + 9000")
    await expect(phone.by("saved").first).to_contain_text("unsaved, kept on this device")
    await expect(phone.by("try-now").first).to_be_visible()
    stopped_ms = await phone.pause()
    assert await position_ms(system, phone.student) < stopped_ms - 8_000, "the server knows nothing"
    await phone.go_online()
    await phone.until_saved()
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - stopped_ms) <= 1_000
    assert abs(kept.content_ms - stopped_ms) <= 1_500
    assert kept.covers(0, stopped_ms), "one stretch without a hole"
    assert await phone.page.evaluate(UNSAVED) == 0
    await laptop.until_shown_near(stopped_ms)
    await laptop.press_play()
    assert abs(await laptop.time_ms() - stopped_ms) < 2_500


async def test_r9_a_refused_sign_in_deletes_nothing_and_stops_no_lecture(
    new_device: NewDevice, system: System
) -> None:
    phone = await new_device("phone")
    beside = await new_device("phone", phone)
    await phone.press_play()
    await phone.until_played_to(6_000)
    # The other tab of this browser comes to have tokens that the server refuses: so does this one.
    await beside.page.evaluate(SPOIL_TOKENS)
    await phone.go_offline()
    await phone.page.context.set_offline(False)
    await phone.page.evaluate("document.querySelector('[data-testid=try-now]:not([hidden])')?.click()")
    await expect(phone.by("status").first).to_have_attribute("data-state", "refused", timeout=SLOW_MS)
    await phone.until_played_to(await phone.time_ms() + 3_000)
    stopped_ms = await phone.pause()
    await expect(phone.by("saved").first).to_contain_text("kept on this device")
    before = await watermarks(system, phone.student)
    await beside.sign_in()
    await expect(phone.by("status").first).to_have_attribute("data-state", "online", timeout=SLOW_MS)
    await phone.until_saved()
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - stopped_ms) <= 1_000
    assert kept.covers(0, stopped_ms)
    me = await phone.device_id()
    assert (await watermarks(system, phone.student))[me] > before.get(me, 0)


SPOIL_TOKENS = """
(() => {
  const kept = JSON.parse(localStorage.getItem("playhead:sign-in"));
  const spoilt = (token) => token.slice(0, -8) + "AAAAAAAA";
  kept.access_token = spoilt(kept.access_token);
  kept.refresh_token = spoilt(kept.refresh_token);
  localStorage.setItem("playhead:sign-in", JSON.stringify(kept));
})()
"""
