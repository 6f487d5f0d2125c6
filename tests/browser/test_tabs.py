"""Tabs of one browser, browsers of one student, tabs from the past: one writer each (R6, R9)."""

import pytest
from playwright.async_api import expect

from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.person import PAUSED, SOON_MS
from tests.browser.records import record, watermarks

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]

CHROME_OF_RESTORE = "window.addEventListener('pageshow', (event) => (window.restored = event.persisted))"


async def test_r6_two_tabs_of_one_browser_are_two_writers(new_device: NewDevice, system: System) -> None:
    first = await new_device("laptop")
    second = await new_device("laptop", first)
    assert await first.device_id() != await second.device_id(), "no two tabs write one journal"
    first_ms = await first.play_for(7_000)
    await second.until_shown_near(first_ms)
    second_ms = await second.play_for(7_000)
    await first.until_saved()
    await second.until_saved()
    kept = await record(system, first.student)
    assert abs(kept.position_ms - second_ms) <= 1_000
    assert abs(kept.content_ms - second_ms) <= 2_000, "each second counted once"
    assert kept.covers(0, second_ms)
    assert set(await watermarks(system, first.student)) == {await first.device_id(), await second.device_id()}


async def test_r3_two_browsers_off_line_at_once_lose_nothing(new_device: NewDevice, system: System) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    await phone.go_offline()
    await laptop.go_offline()
    phone_ms = await phone.play_for(7_000)
    await laptop.seek(60_000)
    laptop_ms = await laptop.play_for(7_000)
    await laptop.go_online()
    await phone.go_online()
    await phone.until_saved()
    await laptop.until_saved()
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - laptop_ms) <= 1_000, "the later action has it, whoever came first"
    assert kept.covers(0, phone_ms) and kept.covers(60_000, laptop_ms)
    assert abs(kept.content_ms - phone_ms - (laptop_ms - 60_000)) <= 2_500
    await phone.until_shown_near(laptop_ms)
    await laptop.until_shown_near(laptop_ms)


async def test_r9_signing_out_in_one_tab_is_seen_in_the_other(new_device: NewDevice) -> None:
    first = await new_device("laptop")
    second = await new_device("laptop", first)
    await first.page.locator("summary.avatar").click()
    await first.page.get_by_role("button", name="Sign out").click()
    await expect(first.by("signed-out")).to_be_visible(timeout=SOON_MS)
    await expect(second.by("signed-out")).to_contain_text("You signed out in another tab", timeout=SOON_MS)
    await first.sign_in()
    await expect(second.by("continue-card").or_(second.by("player")).first).to_be_visible(timeout=SOON_MS)


async def test_r1_a_tab_restored_from_the_past_writes_nothing_stale(
    new_device: NewDevice, system: System
) -> None:
    phone, laptop = await new_device("phone", script=CHROME_OF_RESTORE), await new_device("laptop")
    stopped_ms = await phone.play_for(7_000)
    await phone.until_saved()
    await phone.page.goto(f"{system.settings.web_url}/no/such/page")
    await laptop.until_shown_near(stopped_ms)
    laptop_ms = await laptop.play_for(9_000)
    await laptop.until_saved()
    before = await watermarks(system, phone.student)
    await phone.page.go_back(wait_until="commit")
    await phone.ready()
    assert await phone.page.evaluate("window.restored"), "the browser kept the page as it was"
    await phone.until_shown_near(laptop_ms)
    assert await phone.page.evaluate(PAUSED)
    await phone.until_saved()
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - laptop_ms) <= 1_000
    assert await watermarks(system, phone.student) == before, "coming back is no event"
    on_ms = await phone.play_for(7_000)
    await phone.until_saved()
    assert (await record(system, phone.student)).covers(0, on_ms)
    await laptop.until_shown_near(on_ms)
