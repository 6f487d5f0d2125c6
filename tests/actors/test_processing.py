"""Uploads made ready: on real stores, once as a task of a real Ray cluster whose worker is killed."""

import asyncio
import contextlib
import hashlib
import os
import re
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from actors.making import ENCODING
from actors.processing import (
    Outcome,
    Processing,
    ProcessingSettings,
    open_processing,
    process,
    version_of,
)
from gateway.cluster import Cluster
from gateway.http.deps import IN_CLUSTER
from persistence import drafts, uploads
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.embedded import Embedded
from persistence.errors import StoreError, StoreUnavailable
from persistence.media import Media, of_document, pdf_of
from persistence.migrate import migrate
from persistence.objects import Objects, ObjectStore, key_of, open_objects
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from persistence.students import Student, put
from persistence.uploads import Upload, Wanted
from tests.actors.videos import CAPTIONS, make_pdf, make_picture, make_video


@dataclass(frozen=True)
class Place:
    """The stores of the module, and a folder for files."""

    postgres: Postgres
    objects: Objects
    settings: ProcessingSettings
    folder: Path

    async def course(self) -> str:
        """A new course with a video and a PDF, whose ids begin with its own."""
        course = f"c{uuid.uuid4().hex[:8]}"
        listed = [ItemContent(f"{course}.video", "video", "A"), ItemContent(f"{course}.pdf", "pdf", "B")]
        content = CourseContent("Course", sections=[SectionContent("", listed)])
        await drafts.write(self.postgres, course, content, "ina", None)
        return course

    async def sent(self, course: str, purpose: str, file: Path, **more: Any) -> Upload:
        """An upload whose file is in the store, waiting for a worker."""
        length_bytes = (await asyncio.to_thread(file.stat)).st_size
        kinds = {".mp4": "video/mp4", ".pdf": "application/pdf", ".vtt": "text/vtt", ".png": "image/png"}
        item = more.pop("item", f"{course}.{'pdf' if purpose == 'pdf' else 'video'}")
        wanted = Wanted(
            course,
            item,
            purpose,  # type: ignore[arg-type]
            file.name,
            kinds[file.suffix],
            length_bytes,
            **more,
        )
        upload = await uploads.begin(self.postgres, "ina", uuid.uuid4().hex, wanted, 8 * 2**20)
        await self.objects.put_file(upload.key, file, wanted.content_type)
        assert await uploads.arrived(self.postgres, upload.id)
        return upload

    async def now(self, upload: Upload) -> Upload:
        row = await self.postgres.row("SELECT * FROM upload WHERE id = $1", upload.id)
        found = uploads._upload(row)
        assert found is not None
        return found

    async def version(self, upload: Upload) -> Any:
        assert upload.item is not None
        return await self.postgres.row(
            "SELECT * FROM item_version WHERE item = $1 AND version = $2", upload.item, version_of(upload)
        )

    async def media(self, upload: Upload) -> Media:
        found = of_document((await self.version(upload))["media"])
        assert found is not None
        return found

    async def in_draft(self, upload: Upload) -> str | None:
        draft = await drafts.read(self.postgres, upload.course)
        assert draft is not None
        return next(one.version for one in draft.content.items() if one.id == upload.item)

    async def until(self, upload: Upload, holds: Callable[[Upload], bool], timeout_s: float = 60) -> Upload:
        async with asyncio.timeout(timeout_s):
            while not holds(found := await self.now(upload)):  # noqa: ASYNC110 - nobody in here tells
                await asyncio.sleep(0.05)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(
    embedded: Embedded, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    postgres = await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    await migrate(postgres)
    await put(postgres, [Student("ina", "Ina")])
    s3 = embedded.s3
    store = ObjectStore(s3.endpoint_url, s3.public_url, s3.region, s3.access_key, s3.secret_key, s3.bucket)
    folder = tmp_path_factory.mktemp("processing")
    settings = ProcessingSettings(
        postgres_dsn=postgres_dsn,
        objects=store,
        scratch_folder=folder / "scratch",
        lease_s=2.0,
        beat_s=0.1,
        sweep_every_s=0.2,
    )
    async with open_objects(store) as objects:
        yield Place(postgres, objects, settings, folder)
    await postgres.close()


async def test_a_video_becomes_the_version_its_draft_names(place: Place) -> None:
    course = await place.course()
    upload = await place.sent(course, "video", make_video(place.folder / "first.mp4"))
    assert await process(place.settings, upload.id) == "ready"
    now = await place.now(upload)
    assert (now.state, now.fraction, now.reason, now.version) == ("ready", 1, "", version_of(upload))
    assert await place.in_draft(upload) == now.version
    version, media = await place.version(upload), await place.media(upload)
    assert (version["from_version"], version["duration_ms"]) == (None, pytest.approx(3000, abs=100))
    assert media.sprite is not None and media.preview and media.loudness_lufs is not None
    keys = [media.poster, media.plain, media.preview, media.sprite.key, *(r.key for r in media.renditions)]
    for key in keys:
        assert key.startswith(f"course/{course}/{course}.video/")
        assert await place.objects.head(key) is not None, key
    assert list((place.folder / "scratch").iterdir()) == []
    # Nobody sees it before it is published.
    assert await place.postgres.value("SELECT version FROM item WHERE id = $1", upload.item) is None


async def test_a_second_task_for_it_does_nothing(place: Place) -> None:
    upload = await place.sent(await place.course(), "pdf", make_pdf(place.folder / "twice.pdf"))
    outcomes = await asyncio.gather(*(process(place.settings, upload.id) for _ in range(4)))
    assert sorted(outcomes) == ["not waiting", "not waiting", "not waiting", "ready"]
    assert await process(place.settings, upload.id) == "not waiting"


async def test_the_next_version_is_made_from_the_one_before_with_its_edits(place: Place) -> None:
    course = await place.course()
    first = await place.sent(course, "video", make_video(place.folder / "long.mp4", 6))
    await process(place.settings, first.id)
    cut = await place.sent(
        course, "video", make_video(place.folder / "cut.mp4", 4, colour="red"), edits=[{"cut": [1000, 3000]}]
    )
    await process(place.settings, cut.id)
    version = await place.version(cut)
    assert (version["from_version"], version["edits"]) == (version_of(first), [{"cut": [1000, 3000]}])
    assert await place.in_draft(cut) == version_of(cut)


async def test_edits_that_do_not_lead_to_the_video_are_a_reason(place: Place) -> None:
    course = await place.course()
    first = await place.sent(course, "video", make_video(place.folder / "whole.mp4", 8))
    await process(place.settings, first.id)
    wrong = await place.sent(
        course, "video", make_video(place.folder / "wrong.mp4", 3), edits=[{"cut": [1000, 2000]}]
    )
    assert await process(place.settings, wrong.id) == "failed"
    assert "the edits make a video of 7 s, but this one has 3 s" in (await place.now(wrong)).reason.lower()
    assert await place.in_draft(wrong) == version_of(first)
    assert await place.version(wrong) is None


async def test_captions_and_a_poster_are_added_to_the_video_and_stay_with_the_next(place: Place) -> None:
    course = await place.course()
    captions = place.folder / "en.vtt"
    captions.write_bytes(CAPTIONS)
    early = await place.sent(course, "captions", captions, language="en", label="English")
    assert await process(place.settings, early.id) == "failed"
    assert "no video yet" in (await place.now(early)).reason
    video = await place.sent(course, "video", make_video(place.folder / "spoken.mp4"))
    await process(place.settings, video.id)
    both = [
        await place.sent(course, "captions", captions, language=language, label=label)
        for language, label in (("en", "English"), ("de", "Deutsch"))
    ]
    picture = await place.sent(course, "poster", make_picture(place.folder / "bee.png"))
    # At once: each builds on the one before, whichever that is.
    assert (
        await asyncio.gather(*(process(place.settings, one.id) for one in (*both, picture))) == ["ready"] * 3
    )
    again = await place.sent(course, "video", make_video(place.folder / "again.mp4", colour="green"))
    await process(place.settings, again.id)
    media = await place.media(again)
    assert sorted((one.language, one.label) for one in media.captions) == [
        ("de", "Deutsch"),
        ("en", "English"),
    ]
    async with asyncio.timeout(10):
        text = await place.objects.beginning(media.captions[0].key, 1000)
    assert text == b"WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nHello there\n"
    posters = [one for one in (*both, picture) if (await place.media(one)).poster.endswith("poster.jpg")]
    assert len(posters) == 3
    made = (await place.now(picture)).made_key
    stored = await place.objects.head(made or "")
    assert stored is not None and stored.content_type == "image/jpeg"


async def test_a_poster_of_the_course_is_a_key_and_no_version(place: Place) -> None:
    course = await place.course()
    upload = await place.sent(course, "poster", make_picture(place.folder / "course.png"), item=None)
    assert await process(place.settings, upload.id) == "ready"
    now = await place.now(upload)
    assert now.version is None and (now.made_key or "").startswith(f"course/{course}/")


async def test_a_pdf_is_as_long_as_its_pages(place: Place) -> None:
    upload = await place.sent(await place.course(), "pdf", make_pdf(place.folder / "paper.pdf", 5))
    assert await process(place.settings, upload.id) == "ready"
    version = await place.version(upload)
    pdf = pdf_of(version["media"])
    assert pdf is not None and (pdf.pages, version["duration_ms"], pdf.length_bytes) == (
        5,
        5000,
        upload.length_bytes,
    )
    stored = await place.objects.head(pdf.key)
    assert stored is not None and stored.content_type == "application/pdf"


def _cut_off(folder: Path) -> Path:
    whole = make_video(folder / "whole.mp4", 6)
    file = folder / "half.mp4"
    file.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return file


def _list_of_files(folder: Path) -> Path:
    """A playlist that begins as an mp4 does."""
    file = folder / "list.mp4"
    file.write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\n#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd\n" * 20)
    return file


def _picture_bomb(folder: Path) -> Path:
    """A PNG that says it is 60000 x 60000."""
    file = make_picture(folder / "bomb.png", "64x64")
    data = bytearray(file.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    file.write_bytes(bytes(data))
    return file


def _no_captions(folder: Path) -> Path:
    file = folder / "none.vtt"
    file.write_bytes(b"WEBVTT\n\n00:09.000 --> 00:01.000\nback\n")
    return file


def _broken_pdf(folder: Path) -> Path:
    whole = make_pdf(folder / "whole.pdf")
    file = folder / "broken.pdf"
    file.write_bytes(whole.read_bytes()[:200])
    return file


@pytest.mark.parametrize(
    ("purpose", "make_file", "why"),
    [
        ("video", _cut_off, r"^half\.mp4 cannot be read as a video"),
        ("video", _list_of_files, r"^list\.mp4 cannot be read as a video"),
        ("poster", _picture_bomb, "The picture cannot be read"),
        ("captions", _no_captions, "Line 3 ends before it begins"),
        ("pdf", _broken_pdf, "The PDF is damaged"),
    ],
)
async def test_a_damaged_or_hostile_file_fails_with_a_reason_and_leaves_nothing(
    place: Place, tmp_path: Path, purpose: str, make_file: Callable[[Path], Path], why: str
) -> None:
    upload = await place.sent(await place.course(), purpose, make_file(tmp_path), language="en")
    assert await process(place.settings, upload.id) == "failed"
    now = await place.now(upload)
    assert now.state == "failed"
    assert re.search(why, now.reason), now.reason
    assert "passwd" not in now.reason and str(tmp_path) not in now.reason and "scratch" not in now.reason
    assert await place.in_draft(upload) is None and await place.version(upload) is None
    assert list((place.folder / "scratch").iterdir()) == []


async def test_an_aborted_upload_stops_its_worker(place: Place) -> None:
    slow = replace(place.settings, beat_s=0.05)
    video = make_video(place.folder / "slow.mp4", 60, "1280x720")
    upload = await place.sent(await place.course(), "video", video)
    working = asyncio.create_task(process(slow, upload.id))
    await place.until(upload, lambda now: now.fraction > 0.11)
    await uploads.end(place.postgres, upload.id, "aborted", "no more")
    async with asyncio.timeout(20):
        assert await working == "lost"
    assert await place.version(upload) is None
    # Nothing was finished and kept: the worker stopped in the middle.
    digest = hashlib.sha256(await asyncio.to_thread(video.read_bytes) + ENCODING.encode()).hexdigest()[:24]
    assert upload.item is not None
    assert await place.objects.head(key_of("course", upload.course, upload.item, digest, "360p.mp4")) is None
    assert list((place.folder / "scratch").iterdir()) == []


async def test_f18_a_store_that_is_away_is_tried_again(place: Place) -> None:
    upload = await place.sent(await place.course(), "pdf", make_pdf(place.folder / "later.pdf"))
    away = replace(place.settings, objects=replace(place.settings.objects, endpoint_url="http://127.0.0.1:1"))
    # More often than workers may die of it: that the store is away says nothing against the file.
    for _ in range(uploads.ATTEMPTS_MAX + 1):
        assert await process(away, upload.id) == "again"
        await uploads.give_up(place.postgres)
        assert (await place.now(upload)).state == "processing"
    assert await process(place.settings, upload.id) == "ready"


async def test_a_file_the_store_does_not_have_is_not_tried_for_ever(place: Place) -> None:
    upload = await place.sent(await place.course(), "pdf", make_pdf(place.folder / "gone.pdf"))
    await place.objects.delete(upload.key)
    for _ in range(uploads.ATTEMPTS_MAX):
        assert await process(place.settings, upload.id) == "again"
    assert await process(place.settings, upload.id) == "not waiting"
    await uploads.give_up(place.postgres)
    assert (await place.now(upload)).state == "failed"


async def test_the_sweep_starts_what_nobody_works_on_and_gives_up_in_the_end(place: Place) -> None:
    upload = await place.sent(await place.course(), "pdf", make_pdf(place.folder / "deadly.pdf"))
    started: list[uuid.UUID] = []

    async def dies(settings: ProcessingSettings, name: uuid.UUID) -> Outcome:
        """A worker that is gone as soon as it has the upload."""
        started.append(name)
        assert await uploads.claim(place.postgres, name, settings.lease_s)
        raise RuntimeError("the worker is gone")

    quick = replace(place.settings, lease_s=0.2)
    async with open_processing(place.postgres, place.objects, quick, dies) as processing:
        processing.submit(upload.id)
        processing.submit(upload.id)
        ended = await place.until(upload, lambda now: now.state == "failed", 30)
    assert started == [upload.id] * uploads.ATTEMPTS_MAX
    assert "export the file again" in ended.reason


async def test_u1_the_file_of_an_ended_upload_goes_from_the_store(place: Place) -> None:
    ended = await place.sent(await place.course(), "pdf", make_pdf(place.folder / "ended.pdf"))
    assert await process(place.settings, ended.id) == "ready"
    wanted = Wanted(ended.course, ended.item, "pdf", "never.pdf", "application/pdf", 20_000_000)
    never = await uploads.begin(place.postgres, "ina", uuid.uuid4().hex, wanted, 8 * 2**20)
    name = await place.objects.begin_parts(never.key, "application/pdf")
    await uploads.set_multipart(place.postgres, never.id, name, None)
    processing = Processing(place.postgres, place.objects, place.settings, process)
    await processing.clear()
    assert await place.objects.head(ended.key) is not None
    assert await place.objects.parts(never.key, name) == []
    await processing.clear(abandoned_s=0, ended_s=0)
    assert await place.objects.head(ended.key) is None
    assert await place.objects.parts(never.key, name) is None
    assert (await place.now(never)).state == "aborted"
    # What was made of it stays.
    pdf = pdf_of((await place.version(ended))["media"])
    assert pdf is not None and await place.objects.head(pdf.key) is not None


class _Refusing(Objects):
    """A store that does not delete everything."""

    def __init__(self, objects: Objects, error: StoreError, key: str) -> None:
        super().__init__(objects._client, objects.store)
        self._error = error
        self._key = key

    async def delete(self, key: str) -> None:
        if key == self._key:
            raise self._error
        await super().delete(key)


async def test_a_file_the_store_will_not_delete_keeps_no_other(place: Place) -> None:
    course = await place.course()
    before, stuck, after = [
        await place.sent(course, "pdf", make_pdf(place.folder / f"{name}.pdf"))
        for name in ("before", "stuck", "after")
    ]
    for one in (before, stuck, after):
        await uploads.end(place.postgres, one.id, "aborted", "no more")

    async def left() -> set[str]:
        keys = [one.key for one in (before, stuck, after)]
        query = "SELECT key FROM upload WHERE key = ANY ($1) AND NOT swept"
        return {row["key"] for row in await place.postgres.rows(query, keys)}

    away = _Refusing(place.objects, StoreUnavailable("away"), stuck.key)
    with pytest.raises(StoreUnavailable):
        await Processing(place.postgres, away, place.settings, process).clear(ended_s=0)
    # What went before the store was away is noted.
    assert await left() == {stuck.key, after.key}
    held = _Refusing(place.objects, StoreError("held"), stuck.key)
    await Processing(place.postgres, held, place.settings, process).clear(ended_s=0)
    assert await left() == {stuck.key}
    await Processing(place.postgres, place.objects, place.settings, process).clear(ended_s=0)
    assert await left() == set()


def _workers(scratch: Path) -> dict[int, int]:
    """The ffmpeg that work in the folder, and by whom each was started."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if str((entry / "cwd").readlink()).startswith(str(scratch)):
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


async def _until(holds: Callable[[], bool], timeout_s: float = 60) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_a_worker_of_the_cluster_is_killed_and_the_upload_becomes_ready(
    place: Place, ray_cluster: Cluster
) -> None:
    scratch = place.settings.scratch_folder
    assert scratch is not None
    upload = await place.sent(
        await place.course(), "video", make_video(place.folder / "killed.mp4", 90, "640x360")
    )
    async with open_processing(place.postgres, place.objects, place.settings, IN_CLUSTER) as processing:
        processing.submit(upload.id)
        await _until(lambda: bool(_workers(scratch)))
        (ffmpeg, worker), *_ = _workers(scratch).items()
        os.kill(worker, signal.SIGKILL)
        await _until(lambda: ffmpeg not in _workers(scratch), 10)
        ready = await place.until(upload, lambda now: now.state in ("ready", "failed"), 120)
    assert (ready.state, ready.attempts) == ("ready", 2)
    assert await place.in_draft(upload) == version_of(upload)
    assert (await place.version(upload))["duration_ms"] == pytest.approx(90_000, abs=200)
    # The second worker has cleared up behind the first.
    assert list(scratch.iterdir()) == []
