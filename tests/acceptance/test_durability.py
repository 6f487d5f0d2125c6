"""Three words: applied, durable, rejected; and what of them is at rest (R8, design 4)."""

from tests.acceptance.system import System
from tests.acceptance.watching import Viewer

PROGRESS = "SELECT position_ms, content_ms, coverage, done FROM progress WHERE student = $1 AND item = $2"
WATERMARK = "SELECT durable_seq FROM device_watermark WHERE student = $1 AND device = $2"


async def test_r8_durable_is_said_only_of_what_is_committed(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(30_000)
    await viewer.pause()
    await phone.until_durable()
    row = await system.postgres.row(PROGRESS, student, item)
    assert row is not None and (row["position_ms"], row["content_ms"]) == (30_000, 30_000)
    assert await system.postgres.value(WATERMARK, student, phone.id) == phone.seq


async def test_p26_plain_playing_is_durable_without_a_pause(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(10_000)
    await phone.until_durable(35)
    history = await system.postgres.value(
        "SELECT count(*) FROM checkpoint_history WHERE student = $1 AND item = $2", student, item
    )
    assert history == 1


async def test_r5_repeats_change_nothing(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(20_000)
    journal = list(phone.journal)
    for _ in range(3):
        await phone.say({"type": "events", "events": journal})
    await viewer.pause()
    await phone.until_durable()
    assert (await phone.pull(item))["content_ms"] == 20_000


async def test_r7_ninety_percent_completes_the_pass(system: System) -> None:
    student, item = await system.student(), await system.lecture(100_000)
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(89_000)
    await phone.until(lambda: phone.applied == phone.seq)
    assert (await phone.pull(item))["done"] is False
    await viewer.watch(1_000)
    await phone.until(lambda: phone.heads[item]["done"] is True)
    await viewer.seek(0)
    await viewer.close()
    await phone.until_durable()
    row = await system.postgres.row(PROGRESS, student, item)
    assert row is not None and row["done"] is True and row["position_ms"] == 0


async def test_w17_a_gap_is_asked_for_and_then_closed(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await phone.until(lambda: phone.applied == 1)
    phone.journal.last_seq += 1
    await viewer.press_play()
    await phone.until(lambda: any(m["type"] == "resync" and m["from_seq"] == 2 for m in phone.messages))
    await phone.until(lambda: 4006 in phone.closes, 20)


async def test_w18_impossible_places_and_foreign_items_are_refused(system: System) -> None:
    student, item = await system.student(), await system.lecture(100_000)
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    beyond = await viewer.say("sought", position_ms=116_000)
    unknown = await Viewer(phone, "no-such-item").say("sought", position_ms=1)
    version = await viewer.say("sought", position_ms=1, version="v9")
    negative = await viewer.say("sought", position_ms=-1)
    good = await viewer.seek(50_000)
    await phone.until_durable()
    codes = {seq: message["code"] for seq, message in phone.rejected.items()}
    assert codes == {
        beyond: "beyond_end",
        unknown: "unknown_item",
        version: "unknown_version",
        negative: "malformed",
    }
    assert phone.durable == good
    assert (await phone.pull(item))["position_ms"] == 50_000


async def test_w18_not_enrolled_and_unpublished_are_refused(system: System) -> None:
    item = await system.lecture()
    stranger = f"stranger-{item}"
    await system.postgres.execute("INSERT INTO student (id) VALUES ($1)", stranger)
    phone = await system.device(stranger, "phone").start()
    seq = await Viewer(phone, item).say("sought", position_ms=1)
    await phone.until(lambda: seq in phone.rejected)
    assert phone.rejected[seq]["code"] == "not_enrolled"


async def test_w19_what_plays_faster_than_time_earns_nothing(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(10_000)
    await viewer.say("played", from_ms=10_000, to_ms=300_000)
    await viewer.pause()
    await phone.until_durable()
    head = await phone.pull(item)
    assert (head["position_ms"], head["content_ms"], head["done"]) == (300_000, 10_000, False)
