"""The history of a lecture: each change of its playhead with its rule, and why (R3, R4)."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import NewDevice
from tests.browser.person import SLOW_MS, SOON_MS, drift_apart

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]


async def test_r4_the_history_tells_who_won_why_and_what_the_other_had(new_device: NewDevice) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    await drift_apart(phone, laptop)
    toggle = phone.by("history-toggle")
    await toggle.focus()
    await phone.page.keyboard.press("Enter")
    await expect(toggle).to_have_attribute("aria-expanded", "true")
    now = phone.by("now")
    await expect(now.get_by_test_id("why-sentence")).to_contain_text("Laptop", timeout=SLOW_MS)
    await expect(now.locator(".why__rule")).to_contain_text("R3")
    lane = ".lane:has(b:text-is('%s'))"
    await expect(now.locator(lane % "Laptop").first).to_have_attribute("data-outcome", "won")
    lost = now.locator(lane % "Phone").first
    await expect(lost).to_have_attribute("data-outcome", re.compile("offered|lost"))
    await expect(now.locator("[role=img]")).to_have_attribute(
        "aria-label", re.compile("^You are at 1 minute 3")
    )
    moved = phone.by("change").filter(has_text=re.compile("on Laptop at")).first
    why = moved.get_by_test_id("why-toggle")
    await why.focus()
    await phone.page.keyboard.press("Enter")
    await expect(moved.get_by_test_id("why-sentence")).to_contain_text("Laptop", timeout=SOON_MS)


async def test_r4_no_place_is_promised_while_an_undo_may_go_elsewhere(new_device: NewDevice) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    await laptop.press_play()
    await phone.by("continue-here").click(timeout=SLOW_MS)
    await expect(laptop.by("toast")).to_have_text("Now on Phone", timeout=SOON_MS)
    await phone.until("document.querySelector('[data-testid=player]').dataset.phase === 'playing'")
    await phone.pause()
    await phone.until_saved()
    for screen in (phone, laptop):
        await expect(screen.by("undo")).to_have_text("Undo last move")
    await phone.go_offline()
    await phone.seek(63_000)
    await phone.play_for(6_000)
    await expect(phone.by("undo")).to_have_text("Undo last move")


async def test_r4_an_open_history_hears_of_a_change_and_undoes_it(new_device: NewDevice) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop", width=390)
    first_ms = await phone.play_for(6_500)
    await phone.until_saved()
    await laptop.until_shown_near(first_ms)
    await laptop.by("history-toggle").click()
    await phone.seek(63_000)
    await phone.play_for(6_000)
    newest = laptop.by("change").first
    await expect(newest).to_contain_text("Phone", timeout=SLOW_MS)
    await expect(newest).to_contain_text("1:0", timeout=SLOW_MS)
    await expect(laptop.by("undo")).to_have_text("Undo: back to 0:06", timeout=SOON_MS)
    assert await laptop.page.evaluate("document.documentElement.scrollWidth") <= 390
    await newest.get_by_test_id("history-undo").click()
    await laptop.until_shown_near(first_ms)
    await phone.until_shown_near(first_ms)
    await expect(laptop.by("change").first).to_contain_text("undo", ignore_case=True, timeout=SLOW_MS)
