"""The page of a course: where one stands in each item, what to go on with, coming and leaving."""

import re
import uuid

import pytest
from playwright.async_api import Browser, expect

from gateway.demo_course import COURSE
from persistence.courses import ItemContent
from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.person import SOON_MS, Screen
from tests.browser.visiting import course, enrol, open_page, person, quiz, text, video, visit

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(180)]


async def mixed(system: System) -> str:
    """A course with something of every kind, and of one nobody knows."""
    mark = uuid.uuid4().hex[:8]
    return await course(
        system,
        f"All kinds {mark}",
        [
            ("Begin", [video(f"v-{mark}", "Watch this"), text(f"t-{mark}", "Read this")]),
            (
                "End",
                [quiz(f"q-{mark}", "Answer this"), ItemContent(f"h-{mark}", "hologram", "Walk around this")],
            ),
        ],
        instructor="Mira",
        difficulty="beginner",
        language="de",
        category="Science",
    )


async def test_items_of_every_kind_are_shown_and_those_that_open_are_links(
    chromium: Browser, system: System
) -> None:
    student, id_ = await person(system), await mixed(system)
    await enrol(system, student, id_)
    async with visit(chromium, system, student, f"#/courses/{id_}") as screen:
        rows = screen.by("item")
        await expect(rows).to_have_count(4, timeout=SOON_MS)
        links = [await row.get_attribute("href") for row in await rows.all()]
        mark = links[0].rpartition("-")[2] if links[0] else ""
        assert links == [f"#/watch/v-{mark}", f"#/read/t-{mark}", None, None]
        await expect(rows.nth(3)).to_contain_text("hologram")
        await expect(screen.by("course-done")).to_have_text("0 of 4 items done")
        await expect(screen.by("course-continue")).to_have_text("Start: Watch this")
        for words in ("Mira", "Beginner", "German", "Science"):
            await expect(screen.page.locator("header.course")).to_contain_text(words)


async def test_the_page_follows_a_lecture_that_plays_elsewhere_and_goes_on_where_it_stopped(
    new_device: NewDevice, chromium: Browser, system: System
) -> None:
    phone = await new_device("phone")
    async with visit(chromium, system, phone.student, f"#/courses/{COURSE}") as laptop:
        row = laptop.page.locator(f'[data-testid=item][data-item="{phone.item}"]')
        await expect(row).to_have_attribute("data-state", "new", timeout=SOON_MS)
        await phone.seek(30_000)
        await phone.press_play()
        await expect(row).to_contain_text("on Phone", timeout=SOON_MS)
        stopped_ms = await phone.play_to_pause(await phone.time_ms() + 7_000)
        await expect(row).to_contain_text(f"at {clock(stopped_ms)}", timeout=SOON_MS)
        await expect(laptop.by("course-continue")).to_have_text(
            re.compile(rf"^Continue: .* at {clock(stopped_ms)}$"), timeout=SOON_MS
        )
        await phone.by("mark-done").click()
        await expect(row).to_have_attribute("data-state", "done", timeout=SOON_MS)
        await expect(laptop.by("course-done")).to_have_text(re.compile(r"^1 of "), timeout=SOON_MS)


async def test_when_a_lecture_is_done_the_next_one_is_what_goes_on(chromium: Browser, system: System) -> None:
    student, mark = await person(system), uuid.uuid4().hex[:8]
    id_ = await course(system, "Two", [("", [video(f"x-{mark}", "First"), video(f"y-{mark}", "Second")])])
    await enrol(system, student, id_)
    async with visit(chromium, system, student) as screen:
        card = screen.by("continue-card")
        await expect(card).to_have_attribute("data-item", f"x-{mark}", timeout=SOON_MS)
        await expect(card).to_contain_text("Start here")
        await open_page(screen, f"#/watch/x-{mark}")
        await screen.by("mark-done").click(timeout=SOON_MS)
        await expect(screen.by("mark-done")).to_have_attribute("aria-pressed", "true", timeout=SOON_MS)
        await open_page(screen, "#/")
        await expect(card).to_have_attribute("data-item", f"y-{mark}", timeout=SOON_MS)
        await expect(card).to_contain_text("Next up")
        await open_page(screen, f"#/courses/{id_}")
        await expect(screen.by("course-continue")).to_have_text("Continue: Second", timeout=SOON_MS)


async def test_who_is_not_in_a_course_sees_its_outline_and_may_come_and_go(
    chromium: Browser, system: System
) -> None:
    student, id_ = await person(system), await mixed(system)
    async with visit(chromium, system, student, f"#/courses/{id_}") as screen:
        await expect(screen.by("outline").locator("[data-testid=item]")).to_have_count(4, timeout=SOON_MS)
        await expect(screen.page.locator("a.item")).to_have_count(0)
        await screen.by("enrol").click()
        await expect(screen.by("course-continue")).to_be_visible(timeout=SOON_MS)
        await open_page(screen, "#/")
        await expect(screen.by("course")).to_have_count(1, timeout=SOON_MS)
        await screen.by("course").click()
        await screen.by("leave-course").click()
        await screen.by("leave-dialog-yes").click()
        await expect(screen.page.get_by_role("heading", name="No courses yet")).to_be_visible(timeout=SOON_MS)
        await open_page(screen, f"#/courses/{id_}")
        await expect(screen.by("enrol")).to_be_visible(timeout=SOON_MS)


async def test_a_course_that_does_not_exist_reads_as_nothing_here(chromium: Browser, system: System) -> None:
    async with visit(chromium, system, await person(system)) as screen:
        await open_page(screen, "#/courses/no-such-course")
        await expect(screen.page.get_by_role("heading", name="Nothing here")).to_be_visible(timeout=SOON_MS)


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_pages_lead_to_each_other_at_every_width(
    chromium: Browser, system: System, width: int
) -> None:
    async with visit(chromium, system, await person(system), width=width) as screen:
        await expect(screen.by("nav-teach")).to_be_hidden()
        for name, hash_ in (("browse", "#/browse"), ("home", "#/")):
            await screen.by(f"nav-{name}").click()
            await expect(screen.by(f"nav-{name}")).to_have_attribute("aria-current", "page")
            assert screen.page.url.endswith(hash_)
        await fits(screen)


async def fits(screen: Screen) -> None:
    """Nothing is wider than the page."""
    assert await screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def clock(ms: float) -> str:
    """As the page writes a place."""
    return f"{int(ms) // 60_000}:{int(ms) // 1000 % 60:02}"
