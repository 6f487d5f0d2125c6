"""Teaching: a draft is edited and kept, files become what students watch, a publish shows it to them."""

import asyncio
import re
import uuid
from pathlib import Path

import pytest
from fpdf import FPDF
from playwright.async_api import Browser, Locator, Request, Route, expect

from persistence import drafts
from persistence.courses import CourseContent
from tests.acceptance.system import System
from tests.browser.person import SLOW_MS, SOON_MS, Screen
from tests.browser.visiting import course, enrol, open_page, person, quiz, text, visit

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]


async def draft_of(system: System, id_: str) -> CourseContent:
    """The draft as it is committed now."""
    draft = await drafts.read(system.postgres, id_)
    assert draft is not None
    return draft.content


async def taught(system: System, count: int = 3) -> tuple[str, str]:
    """A course with texts, and who teaches it: both ids."""
    mark = uuid.uuid4().hex[:8]
    names = [text(f"{'abcdef'[number]}-{mark}", f"Text {number + 1}") for number in range(count)]
    id_, teacher = (
        await course(system, f"Course {mark}", [("One", names[:2]), ("Two", names[2:])]),
        await person(system, "Mira", may_teach=True),
    )
    await enrol(system, teacher, id_, "instructor")
    return id_, teacher


async def saved(screen: Screen) -> None:
    """Wait until the page says that the draft is saved."""
    await expect(screen.by("draft-state")).to_have_attribute("data-state", "saved", timeout=SOON_MS)


def titles(content: CourseContent) -> list[list[str]]:
    """The outline: titles by section."""
    return [[item.title for item in section.items] for section in content.sections]


def item(screen: Screen, number: int) -> Locator:
    """The row of an item in the editor, from 0."""
    return screen.page.locator("[data-testid=draft-item]").nth(number)


def panel(row: Locator) -> Locator:
    """What shows the upload of a video, opened, in its row."""
    return row.locator("[data-testid=upload][data-purpose=video]")


async def test_a_course_is_made_filled_published_and_seen_by_a_student(
    chromium: Browser, system: System
) -> None:
    teacher, student = await person(system, "Mira", may_teach=True), await person(system)
    name = f"Made {uuid.uuid4().hex[:6]}"
    async with visit(chromium, system, teacher) as screen:
        await screen.by("nav-teach").click()
        await screen.by("new-course").click()
        await screen.by("new-course-title").fill(name)
        await screen.by("new-course-title").press("Enter")
        await expect(screen.page.get_by_role("heading", level=1)).to_have_text(name, timeout=SOON_MS)
        id_ = screen.page.url.rpartition("/")[2]
        await screen.by("course-description").fill("What it is about")
        await screen.by("course-difficulty").select_option("beginner")
        await screen.by("add-section").click()
        await screen.page.keyboard.type("First steps")
        await screen.by("add-text").click()
        await screen.page.keyboard.type("Read me")
        await item(screen, 0).get_by_test_id("markdown").fill("# Hello\n\nYou are **here**.")
        await screen.by("add-quiz").click()
        await screen.page.keyboard.type("A test")
        await item(screen, 1).get_by_test_id("add-question").click()
        await screen.page.keyboard.type("Which one?")
        await item(screen, 1).get_by_test_id("choice").nth(0).fill("This")
        await item(screen, 1).get_by_test_id("choice").nth(1).fill("That")
        await item(screen, 1).get_by_test_id("right").nth(1).check()
        await saved(screen)
        kept = await draft_of(system, id_)
        assert (kept.description, kept.difficulty) == ("What it is about", "beginner")
        assert titles(kept) == [["Read me", "A test"]]
        question = kept.items()[1].content["questions"][0]
        assert (question["text"], question["answers"]) == ("Which one?", ["b"])
        await screen.by("publish").click()
        await expect(screen.by("publish-dialog")).to_contain_text("for the first time, with 2 items")
        await screen.by("publish-yes").click()
        await expect(screen.by("published")).to_contain_text("Version 1 is published", timeout=SOON_MS)
        await expect(screen.by("version")).to_have_count(1, timeout=SOON_MS)
        await saved(screen)
        await item(screen, 0).get_by_test_id("item-title").fill("Read me first")
        await saved(screen)
        await screen.by("publish").click()
        await expect(screen.by("publish-dialog")).to_contain_text("“Read me” is called “Read me first”.")
        await screen.by("publish-yes").click()
        await expect(screen.by("published")).to_contain_text("Version 2 is published", timeout=SOON_MS)
    await enrol(system, student, id_)
    async with visit(chromium, system, student, f"#/courses/{id_}") as screen:
        await expect(screen.by("item")).to_have_count(2, timeout=SOON_MS)
        await expect(screen.by("item").first).to_contain_text("Read me first")


async def test_items_are_moved_by_button_and_by_keyboard_and_the_focus_goes_with_them(
    chromium: Browser, system: System
) -> None:
    id_, teacher = await taught(system)
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await item(screen, 0).get_by_test_id("item-down").click(timeout=SOON_MS)
        await expect(item(screen, 1).get_by_test_id("item-down")).to_be_focused()
        await screen.page.keyboard.press("Enter")
        await expect(item(screen, 1).get_by_test_id("item-title")).to_have_value("Text 1")
        await item(screen, 2).get_by_test_id("item-title").focus()
        await screen.page.keyboard.press("Alt+ArrowUp")
        await screen.page.keyboard.press("Alt+ArrowUp")
        await saved(screen)
        assert titles(await draft_of(system, id_)) == [["Text 2", "Text 3"], ["Text 1"]]
        await expect(screen.page.locator("p.sr-only[role=status]")).to_have_text("Text 3 is 2 of 2 in One.")
        await screen.by("section-down").first.click()
        await saved(screen)
        assert titles(await draft_of(system, id_)) == [["Text 1"], ["Text 2", "Text 3"]]


async def test_an_item_is_taken_out_only_after_a_question(chromium: Browser, system: System) -> None:
    id_, teacher = await taught(system)
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await item(screen, 1).get_by_test_id("item-remove").click(timeout=SOON_MS)
        await screen.by("remove-dialog-cancel").click()
        await item(screen, 1).get_by_test_id("item-remove").click()
        await screen.by("remove-dialog-yes").click()
        await expect(screen.by("draft-item")).to_have_count(2)
        await saved(screen)
        assert titles(await draft_of(system, id_)) == [["Text 1"], ["Text 3"]]


@pytest.mark.parametrize("whose", ["mine", "theirs"])
async def test_two_who_edit_are_told_and_choose(chromium: Browser, system: System, whose: str) -> None:
    id_, teacher = await taught(system)
    other = await person(system, "Noor", may_teach=True)
    await enrol(system, other, id_, "instructor")
    async with (
        visit(chromium, system, teacher, f"#/teach/{id_}") as mira,
        visit(chromium, system, other, f"#/teach/{id_}") as noor,
    ):
        await expect(noor.by("course-title")).to_be_visible(timeout=SOON_MS)
        await mira.by("course-description").fill("Mira's words")
        await saved(mira)
        await noor.by("course-title").fill("Noor's title")
        await expect(noor.by("conflict")).to_be_visible(timeout=SOON_MS)
        await expect(noor.by("conflict")).to_contain_text("Changed: the description.")
        await expect(noor.by("conflict")).to_contain_text("Changed: the title.")
        assert (await draft_of(system, id_)).description == "Mira's words", "nothing is overwritten unseen"
        await noor.by(f"take-{whose}").click()
        await expect(noor.by("conflict")).to_be_hidden(timeout=SOON_MS)
        await saved(noor)
        kept = await draft_of(system, id_)
        if whose == "mine":
            assert (kept.title, kept.description) == ("Noor's title", "")
        else:
            assert kept.description == "Mira's words" and kept.title != "Noor's title"
            await expect(noor.by("course-description")).to_have_value("Mira's words")


async def test_what_is_typed_without_a_network_is_saved_when_it_is_back(
    chromium: Browser, system: System
) -> None:
    id_, teacher = await taught(system)
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await expect(screen.by("course-title")).to_be_visible(timeout=SOON_MS)
        await screen.page.context.set_offline(True)
        await screen.by("course-title").fill("Written on a train")
        await expect(screen.by("draft-state")).to_have_attribute("data-state", "failed", timeout=SOON_MS)
        await screen.page.context.set_offline(False)
        await saved(screen)
        assert (await draft_of(system, id_)).title == "Written on a train"


async def test_a_draft_that_lacks_something_says_what_before_it_is_published(
    chromium: Browser, system: System
) -> None:
    id_, teacher = await taught(system)
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await screen.by("add-video").first.click(timeout=SOON_MS)
        await saved(screen)
        await screen.by("publish").click()
        await expect(screen.by("unfinished")).to_contain_text("“New video” has no video yet", timeout=SOON_MS)
        await expect(screen.by("publish-yes")).to_have_count(0)


async def test_a_draft_goes_back_to_a_version_that_was_published(chromium: Browser, system: System) -> None:
    id_, teacher = await taught(system)
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await screen.by("course-title").fill("Another title", timeout=SOON_MS)
        await saved(screen)
        await screen.by("restore").click()
        await screen.by("restore-dialog-yes").click()
        await expect(screen.by("course-title")).to_have_value(re.compile("^Course "), timeout=SOON_MS)
        await saved(screen)
        assert (await draft_of(system, id_)).title.startswith("Course ")


async def test_a_preview_shows_the_draft_and_not_what_is_published(chromium: Browser, system: System) -> None:
    mark = uuid.uuid4().hex[:8]
    id_ = await course(
        system, f"Before {mark}", [("", [text(f"t-{mark}", "Words"), quiz(f"q-{mark}", "Test")])]
    )
    teacher = await person(system, "Mira", may_teach=True)
    await enrol(system, teacher, id_, "instructor")
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await screen.by("course-title").fill(f"After {mark}", timeout=SOON_MS)
        await saved(screen)
        await screen.by("preview").click()
        await expect(screen.page.get_by_role("heading", level=1)).to_have_text(
            f"After {mark}", timeout=SOON_MS
        )
        await screen.by("item").filter(has_text="Words").click()
        await expect(screen.page.locator(".prose strong")).to_have_text("place", timeout=SOON_MS)
        await screen.by("item").filter(has_text="Test").click()
        await expect(screen.page.get_by_role("radio")).to_have_count(2)


async def test_an_assistant_sees_the_draft_and_edits_nothing(chromium: Browser, system: System) -> None:
    id_, _teacher = await taught(system)
    assistant = await person(system, "Ana")
    await enrol(system, assistant, id_, "assistant")
    async with visit(chromium, system, assistant, f"#/teach/{id_}") as screen:
        await expect(screen.by("course-title")).to_be_disabled(timeout=SOON_MS)
        await expect(screen.by("publish")).to_be_hidden()


async def test_a_stranger_finds_no_draft(chromium: Browser, system: System) -> None:
    id_, _teacher = await taught(system)
    async with visit(chromium, system, await person(system), f"#/teach/{id_}") as screen:
        await expect(screen.page.get_by_role("heading", name="Nothing here")).to_be_visible(timeout=SOON_MS)


async def test_a_document_is_sent_prepared_and_published(
    chromium: Browser, system: System, tmp_path: Path
) -> None:
    id_, teacher = await taught(system)
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await screen.by("add-pdf").first.click(timeout=SOON_MS)
        await screen.page.keyboard.type("Handout")
        row = screen.page.locator("[data-testid=draft-item][data-kind=pdf]")
        await saved(screen)
        await row.get_by_test_id("file-pdf").set_input_files(handout(tmp_path / "handout.pdf"))
        await expect(row.get_by_test_id("item-state")).to_have_text("Ready", timeout=SLOW_MS)
        await saved(screen)
        sent = next(each for each in (await draft_of(system, id_)).items() if each.kind == "pdf")
        assert sent.version is not None
        await screen.by("publish").click()
        await screen.by("publish-yes").click()
        await expect(screen.by("published")).to_contain_text("Version 2", timeout=SOON_MS)
        await open_page(screen, f"#/courses/{id_}")
        await expect(screen.by("item").filter(has_text="Handout")).to_contain_text("2 pages", timeout=SOON_MS)


async def test_a_file_goes_on_after_a_reload_where_it_was_and_a_useless_one_says_why(
    chromium: Browser, system: System, tmp_path: Path
) -> None:
    id_, teacher = await taught(system)
    file = tmp_path / "lecture.mp4"
    file.write_bytes(bytes(30 * 1024 * 1024))
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await screen.by("add-video").first.click(timeout=SOON_MS)
        await saved(screen)
        sent: asyncio.Queue[str] = asyncio.Queue()
        one = asyncio.Event()

        async def let_one_through(route: Route) -> None:
            if one.is_set():
                return await route.abort()
            one.set()
            await route.continue_()

        def finished(request: Request) -> None:
            if request.method == "PUT" and "partNumber=" in request.url:
                sent.put_nowait(request.url)

        screen.page.on("requestfinished", finished)
        await screen.page.route(re.compile("partNumber="), let_one_through)
        row = screen.page.locator("[data-testid=draft-item][data-kind=video]")
        await row.get_by_test_id("file-video").set_input_files(file)
        await expect(row.get_by_test_id("item-state")).to_have_text(
            re.compile(r"Waiting, [1-9]\d? %"), timeout=SOON_MS
        )
        first = await asyncio.wait_for(sent.get(), SOON_MS / 1000)
        await screen.page.reload()
        await screen.page.unroute(re.compile("partNumber="))
        row = screen.page.locator("[data-testid=draft-item][data-kind=video]")
        await expect(row.get_by_test_id("item-state")).to_have_text("Interrupted", timeout=SOON_MS)
        await row.get_by_test_id("item-open").click()
        other = tmp_path / "other.mp4"
        other.write_bytes(b"other")
        await row.get_by_test_id("file-video").set_input_files(other)
        await expect(row).to_contain_text("That is another file")
        await row.get_by_test_id("file-video").set_input_files(file)
        await expect(panel(row)).to_have_attribute("data-state", "failed", timeout=SLOW_MS)
        assert await panel(row).get_by_role("alert").inner_text() != ""
        urls = [first, *(sent.get_nowait() for _ in range(sent.qsize()))]
        numbers = sorted(url.partition("partNumber=")[2].partition("&")[0] for url in urls)
        assert numbers == sorted(set(numbers)) and len(numbers) > 1, "each part is sent once"


async def test_an_upload_is_paused_gone_on_with_and_given_up(
    chromium: Browser, system: System, tmp_path: Path
) -> None:
    id_, teacher = await taught(system)
    file = tmp_path / "long.mp4"
    file.write_bytes(bytes(30 * 1024 * 1024))
    async with visit(chromium, system, teacher, f"#/teach/{id_}") as screen:
        await screen.by("add-video").first.click(timeout=SOON_MS)
        await saved(screen)
        held: asyncio.Queue[Route] = asyncio.Queue()
        await screen.page.route(re.compile("partNumber="), held.put)
        row = screen.page.locator("[data-testid=draft-item][data-kind=video]")
        await row.get_by_test_id("file-video").set_input_files(file)
        await panel(row).get_by_test_id("upload-pause").click(timeout=SOON_MS)
        await expect(row.get_by_test_id("item-state")).to_have_text("Paused, 0 %")
        await expect(panel(row).get_by_test_id("upload-go")).to_be_focused()
        await panel(row).get_by_test_id("upload-go").click()
        await expect(panel(row)).to_have_attribute("data-state", "sending", timeout=SOON_MS)
        await asyncio.wait_for(held.get(), SOON_MS / 1000)
        await panel(row).get_by_test_id("upload-cancel").click()
        await expect(row.get_by_test_id("item-state")).to_have_text("No file yet", timeout=SOON_MS)
        await expect(panel(row).get_by_test_id("upload-choose")).to_be_focused()


def handout(path: Path) -> Path:
    """A PDF of two pages."""
    made = FPDF()
    made.set_font("helvetica", size=20)
    for number in (1, 2):
        made.add_page()
        made.cell(text=f"Page {number}")
    made.output(str(path))
    return path
