"""A publish reaches open sockets: nobody reloads a page, and nobody's place is lost (P14, R9)."""

import uuid

from persistence import drafts, items, students
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.items import Version
from tests.acceptance.system import System
from tests.acceptance.watching import Viewer

SOON_S = 15.0
"""Far below the minute after which a shard reads an item again anyway."""


async def test_p14_a_new_version_reaches_who_is_connected(system: System) -> None:
    postgres, name = system.postgres, uuid.uuid4().hex[:8]
    course, item, teacher = f"course-{name}", f"lecture-{name}", f"teacher-{name}"
    student = await system.student()
    await students.put(postgres, [students.Student(teacher, "Mira", may_teach=True)])
    await drafts.create(postgres, course, "A course", teacher)
    lecture = ItemContent(item, "video", "A lecture")
    content = CourseContent("A course", sections=[SectionContent("All", [lecture])])
    await drafts.write(postgres, course, content, teacher, None)

    async def publish(version: Version) -> None:
        await items.put(postgres, [], [version])
        assert await drafts.set_item_version(postgres, course, item, version.version)
        await drafts.publish(postgres, course, teacher, None)

    await publish(Version(item, "v1", 600_000))
    await students.enrol(postgres, [students.Enrolment(student, course)])
    phone = await Viewer(await system.device(student, "phone").start(), item).open()
    laptop = await Viewer(await system.device(student, "laptop").start(), item).open()
    await phone.press_play()
    await phone.watch(60_000)
    await phone.pause()
    await laptop.sees(60_000)
    await publish(Version(item, "v2", 580_000, {}, "v1", [{"cut": [0, 20_000]}]))
    for viewer in (phone, laptop):
        heads = viewer.device.heads
        await viewer.device.until(lambda heads=heads: heads[item]["version"] == "v2", SOON_S)  # type: ignore[misc]
        assert (heads[item]["position_ms"], heads[item]["coverage_ms"]) == (40_000, 40_000)
