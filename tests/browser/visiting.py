"""A person on the pages, at any address and on a screen of any size; and courses to find there."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from playwright.async_api import Browser, expect

from gateway.tokens import TokenIssuer
from persistence import drafts, items, students
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.items import Version
from persistence.students import Enrolment, Role, Student
from tests.acceptance.system import System
from tests.browser.person import WAIT_MS, Screen, screen

TEXT = "# Where you are\n\nA **place** is kept for you.\n\n- one\n- two\n"
QUIZ = {
    "questions": [
        {
            "id": "q1",
            "text": "Who has the playhead?",
            "kind": "one",
            "choices": [{"id": "a", "text": "The latest action"}, {"id": "b", "text": "The newest device"}],
            "answers": ["a"],
        }
    ]
}


async def person(system: System, name: str = "Pat", *, may_teach: bool = False) -> str:
    """A new student: the id."""
    student = f"person-{uuid.uuid4().hex[:10]}"
    await students.put(system.postgres, [Student(student, name, may_teach=may_teach)])
    return student


async def enrol(system: System, student: str, course: str, role: Role = "student") -> None:
    """Put somebody into a course."""
    await students.enrol(system.postgres, [Enrolment(student, course, role)])


@asynccontextmanager
async def visit(
    chromium: Browser,
    system: System,
    student: str,
    hash_: str = "#/",
    *,
    width: int = 1280,
    height: int = 800,
    dark: bool = False,
) -> AsyncIterator[Screen]:
    """A page of that student at that address. On leaving, it must have made no error of its own."""
    context = await chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    made = await screen(context, "")
    made.student = student
    code = TokenIssuer(system.keys.signing).issue("sign-in", student, "Pat")
    made.link = f"{system.settings.web_url}/?device=laptop#sign-in={code}"
    try:
        await made.page.goto(made.link)
        await expect(made.page.locator("h1")).to_be_visible(timeout=WAIT_MS)
        await open_page(made, hash_)
        yield made
        assert made.errors == []
    finally:
        await context.close()


async def open_page(made: Screen, hash_: str) -> None:
    """Go to another page of the app, as a link does."""
    await made.page.evaluate(f"location.hash = {hash_!r}")
    await expect(made.page.locator("h1:visible").first).to_be_visible(timeout=WAIT_MS)


def text(id_: str, title: str, markdown: str = TEXT) -> ItemContent:
    """A text of a course."""
    return ItemContent(id_, "text", title, content={"markdown": markdown})


def quiz(id_: str, title: str) -> ItemContent:
    """A quiz of one question."""
    return ItemContent(id_, "quiz", title, content=QUIZ)


def video(id_: str, title: str) -> ItemContent:
    """A video without media: it is listed, and plays nothing."""
    return ItemContent(id_, "video", title, version="v1")


async def course(
    system: System, title: str, sections: Sequence[tuple[str, Sequence[ItemContent]]] = (), **facts: str
) -> str:
    """A published course: its id. Without sections it has one with a text."""
    id_ = f"course-{uuid.uuid4().hex[:10]}"
    parts = sections or [("Start", [text(f"{id_}-text", "Read me")])]
    content = CourseContent(title, sections=[SectionContent(name, list(of)) for name, of in parts], **facts)
    await drafts.write(system.postgres, id_, content, "", None)
    versions = [Version(item.id, "v1", 60_000) for item in content.items() if item.kind == "video"]
    await items.put(system.postgres, [], versions)
    await drafts.publish(system.postgres, id_, "", None)
    return id_
