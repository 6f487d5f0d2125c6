"""Browse: one finds a course by typing, by facets and by going back; and reads text, never markup."""

import asyncio
import re
import uuid

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from tests.acceptance.system import System
from tests.browser.person import SOON_MS, Screen
from tests.browser.visiting import course, enrol, person, visit

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(120)]


async def words(system: System) -> tuple[str, list[str]]:
    """Three courses that nobody else's search finds: the word they share, and their ids."""
    word = f"zy{uuid.uuid4().hex[:8]}"
    made = [
        await course(
            system, f"{word} for beginners", difficulty="beginner", language="en", category="Science"
        ),
        await course(system, f"Advanced {word}", difficulty="advanced", language="de", category="Science"),
        await course(
            system,
            "Something else",
            difficulty="advanced",
            language="en",
            category="Arts",
            description=f"Mentions {word} <img src=x onerror=alert(1)> once.",
        ),
    ]
    return word, made


async def test_a_search_stands_in_the_address_and_going_back_finds_it(
    chromium: Browser, system: System
) -> None:
    word, made = await words(system)
    async with visit(chromium, system, await person(system), "#/browse") as screen:
        await screen.by("search").fill(word)
        await screen.by("search").press("Enter")
        await expect(screen.by("result-count")).to_have_text(f"3 courses for “{word}”", timeout=SOON_MS)
        assert f"q={word}" in screen.page.url
        await facet(screen, "difficulty:advanced").click()
        await expect(screen.by("result")).to_have_count(2, timeout=SOON_MS)
        await expect(facet(screen, "difficulty:advanced")).to_have_attribute("aria-pressed", "true")
        await expect(facet(screen, "difficulty:advanced")).to_be_focused()
        await facet(screen, "language:de").click()
        await expect(screen.by("result")).to_have_count(1, timeout=SOON_MS)
        await screen.by("result").click()
        await expect(screen.page.get_by_role("heading", level=1)).to_have_text(
            f"Advanced {word}", timeout=SOON_MS
        )
        await screen.page.go_back()
        await expect(screen.by("result")).to_have_count(1, timeout=SOON_MS)
        await screen.page.go_back()
        await expect(screen.by("result")).to_have_count(2, timeout=SOON_MS)
        await screen.page.go_back()
        await expect(screen.by("result")).to_have_count(3, timeout=SOON_MS)
        assert await screen.by("search").input_value() == word
        assert {await each.get_attribute("data-course") for each in await screen.by("result").all()} == set(
            made
        )


async def test_hits_stand_out_and_what_a_course_says_is_never_markup(
    chromium: Browser, system: System
) -> None:
    word, _made = await words(system)
    async with visit(chromium, system, await person(system), f"#/browse?q={word}") as screen:
        other = screen.by("result").filter(has_text="Something else")
        await expect(other.locator("mark")).to_have_text(word, timeout=SOON_MS)
        await expect(other).to_contain_text("<img src=x onerror=alert(1)>")
        await expect(screen.page.locator("[data-testid=result] img[src=x]")).to_have_count(0)


async def test_titles_are_offered_while_one_types_and_chosen_by_keyboard(
    chromium: Browser, system: System
) -> None:
    word, _made = await words(system)
    async with visit(chromium, system, await person(system), "#/browse") as screen:
        field = screen.by("search")
        await field.press_sequentially(word[:6], delay=20)
        await expect(screen.by("offer").first).to_be_visible(timeout=SOON_MS)
        await expect(field).to_have_attribute("aria-expanded", "true")
        await field.press("ArrowDown")
        active = await field.get_attribute("aria-activedescendant")
        await expect(screen.page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
        title = await screen.page.locator(f"#{active}").inner_text()
        await field.press("Enter")
        await expect(screen.page.get_by_role("heading", level=1)).to_have_text(title, timeout=SOON_MS)


async def test_escape_takes_the_offers_away_and_leaves_what_is_written(
    chromium: Browser, system: System
) -> None:
    word, _made = await words(system)
    async with visit(chromium, system, await person(system), "#/browse") as screen:
        field = screen.by("search")
        await field.press_sequentially(word[:6], delay=20)
        await expect(screen.by("offer").first).to_be_visible(timeout=SOON_MS)
        await field.press("Escape")
        await expect(screen.by("offer").first).to_be_hidden()
        assert await field.input_value() == word[:6]


async def test_an_answer_to_what_was_typed_before_is_not_shown(chromium: Browser, system: System) -> None:
    word, _made = await words(system)
    async with visit(chromium, system, await person(system), "#/browse") as screen:
        held: asyncio.Queue[Route] = asyncio.Queue(4)
        given_up: list[str] = []
        screen.page.on("requestfailed", lambda request: given_up.append(request.url))
        await screen.page.route(re.compile(r"/complete\?q=zy$"), held.put)
        await screen.by("search").fill("zy")
        late = await asyncio.wait_for(held.get(), SOON_MS / 1000)
        await screen.by("search").fill(word)
        await expect(screen.by("offer")).to_have_count(2, timeout=SOON_MS)
        assert given_up == [late.request.url]


async def test_more_results_come_page_after_page_each_once(chromium: Browser, system: System) -> None:
    word = f"zx{uuid.uuid4().hex[:8]}"
    made = {await course(system, f"{word} number {number}") for number in range(23)}
    async with visit(chromium, system, await person(system), f"#/browse?q={word}") as screen:
        await expect(screen.by("result")).to_have_count(20, timeout=SOON_MS)
        await screen.by("more-results").click()
        await expect(screen.by("result")).to_have_count(23, timeout=SOON_MS)
        shown = [await each.get_attribute("data-course") for each in await screen.by("result").all()]
        assert len(shown) == len(set(shown)) and set(shown) == made
        await expect(screen.by("result").nth(20)).to_be_focused()
        await expect(screen.by("more-results")).to_be_hidden()
        await screen.by("result").nth(21).click()
        await expect(screen.page.get_by_role("heading", level=1)).to_contain_text(word, timeout=SOON_MS)
        await screen.page.go_back()
        await expect(screen.by("result")).to_have_count(23, timeout=SOON_MS)
        await screen.until("window.scrollY > 600")


async def test_nothing_found_says_so_and_how_to_go_on(chromium: Browser, system: System) -> None:
    word, _made = await words(system)
    hash_ = f"#/browse?q={word}&difficulty=intermediate"
    async with visit(chromium, system, await person(system), hash_) as screen:
        await expect(
            screen.page.get_by_role("heading", level=2, name=f"Nothing found for “{word}”")
        ).to_be_visible(timeout=SOON_MS)
        await screen.page.get_by_role("button", name="Clear the filters").click()
        await expect(screen.by("result")).to_have_count(3, timeout=SOON_MS)
        assert "difficulty" not in screen.page.url


async def test_a_server_that_does_not_answer_is_said_and_asked_again(
    chromium: Browser, system: System
) -> None:
    word, _made = await words(system)
    async with visit(chromium, system, await person(system)) as screen:
        await screen.page.route("**/v1/catalogue?*", lambda route: route.abort())
        await screen.page.evaluate(f"location.hash = '#/browse?q={word}'")
        again = screen.page.get_by_role("button", name="Try again")
        await expect(again).to_be_visible(timeout=SOON_MS)
        await screen.page.unroute("**/v1/catalogue?*")
        await again.click()
        await expect(screen.by("result")).to_have_count(3, timeout=SOON_MS)


async def test_on_a_phone_the_facets_are_a_sheet(chromium: Browser, system: System) -> None:
    word, _made = await words(system)
    async with visit(chromium, system, await person(system), f"#/browse?q={word}", width=390) as screen:
        await expect(screen.by("result")).to_have_count(3, timeout=SOON_MS)
        await expect(screen.by("facets")).to_be_hidden()
        await screen.by("filters").click()
        await facet(screen, "category:Arts").click()
        await screen.page.get_by_role("button", name="Show 1 course").click()
        await expect(screen.by("facets")).to_be_hidden()
        await expect(screen.by("result")).to_have_count(1, timeout=SOON_MS)
        await expect(screen.by("filters")).to_have_text(re.compile("1 chosen"))
        assert await screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_courses_on_offer_stand_on_the_first_page_too(chromium: Browser, system: System) -> None:
    student = await person(system)
    own = await course(system, f"Own {uuid.uuid4().hex[:6]}")
    await course(system, f"Another {uuid.uuid4().hex[:6]}")
    await enrol(system, student, own)
    async with visit(chromium, system, student) as screen:
        await expect(screen.by("course")).to_have_count(1, timeout=SOON_MS)
        await expect(screen.by("offered").first).to_be_visible(timeout=SOON_MS)
        assert own not in [
            await each.get_attribute("data-course") for each in await screen.by("offered").all()
        ]


def facet(screen: Screen, name: str) -> Locator:
    """The button of a value of a facet."""
    return screen.page.locator(f'[data-facet="{name}"]')
