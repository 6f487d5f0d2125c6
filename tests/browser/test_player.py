"""The player in a real browser: its start, its menus and keys, what has been seen, addresses that run out."""

from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Response, expect

from gateway import ingest
from gateway.demo_course import lectures
from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.person import PAUSED, SOON_MS, TIME, Screen

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]

LOADED_HERE = "document.querySelector('video')?.readyState >= 3"
LOADED_FROM = "document.querySelector('video').buffered.start(0)"
RATE = "document.querySelector('video').playbackRate"
HEIGHT = "document.querySelector('video').videoHeight"
SPANS = "document.querySelectorAll('.seek__seen').length"
SEEN = "Number(document.querySelector('[data-testid=seen]').dataset.ms ?? -1)"
CAPTION = "document.querySelector('[data-testid=captions-lines]')?.textContent ?? ''"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

WALL_AHEAD = """
(() => {
  const now = Date.now.bind(Date);
  window.ahead_ms = 0;
  Date.now = () => now() + window.ahead_ms;
})()
"""
"""A page whose clock can be told that an hour has gone by."""

QUICK_TIMERS = """
(() => {
  const after = window.setTimeout.bind(window);
  window.setTimeout = (act, ms, ...more) => after(act, ms > 120000 ? 2500 : ms, ...more);
  document.addEventListener("emptied", () => (window.emptied = (window.emptied ?? 0) + 1), true);
})()
"""
"""Whatever waits for minutes waits for 2.5 s; and whether the picture was ever taken away."""

ASKED_BY_HTTP = (
    "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/media')).length"
)

COUNT_ADDRESSES = f"""
window.addresses = 0;
window.asked_before = {ASKED_BY_HTTP};
window.playhead.client.on("wire", ({{ way, type }}) => {{
  if (way === "down" && type === "media") window.addresses += 1;
}});
true;
"""
"""Counts the addresses that come over the socket."""

ASKED = f"window.addresses + {ASKED_BY_HTTP} - window.asked_before >= 1"
"""Who slept for long may have to ask over HTTP: the socket may not be back yet."""

SEGMENTS = (
    "performance.getEntriesByType('resource').filter(({ name }) => /[/]%s[/].*p[.]mp4/.test(name)).length"
)

AT_THE_FOOT = """
(() => {
  const { left, width, bottom } = document.querySelector("[data-testid=rate-menu]").getBoundingClientRect();
  return left === 0 && width === innerWidth && Math.abs(bottom - innerHeight) < 1;
})()
"""

SMALL = """
[...document.querySelectorAll(".stage button, .stage [role=slider]")].filter((each) => {
  const { width, height } = each.getBoundingClientRect();
  return width > 0 && Math.min(width, height) < 44;
}).map((each) => each.getAttribute("aria-label") ?? each.className)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def second_lecture(whole: System, lecture: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The course with a lecture after the first one: its item id."""
    # What the first fixture made is found here and not made again.
    folder = tmp_path_factory.getbasetemp() / "media0"
    two = lectures("lecture-1", "lecture-2")
    ids = await ingest.ingest_lecture(folder, whole.stores.objects, whole.postgres, lectures=two)
    return ids[1]


async def choose(screen: Screen, menu: str, value: str) -> None:
    """Open a menu of the player and take a choice."""
    await screen.by(menu).click()
    await screen.by(f"{menu}-menu").locator(f'[data-value="{value}"]').click()
    await expect(screen.by(f"{menu}-menu")).to_be_hidden()


async def reopen(screen: Screen) -> None:
    """Load the page again."""
    await screen.page.reload()
    await screen.ready()
    await screen.until(LOADED_HERE)


def heard(screen: Screen, part: str) -> list[Response]:
    """Answers whose address holds `part`, as they come in from now on."""
    answers: list[Response] = []
    screen.page.on("response", lambda answer: answers.append(answer) if part in answer.url else None)
    return answers


async def test_the_start_is_loaded_before_anybody_presses_play(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    assert await laptop.page.evaluate(PAUSED)
    assert await laptop.page.evaluate("document.querySelector('video').poster !== ''")
    async with laptop.page.expect_request("**/v1/experience", timeout=45_000) as told:
        await laptop.press_play()
        await laptop.until_played_to(1_000)
        await laptop.pause()
    request = await told.value
    sent: dict[str, Any] = request.post_data_json or {}
    start = next(event for event in sent["events"] if event["kind"] == "start")
    assert start["count"] == 1, "what was pressed had been loaded"
    assert start["item"] == laptop.item and start["duration_ms"] > 0 and start["quality"].endswith("p")
    answer = await request.response()
    assert answer is not None and answer.status == 204


async def test_r1_a_resumed_lecture_loads_from_its_place_and_not_from_zero(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.seek(80_000)
    await laptop.play_for(6_000)
    await laptop.until_saved()
    stopped_ms = await laptop.time_ms()
    await reopen(laptop)
    assert abs(await laptop.time_ms() - stopped_ms) < 1_000
    assert await laptop.page.evaluate(LOADED_FROM) > 60, "nothing was fetched that nobody will see first"


async def test_quality_is_chosen_shown_and_remembered(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    await laptop.press_play()
    await choose(laptop, "quality", "360p")
    await laptop.until(f"{HEIGHT} === 360")
    await expect(laptop.by("quality")).to_contain_text("360p")
    await laptop.pause()
    await reopen(laptop)
    await expect(laptop.by("quality")).to_contain_text("360p")
    assert await laptop.page.evaluate(HEIGHT) == 360
    await choose(laptop, "quality", "auto")
    await expect(laptop.by("quality")).to_contain_text("Auto")


async def test_speed_is_chosen_by_keys_and_remembered(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    await laptop.by("rate").focus()
    await laptop.page.keyboard.press("Enter")
    menu = laptop.by("rate-menu")
    await expect(menu.get_by_role("menuitemradio", checked=True)).to_be_focused()
    await laptop.page.keyboard.press("ArrowDown")
    await laptop.page.keyboard.press("ArrowDown")
    await laptop.page.keyboard.press("Enter")
    await expect(menu).to_be_hidden()
    await expect(laptop.by("rate")).to_be_focused()
    assert await laptop.page.evaluate(RATE) == 1.5
    await laptop.page.keyboard.press("Enter")
    await expect(menu).to_be_visible()
    await laptop.page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await reopen(laptop)
    assert await laptop.page.evaluate(RATE) == 1.5


async def test_keys_do_what_the_list_of_keys_says(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    press = laptop.page.keyboard.press
    for key, at_ms in (("5", 60_000), ("l", 70_000), ("j", 60_000), ("ArrowLeft", 55_000), ("0", 0)):
        await press(key)
        await laptop.until(f"Math.abs({TIME} - {at_ms}) < 50")
    await press(".")
    await laptop.until(f"{TIME} > 10 && {TIME} < 200")
    await press(">")
    assert await laptop.page.evaluate(RATE) == 1.25
    await press("<")
    await press("m")
    assert await laptop.page.evaluate("document.querySelector('video').muted")
    await press("k")
    await laptop.until(f"!({PAUSED})")
    await press(" ")
    await laptop.until(PAUSED)
    await press("?")
    await expect(laptop.by("shortcuts")).to_be_visible()
    await press("Escape")
    await expect(laptop.by("shortcuts")).to_have_count(0)


async def test_captions_are_shown_and_remembered(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    await expect(laptop.by("captions")).to_be_visible(timeout=SOON_MS)
    await laptop.page.keyboard.press("c")
    await laptop.page.keyboard.press("3")
    await laptop.until(f"({CAPTION}).trim() !== ''")
    await reopen(laptop)
    await laptop.until(f"({CAPTION}).trim() !== ''")
    await choose(laptop, "captions", "")
    await laptop.until(f"({CAPTION}) === ''")


async def test_the_line_of_time_shows_pictures_to_pointer_and_keys(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    box = await laptop.by("seek").bounding_box()
    await laptop.by("seek").hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
    thumbnail = laptop.by("thumbnail")
    await expect(thumbnail).to_be_visible(timeout=SOON_MS)
    assert abs(int(await thumbnail.get_attribute("data-ms")) - 60_000) <= 10_000
    assert "url(" in await thumbnail.evaluate("(each) => getComputedStyle(each).backgroundImage")
    await laptop.page.mouse.move(5, 5)
    await expect(thumbnail).to_be_hidden()
    await laptop.by("seek").focus()
    await laptop.page.keyboard.press("PageUp")
    await expect(thumbnail).to_be_visible()
    await expect(thumbnail).to_be_hidden(timeout=SOON_MS)


async def test_r5_what_was_seen_is_drawn_where_it_was_seen(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    await laptop.play_for(6_000)
    await laptop.seek(80_000)
    await laptop.play_for(6_000)
    await laptop.until(f"{SPANS} === 2")
    seen_ms = await laptop.page.evaluate(SEEN)
    assert 11_000 < seen_ms < 17_000
    await laptop.until_saved()
    await reopen(laptop)
    await laptop.until(f"{SPANS} === 2")
    assert abs(await laptop.page.evaluate(SEEN) - seen_ms) < 1_500, "as the server keeps it"
    await laptop.by("reset").click()
    await laptop.by("reset-dialog-yes").click()
    await laptop.until(f"{SPANS} === 0")


async def test_s46_after_a_long_pause_play_asks_for_new_addresses(new_device: NewDevice) -> None:
    phone = await new_device("phone", script=WALL_AHEAD)
    await phone.until(LOADED_HERE)
    stopped_ms = await phone.play_for(6_000)
    await phone.page.evaluate(COUNT_ADDRESSES)
    await phone.page.evaluate("window.ahead_ms = 40 * 60 * 1000")
    await phone.press_play()
    await phone.until(ASKED)
    await phone.until(f"{TIME} > {stopped_ms + 2_000}")
    await phone.pause()
    assert await phone.time_ms() < stopped_ms + 15_000, "it went on where it was"


async def test_s46_while_it_plays_addresses_are_renewed_and_nobody_notices(new_device: NewDevice) -> None:
    phone = await new_device("phone", script=QUICK_TIMERS)
    await phone.until(LOADED_HERE)
    await phone.page.evaluate(COUNT_ADDRESSES)
    playlists = heard(phone, ".m3u8")
    await phone.press_play()
    await phone.until("window.addresses >= 2", timeout_ms=60_000)
    await phone.until_played_to(await phone.time_ms() + 3_000)
    assert playlists, "the new addresses were read"
    assert not await phone.page.evaluate("window.emptied"), "what was loaded stays loaded"
    assert not await phone.page.evaluate(PAUSED)


async def test_the_next_lecture_begins_with_what_was_fetched_before(
    second_lecture: str, new_device: NewDevice
) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    fetched = heard(laptop, second_lecture)
    await laptop.seek(80_000)
    await laptop.press_play()
    await laptop.until(f"{SEGMENTS % second_lecture} >= 2")
    await laptop.pause()
    assert fetched, "its start came while this one played"
    network = await laptop.page.context.new_cdp_session(laptop.page)
    from_cache: list[bool] = []

    def answered(event: dict[str, Any]) -> None:
        if f"/{second_lecture}/" in event["response"]["url"] and event["type"] == "XHR":
            from_cache.append(event["response"]["fromDiskCache"])

    network.on("Network.responseReceived", answered)
    await network.send("Network.enable")
    await laptop.page.evaluate(f"location.hash = '#/watch/{second_lecture}'")
    await laptop.until(f"document.querySelector('video')?.duration < 60 && {LOADED_HERE}")
    assert from_cache[:2] == [True, True], "its head and its first segment"


async def test_media_keys_and_the_lock_screen_know_the_lecture(new_device: NewDevice) -> None:
    laptop = await new_device("laptop")
    await laptop.until(LOADED_HERE)
    await laptop.until("navigator.mediaSession.metadata?.title?.length > 0")
    assert await laptop.page.evaluate("navigator.mediaSession.metadata.album.length") > 0
    await laptop.press_play()
    assert await laptop.page.evaluate("navigator.mediaSession.playbackState") == "playing"


async def test_on_a_phone_menus_are_sheets_and_fingers_have_room(new_device: NewDevice) -> None:
    phone = await new_device("phone", width=390)
    finger = await phone.page.context.new_cdp_session(phone.page)
    await finger.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    await reopen(phone)
    assert await phone.page.evaluate(SMALL) == [], "each of them at least 44 px"
    await phone.by("rate").click()
    await phone.until(AT_THE_FOOT)
    choice = await phone.by("rate-menu").locator('[data-value="1.25"]').bounding_box()
    assert choice["height"] >= 44
    await phone.by("rate-menu").locator('[data-value="1.25"]').click()
    assert await phone.page.evaluate(RATE) == 1.25
    assert await phone.page.evaluate(OVERFLOW) <= 0
