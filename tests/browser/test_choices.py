"""What a student can say about the playhead: the other place, undo, start afresh, look around (R1, R4)."""

import re

import pytest
from playwright.async_api import expect

from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.person import SLOW_MS, SOON_MS, TIME, drift_apart
from tests.browser.records import record

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]

SKEWED = """
(() => {
  const True = Date, by_ms = %d;
  globalThis.Date = class Date extends True {
    constructor(...given) { given.length ? super(...given) : super(True.now() + by_ms); }
    static now() { return True.now() + by_ms; }
  };
})()
"""
HOUR_MS = 3_600_000
NOTE_HINTS = """
(() => {
  window.hints = new Set();
  const look = () => {
    const hint = document.querySelector("[data-testid=nearby]");
    if (hint && !hint.hidden) window.hints.add(hint.textContent);
  };
  const all = { subtree: true, attributes: true, childList: true, characterData: true };
  new MutationObserver(look).observe(document.body, all);
})()
"""
"""Keeps every hint that was shown, however briefly: a test need not look in time."""


async def test_r4_the_other_position_is_offered_and_taken_on_both(
    new_device: NewDevice, system: System
) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    phone_ms, laptop_ms = await drift_apart(phone, laptop)
    for screen in (phone, laptop):
        await expect(screen.by("candidate")).to_contain_text("on Phone", timeout=SOON_MS)
    await laptop.by("candidate-go").click()
    await laptop.until_shown_near(phone_ms)
    await phone.until_shown_near(phone_ms)
    await laptop.until_saved()
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - phone_ms) <= 1_000
    assert kept.covers(40_000, phone_ms) and kept.covers(90_000, laptop_ms)
    await expect(phone.by("candidate")).to_be_hidden(timeout=SOON_MS)


async def test_r3_a_clock_an_hour_ahead_wins_nothing_and_loses_nothing(
    new_device: NewDevice, system: System
) -> None:
    phone, laptop = await new_device("phone", script=SKEWED % HOUR_MS), await new_device("laptop")
    await expect(phone.by("state-note")).to_contain_text("1 h ahead; nothing is lost", timeout=SOON_MS)
    await expect(laptop.by("state-note")).to_have_count(0)
    phone_ms, laptop_ms = await drift_apart(phone, laptop)
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - laptop_ms) <= 1_000, "Laptop acted later, whatever Phone's clock says"
    assert kept.covers(40_000, phone_ms) and kept.covers(90_000, laptop_ms)
    await phone.by("history-toggle").click()
    await expect(phone.by("change").first.locator("time")).to_have_text(
        re.compile("just now|min ago"), timeout=SOON_MS
    )
    on_ms = await phone.play_for(6_000)
    await phone.until_saved()
    await laptop.until_shown_near(on_ms)


async def test_r4_undo_is_seen_on_both_devices(new_device: NewDevice, system: System) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    first_ms = await phone.play_for(6_500)
    await phone.until_saved()
    await laptop.until_shown_near(first_ms)
    await laptop.seek(60_000)
    moved_ms = await laptop.play_for(6_000)
    await laptop.until_saved()
    await phone.until_shown_near(moved_ms)
    await laptop.by("undo").click()
    await laptop.until_shown_near(first_ms)
    await phone.until_shown_near(first_ms)
    await expect(laptop.by("toast")).to_contain_text("Undone on all your devices", timeout=SOON_MS)
    await expect(phone.by("toast")).to_contain_text("on Laptop", timeout=SOON_MS)
    await laptop.until_saved()
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - first_ms) <= 1_000
    assert kept.covers(60_000, moved_ms), "an undo takes no second back"


async def test_r7_start_afresh_asks_and_can_be_left(new_device: NewDevice, system: System) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    stopped_ms = await phone.play_for(6_500)
    await phone.until_saved()
    await phone.by("reset").click()
    await expect(phone.by("reset-dialog-cancel")).to_be_focused()
    await phone.page.keyboard.press("Escape")
    await expect(phone.by("reset-dialog")).to_have_count(0)
    await phone.by("reset").click()
    await phone.by("reset-dialog-cancel").click()
    await phone.until_saved()
    assert abs((await record(system, phone.student)).position_ms - stopped_ms) <= 1_000
    await phone.by("reset").click()
    await phone.by("reset-dialog-yes").click()
    await laptop.until_shown_near(0)
    await phone.until_saved()
    kept = await record(system, phone.student)
    assert (kept.position_ms, kept.spans) == (0, [])
    assert abs(kept.content_ms - stopped_ms) <= 1_000, "time watched stays"


async def test_r7_a_tick_moves_nothing_and_taking_it_back_asks(new_device: NewDevice, system: System) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    stopped_ms = await laptop.play_for(6_500)
    await laptop.until_saved()
    await phone.until_shown_near(stopped_ms)
    await phone.by("mark-done").click()
    await expect(laptop.by("toast")).to_have_text("Marked done", timeout=SOON_MS)
    await expect(phone.by("toast")).to_be_hidden()
    await phone.by("mark-done").click()
    await expect(phone.by("not-done-dialog")).to_contain_text("starts from zero")
    await phone.by("not-done-dialog-cancel").click()
    await expect(phone.by("mark-done")).to_have_text("Done")
    await phone.until_saved()
    assert (await record(system, phone.student)).spans, "Cancel clears nothing"
    await phone.by("mark-done").click()
    await phone.by("not-done-dialog-yes").click()
    await expect(laptop.by("toast")).to_contain_text("Not done any more", timeout=SOON_MS)
    await laptop.until_shown_near(stopped_ms)
    await expect(laptop.by("undo")).to_have_text("Undo: mark as done again", timeout=SLOW_MS)
    await laptop.by("reset").click()
    await expect(laptop.by("toast")).to_be_hidden()
    await laptop.by("reset-dialog-yes").click()
    await expect(phone.by("toast")).to_have_text("Started afresh on Laptop", timeout=SOON_MS)
    await expect(laptop.by("toast")).to_be_hidden()


async def test_r1_looking_around_moves_nothing_and_leads_back(new_device: NewDevice, system: System) -> None:
    phone, laptop = await new_device("phone"), await new_device("laptop")
    stopped_ms = await phone.play_for(6_500)
    await phone.until_saved()
    await laptop.page.evaluate(f"location.hash = '#/watch/{laptop.item}?t=90'")
    await laptop.until_shown_near(90_000)
    await laptop.press_play()
    await laptop.until_played_to(96_000)
    await expect(laptop.by("peek")).to_contain_text("Back to 0:06")
    await phone.until_shown_near(stopped_ms)
    assert abs((await record(system, phone.student)).position_ms - stopped_ms) <= 1_000
    await laptop.by("peek-back").click()
    await laptop.until(f"{TIME} < 60000")
    back_ms = await laptop.pause()
    assert 0 <= back_ms - stopped_ms < 10_000
    await laptop.until_shown_near(back_ms)
    await expect(laptop.by("peek")).to_be_hidden(timeout=SOON_MS)
    await laptop.until_saved()
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - back_ms) <= 1_000
    assert kept.covers(90_000, 96_000), "what was seen in a peek is seen"


async def test_p12_a_player_that_just_starts_is_hinted_before_the_head_says_so(
    new_device: NewDevice,
) -> None:
    laptop, phone = await new_device("laptop"), await new_device("phone", width=390)
    await phone.page.evaluate(NOTE_HINTS)
    await laptop.press_play()
    await phone.until("window.hints.has('Laptop is starting to play')")
    await expect(phone.by("continue-here")).to_be_visible(timeout=SLOW_MS)
    await expect(phone.by("nearby")).to_be_hidden(timeout=SOON_MS)


async def test_r10_on_a_phone_the_card_covers_no_lecture(new_device: NewDevice) -> None:
    laptop, phone = await new_device("laptop"), await new_device("phone", width=390)
    await laptop.press_play()
    await expect(phone.by("continue-here")).to_be_visible(timeout=SLOW_MS)
    stage = await phone.by("player").bounding_box()
    card = await phone.by("continue-here").bounding_box()
    assert stage and card
    assert card["y"] >= stage["y"] + stage["height"], "below the picture"
    assert card["x"] + card["width"] <= 390 and card["height"] >= 44, "a thumb reaches it"
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    await phone.by("continue-here").click()
    await laptop.until("document.querySelector('video').paused")
