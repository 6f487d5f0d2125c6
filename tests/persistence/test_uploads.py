"""Uploads in Postgres: begun once, held by one worker at a time, ended by time; only for instructors."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from persistence import drafts, items, uploads
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.items import Version
from persistence.objects import SEND_PART_BYTES
from persistence.postgres import Postgres
from persistence.students import Enrolment, Student, enrol, put
from persistence.uploads import KeyReused, TooManyUploads, Upload, Wanted, safe_name

WANTED = Wanted("bees", "waggle", "video", "waggle dance.mp4", "video/mp4", 20_000_000)


@dataclass(frozen=True)
class Begun:
    """An upload of a course of the module, and its store."""

    postgres: Postgres
    upload: Upload

    async def arrived(self) -> uuid.UUID:
        assert await uploads.arrived(self.postgres, self.upload.id) is not None
        return self.upload.id


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def catalogue(postgres: Postgres) -> None:
    await put(postgres, [Student("ina", "Ina"), Student("tom", "Tom"), Student("ann", "Ann")])
    sections = [
        SectionContent(
            "One", [ItemContent("waggle", "video", "Waggle"), ItemContent("notes", "pdf", "Notes")]
        )
    ]
    await drafts.write(postgres, "bees", CourseContent("Bees", sections=sections), "ina", None)
    await drafts.write(postgres, "ants", CourseContent("Ants"), "ann", None)
    await enrol(
        postgres,
        [
            Enrolment("ina", "bees", "instructor"),
            Enrolment("tom", "bees"),
            Enrolment("ann", "ants", "instructor"),
        ],
    )


@pytest_asyncio.fixture(loop_scope="session")
async def begun(postgres: Postgres) -> AsyncIterator[Begun]:
    upload = await uploads.begin(postgres, "ina", uuid.uuid4().hex, WANTED, SEND_PART_BYTES)
    yield Begun(postgres, upload)
    await postgres.execute("DELETE FROM upload")


async def test_s1_the_key_is_made_here(begun: Begun) -> None:
    upload = begun.upload
    assert upload.key == f"upload/bees/{upload.id.hex}"
    assert (upload.state, upload.fraction, upload.multipart_id, upload.parts_total) == (
        "uploading",
        0,
        None,
        3,
    )
    assert [upload.part_length_bytes(number) for number in (1, 2, 3)] == [8388608, 8388608, 3222784]


async def test_h16_a_request_sent_again_begins_nothing_and_another_one_under_its_key_is_refused(
    begun: Begun,
) -> None:
    key = uuid.uuid4().hex
    first = await uploads.begin(begun.postgres, "ina", key, WANTED, SEND_PART_BYTES)
    again = await uploads.begin(begun.postgres, "ina", key, WANTED, SEND_PART_BYTES)
    assert again == first != begun.upload
    other = Wanted("bees", "waggle", "video", "other.mp4", "video/mp4", 20_000_000)
    with pytest.raises(KeyReused):
        await uploads.begin(begun.postgres, "ina", key, other, SEND_PART_BYTES)


async def test_several_at_once_with_one_key_begin_one(begun: Begun) -> None:
    key = uuid.uuid4().hex
    some = await asyncio.gather(
        *(uploads.begin(begun.postgres, "ina", key, WANTED, SEND_PART_BYTES) for _ in range(6))
    )
    assert len({upload.id for upload in some}) == 1


async def test_u5_a_course_has_so_many_open_uploads_and_no_more(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "OPEN_MAX", 2)
    await uploads.begin(begun.postgres, "ina", "second", WANTED, SEND_PART_BYTES)
    with pytest.raises(TooManyUploads):
        await uploads.begin(begun.postgres, "ina", "third", WANTED, SEND_PART_BYTES)
    await uploads.end(begun.postgres, begun.upload.id, "aborted", "")
    await uploads.begin(begun.postgres, "ina", "third", WANTED, SEND_PART_BYTES)


async def test_u5_begun_at_once_they_are_no_more_either(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "OPEN_MAX", 3)
    asked = (
        uploads.begin(begun.postgres, "ina", uuid.uuid4().hex, WANTED, SEND_PART_BYTES) for _ in range(8)
    )
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert len([one for one in answers if isinstance(one, Upload)]) == 2
    assert len([one for one in answers if isinstance(one, TooManyUploads)]) == 6


async def test_h7_only_instructors_of_the_course_see_an_upload(begun: Begun) -> None:
    assert await uploads.read(begun.postgres, "ina", begun.upload.id) == begun.upload
    assert [one.id for one in await uploads.of_course(begun.postgres, "ina", "bees")] == [begun.upload.id]
    for stranger in ("tom", "ann", "nobody"):
        assert await uploads.read(begun.postgres, stranger, begun.upload.id) is None
        assert await uploads.of_course(begun.postgres, stranger, "bees") == []
    assert await uploads.rights(begun.postgres, "ina", "bees", "waggle") == (True, "video")
    assert await uploads.rights(begun.postgres, "tom", "bees", "waggle") == (False, "video")
    assert await uploads.rights(begun.postgres, "ann", "ants", "waggle") == (True, None)


async def test_one_worker_holds_it_until_its_lease_runs_out(begun: Begun) -> None:
    upload = await begun.arrived()
    claims = await asyncio.gather(*(uploads.claim(begun.postgres, upload, 30) for _ in range(4)))
    (held,) = (claim for claim in claims if claim is not None)
    assert await held.hold(0.5) and not await uploads.claim(begun.postgres, upload, 30)
    await begun.postgres.execute("UPDATE upload SET lease_until = now() - interval '1 s'")
    successor = await uploads.claim(begun.postgres, upload, 30)
    assert successor is not None and successor.upload.attempts == 2
    # The one that was taken for dead still lives: it can write no more.
    assert not await held.hold(0.9) and not await held.finish("v1") and not await held.fail("mine")
    assert await successor.finish("v2")
    now = await uploads.read(begun.postgres, "ina", upload)
    assert now is not None and (now.state, now.version, now.fraction) == ("ready", "v2", 1)
    assert await uploads.claim(begun.postgres, upload, 30) is None


async def test_the_fraction_never_goes_back(begun: Begun) -> None:
    held = await uploads.claim(begun.postgres, await begun.arrived(), 30)
    assert held is not None and await held.hold(0.75) and await held.hold(0.25)
    now = await uploads.read(begun.postgres, "ina", begun.upload.id)
    assert now is not None and now.fraction == 0.75


async def test_an_aborted_upload_is_nobodys(begun: Begun) -> None:
    held = await uploads.claim(begun.postgres, await begun.arrived(), 30)
    assert held is not None and await uploads.end(begun.postgres, begun.upload.id, "aborted", "no more")
    assert not await held.hold(0.5) and not await held.finish("v1")
    assert await uploads.end(begun.postgres, begun.upload.id, "aborted", "again") is None


async def test_what_waits_is_given_to_one_and_again_after_a_while(begun: Begun) -> None:
    upload = await begun.arrived()
    assert await uploads.waiting(begun.postgres, 60) == []
    given = await asyncio.gather(*(uploads.waiting(begun.postgres, 0) for _ in range(4)))
    assert [upload] in given
    held = await uploads.claim(begun.postgres, upload, 30)
    assert held is not None and await uploads.waiting(begun.postgres, 0) == []
    await held.release()
    assert await uploads.waiting(begun.postgres, 0) == [upload]


async def test_attempts_are_bounded(begun: Begun) -> None:
    upload = await begun.arrived()
    for _ in range(uploads.ATTEMPTS_MAX):
        assert await uploads.give_up(begun.postgres) == 0
        assert await uploads.claim(begun.postgres, upload, 30) is not None
        await begun.postgres.execute("UPDATE upload SET lease_until = now() - interval '1 s'")
    assert await uploads.claim(begun.postgres, upload, 30) is None
    assert await uploads.give_up(begun.postgres) == 1
    ended = await uploads.read(begun.postgres, "ina", upload)
    assert ended is not None and ended.state == "failed" and "3 times" in ended.reason


async def test_f18_an_upload_given_back_is_none_that_a_worker_died_of(begun: Begun) -> None:
    upload = await begun.arrived()
    for attempt in range(1, 3 * uploads.ATTEMPTS_MAX):
        held = await uploads.claim(begun.postgres, upload, 30)
        assert held is not None and held.upload.attempts == attempt
        await held.release()
        # Not at once again: the store is away for a while.
        assert await uploads.waiting(begun.postgres, 5) == []
        assert await uploads.give_up(begun.postgres) == 0


async def test_what_a_store_refuses_for_good_counts_as_an_attempt(begun: Begun) -> None:
    upload = await begun.arrived()
    for _ in range(uploads.ATTEMPTS_MAX):
        held = await uploads.claim(begun.postgres, upload, 30)
        assert held is not None
        await held.release(counts=True)
    assert await uploads.claim(begun.postgres, upload, 30) is None
    assert await uploads.give_up(begun.postgres) == 1


async def test_u1_what_nobody_completes_ends_and_its_file_goes(begun: Begun) -> None:
    assert await uploads.abandon(begun.postgres) == 0
    await begun.postgres.execute("UPDATE upload SET created_at = now() - interval '25 hours'")
    assert await uploads.abandon(begun.postgres) == 1
    assert await uploads.unswept(begun.postgres) == []
    (left,) = await uploads.unswept(begun.postgres, 0)
    assert (left.id, left.key) == (begun.upload.id, begun.upload.key)
    await uploads.swept(begun.postgres, [left.id])
    assert await uploads.unswept(begun.postgres, 0) == []


async def test_the_store_name_of_an_upload_in_parts_is_replaced_by_one_who_knew_it(begun: Begun) -> None:
    upload = begun.upload.id
    first = await uploads.set_multipart(begun.postgres, upload, "a", None)
    assert first is not None and first.multipart_id == "a"
    assert await uploads.set_multipart(begun.postgres, upload, "b", None) is None
    second = await uploads.set_multipart(begun.postgres, upload, "c", "a")
    assert second is not None and second.multipart_id == "c"


async def test_the_next_version_is_made_of_the_drafts_one(begun: Begun) -> None:
    postgres = begun.postgres
    assert await uploads.base(postgres, "waggle") is None
    await items.put(postgres, [], [Version("waggle", "v1", 60_000, {"kind": "hls"})])
    await drafts.set_item_version(postgres, "bees", "waggle", "v1")
    found = await uploads.base(postgres, "waggle")
    assert found == uploads.Base("v1", 60_000, {"kind": "hls"})
    await postgres.execute("UPDATE item SET version = 'v1' WHERE id = 'waggle'")
    await postgres.execute("DELETE FROM course_draft WHERE course = 'bees'")
    assert await uploads.base(postgres, "waggle") == found


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("lecture 1.mp4", "lecture 1.mp4"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\r\nSet-Cookie: x\x00.mp4", "aSet-Cookie: x.mp4"),
        ("\u202egnp.exe", "gnp.exe"),
        ("  ..hidden. ", "hidden"),
        ("/", "file"),
        ("ä" * 300 + ".mp4", "ä" * 127),
    ],
)
def test_u4_names_are_made_safe(given: str, kept: str) -> None:
    assert safe_name(given) == kept
    assert len(safe_name(given).encode()) <= 255
