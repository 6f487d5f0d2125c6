"""Documents in a browser: read by scrolling, followed on another device, found, saved; texts made safe."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.papers import (
    HEAD,
    PAGES,
    PARTS,
    PLACE,
    READING,
    SCROLL,
    WORD,
    Papers,
    open_paper,
    wheel_to,
    write_papers,
)
from tests.browser.person import SLOW_MS, SOON_MS, WAIT_MS, Screen

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def papers(whole: System, lecture: str, tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return await write_papers(whole, tmp_path_factory.mktemp("papers"))


async def row(system: System, student: str, item: str) -> dict[str, Any]:
    """What is committed of the student's progress in the item; empty if nothing is."""
    found = await system.postgres.row(
        "SELECT position_ms, content_ms, coverage FROM progress WHERE student = $1 AND item = $2",
        student,
        item,
    )
    return dict(found) if found is not None else {}


def pages_of(found: dict[str, Any]) -> set[int]:
    """The pages covered whole."""
    return {page for span in found["coverage"] for page in range(-(-span.lower // 1000), span.upper // 1000)}


async def until_saved(screen: Screen) -> None:
    await screen.until("(({entries, unsaved_ms}) => !entries && !unsaved_ms)(window.playhead.client.state)")


async def test_r1_r5_pages_are_read_and_the_place_follows_to_the_other_device(
    new_device: NewDevice, system: System, papers: Papers
) -> None:
    phone, laptop = await new_device("phone", width=390), await new_device("laptop")
    await open_paper(laptop, papers.pdf)
    await open_paper(phone, papers.pdf)
    await expect(laptop.by("page-field")).to_have_value("1")
    await wheel_to(laptop, 2_000)
    await laptop.until(f"{HEAD} > 1900")
    await phone.until(f"Math.abs({PLACE} - 2000) < 100")
    await laptop.until("window.playhead.player.pending_ms >= 1000")
    await wheel_to(laptop, 5_000)
    await phone.until(f"Math.abs({PLACE} - 5000) < 100")
    await expect(laptop.by("page-field")).to_have_value("6")
    await laptop.page.evaluate("location.hash = '#/'")
    await until_saved(laptop)
    found = await row(system, laptop.student, papers.pdf)
    assert abs(found["position_ms"] - 5_000) <= 100
    assert 2 in pages_of(found) and not {3, 4} & pages_of(found), "what flew past is not read"
    head = await phone.page.evaluate("window.playhead.player.head")
    assert head["playing"] is False and head["device_name"] == "Laptop"
    await open_paper(laptop, papers.pdf)
    await laptop.until(f"Math.abs({PLACE} - 5000) < 100")


async def test_r10_who_scrolls_is_offered_the_other_place_and_not_led_away(
    new_device: NewDevice, papers: Papers
) -> None:
    phone, laptop = await new_device("phone", width=390), await new_device("laptop")
    await open_paper(laptop, papers.pdf)
    await open_paper(phone, papers.pdf)
    await wheel_to(laptop, 1_000)
    await phone.until(f"Math.abs({PLACE} - 1000) < 100")
    # Both hands at once: the laptop scrolls while the phone turns to page 7.
    await wheel_to(laptop, 1_500)
    await phone.by("page-field").fill("7")
    await wheel_to(laptop, 1_600)
    await phone.by("page-field").press("Enter")
    await expect(laptop.by("elsewhere")).to_contain_text("page 7", timeout=SOON_MS)
    assert abs(await laptop.page.evaluate(PLACE) - 1_600) < 150
    await laptop.by("continue-here").click()
    await laptop.until(f"Math.abs({PLACE} - 6000) < 100")
    await expect(laptop.by("elsewhere")).to_be_hidden(timeout=SOON_MS)
    await laptop.until("window.playhead.player.head.device === window.playhead.client.device.id")


async def test_zoom_keys_and_the_page_number_keep_the_place(new_device: NewDevice, papers: Papers) -> None:
    laptop = await new_device("laptop")
    await open_paper(laptop, papers.pdf)
    await laptop.by("page-field").fill("4")
    await laptop.by("page-field").press("Enter")
    await laptop.until(f"{PLACE} === 3000")
    for size in ("page-fit", "1.5", "page-width"):
        await laptop.by("zoom").select_option(size)
        await laptop.until(f"Math.abs({PLACE} - 3000) <= 20")
    await laptop.by("reading").focus()
    before = await laptop.page.evaluate(f"{READING}.scrollHeight")
    await laptop.page.keyboard.press("+")
    await laptop.until(f"{READING}.scrollHeight > {before}")
    await laptop.page.keyboard.press("ArrowRight")
    await laptop.until(f"Math.abs({PLACE} - 4000) <= 20")
    await laptop.page.set_viewport_size({"width": 800, "height": 900})
    await laptop.until(f"Math.abs({PLACE} - 4000) <= 20")
    await laptop.page.keyboard.press("End")
    await laptop.until(f"{PLACE} >= {(PAGES - 1) * 1000}")
    drawn = "document.querySelectorAll('.pdfViewer canvas').length"
    assert 0 < await laptop.page.evaluate(drawn) <= PAGES


async def test_r7_who_has_read_nine_tenths_is_done(new_device: NewDevice, papers: Papers) -> None:
    laptop = await new_device("laptop")
    await open_paper(laptop, papers.pdf)
    await laptop.by("zoom").select_option("page-fit")
    for page in range(1, PAGES + 1):
        await laptop.by("page-field").fill(str(page))
        await laptop.by("page-field").press("Enter")
        await laptop.until(f"{PLACE} === {(page - 1) * 1000}")
        await laptop.until("window.playhead.player.pending_ms >= 1000")
    await laptop.page.evaluate("window.playhead.client.flush()")
    await expect(laptop.by("mark-done")).to_have_text("Done", timeout=SLOW_MS)
    await expect(laptop.by("seen")).to_contain_text("% read")


async def test_words_are_found_on_pages_not_drawn_yet(new_device: NewDevice, papers: Papers) -> None:
    laptop = await new_device("laptop")
    await open_paper(laptop, papers.pdf)
    await laptop.by("reading").focus()
    await laptop.page.keyboard.press("Control+f")
    await expect(laptop.by("find-field")).to_be_focused()
    await laptop.by("find-field").fill(WORD)
    await expect(laptop.by("find-hits")).to_have_text("1 of 1", timeout=WAIT_MS)
    await laptop.until(f"{PLACE} > {(PAGES - 2) * 1000}")
    await expect(laptop.page.locator(".textLayer .highlight").first).to_have_text(WORD, timeout=WAIT_MS)
    await laptop.by("find-field").fill("no such word")
    await expect(laptop.by("find-hits")).to_have_text("Not found", timeout=WAIT_MS)


async def test_the_file_is_saved_under_its_title(
    new_device: NewDevice, papers: Papers, tmp_path: Path
) -> None:
    laptop = await new_device("laptop")
    await open_paper(laptop, papers.pdf)
    async with laptop.page.expect_download(timeout=WAIT_MS) as saving:
        await laptop.by("save-file").click()
    saved = await saving.value
    assert saved.suggested_filename == "A handout.pdf"
    await saved.save_as(tmp_path / "saved.pdf")
    assert (tmp_path / "saved.pdf").stat().st_size == papers.length_bytes


async def test_r4_undo_goes_back_over_a_jump(new_device: NewDevice, papers: Papers) -> None:
    laptop = await new_device("laptop")
    await open_paper(laptop, papers.pdf)
    await wheel_to(laptop, 1_000)
    await laptop.until(f"Math.abs({HEAD} - 1000) < 60")
    await laptop.by("page-field").fill("8")
    await laptop.by("page-field").press("Enter")
    await laptop.until(f"{HEAD} === 7000")
    await laptop.by("undo").click()
    await laptop.until(f"Math.abs({PLACE} - 1000) < 60")


async def test_a_text_is_made_safe_and_read_by_scrolling(
    new_device: NewDevice, system: System, papers: Papers
) -> None:
    laptop, phone = await new_device("laptop"), await new_device("phone", width=390)
    await open_paper(laptop, papers.text)
    text = laptop.page.locator(".prose")
    await expect(text.locator("strong")).to_have_text("Bold")
    assert await laptop.page.evaluate("window.hurt") is None
    for forbidden in ("script", "iframe", "form", "input", "style", "svg"):
        await expect(text.locator(forbidden)).to_have_count(0)
    hrefs = await text.locator("a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
    assert hrefs == [None, "https://example.org"], json.dumps(hrefs)
    await expect(text.locator("a").last).to_have_attribute("rel", re.compile("noopener"))
    await wheel_to(laptop, 2_000)
    await laptop.until(f"Math.abs({HEAD} - 2000) < 60")
    await open_paper(phone, papers.text)
    await phone.until(f"Math.abs({PLACE} - 2000) < 60")
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    await laptop.until("window.playhead.player.pending_ms >= 1000")
    await laptop.page.evaluate("location.hash = '#/'")
    await until_saved(laptop)
    found = await row(system, laptop.student, papers.text)
    assert pages_of(found) <= set(range(PARTS)) and pages_of(found)


async def test_on_a_phone_the_pages_have_the_screen(new_device: NewDevice, papers: Papers) -> None:
    phone = await new_device("phone", width=390)
    await open_paper(phone, papers.pdf)
    box = await phone.by("reading").bounding_box()
    assert box is not None
    assert box["width"] >= 388 and box["height"] >= 450
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    field = await phone.by("page-field").bounding_box()
    assert field is not None and field["height"] >= 40
    assert await phone.page.evaluate(SCROLL) == 0
