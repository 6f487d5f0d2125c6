"""Reading a course folder: what is good is read, and all that is wrong is told with its file and line."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.course_files.lines import FILE_MAX_BYTES, CourseRefused
from gateway.course_files.reading import (
    CourseFolder,
    HandoutSource,
    LectureSource,
    OtherSource,
    PdfSource,
    QuizSource,
    TextSource,
    VideoSource,
    read_course,
)
from gateway.course_files.times import read_ms
from gateway.demo_course import FOLDER
from tests.gateway.course_files.folders import CAPTIONS, HEAD, QUIZ, draw_pdf, draw_video, item, write


@pytest.fixture
def problems(tmp_path: Path):  # type: ignore[no-untyped-def]
    """What is wrong with a course.yaml and files beside it, one text a problem."""

    def read(course: str | bytes, files: dict[str, str | bytes] | None = None) -> list[str]:
        write(tmp_path, {"course.yaml": course, **(files or {})})
        with pytest.raises(CourseRefused) as refused:
            read_course(tmp_path)
        assert str(refused.value).count("\n  ") == len(refused.value.problems)
        return [str(problem) for problem in refused.value.problems]

    return read


def read(folder: Path, *items: str, files: dict[str, str | bytes] | None = None) -> CourseFolder:
    return read_course(write(folder, {"course.yaml": HEAD + "".join(items), **(files or {})}))


def test_every_kind_is_read_with_what_it_is_made_of(tmp_path: Path) -> None:
    draw_video(tmp_path / "videos" / "talk.mp4")
    draw_pdf(tmp_path / "paper.pdf", pages=3)
    course = read(
        tmp_path,
        item("v", "video", "file: videos/talk.mp4", "captions:", "  - {language: no, file: a.vtt}"),
        item("p", "pdf", "file: paper.pdf"),
        item("h", "pdf", "handout: h.md"),
        item("t", "text", "text: |", "  # A title", "  and more"),
        item("a", "assignment", "file: h.md"),
        item("q", "quiz", "file: quiz.yaml"),
        item("x", "game", """content: '{"level": 3}'"""),
        files={"a.vtt": CAPTIONS, "h.md": "# Handout\n", "quiz.yaml": QUIZ},
    )
    kinds = [type(one.source) for one in course.items]
    assert kinds == [
        VideoSource,
        PdfSource,
        HandoutSource,
        TextSource,
        TextSource,
        QuizSource,
        OtherSource,
    ]
    video, pdf, _, text, _, quiz, other = course.items
    assert [(one.language, one.label) for one in video.captions] == [("no", "no")], "Norwegian, and not False"
    assert isinstance(pdf.source, PdfSource) and pdf.source.pages == 3
    assert text.source == TextSource("# A title\nand more\n")
    assert isinstance(quiz.source, QuizSource)
    assert [one.answers for one in quiz.source.questions] == [("b",), ("a", "c"), ("440", "440 Hz")]
    assert quiz.source.questions[0].choices == {"a": "Yes", "b": "No"}, "texts, whatever YAML thinks of them"
    assert other.source == OtherSource({"level": 3})


def test_the_example_course_is_as_it_should_be() -> None:
    course = read_course(FOLDER)
    assert [one.id for one in course.items] == [
        "lecture-1",
        "lecture-2",
        "lecture-3",
        "resume-words",
        "resume-handout",
        "resume-quiz",
    ]
    lectures = [one.source for one in course.items if isinstance(one.source, LectureSource)]
    assert [one.lecture.duration_s for one in lectures] == [120, 40, 30]
    assert (
        lectures[0].lecture.title == "How playback\nis resumed" and lectures[0].lecture.course == course.title
    )
    for one in course.items[:3]:
        assert isinstance(one.source, LectureSource) and one.captions
        for captions in one.captions:
            last = captions.text.split(" --> ")[-1].split("\n")[0]
            assert read_ms(last) == one.source.lecture.duration_s * 1000, (
                "captions last as long as the lecture"
            )
    assert course == replace(course, folder=FOLDER.absolute())


def test_all_problems_are_told_at_once_with_their_lines(problems) -> None:  # type: ignore[no-untyped-def]
    course = (
        "id: c1\ntitle: A course\nlevel: high\ndifficulty: hard\nlanguage: English\nsections:\n"
        "  - title: One\n    items:\n"
        + item("v", "video", "file: gone.mp4")
        + item("v", "pdf", "file: notes.md")
        + item("bad id!", "text", "text: hello", "captions: [{language: en, file: x.vtt}]")
        + item("q", "quiz", "file: quiz.yaml")
        + item("n", "video")
    )
    # A file that is not of the format is told first; what is in it, once it is.
    assert [line.split(" ")[0] for line in problems(course)] == ["course.yaml:3:", "course.yaml:4:"]
    course = course.replace("level: high\n", "").replace("difficulty: hard\n", "")
    quiz = QUIZ.replace("answers: b", "answers: z").replace("id: q2", "id: q1")
    found = problems(course, {"notes.md": "# Notes", "quiz.yaml": quiz})
    told = "\n".join(found)
    for part in (
        "course.yaml:3: 'English' is no language",
        "course.yaml:10: gone.mp4 cannot be read (No such file or directory)",
        "course.yaml:11: item v is on line 7 already",
        "course.yaml:14: notes.md: a file that ends in .pdf is wanted here",
        "course.yaml:15: the item's id is 'bad id!'",
        "course.yaml:19: captions are for videos",
        "course.yaml:24: item n: give file or lecture for a video",
        "quiz.yaml:5: question q1: 'z' is none of its choices (a, b)",
        "quiz.yaml:7: question q1 is on line 2 already",
    ):
        assert part in told, (part, told)


@pytest.mark.parametrize(
    ("course", "says"),
    [
        ("", "course.yaml: is empty"),
        ("- a\n- b\n", "course.yaml:1: the file must be a mapping"),
        ("id: c1\n\tt: x\n", "course.yaml:2: is no YAML"),
        ("id: c1\ntitle: a\ntitle: b\nsections: []\n", "course.yaml:3: the file has `title` twice"),
        ("id: c1\ntitle: a\n", "course.yaml:1: the file has no `sections`; add it"),
        ("id: c1\ntitle: a\nsections: []\n", "course.yaml:3: has no items"),
        ("id: c1\ntitel: a\nsections: []\n", "course.yaml:2: the file has no `titel`; did you mean `title`?"),
        ("id: &x c1\ntitle: *x\nsections: []\n", "course.yaml:2: is no YAML (*names of anchors are not used"),
        ("id: !!python/name:os.system\ntitle: a\nsections: []\n", "means nothing here; write plain text"),
        ("<<: {id: c1}\ntitle: a\nsections: []\n", "course.yaml:1: the file: a key must be a plain word"),
        ("a" * FILE_MAX_BYTES + "aa", "put long texts into files"),
        ("[" * 5000, "is nested too deeply"),
        (b"id: c1\ntitle: \xff\n", "course.yaml:2: is not UTF-8"),
        ("--- {id: c1}\n--- {id: c2}\n", "is no YAML"),
    ],
)
def test_what_is_no_course_file_is_told(problems, course: str | bytes, says: str) -> None:  # type: ignore[no-untyped-def]
    assert any(says in line for line in problems(course)), problems(course)


@pytest.mark.parametrize(
    "name", ["../out.md", "/etc/hostname.md", "a/../../out.md", "..\\out.md", "link.md", "loop.md"]
)
def test_u2_a_path_stays_inside_of_the_folder(problems, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path.parent / "out.md").write_text("secret")
    (tmp_path / "link.md").symlink_to(tmp_path.parent / "out.md")
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    [told] = problems(HEAD + item("t", "text", f"file: '{name}'"))
    assert told.startswith("course.yaml:9: ") and "secret" not in told


def test_a_link_inside_of_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "again.md").symlink_to("real.md")
    course = read(tmp_path, item("t", "text", "file: again.md"), files={"real.md": "# Real"})
    assert course.items[0].source == TextSource("# Real")


def test_a_pipe_is_no_file(problems, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    os.mkfifo(tmp_path / "pipe.md")
    [told] = problems(HEAD + item("t", "text", "file: pipe.md"))
    assert "pipe.md is" in told


@pytest.mark.parametrize(
    ("kind", "name", "content", "says"),
    [
        ("video", "v.mp4", b"no video", ": v.mp4 cannot be read as a video"),
        ("video", "v.mp4", b"", "v.mp4 is empty"),
        ("pdf", "p.pdf", b"<html>", "p.pdf: the file is no PDF"),
        ("pdf", "p.pdf", b"%PDF-1.7\nnothing", "p.pdf: the PDF is damaged"),
        ("text", "t.md", b"caf\xe9", "t.md:1: is not UTF-8"),
        ("text", "t.md", b"one\n\0", "t.md:2: has a zero byte"),
        ("quiz", "q.yaml", b"questions: []", "q.yaml"),
    ],
)
def test_u3_a_file_is_what_its_name_says(  # type: ignore[no-untyped-def]
    problems, kind: str, name: str, content: bytes, says: str
) -> None:
    [told] = problems(HEAD + item("i", kind, f"file: {name}"), {name: content})
    assert says in told


def test_captions_that_are_none_are_told_with_their_line(problems, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    draw_video(tmp_path / "v.mp4", 1.0)
    course = HEAD + item("v", "video", "file: v.mp4", "captions: [{language: en, file: c.vtt}]")
    [told] = problems(course, {"c.vtt": CAPTIONS.replace("00:01.500", "never")})
    assert told.startswith("c.vtt:3: has times that cannot be read")


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        ("{from_version: f1, cuts: [[1:00]]}", "a cut is [from, to]"),
        ("{from_version: f1, cuts: [[1:00, 0:30]]}", "cuts must not be empty or overlap"),
        ("{from_version: f1, cuts: [[0:10, 0:20], [0:15, 0:30]]}", "cuts must not be empty or overlap"),
        ("{from_version: f1, inserts: [[0:10, 0]]}", "its length more than 0"),
        ("{from_version: f1, inserts: [[0:10, soon]]}", "two times as 12.5, 4:05"),
        ("{cuts: [[0:10, 0:20]]}", "edits has no `from_version`"),
    ],
)
def test_edits_that_cannot_be_are_told(  # type: ignore[no-untyped-def]
    problems, tmp_path: Path, edits: str, says: str
) -> None:
    draw_video(tmp_path / "v.mp4", 1.0)
    told = problems(HEAD + item("v", "video", "file: v.mp4", f"edits: {edits}"))
    assert any(says in line for line in told), told


def test_edits_are_in_ms_however_their_times_are_written(tmp_path: Path) -> None:
    draw_video(tmp_path / "v.mp4", 1.0)
    edits = "edits: {from_version: f1, cuts: [[1:30, 2:00.25]], inserts: [[12.5, 1:00:01]]}"
    [video] = read(tmp_path, item("v", "video", "file: v.mp4", edits)).items
    assert video.edits is not None
    assert video.edits.document() == [{"cut": [90_000, 120_250]}, {"insert": [12_500, 3_601_000]}]


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0", 0), ("12.5", 12_500), ("4:05", 245_000), ("1:02:03.250", 3_723_250), ("4:65", None), ("-1", None)],
)
def test_times_as_people_write_them(text: str, ms: int | None) -> None:
    assert read_ms(text) == ms


def test_a_source_too_many_or_of_another_kind_is_told(problems) -> None:  # type: ignore[no-untyped-def]
    course = HEAD + item("t", "text", "file: t.md", "text: hello") + item("u", "text", "lecture: {label: a}")
    told = "\n".join(problems(course, {"t.md": "# T"}))
    assert "lecture has no `duration_s`" in told
    course = HEAD + item("t", "text", "file: t.md", "text: hello") + item("u", "text", "handout: t.md")
    told = "\n".join(problems(course, {"t.md": "# T"}))
    assert "item t: give only one of file or text or content" in told
    assert "a text has no `handout`" in told
