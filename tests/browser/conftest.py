"""Chromium on the whole system: a real lecture, a student of one's own, and any number of devices."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from gateway import ingest
from gateway.demo_course import COURSE, lectures
from gateway.tokens import TokenIssuer
from persistence import students
from tests.acceptance.system import System
from tests.browser.person import Screen, screen
from tests.requirements import chromium_path

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]

NewDevice = Callable[..., Awaitable[Screen]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for the run; every device is a profile of its own in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(),
            args=FLAGS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lecture(whole: System, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The demo's lecture, drawn, encoded, stored and registered: its item id."""
    folder = tmp_path_factory.mktemp("media")
    one = lectures("lecture-1")
    ids = await ingest.ingest_lecture(folder, whole.stores.objects, whole.postgres, lectures=one)
    return ids[0]


@pytest_asyncio.fixture(loop_scope="session")
async def new_device(system: System, chromium: Browser, lecture: str) -> AsyncIterator[NewDevice]:
    """`await new_device("phone")`: a device of the test's student, with the lecture open.

    `context_of` opens another tab of that device's browser profile; `script` runs before the page's own.
    """
    student = f"person-{uuid.uuid4().hex[:10]}"
    await students.put(system.postgres, [students.Student(student, "Pat")])
    await students.enrol(system.postgres, [students.Enrolment(student, COURSE)])
    code = TokenIssuer(system.keys.signing).issue("sign-in", student, "Pat")
    screens: list[Screen] = []

    async def make(
        device: str, context_of: Screen | None = None, *, script: str | None = None, width: int = 1280
    ) -> Screen:
        if context_of:
            context = context_of.page.context
        else:
            context = await chromium.new_context(viewport={"width": width, "height": 800})
        if script:
            await context.add_init_script(script)
        made = await screen(context, lecture)
        made.student, made.link = student, f"{system.settings.web_url}/?device={device}#sign-in={code}"
        screens.append(made)
        return await (await made.sign_in()).open_lecture()

    yield make
    for made in screens:
        await made.page.context.close()
    assert [error for made in screens for error in made.errors] == []
