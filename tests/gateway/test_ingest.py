"""The demo course, from nothing to playable, on real servers; and again, when everything is there."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from actors.ffmpeg import TranscodeError
from gateway import ingest
from gateway.cluster import Cluster
from gateway.demo_course import COURSE
from persistence import courses, drafts, items, students
from persistence.embedded import Embedded
from persistence.errors import SetupError, StoreUnavailable
from persistence.media import of_document
from persistence.migrate import migrate
from persistence.objects import ObjectStore, open_objects
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from tests.conftest import make_database
from tests.gateway.demo_lectures import LECTURES, course_of, lecture


@pytest.fixture(scope="module")
def store(embedded: Embedded) -> ObjectStore:
    s3 = embedded.s3
    return ObjectStore(s3.endpoint_url, s3.public_url, s3.region, s3.access_key, s3.secret_key, "ingest")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests"))
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def media_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "media"


async def _run(
    media_folder: Path, store: ObjectStore, postgres: Postgres, video: Path | None = None
) -> list[tuple[str, float]]:
    heard: list[tuple[str, float]] = []
    await ingest.ingest_lecture(
        media_folder, store, postgres, video, lambda *said: heard.append(said), LECTURES
    )
    return heard


def _times_ns(*folders: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for folder in folders for file in folder.rglob("*")}


async def test_the_course_is_there_with_all_its_files(
    media_folder: Path, store: ObjectStore, postgres: Postgres
) -> None:
    heard = await _run(media_folder, store, postgres)
    for step in (ingest.ENCODE, ingest.UPLOAD, ingest.REGISTER):
        fractions = [fraction for name, fraction in heard if name == step]
        assert fractions == sorted(fractions) and fractions[-1] == 1.0
    for student in ("ada", "ben"):
        [line] = await courses.of_student(postgres, student, "", 10)
        assert (line.id, line.title, line.items_total) == (COURSE, "Learning How to Resume", 2)
        item = await items.open_for(postgres, student, "lecture-1")
        assert item is not None and item.duration_ms == pytest.approx(6000, abs=60)
    assert item is not None
    media = of_document(item.media)
    assert media is not None
    async with open_objects(store) as objects:
        for key in (media.poster, media.plain, *(rendition.key for rendition in media.renditions)):
            assert key.startswith(f"course/{COURSE}/lecture-1/{item.version}/")
            stored = await objects.head(key)
            assert stored is not None
            assert stored.content_type == ("image/jpeg" if key.endswith("jpg") else "video/mp4")


async def test_a_second_start_encodes_puts_and_writes_nothing(
    media_folder: Path, store: ObjectStore, postgres: Postgres, embedded: Embedded
) -> None:
    await _run(media_folder, store, postgres)
    objects = embedded.folder.path / "objects" / store.bucket
    rows = "SELECT (SELECT array_agg(xmin::text) FROM {0}) AS them"
    before = _times_ns(media_folder, objects)
    versions = [await postgres.value(rows.format(table)) for table in ("course", "item", "item_version")]
    assert before and all(versions)
    await _run(media_folder, store, postgres)
    assert _times_ns(media_folder, objects) == before
    assert versions == [
        await postgres.value(rows.format(table)) for table in ("course", "item", "item_version")
    ]


async def test_the_hash_of_a_users_file_is_its_version(
    media_folder: Path, store: ObjectStore, postgres: Postgres, tmp_path: Path
) -> None:
    first = (await ingest.prepare(media_folder, lectures=LECTURES)).made[0]
    video = tmp_path / "My own talk.mp4"
    shutil.copy(first.folder / "plain.mp4", video)
    await _run(media_folder, store, postgres, video)
    own = await items.open_for(postgres, "ada", "lecture-1")
    assert own is not None and own.title == "My own talk" and own.version != first.identified.version
    renamed = video.rename(tmp_path / "renamed.mp4")
    await _run(media_folder, store, postgres, renamed)
    again = await items.open_for(postgres, "ada", "lecture-1")
    assert again is not None and (again.version, again.title) == (own.version, "renamed")
    with renamed.open("ab") as file:
        file.write(b"\0\0\0\x08free")
    changed = await ingest.prepare(media_folder, renamed, lectures=LECTURES)
    assert changed.identified[0].version != own.version


async def test_a_file_that_is_no_video_registers_nothing(
    media_folder: Path, store: ObjectStore, postgres: Postgres, tmp_path: Path
) -> None:
    await _run(media_folder, store, postgres)
    before = await items.open_for(postgres, "ada", "lecture-1")
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    with pytest.raises(TranscodeError):
        await _run(media_folder, store, postgres, text)
    assert await items.open_for(postgres, "ada", "lecture-1") == before


async def test_f18_without_the_store_nothing_is_registered(
    media_folder: Path, store: ObjectStore, postgres: Postgres, tmp_path: Path
) -> None:
    down = ObjectStore("http://127.0.0.1:1", "http://127.0.0.1:1", "us-east-1", "key", "secret", "none")
    prepared = await ingest.prepare(media_folder, lectures=LECTURES)
    with pytest.raises(StoreUnavailable):
        await ingest.register(prepared, down, postgres)


async def test_cancelling_ends_ffmpeg_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    begun = asyncio.Event()
    long = course_of(lecture(1, duration_s=1800))
    task = asyncio.create_task(
        ingest.prepare(tmp_path / "media", None, lambda *_: begun.set(), long), name="prepare"
    )
    async with asyncio.timeout(60):
        await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "media").iterdir()) == []


async def test_a_lecture_and_a_file_are_encoded_by_tasks_of_the_cluster(
    ray_cluster: Cluster, media_folder: Path, tmp_path: Path
) -> None:
    fractions: list[float] = []
    one = course_of(lecture(1))
    prepared = await ingest.prepare(
        tmp_path / "media",
        None,
        lambda _, fraction: fractions.append(fraction),
        one,
        in_cluster=True,
    )
    [made] = prepared.made
    assert fractions == sorted(fractions) and 0 < fractions[0] < fractions[-1] == 1
    [here] = (await ingest.prepare(media_folder, lectures=one)).made
    assert made.identified.version == here.identified.version
    assert made.encoded and here.encoded and made.encoded.duration_ms == here.encoded.duration_ms
    video = made.folder / "plain.mp4"
    [own] = (await ingest.prepare(tmp_path / "media", video, lectures=one, in_cluster=True)).made
    assert own.encoded and [rendition.name for rendition in own.encoded.renditions] == ["360p"]
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    with pytest.raises(TranscodeError, match=r"notes\.mp4 cannot be read as a video"):
        await ingest.prepare(tmp_path / "media", text, lectures=one, in_cluster=True)


async def test_what_the_teacher_edits_stays_through_the_next_start(
    media_folder: Path, store: ObjectStore, postgres: Postgres, tmp_path: Path
) -> None:
    await _run(media_folder, store, postgres)
    draft = await drafts.read(postgres, COURSE)
    assert draft is not None
    mine = courses.CourseContent("Mira's title", sections=draft.content.sections)
    await drafts.write(postgres, COURSE, mine, "mira", draft.rev)
    await _run(media_folder, store, postgres)
    draft = await drafts.read(postgres, COURSE)
    assert draft is not None and (draft.content.title, draft.changed) == ("Mira's title", True)
    prepared = await ingest.prepare(media_folder, lectures=LECTURES)
    video = prepared.made[0].folder / "plain.mp4"
    with pytest.raises(SetupError, match="was edited since the demo made it"):
        await _run(media_folder, store, postgres, video)


async def test_mira_may_edit_the_course_and_make_others(
    media_folder: Path, store: ObjectStore, postgres: Postgres
) -> None:
    await _run(media_folder, store, postgres)
    mira = await students.find(postgres, "mira")
    assert mira is not None and mira.may_teach
    [course] = await drafts.taught(postgres, "mira", "", 10)
    assert (course.id, course.role) == (COURSE, "instructor")


async def test_a_course_from_before_there_were_drafts_is_brought_up_to_date(
    media_folder: Path, store: ObjectStore, embedded: Embedded
) -> None:
    async with make_database(embedded, "before") as dsn:
        postgres = await open_postgres(PostgresSettings(dsn, "tests"))
        await migrate(postgres)
        lecture_1 = courses.ItemContent("lecture-1", "video", "Old", "g1")
        content = courses.CourseContent("Old", sections=[courses.SectionContent("One", [lecture_1])])
        await courses.put(postgres, COURSE, content, published=True)
        old = items.Item("lecture-1", COURSE, "video", "Old", "g1", 1)
        await items.put(postgres, [old], [items.Version("lecture-1", "g1", 120_000)])
        await _run(media_folder, store, postgres)
        now = await drafts.published(postgres, COURSE)
        assert now is not None and now.title == "Learning How to Resume"
        made_from = await postgres.value(
            "SELECT from_version FROM item_version WHERE item = 'lecture-1' AND version = $1",
            now.items()[0].version,
        )
        assert made_from == "g1", "progress goes over"
        await postgres.close()
