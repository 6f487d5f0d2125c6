"""Links that are of no use: said once, plainly, and not tried again."""

import pytest
from playwright.async_api import expect

from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.person import SOON_MS, WAIT_MS

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(120)]


async def test_a_bad_code_is_said_once_on_the_demo_page(new_device: NewDevice, system: System) -> None:
    phone = await new_device("phone")
    page = await phone.page.context.new_page()
    await page.goto(f"{system.settings.web_url}/demo#sign-in=no-such-code")
    await expect(page.get_by_test_id("link-problem")).to_contain_text("run out", timeout=WAIT_MS)
    await expect(page.locator("iframe")).to_have_count(0)
    await page.reload()
    await expect(page.get_by_label("Sign-in link")).to_be_visible(timeout=WAIT_MS)
    await expect(page.get_by_test_id("link-problem")).to_have_count(0)


async def test_a_bad_link_does_not_go_on_silently_as_somebody_else(
    new_device: NewDevice, system: System
) -> None:
    phone = await new_device("phone")
    page = await phone.page.context.new_page()
    await page.goto(f"{system.settings.web_url}/#sign-in=no-such-code")
    await expect(page.get_by_test_id("signed-out")).to_contain_text("did not work", timeout=WAIT_MS)
    await page.get_by_role("button", name="Go on as Pat").click()
    await expect(page.get_by_test_id("continue-card")).to_be_visible(timeout=SOON_MS)


async def test_a_page_that_is_not_there_reads_as_a_page(new_device: NewDevice, system: System) -> None:
    phone = await new_device("phone")
    page = await phone.page.context.new_page()
    answer = await page.goto(f"{system.settings.web_url}/no/such/page")
    assert answer is not None and answer.status == 404
    await expect(page.get_by_role("heading")).to_have_text("There is no such page")
    await page.get_by_role("link", name="Your courses").click()
    await expect(page.get_by_test_id("continue-card")).to_be_visible(timeout=WAIT_MS)


async def test_a_copied_link_can_be_pasted_where_nobody_was_ever_signed_in(
    new_device: NewDevice, system: System
) -> None:
    phone = await new_device("phone")
    browser = phone.page.context.browser
    assert browser is not None
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{system.settings.web_url}/")
    await expect(page.get_by_test_id("signed-out")).to_be_visible(timeout=WAIT_MS)
    await expect(page.get_by_test_id("journal-kept")).to_be_hidden()
    await page.get_by_label("Sign-in link").fill(phone.link.replace("device=phone", "device=tv"))
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_test_id("continue-card")).to_be_visible(timeout=WAIT_MS)
    assert await page.evaluate("window.playhead.client.device.kind") == "tv"
    await page.evaluate("localStorage.clear()")
    await page.goto(f"{system.settings.web_url}/")
    await expect(page.get_by_test_id("journal-kept")).to_be_visible(timeout=WAIT_MS)
    await context.close()
