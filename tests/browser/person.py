"""A person at a browser: signs in, opens the lecture, presses play, looks where the player is."""

import asyncio
from typing import Any

from playwright.async_api import BrowserContext, Page, expect

WAIT_MS = 30_000
SOON_MS = 15_000
SLOW_MS = 60_000
SHOWN = "document.querySelector('[data-testid=position]')?.dataset.ms"
GHOST = "Number(document.querySelector('[data-testid=ghost]')?.dataset.ms ?? -1e9)"
TIME = "document.querySelector('video')?.currentTime * 1000"
PAUSED = "document.querySelector('video')?.paused"
UNSAVED = "Number(document.querySelector('[data-testid=saved]').dataset.ms)"
LOADED = (
    "(({buffered: b, duration}) => b.length > 0 && b.start(0) < 1 && b.end(b.length - 1) > duration - 1)"
    "(document.querySelector('video'))"
)
"""Whether the whole lecture has come through, so that it plays on without a network."""


class Screen:
    """One page of the demo, on one device. `errors` are what the page itself did wrong."""

    def __init__(self, page: Page, item: str) -> None:
        self.page = page
        self.item = item
        self.student = ""
        self.link = ""
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def sign_in(self) -> "Screen":
        """Follow the sign-in link to the list of courses."""
        await self.page.goto(self.link)
        await expect(self.by("continue-card")).to_be_visible(timeout=WAIT_MS)
        assert "sign-in" not in self.page.url, "the code leaves the address bar"
        return self

    async def open_lecture(self) -> "Screen":
        """Open the lecture; ready when its player is."""
        await self.page.evaluate(f"location.hash = '#/watch/{self.item}'")
        await self.ready()
        return self

    async def ready(self) -> None:
        """The player is there and the device is on line."""
        await expect(self.by("play").first).to_be_visible(timeout=WAIT_MS)
        await expect(self.by("status").first).to_have_attribute("data-state", "online", timeout=WAIT_MS)

    async def press_play(self) -> None:
        """Press play, and wait until the picture really moves."""
        before = await self.page.evaluate(TIME)
        await self.by("play").first.click()
        await self.until(f"Math.abs({TIME} - {before}) > 200 && !document.querySelector('video').paused")

    async def pause(self) -> float:
        """Press pause; gives the position, ms."""
        await self.by("play").first.click()
        await self.until("document.querySelector('video').paused")
        return await self.time_ms()

    async def seek(self, position_ms: float) -> None:
        """Click the line of time at a place; gives back when the player is there."""
        await self.until("document.querySelector('video').duration > 0")
        bar = self.by("seek")
        await bar.hover()
        box = await bar.bounding_box()
        total_ms = await self.page.evaluate("document.querySelector('video').duration * 1000")
        await bar.click(position={"x": box["width"] * position_ms / total_ms, "y": box["height"] / 2})
        await self.until(f"Math.abs({TIME} - {position_ms}) < 1500")

    async def play_to_pause(self, position_ms: float) -> float:
        """Let what plays reach a place, and pause; gives the position, ms."""
        await self.until_played_to(position_ms)
        return await self.pause()

    async def play_for(self, content_ms: float) -> float:
        """Play so much more, and pause; gives the position, ms."""
        began_ms = await self.time_ms()
        await self.press_play()
        return await self.play_to_pause(began_ms + content_ms)

    async def go_offline(self) -> None:
        """Pull the plug of this browser, and wait until the page says so. What has loaded plays on."""
        await self.until(LOADED)
        await self.page.context.set_offline(True)
        await expect(self.by("status").first).to_have_attribute("data-state", "offline", timeout=SLOW_MS)

    async def go_online(self) -> None:
        """Put the plug back in, and ask the page to try at once."""
        await self.page.context.set_offline(False)
        await self.page.evaluate("document.querySelector('[data-testid=try-now]:not([hidden])')?.click()")
        await expect(self.by("status").first).to_have_attribute("data-state", "online", timeout=SLOW_MS)

    async def device_id(self) -> str:
        """Who this tab is to the server."""
        return str(await self.page.evaluate("window.playhead.client.device.id"))

    async def until_played_to(self, position_ms: float) -> None:
        """Wait until the player has reached a place."""
        await self.until(f"{TIME} >= {position_ms}")

    async def until_saved(self) -> None:
        """Wait until the page says that everything is durable."""
        await expect(self.by("saved").first).to_have_attribute("data-state", "saved", timeout=45_000)

    async def time_ms(self) -> float:
        """Where the player stands."""
        return float(await self.page.evaluate(TIME))

    async def shown_ms(self) -> int:
        """The position the page shows."""
        return int(await self.by("position").first.get_attribute("data-ms") or "0")

    async def until_shown_near(self, position_ms: float, tolerance_ms: float = 1000) -> None:
        """Wait until the shown position is within a second of a place."""
        await self.until(f"Math.abs({SHOWN} - {position_ms}) <= {tolerance_ms}")

    async def until_in_step(self, other: "Screen", tolerance_ms: float = 1500) -> None:
        """Wait until this page shows live where the other's player is at the same moment."""
        async with asyncio.timeout(WAIT_MS / 1000):
            while True:
                theirs, live = await asyncio.gather(other.time_ms(), self.page.evaluate(GHOST))
                if abs(theirs - live) <= tolerance_ms:
                    return
                await asyncio.sleep(0.05)

    async def until(self, condition: str, timeout_ms: int = WAIT_MS) -> None:
        """Wait until a JavaScript expression is true. Asked from outside: the page's policy forbids eval."""
        async with asyncio.timeout(timeout_ms / 1000):
            while True:
                if await self.page.evaluate(condition):
                    return
                await asyncio.sleep(0.05)

    def by(self, testid: str) -> Any:
        """The element of that test id."""
        return self.page.get_by_test_id(testid)


async def screen(context: BrowserContext, item: str) -> Screen:
    """A new page of a device's browser profile."""
    return Screen(await context.new_page(), item)


async def drift_apart(phone: Screen, laptop: Screen) -> tuple[float, float]:
    """Phone plays at 40 s, off line; after it Laptop plays at 90 s; then Phone comes home."""
    first_ms = await phone.play_for(6_000)
    await phone.until_saved()
    await laptop.until_shown_near(first_ms)
    await phone.go_offline()
    await phone.seek(40_000)
    phone_ms = await phone.play_for(6_500)
    await laptop.seek(90_000)
    laptop_ms = await laptop.play_for(6_500)
    await laptop.until_saved()
    await phone.go_online()
    await phone.until_saved()
    await phone.until_shown_near(laptop_ms)
    return phone_ms, laptop_ms
