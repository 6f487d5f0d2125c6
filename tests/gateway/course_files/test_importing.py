"""Importing a folder: published with all of its files, again without a write, and changed to new versions."""

import shutil
from pathlib import Path

import pytest

from gateway.course_files.importing import DraftInTheWay
from gateway.course_files.lines import CourseRefused
from persistence import drafts, items, students
from persistence.drafts import Taken
from persistence.embedded import Embedded
from persistence.errors import StoreUnavailable
from persistence.media import of_document, pdf_of
from persistence.objects import ObjectStore, open_objects
from persistence.postgres import Postgres
from tests.gateway.course_files.folders import CAPTIONS, QUIZ, draw_pdf, draw_video, item, write
from tests.gateway.course_files.imports import Place


@pytest.fixture(scope="module")
def place(store: ObjectStore, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(store, postgres, tmp_path_factory.mktemp("data") / "media")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cuts of a talk: six seconds, and four of them."""
    folder = tmp_path_factory.mktemp("videos")
    draw_video(folder / "talk.mp4", 6.0)
    draw_video(folder / "shorter.mp4", 4.0)
    return folder


def head(course: str, title: str = "A course") -> str:
    return f"id: {course}\ntitle: {title}\ninstructor: Mira\nsections:\n  - title: One\n    items:\n"


def folder_of(folder: Path, course: str, videos: Path, title: str = "A course") -> Path:
    """A course with an item of each kind, their ids beginning with the course's."""
    shutil.copytree(videos, folder / "videos", dirs_exist_ok=True)
    draw_pdf(folder / "paper.pdf", 3)
    captions = ("captions:", "  - {language: en, label: English, file: en.vtt}")
    return write(
        folder,
        {
            "course.yaml": head(course, title)
            + item(f"{course}-v", "video", "file: videos/talk.mp4", *captions)
            + item(f"{course}-p", "pdf", "file: paper.pdf")
            + item(f"{course}-h", "pdf", "handout: hand.md")
            + item(f"{course}-t", "text", "file: hand.md")
            + item(f"{course}-q", "quiz", "file: quiz.yaml")
            + item(f"{course}-x", "game", """content: '{"level": 3}'"""),
            "en.vtt": CAPTIONS,
            "hand.md": "# One\n\nA *fine* text of **two** lines.\n\n---\n\n# Two\n\n- and a list\n",
            "quiz.yaml": QUIZ,
        },
    )


async def test_every_kind_is_published_with_its_files(place: Place, videos: Path, tmp_path: Path) -> None:
    outcome = await place.bring(folder_of(tmp_path, "all", videos))
    assert (outcome.number, outcome.published) == (1, True)
    assert {line.what for line in outcome.lines} == {"new"} and all(line.version for line in outcome.lines)
    await students.put(place.postgres, [students.Student("ada", "Ada")])
    await students.enrol(place.postgres, [students.Enrolment("ada", "all")])
    found = {}
    for line in outcome.lines:
        opened = await items.open_for(place.postgres, "ada", line.id)
        assert opened is not None and opened.version == line.version
        found[line.id.removeprefix("all-")] = opened
    media = of_document(found["v"].media)
    assert media is not None and found["v"].duration_ms == pytest.approx(6000, abs=100)
    paper, handout = pdf_of(found["p"].media), pdf_of(found["h"].media)
    assert paper is not None and (paper.pages, found["p"].duration_ms) == (3, 3000)
    assert handout is not None and (handout.pages, found["h"].duration_ms) == (2, 2000)
    keys = [paper.key, handout.key, media.poster, media.plain, *(one.key for one in media.captions)]
    keys += [rendition.key for rendition in media.renditions]
    keys += [media.preview, *([media.sprite.key] if media.sprite else [])]
    async with open_objects(place.store) as objects:
        types = {key.rpartition(".")[2]: await objects.head(key) for key in keys}
        assert all([await objects.head(key) for key in keys])
    told = {ending: stored.content_type for ending, stored in types.items() if stored}
    assert told == {"pdf": "application/pdf", "jpg": "image/jpeg", "mp4": "video/mp4", "vtt": "text/vtt"}
    content = await drafts.published(place.postgres, "all")
    assert content is not None and content.poster == media.poster


async def test_answers_are_in_the_secret_and_nowhere_else(place: Place, videos: Path, tmp_path: Path) -> None:
    outcome = await place.bring(folder_of(tmp_path, "secrets", videos))
    [quiz] = [line for line in outcome.lines if line.kind == "quiz"]
    secret = await items.secret(place.postgres, quiz.id, quiz.version)
    assert secret is not None and "440 Hz" in str(secret) and "It is so." in str(secret)
    for table, column in (("item_version", "media"), ("course", "content"), ("course_version", "content")):
        text = await place.postgres.value(f"SELECT string_agg({column}::text, ' ') FROM {table}")
        assert "Which?" in text and "440 Hz" not in text and "It is so." not in text, table


async def test_a_second_import_writes_and_publishes_nothing(
    place: Place, videos: Path, tmp_path: Path, embedded: Embedded
) -> None:
    folder = folder_of(tmp_path, "twice", videos)
    await place.bring(folder)
    objects = embedded.folder.path / "objects" / place.store.bucket
    before = await place.rows(), {str(file): file.stat().st_mtime_ns for file in objects.rglob("*")}
    for again in (False, True):
        outcome = await place.bring(folder, again=again)
        assert (outcome.number, outcome.published) == (1, False)
        assert {line.what for line in outcome.lines} == {"as it was"}
        after = await place.rows(), {str(file): file.stat().st_mtime_ns for file in objects.rglob("*")}
        assert after == before


async def test_a_changed_text_is_the_only_new_version(place: Place, videos: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "changed", videos)
    before = {line.id: line.version for line in (await place.bring(folder)).lines}
    write(folder, {"hand.md": "# One\n\nAnother text.\n"})
    outcome = await place.bring(folder)
    assert (outcome.number, outcome.published) == (2, True)
    now = await drafts.published(place.postgres, "changed")
    assert now is not None
    new = {one.id for one in now.items() if one.version != before[one.id]}
    assert new == {"changed-t", "changed-h"}


async def test_r9_an_edited_video_is_a_new_version_with_its_edits(
    place: Place, videos: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "edited", videos)
    [first] = [line for line in (await place.bring(folder)).lines if line.id == "edited-v"]
    text = (folder / "course.yaml").read_text()
    edits = f"        edits: {{from_version: {first.version}, cuts: [[1, 3]]}}\n"
    text = text.replace("        file: videos/talk.mp4\n", "        file: videos/shorter.mp4\n" + edits)
    write(folder, {"course.yaml": text})
    outcome = await place.bring(folder)
    [second] = [line for line in outcome.lines if line.id == "edited-v"]
    assert (outcome.number, second.what) == (2, "new version") and second.version != first.version
    row = await place.postgres.row(
        "SELECT from_version, edits FROM item_version WHERE item = 'edited-v' AND version = $1",
        second.version,
    )
    assert row is not None
    assert (row["from_version"], row["edits"]) == (first.version, [{"cut": [1000, 3000]}])
    assert not (await place.bring(folder)).published
    # The first file again is the first version again.
    write(folder, {"course.yaml": text.replace("shorter", "talk").replace(edits, "")})
    [third] = [line for line in (await place.bring(folder)).lines if line.id == "edited-v"]
    assert third.version == first.version


async def test_edits_that_do_not_lead_to_the_file_are_refused(
    place: Place, videos: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "lengths", videos)
    [first] = [line for line in (await place.bring(folder)).lines if line.id == "lengths-v"]
    text = (folder / "course.yaml").read_text()

    def edited(version: str, cuts: str) -> None:
        edits = (
            f"        file: videos/shorter.mp4\n        edits: {{from_version: {version}, cuts: {cuts}}}\n"
        )
        write(folder, {"course.yaml": text.replace("        file: videos/talk.mp4\n", edits)})

    before = await place.rows()
    edited("f0", "[[1, 3]]")
    with pytest.raises(CourseRefused, match=rf"has no version f0; the one shown now is {first.version}"):
        await place.bring(folder)
    edited(first.version, "[[0.5, 6]]")
    with pytest.raises(CourseRefused, match=r"course.yaml:11: .*the edits make 0\.5 s of 6\.0 s"):
        await place.bring(folder)
    assert await place.rows() == before


async def test_other_captions_are_a_new_version_of_the_same_files(
    place: Place, videos: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "captions", videos)
    first = (await place.bring(folder)).lines[0]
    write(folder, {"en.vtt": CAPTIONS.replace("A picture", "Another one")})
    second = (await place.bring(folder)).lines[0]
    assert second.version != first.version
    versions = [await items.version(place.postgres, first.id, one.version) for one in (first, second)]
    media = [of_document(one.media) for one in versions if one]
    assert media[0] and media[1] and media[0].renditions == media[1].renditions
    assert media[0].captions != media[1].captions
    row = await place.postgres.value(
        "SELECT from_version FROM item_version WHERE item = $1 AND version = $2", first.id, second.version
    )
    assert row == first.version, "so that progress goes over as it is"


async def test_an_item_that_is_gone_is_retired_and_comes_back(
    place: Place, videos: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "gone", videos)
    await place.bring(folder)
    text = (folder / "course.yaml").read_text()
    write(folder, {"course.yaml": text[: text.index("      - id: gone-x")]})
    outcome = await place.bring(folder)
    assert outcome.retired == ("gone-x",)
    assert await place.postgres.value("SELECT retired FROM item WHERE id = 'gone-x'")
    write(folder, {"course.yaml": text})
    assert (await place.bring(folder)).number == 3
    assert not await place.postgres.value("SELECT retired FROM item WHERE id = 'gone-x'")


async def test_an_item_of_another_course_is_never_taken(place: Place, videos: Path, tmp_path: Path) -> None:
    await place.bring(folder_of(tmp_path / "one", "mine", videos))
    before = await place.rows()
    stolen = write(
        tmp_path / "two",
        {"course.yaml": head("thief") + item("mine-t", "text", "text: Mine now")},
    )
    with pytest.raises(Taken, match="mine-t is an item of another course"):
        await place.bring(stolen)
    assert await place.rows() == before


async def test_edits_in_the_browser_are_not_overwritten(place: Place, videos: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "draft", videos)
    await place.bring(folder)
    draft = await drafts.read(place.postgres, "draft")
    assert draft is not None
    await drafts.write(
        place.postgres,
        "draft",
        type(draft.content)(title="Mine", sections=draft.content.sections),
        "mira",
        None,
    )
    write(folder, {"hand.md": "# Changed\n"})
    with pytest.raises(DraftInTheWay, match=r"changed by mira and not published.*--over-draft"):
        await place.bring(folder)
    assert (await place.bring(folder, over_draft=True)).number == 2


async def test_f18_without_the_store_nothing_is_written(place: Place, videos: Path, tmp_path: Path) -> None:
    down = ObjectStore("http://127.0.0.1:1", "http://127.0.0.1:1", "us-east-1", "key", "secret", "none")
    before = await place.rows()
    with pytest.raises(StoreUnavailable):
        await Place(down, place.postgres, place.work).bring(folder_of(tmp_path, "down", videos))
    assert await place.rows() == before
