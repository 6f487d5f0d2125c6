"""What may stand in course.yaml and in the YAML of a quiz: the structs of docs/courses.md."""

from typing import Literal

import msgspec

from actors.lecture import Figure
from gateway.course_files.lines import Lined

COURSE_FILE = "course.yaml"
QuestionKind = Literal["one", "many", "text"]


class ChapterFile(Lined, frozen=True, kw_only=True):
    """One slide of a drawn lecture."""

    title: str
    points: tuple[str, ...] = ()
    figure: Figure


class LectureFile(Lined, frozen=True, kw_only=True):
    """A lecture that is drawn at import. Titles may break lines, and default to those of item and course."""

    label: str
    duration_s: int
    chapters: tuple[ChapterFile, ...]
    title: str = ""
    course: str = ""


class CaptionsFile(Lined, frozen=True, kw_only=True):
    """The captions of a video in one language: a WebVTT file."""

    language: str
    file: str
    label: str = ""


class EditsFile(Lined, frozen=True, kw_only=True):
    """What a new file of a video left out of, or put into, the version it was made from.

    `cuts` are [from, to], `inserts` [at, length]: times of that version, as 12.5, 4:05 or 1:02:03.
    """

    from_version: str
    cuts: tuple[tuple[str, ...], ...] = ()
    inserts: tuple[tuple[str, ...], ...] = ()


class QuestionFile(Lined, frozen=True, kw_only=True):
    """One question: `choices` by their ids; `answers` are ids of choices, or the texts that are accepted."""

    id: str
    text: str
    kind: QuestionKind = "one"
    choices: dict[str, str] = msgspec.field(default_factory=dict)
    answers: tuple[str, ...]
    why: str = ""


class QuizFile(Lined, frozen=True, kw_only=True):
    """The YAML file of a quiz."""

    questions: tuple[QuestionFile, ...]


class ItemFile(Lined, frozen=True, kw_only=True):
    """An item of a section; of file, text, lecture, handout, questions and content it has one."""

    id: str
    kind: str
    title: str
    file: str = ""
    text: str = ""
    lecture: LectureFile | None = None
    handout: str = ""
    questions: tuple[QuestionFile, ...] = ()
    content: str = ""
    captions: tuple[CaptionsFile, ...] = ()
    edits: EditsFile | None = None


class SectionFile(Lined, frozen=True, kw_only=True):
    """A part of the course."""

    title: str
    items: tuple[ItemFile, ...]


class CourseFile(Lined, frozen=True, kw_only=True):
    """course.yaml."""

    id: str
    title: str
    description: str = ""
    instructor: str = ""
    category: str = ""
    difficulty: Literal["", "beginner", "intermediate", "advanced"] = ""
    language: str = ""
    poster: str = ""
    sections: tuple[SectionFile, ...]
