"""The main job: one student, two devices, one playhead."""

from gateway.client import ClosedForGood
from tests.acceptance.system import System
from tests.acceptance.watching import Viewer


async def pair(system: System) -> tuple[Viewer, Viewer]:
    """A student's phone and laptop, both on the same lecture."""
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    laptop = await system.device(student, "laptop").start()
    return await Viewer(phone, item).open(), await Viewer(laptop, item).open()


async def test_p10_the_other_device_sees_the_position_live(system: System) -> None:
    phone, laptop = await pair(system)
    await phone.press_play()
    for _ in range(3):
        await phone.watch(10_000)
        await laptop.sees(phone.position_ms)
    head = laptop.device.heads[laptop.item]
    assert head["playing"] is True
    assert head["device"] == phone.device.id
    assert head["device_name"] == "Phone"


async def test_r2_the_other_device_goes_on_at_that_very_second(system: System) -> None:
    phone, laptop = await pair(system)
    await phone.press_play()
    await phone.watch(61_234)
    await phone.pause()
    await laptop.sees(61_234)
    await laptop.device.until(lambda: laptop.device.heads[laptop.item]["playing"] is False)
    await laptop.resume(10_000)
    await phone.sees(71_234)
    assert phone.device.heads[phone.item]["device"] == laptop.device.id
    assert laptop.device.heads[laptop.item]["rule"] == "R2"


async def test_r10_the_device_that_lost_the_baton_does_not_move_the_head(system: System) -> None:
    phone, laptop = await pair(system)
    await phone.press_play()
    await phone.watch(60_000)
    await laptop.sees(60_000)
    await laptop.choose(60_000)
    await laptop.press_play()
    await laptop.watch(20_000)
    await phone.sees(80_000)
    await phone.watch(5_000)
    await phone.device.until(lambda: phone.device.applied == phone.device.seq)
    head = await phone.device.pull(phone.item)
    assert (head["position_ms"], head["device"]) == (80_000, laptop.device.id)
    assert head["content_ms"] == 85_000


async def test_r1_opening_and_pausing_elsewhere_moves_nothing(system: System) -> None:
    phone, laptop = await pair(system)
    await phone.press_play()
    await phone.watch(60_000)
    await phone.pause()
    await laptop.sees(60_000)
    await laptop.press_play()
    await laptop.watch(3_000)
    await laptop.pause()
    await laptop.close()
    await laptop.device.until_durable()
    head = await phone.device.pull(phone.item)
    assert (head["position_ms"], head["device"]) == (60_000, phone.device.id)


async def test_p21_reload_goes_on_in_the_same_journal(system: System) -> None:
    student, item = await system.student(), await system.lecture()
    phone = await system.device(student, "phone").start()
    viewer = await Viewer(phone, item).open()
    await viewer.press_play()
    await viewer.watch(42_000)
    await phone.until_durable()
    await phone.stop()
    again = await system.device(student, "phone", phone.id).start()
    assert again.welcome["applied_seq"] == again.welcome["durable_seq"] == phone.seq
    assert (await again.pull(item))["position_ms"] == 42_000
    await (await Viewer(again, item).open()).resume(6_000)
    await again.until(lambda: again.applied == again.seq)
    assert (await again.pull(item))["position_ms"] == 48_000


async def test_p27_a_device_that_goes_is_shown_as_not_playing(system: System) -> None:
    phone, laptop = await pair(system)
    await phone.press_play()
    await phone.watch(30_000)
    await laptop.sees(30_000)
    await phone.device.stop()
    await laptop.device.until(lambda: laptop.device.heads[laptop.item]["playing"] is False)


async def test_w21_the_same_device_id_under_another_student_is_another_device(system: System) -> None:
    item = await system.lecture()
    ana, ben = await system.student(), await system.student()
    shared = "a-shared-tablet"
    hers = await system.device(ana, "tablet", shared).start()
    his = await system.device(ben, "tablet", shared).start()
    viewer = await Viewer(hers, item).open()
    await viewer.press_play()
    await viewer.watch(20_000)
    await hers.until_durable()
    assert (await his.pull(item))["position_ms"] == 0
    assert his.closes == [] and his.welcome["applied_seq"] == 0


async def test_w22_a_newer_connection_of_the_device_replaces_the_older(system: System) -> None:
    student = await system.student()
    older = await system.device(student, "phone", "one-phone").start()
    newer = await system.device(student, "phone", "one-phone").start()
    await older.until(lambda: older.failure is not None)
    assert isinstance(older.failure, ClosedForGood) and older.failure.code == 4505
    assert newer.online
