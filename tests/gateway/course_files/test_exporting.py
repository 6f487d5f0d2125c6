"""Exporting what is published: a folder that imports again, here without a change, elsewhere as it was."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway import demo_course
from gateway.course_files.exporting import CannotExport, export_course
from gateway.course_files.reading import LectureSource, VideoSource, read_course
from persistence import drafts, items
from persistence.courses import CourseContent, ItemContent, SectionContent
from persistence.embedded import Embedded
from persistence.items import Version
from persistence.media import of_document
from persistence.migrate import migrate
from persistence.objects import ObjectStore, open_objects
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from tests.conftest import make_database
from tests.gateway.course_files.folders import CAPTIONS, QUIZ, draw_pdf, draw_video, item, write
from tests.gateway.course_files.imports import Place

POSTER = b"\xff\xd8\xff\xe0 a picture"


@pytest.fixture(scope="module")
def place(store: ObjectStore, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(store, postgres, tmp_path_factory.mktemp("data") / "media")


@pytest.fixture
async def elsewhere(embedded: Embedded, place: Place, tmp_path: Path) -> AsyncIterator[Place]:
    """Another, empty installation."""
    async with make_database(embedded, "elsewhere") as dsn:
        opened = await open_postgres(PostgresSettings(dsn, "tests"))
        await migrate(opened)
        yield Place(replace(place.store, bucket="elsewhere"), opened, tmp_path / "media")
        await opened.close()


def folder_of(folder: Path, course: str) -> Path:
    """Every kind, with texts that YAML has its own opinion of."""
    draw_video(folder / "talk.mov", 2.0)
    draw_pdf(folder / "paper.pdf", 2)
    head = (
        f"id: {course}\ntitle: 'Yes: a \"course\" # of 10'\n"
        "description: |\n  Two lines,\n\n  the second after a gap.\n"
        "instructor: no\ncategory: Physics\ndifficulty: advanced\nlanguage: no\nposter: me.jpg\n"
        "sections:\n  - title: Erste — Überschrift 第一\n    items:\n"
    )
    lecture = (
        "lecture:",
        "  label: 'null'",
        "  duration_s: 4",
        '  chapters: [{title: "One\\nline", points: ["a: b", "1:30"], figure: baton}]',
    )
    tracks = (
        "captions:",
        "  - {language: en, label: English, file: en.vtt}",
        "  - {language: de, file: de.srt}",
    )
    return write(
        folder,
        {
            "course.yaml": head
            + item(f"{course}:v~1", "video", "file: talk.mov", *tracks)
            + item(f"{course}-l", "video", *lecture)
            + item(f"{course}-p", "pdf", "file: paper.pdf", title="true")
            + item(f"{course}-h", "pdf", "handout: hand.md")
            + "  - title: Two\n    items:\n"
            + item(f"{course}-t", "text", "file: hand.md")
            + item(f"{course}-q", "quiz", "file: quiz.yaml")
            + item(f"{course}-a", "assignment", """content: '{"markdown": "Do it", "points": 10}'""")
            + item(f"{course}-x", "game", """content: '{"level": 3.5, "on": true}'"""),
            "me.jpg": POSTER,
            "en.vtt": CAPTIONS,
            "de.srt": "1\n00:00:00,000 --> 00:00:01,000\nEin <font>Bild</font>\n",
            "hand.md": "# One\r\n\n  indented, trailing  \n\n> quote: 'x'\n",
            "quiz.yaml": QUIZ,
        },
    )


async def test_importing_what_was_exported_publishes_nothing(place: Place, tmp_path: Path) -> None:
    await place.bring(folder_of(tmp_path / "own", "round"))
    before = await place.rows()
    written = await export_course(place.postgres, place.store, "round", tmp_path / "out")
    assert (written.number, written.items, written.notes) == (1, 8, ())
    for again in (False, True):
        outcome = await place.bring(tmp_path / "out", again=again)
        assert not outcome.published, [line for line in outcome.lines if line.what != "as it was"]
    assert await place.rows() == before
    # And what is exported of that is the same again.
    await export_course(place.postgres, place.store, "round", tmp_path / "again")
    assert _files(tmp_path / "again") == _files(tmp_path / "out")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_the_folder_is_what_a_person_would_write(place: Place, tmp_path: Path) -> None:
    await place.bring(folder_of(tmp_path / "own", "readable"))
    await export_course(place.postgres, place.store, "readable", tmp_path / "out")
    files = _files(tmp_path / "out")
    assert sorted(files) == [
        "captions/readable_v_1.de.vtt",
        "captions/readable_v_1.en.vtt",
        "course.yaml",
        "documents/readable-p.pdf",
        "poster.jpg",
        "quizzes/readable-q.yaml",
        "texts/readable-h.md",
        "texts/readable-t.md",
        "versions.json",
        "videos/readable_v_1.mp4",
    ]
    assert files["poster.jpg"] == POSTER and files["quizzes/readable-q.yaml"].count(b"440") == 2
    assert files["texts/readable-t.md"] == (tmp_path / "own" / "hand.md").read_bytes()
    course = read_course(tmp_path / "out")
    assert course.description == "Two lines,\n\nthe second after a gap.\n"
    assert (course.title, course.instructor, course.language) == ('Yes: a "course" # of 10', "no", "no")
    assert isinstance(course.items[1].source, LectureSource)
    assert list(json.loads(files["versions.json"])) == ["readable:v~1"], "all else tells its version itself"


async def test_elsewhere_it_becomes_the_same_course(place: Place, elsewhere: Place, tmp_path: Path) -> None:
    await place.bring(folder_of(tmp_path / "own", "moved"))
    await export_course(place.postgres, place.store, "moved", tmp_path / "out")
    outcome = await elsewhere.bring(tmp_path / "out")
    assert (outcome.number, {line.what for line in outcome.lines}) == (1, {"new"})
    here, there = [await drafts.published(one.postgres, "moved") for one in (place, elsewhere)]
    assert here is not None and there is not None

    def said(content: CourseContent) -> list[object]:
        sections = [
            [(one.id, one.kind, one.title, one.content) for one in part.items] for part in content.sections
        ]
        return [content.title, content.description, content.language, sections]

    assert said(here) == said(there)


async def test_a_lecture_whose_file_was_replaced_is_exported_as_the_file(
    place: Place, tmp_path: Path
) -> None:
    await place.bring(folder_of(tmp_path / "own", "replaced"))
    draft = await drafts.read(place.postgres, "replaced")
    assert draft is not None
    drawn = next(one for one in draft.content.items() if one.id == "replaced-l")
    version = await items.version(place.postgres, drawn.id, drawn.version or "")
    assert version is not None
    uploaded = Version("replaced-l", "u123", version.duration_ms, version.media, drawn.version)
    await items.put(place.postgres, [], [uploaded])
    await drafts.set_item_version(place.postgres, "replaced", "replaced-l", "u123")
    await drafts.publish(place.postgres, "replaced", "mira", None)
    await export_course(place.postgres, place.store, "replaced", tmp_path / "out")
    exported = {one.id: one for one in read_course(tmp_path / "out").items}["replaced-l"]
    assert isinstance(exported.source, VideoSource) and exported.source.path.name == "replaced-l.mp4"
    outcome = await place.bring(tmp_path / "out")
    assert not outcome.published and {line.id: line.version for line in outcome.lines}["replaced-l"] == "u123"


async def test_an_exported_file_that_was_changed_is_a_new_version(place: Place, tmp_path: Path) -> None:
    await place.bring(folder_of(tmp_path / "own", "touched"))
    await export_course(place.postgres, place.store, "touched", tmp_path / "out")
    [video] = (tmp_path / "out" / "videos").iterdir()
    with video.open("ab") as file:
        file.write(b"\0\0\0\x08free")
    outcome = await place.bring(tmp_path / "out")
    assert [line.id for line in outcome.lines if line.what == "new version"] == ["touched:v~1"]


@pytest.mark.parametrize(
    ("course", "says"),
    [("nothing", "nothing was published of a course nothing"), ("unpublished", "nothing was published")],
)
async def test_what_was_never_published_is_refused(
    place: Place, tmp_path: Path, course: str, says: str
) -> None:
    if course == "unpublished":
        await drafts.write(place.postgres, course, CourseContent("A course"), "mira", None)
    with pytest.raises(CannotExport, match=says):
        await export_course(place.postgres, place.store, course, tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_a_folder_with_something_in_it_is_left_alone(place: Place, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CannotExport, match="not empty"):
        await export_course(place.postgres, place.store, "round", tmp_path)


async def test_a_missing_object_leaves_no_half_folder(place: Place, tmp_path: Path) -> None:
    await place.bring(folder_of(tmp_path / "own", "lost"))
    version = await items.version(place.postgres, "lost:v~1", (await _version(place, "lost:v~1")))
    media = of_document(version.media) if version else None
    assert media is not None
    async with open_objects(place.store) as objects:
        await objects.delete(max(media.renditions, key=lambda one: one.height).key)
    with pytest.raises(CannotExport, match="not in the store any more"):
        await export_course(place.postgres, place.store, "lost", tmp_path / "out")
    assert os.listdir(tmp_path) == ["own"]  # noqa: PTH208 - of a moment, in a test


async def _version(place: Place, item_id: str) -> str:
    found: str = await place.postgres.value("SELECT version FROM item WHERE id = $1", item_id)
    return found


async def test_content_of_the_editor_goes_around_too(place: Place, tmp_path: Path) -> None:
    """What the format has no words for, as the browser's editor may have written it."""
    quiz = {
        "questions": [{"id": "q", "text": "?", "kind": "text", "choices": [], "answers": ["1"], "points": 3}]
    }
    some = [
        ItemContent("editor-t", "text", "  A title ", None, {"markdown": "no newline at its end"}),
        ItemContent("editor-q", "quiz", "Quiz", None, quiz),
    ]
    content = CourseContent("Edited", sections=[SectionContent("", some), SectionContent("Empty", [])])
    await drafts.write(place.postgres, "editor", content, "mira", None)
    await drafts.publish(place.postgres, "editor", "mira", None)
    await export_course(place.postgres, place.store, "editor", tmp_path / "out")
    assert not (await place.bring(tmp_path / "out")).published
    assert b"points" in msgspec.json.encode(await drafts.published(place.postgres, "editor"))


def test_the_example_course_goes_around_in_its_own_words() -> None:
    assert demo_course.course() == read_course(demo_course.FOLDER / "course.yaml")
