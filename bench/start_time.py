"""`python -m bench.start_time LINK`: ms from pressing play to the first frame, in a browser.

LINK is a sign-in link of a running system, as `playhead demo` prints them. Each press is in a browser profile
of its own, so that nothing is in a cache that a student would not have there. The time is the page's own:
from the `timeStamp` of the click to when the first moving frame is shown (requestVideoFrameCallback).
"""

import argparse
import asyncio
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    # A press by script is no gesture to a browser.
    "--autoplay-policy=no-user-gesture-required",
)
WAIT_MS = 30_000
GOAL_MS = 300

WATCH = """
window.starts = [];
document.addEventListener("click", (event) => {
  const video = document.querySelector("video");
  if (!video?.paused || !event.target.closest("[data-testid=play]")) return;
  const loaded = video.readyState >= 3;
  const look = () => video.requestVideoFrameCallback((_, frame) => {
    if (video.paused) return look();
    window.starts.push({ ms: frame.expectedDisplayTime - event.timeStamp, loaded, place_s: frame.mediaTime });
  });
  look();
}, true);
"""
"""Notes each press, and when the first frame after it is on the screen."""

PRESS_AT_ONCE = """
new MutationObserver((_, observer) => {
  const play = document.querySelector("[data-testid=play]");
  if (!play) return;
  observer.disconnect();
  play.click();
}).observe(document, { subtree: true, childList: true });
"""
"""Presses in the very moment in which the button is there: nothing of the video has been asked for yet."""

LOADED = "document.querySelector('video')?.readyState >= 3"


@dataclass(frozen=True, slots=True)
class Start:
    """One press. `loaded`: the frame had come through before it; `place_s` in the lecture."""

    ms: float
    loaded: bool
    place_s: float


@dataclass(frozen=True, slots=True)
class Case:
    """A way to press play, and what a person would call it."""

    name: str
    at_once: bool
    place_s: int | None
    words: str


CASES = (
    Case("rested", False, None, "the page is open, as when somebody reads the title first"),
    Case("resumed", False, 60, "the same, in the middle of the lecture"),
    Case("at once", True, None, "in the very moment the button is there"),
)


async def measure(link: str, item: str, presses: int) -> dict[str, list[Start]]:
    """All presses of all cases."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=list(FLAGS)
        )
        try:
            found: dict[str, list[Start]] = {}
            for case in CASES:
                print(f"{case.name} ...", file=sys.stderr)
                found[case.name] = [await _press(browser, link, item, case) for _ in range(presses)]
            return found
        finally:
            await browser.close()


async def _press(browser: Browser, link: str, item: str, case: Case) -> Start:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        return await _press_in(context, link, item, case)
    finally:
        await context.close()


async def _press_in(context: BrowserContext, link: str, item: str, case: Case) -> Start:
    page = await context.new_page()
    await page.goto(link)
    await page.wait_for_selector("[data-testid=continue-card], [data-testid=course]", timeout=WAIT_MS)
    await page.goto("about:blank")
    await context.add_init_script(WATCH + (PRESS_AT_ONCE if case.at_once else ""))
    place = "" if case.place_s is None else f"?t={case.place_s}"
    await page.goto(f"{link.split('#')[0]}#/watch/{item}{place}")
    if not case.at_once:
        await _until(page, LOADED)
        await page.get_by_test_id("play").first.click()
    await _until(page, "window.starts.length > 0")
    return Start(**(await page.evaluate("window.starts[0]")))


async def _until(page: Page, condition: str) -> None:
    """Asked from outside: the page's policy forbids eval."""
    async with asyncio.timeout(WAIT_MS / 1000):
        while True:
            if await page.evaluate(condition):
                return
            await asyncio.sleep(0.02)


def table(found: Mapping[str, Sequence[Start]]) -> str:
    """Markdown: a row a case."""
    rows = ["| pressed | loaded before | median | 95 % | slowest | presses |", "|---|---|---|---|---|---|"]
    for case in CASES:
        starts = found[case.name]
        ms = sorted(start.ms for start in starts)
        loaded = sum(start.loaded for start in starts)
        rows.append(
            f"| {case.words} | {loaded} of {len(ms)} | {_share(ms, 0.5):.0f} ms | {_share(ms, 0.95):.0f} ms "
            f"| {ms[-1]:.0f} ms | {len(ms)} |"
        )
    return "\n".join(rows)


def _share(ms: Sequence[float], share: float) -> float:
    return ms[min(len(ms) - 1, int(share * len(ms)))]


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if the median of every case is below the goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.start_time", description=__doc__)
    parser.add_argument("link", help="a sign-in link of a running system")
    parser.add_argument("--item", default="lecture-1")
    parser.add_argument("--presses", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="every press, for a program")
    given = parser.parse_args(arguments)
    found = asyncio.run(measure(given.link, given.item, given.presses))
    print(json.dumps(_plain(found)) if given.json else table(found))
    return int(any(_share(sorted(start.ms for start in starts), 0.5) >= GOAL_MS for starts in found.values()))


def _plain(found: Mapping[str, Sequence[Start]]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [{"ms": start.ms, "loaded": start.loaded, "place_s": start.place_s} for start in starts]
        for name, starts in found.items()
    }


if __name__ == "__main__":
    sys.exit(main())
