"""A browser that is killed while it plays: what was on disk comes home under the same device (R8)."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Playwright, async_playwright

from gateway.demo_course import COURSE
from gateway.tokens import TokenIssuer
from persistence import students
from tests.acceptance.system import System
from tests.browser.conftest import FLAGS
from tests.browser.person import Screen, screen
from tests.browser.records import position_ms, record, watermarks
from tests.requirements import chromium_path

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]

KEPT_MS = 2_500
"""The page writes down what plays about each 2 s; the rest is the machine's."""


async def open_profile(playwright: Playwright, folder: Path) -> BrowserContext:
    """A browser of its own on that profile folder."""
    return await playwright.chromium.launch_persistent_context(
        folder, executable_path=chromium_path(), args=FLAGS
    )


def browsers_on(folder: Path) -> Iterator[int]:
    """The browser process of a profile folder: named in its command line, and no helper (`--type=`)."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        helper = any(argument.startswith(b"--type=") for argument in arguments)
        if f"--user-data-dir={folder}".encode() in arguments and not helper:
            yield int(entry.name)


async def test_r8_a_browser_killed_mid_play_loses_no_more_than_two_seconds(
    system: System, lecture: str, tmp_path: Path
) -> None:
    student = f"person-{uuid.uuid4().hex[:10]}"
    await students.put(system.postgres, [students.Student(student, "Pat")])
    await students.enrol(system.postgres, [students.Enrolment(student, COURSE)])
    code = TokenIssuer(system.keys.signing).issue("sign-in", student, "Pat")

    async def visit(context: BrowserContext) -> Screen:
        made = await screen(context, lecture)
        made.student, made.link = student, f"{system.settings.web_url}/?device=phone#sign-in={code}"
        return await (await made.sign_in()).open_lecture()

    async with async_playwright() as playwright:
        phone = await visit(await open_profile(playwright, tmp_path))
        device = await phone.device_id()
        await phone.press_play()
        await phone.until_played_to(6_000)
        await phone.go_offline()
        await phone.until_played_to(19_000)
        played_ms = await phone.time_ms()
        (pid,) = browsers_on(tmp_path)
        os.kill(pid, signal.SIGKILL)
        assert await position_ms(system, student) < 12_000, "the server knows the beginning at most"
        again = await open_profile(playwright, tmp_path)
        phone = await visit(again)
        assert await phone.device_id() == device, "the same device, with its journal"
        await phone.until_saved()
        kept = await record(system, student)
        assert kept.position_ms >= played_ms - KEPT_MS
        assert kept.covers(0, played_ms - KEPT_MS, tolerance_ms=250)
        assert abs(await phone.shown_ms() - kept.position_ms) <= 1_000
        on_ms = await phone.play_for(6_000)
        await phone.until_saved()
        assert (await record(system, student)).covers(0, on_ms)
        assert set(await watermarks(system, student)) == {device}
        await again.close()
