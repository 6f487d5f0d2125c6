"""Documents for browser tests: a PDF drawn here, a text, both items of the demo course."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fpdf import FPDF
from playwright.async_api import expect

from gateway.demo_course import COURSE
from persistence import items
from persistence.media import Pdf, Text
from persistence.objects import open_objects
from tests.acceptance.system import System
from tests.browser.person import WAIT_MS, Screen

PAGES = 9
PARTS = 4
WORD = "hippopotamus"
"""Stands on the last page only."""

READING = "document.querySelector('[data-testid=reading]')"
PLACE = f"Number({READING}?.dataset.ms ?? -1)"
SCROLL = f"{READING}.scrollTop"
HEAD = "(window.playhead.player?.head?.position_ms ?? -1)"

HOSTILE = """
<script>window.hurt = 1</script>
<img src="x" onerror="window.hurt = 2"> <a href="javascript:window.hurt = 3">a link</a>
<svg onload="window.hurt = 4"></svg> <iframe srcdoc="<script>parent.hurt = 5</script>"></iframe>
<form action="https://example.org"><input name="password"></form> <style>body { display: none }</style>
"""


@dataclass(frozen=True, slots=True)
class Papers:
    """Ids of the items, and how many bytes the PDF has."""

    pdf: str
    text: str
    length_bytes: int


def draw(path: Path, pages: int = PAGES) -> None:
    """A PDF of A4 pages with words on them."""
    made = FPDF(format="A4")
    made.set_font("Helvetica", size=20)
    for page in range(1, pages + 1):
        made.add_page()
        made.cell(text=f"Page {page} of a handout")
        made.ln(20)
        made.set_font_size(12)
        for line in range(24):
            made.cell(text=f"Line {line} of page {page} tells something worth reading twice.")
            made.ln(9)
        if page == pages:
            made.cell(text=f"The {WORD} stands at the end.")
        made.set_font_size(20)
    made.output(str(path))


async def write_papers(whole: System, folder: Path) -> Papers:
    """Put both items into the demo course, which must be there."""
    mark = uuid.uuid4().hex[:8]
    path, key = folder / "handout.pdf", f"course/{mark}/handout.pdf"
    draw(path)
    length_bytes = path.stat().st_size
    async with open_objects(whole.stores.objects) as objects:
        await objects.put_file(key, path, "application/pdf")
    long = "\n\n".join(f"## Part {n}\n\n" + "Words that are worth reading. " * 90 for n in range(1, 5))
    markdown = f"# A text\n\n**Bold** and `code`.\n\n{HOSTILE}\n\n{long}\n\n[out](https://example.org)\n"
    await items.put(
        whole.postgres,
        [
            items.Item(f"pdf-{mark}", COURSE, "pdf", "A handout", "v1", place=80),
            items.Item(f"text-{mark}", COURSE, "text", "A text", "v1", place=81),
        ],
        [
            items.Version(f"pdf-{mark}", "v1", PAGES * 1000, Pdf("pdf", key, PAGES, length_bytes).document()),
            items.Version(f"text-{mark}", "v1", PARTS * 1000, Text("text", markdown).document()),
        ],
    )
    return Papers(f"pdf-{mark}", f"text-{mark}", length_bytes)


async def open_paper(screen: Screen, item: str) -> Screen:
    """Open a document or a text; ready when something of it can be read."""
    await screen.page.evaluate(f"location.hash = '#/read/{item}'")
    drawn = f"{READING}?.dataset.phase === 'reading'"
    await screen.until(drawn)
    await expect(screen.by("status").first).to_have_attribute("data-state", "online", timeout=WAIT_MS)
    return screen


async def wheel_to(screen: Screen, place_ms: int) -> None:
    """Scroll with the wheel until a place is at the upper edge."""
    box = await screen.by("reading").bounding_box()
    assert box is not None
    await screen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await _nudge(screen, place_ms, lambda by: screen.page.mouse.wheel(0, by))


async def _nudge(screen: Screen, place_ms: int, wheel: Callable[[float], Awaitable[None]]) -> None:
    for _ in range(200):
        before = await screen.page.evaluate(PLACE)
        if abs(before - place_ms) <= 40:
            return
        height = await screen.page.evaluate(f"{READING}.scrollHeight")
        duration_ms = await screen.page.evaluate("window.playhead.player.duration_ms")
        by = (place_ms - before) / duration_ms * height
        await wheel(by if abs(by) > 1 else (1 if by > 0 else -1))
        await screen.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 60)))")
    raise AssertionError(f"the wheel did not reach {place_ms}")
