"""The main job, seen in the browser: two pages, one student, one playhead."""

import pytest
from playwright.async_api import expect

from gateway.tokens import TokenIssuer
from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.person import GHOST, SOON_MS, WAIT_MS

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]

PROGRESS = "SELECT position_ms, content_ms, coverage FROM progress WHERE student = $1"


async def test_r2_the_second_device_goes_on_at_that_very_second(new_device: NewDevice) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    await phone.press_play()
    await phone.until_played_to(7_000)
    await laptop.until_in_step(phone)
    first = await laptop.page.evaluate(GHOST)
    await laptop.until(f"{GHOST} > {first} + 1000")
    await laptop.until_in_step(phone)
    stopped_ms = await phone.pause()
    await laptop.until_shown_near(stopped_ms)
    await laptop.press_play()
    assert abs(await laptop.time_ms() - stopped_ms) < 2_500, "±1 s, and what it has played since"
    await expect(phone.by("baton")).to_contain_text("Laptop", timeout=SOON_MS)


async def test_r10_continue_here_takes_the_baton_at_once(new_device: NewDevice) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    await phone.press_play()
    await phone.until_played_to(7_000)
    await expect(laptop.by("baton")).to_contain_text("Phone", timeout=SOON_MS)
    await laptop.by("continue-here").click()
    await laptop.until("!document.querySelector('video').paused")
    await phone.until("document.querySelector('video').paused")
    await expect(phone.by("baton")).to_contain_text("Laptop", timeout=SOON_MS)
    assert abs(await laptop.time_ms() - await phone.time_ms()) < 3_000


async def test_p21_reload_reopen_and_another_browser_find_the_second(new_device: NewDevice) -> None:
    phone = await new_device("phone")
    await phone.press_play()
    await phone.until_played_to(6_500)
    stopped_ms = await phone.pause()
    await phone.until_saved()
    await phone.page.reload()
    await phone.ready()
    await phone.until_shown_near(stopped_ms)
    reopened = await new_device("phone", phone)
    await reopened.until_shown_near(stopped_ms)
    elsewhere = await new_device("tv")
    await elsewhere.until_shown_near(stopped_ms)


async def test_f3_the_shard_dies_while_the_page_plays(new_device: NewDevice, system: System) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    await phone.page.evaluate("window.here = true")
    await phone.press_play()
    await phone.until_played_to(7_000)
    await laptop.until_in_step(phone)
    await system.kill(await system.shard_of(phone.student))
    await phone.until_played_to(await phone.time_ms() + 12_000)
    stopped_ms = await phone.pause()
    await phone.until_saved()
    assert await phone.page.evaluate("window.here"), "the page has not been loaded again"
    row = await system.postgres.row(PROGRESS, phone.student)
    assert row is not None
    assert abs(row["position_ms"] - stopped_ms) <= 1_000
    assert abs(row["content_ms"] - stopped_ms) <= 1_000
    assert len(row["coverage"]) == 1, "nothing watched is lost: one stretch without a hole"
    await laptop.until_shown_near(stopped_ms)
    await laptop.press_play()
    assert abs(await laptop.time_ms() - stopped_ms) < 2_500


async def test_r8_offline_is_shown_and_comes_home(new_device: NewDevice, system: System) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    await phone.press_play()
    await phone.until_played_to(6_000)
    await phone.page.context.set_offline(True)
    await expect(phone.by("status").first).to_have_attribute("data-state", "offline", timeout=60_000)
    stopped_ms = await phone.pause()
    await phone.page.context.set_offline(False)
    await expect(phone.by("status").first).to_have_attribute("data-state", "online", timeout=60_000)
    await phone.until_saved()
    await laptop.until_shown_near(stopped_ms)


async def test_demo_shows_three_devices_in_step(new_device: NewDevice, system: System) -> None:
    phone = await new_device("phone")
    code = TokenIssuer(system.keys.signing).issue("sign-in", phone.student, "Pat")
    page = await phone.page.context.new_page()
    await page.goto(f"{system.settings.web_url}/demo#sign-in={code}")
    frame = page.frame_locator("iframe").nth(1)
    await expect(frame.get_by_test_id("play").first).to_be_visible(timeout=WAIT_MS)
    await expect(frame.get_by_test_id("status").first).to_have_attribute(
        "data-state", "online", timeout=WAIT_MS
    )
    await frame.get_by_test_id("play").first.click()
    await expect(page.get_by_test_id("demo-baton-laptop")).to_be_visible(timeout=WAIT_MS)
    television = page.frame_locator("iframe").nth(2)
    await expect(television.get_by_test_id("baton")).to_have_text("Playing on Laptop", timeout=WAIT_MS)
    await frame.get_by_test_id("play").first.click()
    await expect(page.get_by_test_id("demo-saved-laptop")).to_have_text("Saved", timeout=WAIT_MS)
    stopped = await page.get_by_test_id("demo-position-laptop").inner_text()
    await expect(page.get_by_test_id("demo-position-tv")).to_have_text(stopped, timeout=WAIT_MS)
    await expect(page.get_by_test_id("demo-position-phone")).to_have_text(stopped, timeout=WAIT_MS)
