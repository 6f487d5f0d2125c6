"""No page has a serious fault for people who see, hear or move otherwise: axe, wide and narrow."""

import uuid
from collections.abc import AsyncIterator
from pprint import pformat
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from gateway.demo_course import COURSE
from tests.acceptance.system import System
from tests.browser.person import SOON_MS, WAIT_MS, Screen
from tests.browser.visiting import course, enrol, open_page, person, quiz, text, video, visit
from tests.requirements import VENDORED

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]

AXE = VENDORED / "axe-core" / "axe.min.js"
RUN = """
axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  resultTypes: ["violations"],
}).then(({ violations }) => violations.map(({ id, impact, help, nodes }) => ({
  id, impact, help, nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => html + " | " + failureSummary),
})))
"""
SERIOUS = ("serious", "critical")


async def faults(screen: Screen) -> list[dict[str, Any]]:
    """What axe finds serious on the page as it is now."""
    # Colours that are on their way to others are no colours to judge.
    await screen.page.emulate_media(reduced_motion="reduce")
    await screen.until("document.getAnimations().every((each) => each.playState !== 'running')")
    if not await screen.page.evaluate("'axe' in window"):
        await screen.page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = await screen.page.evaluate(RUN)
    return [fault for fault in found if fault["impact"] in SERIOUS]


class School:
    """Somebody who learns and teaches, and a course with everything in it."""

    def __init__(self, student: str, course_id: str, text_id: str, lecture: str, other: str) -> None:
        self.student = student
        self.course, self.text, self.lecture, self.other = course_id, text_id, lecture, other


@pytest_asyncio.fixture(loop_scope="session")
async def school(system: System, lecture: str) -> AsyncIterator[School]:
    """Made once for a test: a person in three roles, a lecture, and a course nobody has joined."""
    mark = uuid.uuid4().hex[:8]
    student = await person(system, "Mira", may_teach=True)
    items = [video(f"v-{mark}", "A video"), text(f"t-{mark}", "A text"), quiz(f"q-{mark}", "A quiz")]
    made = await course(
        system, f"Everything {mark}", [("One", items[:2]), ("Two", items[2:])], difficulty="beginner"
    )
    other = await course(system, f"Nobody's {mark}", language="en")
    await enrol(system, student, made, "instructor")
    await enrol(system, student, COURSE)
    yield School(student, made, f"t-{mark}", lecture, other)


PAGES = [
    ("home", "#/", "[data-testid=course]"),
    ("browse", "#/browse", "[data-testid=result]"),
    ("nothing found", "#/browse?q=qqqqqqqqqqqq", "text=Nothing found"),
    ("course", "#/courses/{course}", "[data-testid=item]"),
    ("outline", "#/courses/{other}", "[data-testid=enrol]"),
    ("lecture", "#/watch/{lecture}", "[data-testid=play]"),
    ("text", "#/read/{text}", "main h1"),
    ("downloads", "#/downloads", "main h1"),
    ("teaching", "#/teach", "[data-testid=teaching-course]"),
    ("editor", "#/teach/{course}", "[data-testid=draft-item]"),
    ("preview", "#/teach/{course}/preview", "[data-testid=preview-note]"),
    ("nothing here", "#/courses/none", "text=Nothing here"),
]


@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (390, True)], ids=["wide and light", "phone and dark"]
)
async def test_no_page_has_a_serious_fault(
    chromium: Browser, system: System, school: School, width: int, dark: bool
) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    async with visit(chromium, system, school.student, width=width, dark=dark) as screen:
        for name, hash_, ready in PAGES:
            await open_page(screen, hash_.format(**vars(school)))
            await expect(screen.page.locator(ready).first).to_be_visible(timeout=WAIT_MS)
            if serious := await faults(screen):
                found[name] = serious
    assert not found, pformat(found, width=160)


async def test_what_opens_on_a_page_has_no_serious_fault(
    chromium: Browser, system: System, school: School
) -> None:
    found: dict[str, list[dict[str, Any]]] = {}

    async def look(name: str, screen: Screen) -> None:
        if serious := await faults(screen):
            found[name] = serious

    async with visit(chromium, system, school.student, "#/browse", width=390) as screen:
        await screen.by("search").press_sequentially("Every", delay=20)
        await expect(screen.by("offer").first).to_be_visible(timeout=SOON_MS)
        await look("offers", screen)
        await screen.by("search").press("Escape")
        await screen.by("filters").click()
        await expect(screen.by("facets")).to_be_visible()
        await look("facets", screen)
    async with visit(chromium, system, school.student, f"#/teach/{school.course}") as screen:
        for toggle in await screen.by("item-open").all():
            await toggle.click()
        await screen.by("people").locator("summary").click()
        await look("open items", screen)
        await screen.by("course-title").fill("Another")
        await screen.by("publish").click()
        await expect(screen.by("publish-dialog")).to_be_visible(timeout=SOON_MS)
        await look("publish", screen)
    assert not found, pformat(found, width=160)


async def test_the_way_in_has_no_serious_fault(chromium: Browser, system: System) -> None:
    for path in ("/", "/demo", "/no/such/page"):
        context = await chromium.new_context()
        screen = Screen(await context.new_page(), "")
        await screen.page.goto(system.settings.web_url + path)
        await expect(screen.page.locator("h1").first).to_be_visible(timeout=WAIT_MS)
        assert not (found := await faults(screen)), f"{path}: {pformat(found, width=160)}"
        await context.close()
