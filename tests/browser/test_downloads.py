"""Downloads: a lecture and a PDF kept on a device, used without a network, and every second comes home."""

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.acceptance.system import System
from tests.browser.conftest import NewDevice
from tests.browser.papers import PLACE, READING, Papers, wheel_to, write_papers
from tests.browser.person import PAUSED, SLOW_MS, WAIT_MS, Screen
from tests.browser.records import record

pytestmark = [pytest.mark.requires("chromium", "vendored"), pytest.mark.timeout(240)]

KEPT = """
(async () => {
  let files = 0;
  for (const name of await caches.keys()) {
    const kept = await (await caches.open(name)).keys();
    files += kept.filter(({ url }) => new URL(url).pathname.startsWith("/offline/")).length;
  }
  return files;
})()
"""
"""How many files of downloads this browser has."""

PLACE_KEPT = """
(async () => {
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const file of await cache.keys()) {
      if (!file.url.endsWith("/item.json")) continue;
      return (await (await cache.match(file)).json()).progress?.position_ms;
    }
  }
})()
"""
"""The place that is kept with the download."""

SMALL_DISK = """
navigator.storage.estimate = async () => ({ quota: 17_000_000, usage: 1_000_000 });
"""

FULL_DISK = """
const put = Cache.prototype.put;
Cache.prototype.put = async function (request, response) {
  if (String(request).endsWith("0.mp4")) {
    await response.body.getReader().read();
    throw new DOMException("no room", "QuotaExceededError");
  }
  return put.call(this, request, response);
};
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def papers(whole: System, lecture: str, tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return await write_papers(whole, tmp_path_factory.mktemp("papers"))


async def download(screen: Screen, quality: str = "") -> None:
    """Press Download, choose a quality, wait until it is here."""
    button = screen.by("download").first
    await expect(button).to_have_attribute("data-state", "none", timeout=WAIT_MS)
    await button.click()
    if quality:
        await screen.by(f"quality-{quality}").check()
        await screen.by("download-yes").click()
    await expect(button).to_have_attribute("data-state", "here", timeout=SLOW_MS)


async def plug_in(screen: Screen) -> None:
    """The network is back; the page is asked to try at once."""
    await screen.page.context.set_offline(False)
    await screen.page.evaluate("window.playhead.client.retryNow()")
    await screen.until("window.playhead.client.online", SLOW_MS)


async def unplug(screen: Screen) -> None:
    """No network at all, and the page loaded anew without one."""
    await screen.page.context.set_offline(True)
    await screen.page.reload()


async def test_r8_a_downloaded_lecture_plays_from_a_cold_start_off_line_and_comes_home(
    new_device: NewDevice, system: System
) -> None:
    phone, laptop = await new_device("phone", width=390), await new_device("laptop")
    await download(phone, "360p")
    await unplug(phone)
    await expect(phone.by("play").first).to_be_visible(timeout=WAIT_MS)
    await expect(phone.by("status").first).to_have_attribute("data-state", "offline", timeout=SLOW_MS)
    await phone.press_play()
    await phone.until_played_to(6_500)
    assert not await phone.page.evaluate(PAUSED)
    await phone.seek(60_000)
    await phone.until_played_to(66_000)
    stopped_ms = await phone.pause()
    await expect(phone.by("saved").first).to_contain_text("unsaved, kept on this device")
    await phone.until(f"{PLACE_KEPT.strip()}.then((place_ms) => place_ms >= {stopped_ms - 500})")
    await phone.page.reload()
    await expect(phone.by("play").first).to_be_visible(timeout=WAIT_MS)
    await phone.until_shown_near(stopped_ms)
    await plug_in(phone)
    await phone.until_saved()
    kept = await record(system, phone.student)
    assert abs(kept.position_ms - stopped_ms) <= 1_000
    assert kept.covers(0, 6_000) and kept.covers(60_500, stopped_ms)
    await laptop.until_shown_near(stopped_ms)


async def test_a_downloaded_pdf_is_read_off_line(
    new_device: NewDevice, system: System, papers: Papers
) -> None:
    laptop = await new_device("laptop")
    await laptop.page.evaluate(f"location.hash = '#/read/{papers.pdf}'")
    await laptop.until(f"{READING}?.dataset.phase === 'reading'")
    await download(laptop)
    await unplug(laptop)
    await laptop.until(f"{READING}?.dataset.phase === 'reading'")
    await wheel_to(laptop, 3_000)
    await laptop.until("window.playhead.player.pending_ms >= 1000")
    await expect(laptop.page.locator(".pdfViewer canvas").first).to_be_visible(timeout=WAIT_MS)
    await plug_in(laptop)
    await laptop.until("(({entries}) => entries === 0)(window.playhead.client.state)")
    found = await system.postgres.value(
        "SELECT position_ms FROM progress WHERE student = $1 AND item = $2", laptop.student, papers.pdf
    )
    assert abs(found - 3_000) <= 60
    assert abs(await laptop.page.evaluate(PLACE) - 3_000) <= 60


async def test_downloads_are_listed_deleted_and_gone_with_the_sign_out(
    new_device: NewDevice, papers: Papers
) -> None:
    laptop = await new_device("laptop")
    await laptop.page.evaluate(f"location.hash = '#/read/{papers.text}'")
    await laptop.until(f"{READING}?.dataset.phase === 'reading'")
    await download(laptop)
    await laptop.page.evaluate(f"location.hash = '#/read/{papers.pdf}'")
    await laptop.until(f"{READING}?.dataset.phase === 'reading'")
    await download(laptop)
    await laptop.by("download").first.click()
    await expect(laptop.by("kept")).to_have_count(2, timeout=WAIT_MS)
    await expect(laptop.by("room")).to_contain_text("downloaded")
    await laptop.by("delete").first.click()
    await laptop.by("delete-dialog-yes").click()
    await expect(laptop.by("kept")).to_have_count(1, timeout=WAIT_MS)
    assert await laptop.page.evaluate(KEPT) > 0
    await laptop.page.locator("summary.avatar").click()
    await laptop.page.get_by_role("button", name="Sign out").click()
    await expect(laptop.by("signed-out")).to_be_visible(timeout=WAIT_MS)
    assert await laptop.page.evaluate(KEPT) == 0


async def test_what_does_not_fit_says_so_and_leaves_nothing_half(new_device: NewDevice) -> None:
    laptop = await new_device("laptop", script=SMALL_DISK)
    button = laptop.by("download").first
    await button.click()
    await laptop.by("quality-720p").check()
    await laptop.by("download-yes").click()
    problem = laptop.page.locator(".keep__problem")
    await expect(problem).to_contain_text("or choose a lower quality", timeout=SLOW_MS)
    assert await laptop.page.evaluate(KEPT) == 0
    await expect(button).to_have_attribute("data-state", "none")


async def test_a_disk_that_fills_up_on_the_way_leaves_nothing_half(new_device: NewDevice) -> None:
    laptop = await new_device("laptop", script=FULL_DISK)
    await laptop.by("download").first.click()
    await laptop.by("quality-360p").check()
    await laptop.by("download-yes").click()
    problem = laptop.page.locator(".keep__problem")
    await expect(problem).to_contain_text("no room left", timeout=SLOW_MS)
    assert await laptop.page.evaluate(KEPT) == 0
