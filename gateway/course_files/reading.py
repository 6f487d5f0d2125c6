"""A course folder, read and checked whole: its items with their sources, or all that has to be mended."""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from actors.captions import CaptionsError, webvtt
from actors.ffmpeg import TranscodeError
from actors.lecture import Chapter, Lecture
from actors.pdf import PdfError, pages
from actors.probe import probe
from gateway.course_files.format import (
    COURSE_FILE,
    CourseFile,
    EditsFile,
    ItemFile,
    LectureFile,
    QuestionFile,
    QuizFile,
)
from gateway.course_files.lines import CourseRefused, Problem, read_yaml
from gateway.course_files.quizzes import check_quiz
from gateway.course_files.times import read_ms
from persistence import contents
from persistence.contents import BadContent
from persistence.ids import ID_PATTERN, is_id

TITLE_MAX = 500
TEXT_MAX_BYTES = 1024 * 1024
CAPTIONS_MAX_BYTES = 4 * 1024 * 1024
ITEMS_MAX = 1000
POSTER_MAX_BYTES = 8 * 1024 * 1024
LECTURE_MAX_S = 4 * 3600

VIDEOS = (".mp4", ".mov", ".webm", ".mkv", ".m4v")
POSTERS: Mapping[str, bytes] = {".jpg": b"\xff\xd8\xff", ".png": b"\x89PNG", ".webp": b"RIFF"}
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")

# Which fields may say what an item of a kind is made of; one of them has to.
SOURCES: Mapping[str, tuple[str, ...]] = {
    "video": ("file", "lecture"),
    "pdf": ("file", "handout"),
    "text": ("file", "text", "content"),
    "assignment": ("file", "text", "content"),
    "quiz": ("file", "questions", "content"),
}
_ALL_SOURCES = ("file", "text", "lecture", "handout", "questions", "content")
_WHERE = "see docs/courses.md"


@dataclass(frozen=True, slots=True)
class VideoSource:
    """A video file as it is."""

    path: Path


@dataclass(frozen=True, slots=True)
class LectureSource:
    """A lecture to draw; `written` as it stands in course.yaml."""

    lecture: Lecture
    written: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PdfSource:
    """A PDF file and how many pages it has."""

    path: Path
    pages: int


@dataclass(frozen=True, slots=True)
class HandoutSource:
    """Markdown that becomes a PDF at import."""

    markdown: str


@dataclass(frozen=True, slots=True)
class TextSource:
    """The markdown of a text or an assignment."""

    markdown: str


@dataclass(frozen=True, slots=True)
class QuizSource:
    """The questions of a quiz, with their answers."""

    questions: tuple[QuestionFile, ...]


@dataclass(frozen=True, slots=True)
class OtherSource:
    """The content of a kind this version does not know; kept as it is."""

    content: Mapping[str, Any]


Source = VideoSource | LectureSource | PdfSource | HandoutSource | TextSource | QuizSource | OtherSource


@dataclass(frozen=True, slots=True)
class Captions:
    """Captions of a video, as WebVTT that holds nothing but times and text."""

    language: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Edits:
    """How a new file of a video was made from an earlier version, in ms of that one; see `items.Version`."""

    from_version: str
    cuts: tuple[tuple[int, int], ...]
    inserts: tuple[tuple[int, int], ...]
    line: int = 0

    def document(self) -> list[dict[str, list[int]]]:
        """As a version stores them."""
        return [{"cut": [*cut]} for cut in self.cuts] + [{"insert": [*one]} for one in self.inserts]


@dataclass(frozen=True, slots=True)
class CourseItem:
    """An item of the folder; `line` is where it stands in course.yaml.

    `more` is what the course's document holds of it besides its source.
    """

    id: str
    kind: str
    title: str
    source: Source
    captions: tuple[Captions, ...] = ()
    edits: Edits | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class CourseSection:
    """A part of the course."""

    title: str
    items: tuple[CourseItem, ...]


@dataclass(frozen=True, slots=True)
class CourseFolder:
    """A course as its folder has it: every file was found, and is what it should be."""

    folder: Path
    id: str
    title: str
    description: str = ""
    instructor: str = ""
    category: str = ""
    difficulty: str = ""
    language: str = ""
    poster: Path | None = None
    sections: tuple[CourseSection, ...] = ()

    @property
    def items(self) -> tuple[CourseItem, ...]:
        """All of them, in order."""
        return tuple(item for section in self.sections for item in section.items)


def read_course(place: Path) -> CourseFolder:
    """The course in a folder (or of its course.yaml). Needs no server; reads every file that is named.

    Raises `CourseRefused` with every problem.
    """
    folder = (place.parent if place.name == COURSE_FILE or place.is_file() else place).absolute()
    name = place.name if place.is_file() else COURSE_FILE
    problems: list[Problem] = []
    file = read_yaml(folder / name, name, CourseFile, problems)
    if file is None:
        raise CourseRefused(problems)
    reading = _Reading(folder, name, file, problems)
    course = reading.course()
    if problems or course is None:
        raise CourseRefused(problems)
    return course


@dataclass(slots=True)
class _Reading:
    """One reading of a folder. Methods give None where a problem was noted."""

    folder: Path
    name: str
    file: CourseFile
    problems: list[Problem]
    seen: dict[str, int] = field(default_factory=dict)

    def wrong(self, line: int, message: str, file: str = "") -> None:
        self.problems.append(Problem(file or self.name, line, message))

    def course(self) -> CourseFolder | None:
        file = self.file
        if not is_id(file.id):
            self.wrong(file.line("id"), f"id is {file.id[:60]!r}; it must match {ID_PATTERN}")
        self._title(file.title, file.line("title"))
        if file.language:
            self._language(file.language, file.line("language"))
        sections = []
        for section in file.sections:
            found = [self.item(item) for item in section.items]
            sections.append(CourseSection(section.title, tuple(item for item in found if item is not None)))
        if len(self.seen) > ITEMS_MAX:
            self.wrong(file.line("sections"), f"has more than {ITEMS_MAX} items; make two courses of it")
        if not self.seen and not self.problems:
            self.wrong(file.line("sections"), "has no items; give a section one")
        return CourseFolder(
            folder=self.folder,
            id=file.id,
            title=file.title,
            description=file.description,
            instructor=file.instructor,
            category=file.category,
            difficulty=file.difficulty,
            language=file.language,
            poster=self._poster() if file.poster else None,
            sections=tuple(sections),
        )

    def item(self, item: ItemFile) -> CourseItem | None:
        line = item.line("id")
        if not is_id(item.id):
            self.wrong(line, f"the item's id is {item.id[:60]!r}; it must match {ID_PATTERN}")
        elif item.id in self.seen:
            self.wrong(line, f"item {item.id} is on line {self.seen[item.id]} already; ids are single")
        self.seen.setdefault(item.id, line)
        self._title(item.title, item.line("title"))
        if item.kind != "video":
            for name in ("captions", "edits"):
                if getattr(item, name):
                    self.wrong(item.line(name), f"{name} are for videos; leave them out of the {item.kind}")
        source = self._source(item)
        captions = self._captions(item)
        edits = self._edits(item.edits) if item.edits else None
        has_more = item.kind in ("video", "pdf") and item.content
        more = self._content(item) if has_more else None
        if source is None:
            return None
        return CourseItem(item.id, item.kind, item.title, source, captions, edits, more or {}, item.line())

    def _source(self, item: ItemFile) -> Source | None:
        allowed = SOURCES.get(item.kind, ("content",))
        given = [name for name in _ALL_SOURCES if name in item.lines and getattr(item, name)]
        if item.kind in ("video", "pdf") and "content" in given:
            given.remove("content")
        for name in given:
            if name not in allowed:
                self.wrong(
                    item.line(name), f"a {item.kind} has no `{name}`, but {' or '.join(allowed)}; {_WHERE}"
                )
        given = [name for name in given if name in allowed]
        if len(given) != 1:
            how = "only one of " if given else ""
            self.wrong(
                item.line(), f"item {item.id}: give {how}{' or '.join(allowed)} for a {item.kind}; {_WHERE}"
            )
            return None
        if given == ["lecture"] and item.lecture is not None:
            return self._lecture(item, item.lecture)
        if given == ["handout"]:
            markdown = self._markdown(item.handout, item.line("handout"))
            return None if markdown is None else HandoutSource(markdown)
        if given == ["text"]:
            return TextSource(item.text)
        if given == ["questions"]:
            return self._quiz(item.questions, self.name, item.line("questions"))
        if given == ["content"]:
            content = self._content(item)
            return None if content is None else OtherSource(content)
        return self._from_file(item)

    def _from_file(self, item: ItemFile) -> Source | None:
        line = item.line("file")
        if item.kind == "video":
            path = self._path(item.file, line, VIDEOS)
            return None if path is None else self._video(path, line)
        if item.kind == "pdf":
            path = self._path(item.file, line, (".pdf",))
            return None if path is None else self._pdf(path, item.file, line)
        if item.kind == "quiz":
            path = self._path(item.file, line, (".yaml", ".yml"))
            quiz = read_yaml(path, item.file, QuizFile, self.problems) if path else None
            return None if quiz is None else self._quiz(quiz.questions, item.file, 0)
        markdown = self._markdown(item.file, line)
        return None if markdown is None else TextSource(markdown)

    def _path(self, name: str, line: int, endings: tuple[str, ...]) -> Path | None:
        """A file of the course's folder, wherever links lead."""
        if "\\" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            self.wrong(line, f"{name[:200]}: name a file inside of the course's folder, as `videos/talk.mp4`")
            return None
        path = self.folder / name
        if path.suffix.lower() not in endings:
            self.wrong(line, f"{name[:200]}: a file that ends in {' or '.join(endings)} is wanted here")
            return None
        try:
            found = path.stat()
            inside = path.resolve(strict=True).is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or "it cannot be followed"
            self.wrong(line, f"{name[:200]} cannot be read ({why}); put the file there, or mend its name")
            return None
        if not inside:
            self.wrong(line, f"{name[:200]} leads out of the course's folder; put the file itself there")
        elif not stat.S_ISREG(found.st_mode):
            self.wrong(line, f"{name[:200]} is no file; name one")
        elif not found.st_size:
            self.wrong(line, f"{name[:200]} is empty; was it saved?")
        else:
            return path
        return None

    def _bytes(self, name: str, line: int, endings: tuple[str, ...], max_bytes: int) -> bytes | None:
        path = self._path(name, line, endings)
        if path is None:
            return None
        with path.open("rb") as opened:
            read = opened.read(max_bytes + 1)
        if len(read) > max_bytes:
            self.wrong(line, f"{name} has more than {max_bytes} bytes; make several of it")
            return None
        return read

    def _markdown(self, name: str, line: int) -> str | None:
        read = self._bytes(name, line, (".md", ".markdown"), TEXT_MAX_BYTES)
        if read is None:
            return None
        try:
            text = read.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.wrong(read[: error.start].count(b"\n") + 1, "is not UTF-8; save it with that encoding", name)
            return None
        if "\0" in text:
            self.wrong(text[: text.index("\0")].count("\n") + 1, "has a zero byte in it; take it out", name)
            return None
        return text

    def _video(self, path: Path, line: int) -> VideoSource | None:
        try:
            probe(path)
        except TranscodeError as error:
            self.wrong(line, str(error))
            return None
        return VideoSource(path)

    def _pdf(self, path: Path, name: str, line: int) -> PdfSource | None:
        try:
            return PdfSource(path, pages(path))
        except PdfError as error:
            self.wrong(line, f"{name}: {error}")
            return None

    def _quiz(self, questions: tuple[QuestionFile, ...], file: str, line: int) -> QuizSource | None:
        found = [*check_quiz(questions)]
        for at, message in found:
            self.wrong(at or line, message, file)
        return None if found else QuizSource(questions)

    def _content(self, item: ItemFile) -> dict[str, Any] | None:
        """The content of the course's document itself, for what the format has no words for."""
        try:
            content = msgspec.json.decode(item.content, type=dict[str, Any])
            contents.check(item.id, item.kind, content)
        except (msgspec.MsgspecError, RecursionError):
            self.wrong(item.line("content"), f"the content of a {item.kind} must be a JSON object, as text")
        except BadContent as error:
            self.wrong(item.line("content"), str(error))
        else:
            return content
        return None

    def _lecture(self, item: ItemFile, file: LectureFile) -> LectureSource | None:
        chapters = len(file.chapters)
        if not 1 <= chapters <= file.duration_s <= LECTURE_MAX_S:
            self.wrong(
                file.line("duration_s"),
                f"a lecture has chapters, and lasts a second for each at least, {LECTURE_MAX_S} s at most",
            )
            return None
        for chapter in file.chapters:
            if len(chapter.points) > 3:
                self.wrong(
                    chapter.line("points"), "a slide has room for three points; make two chapters of it"
                )
        lecture = Lecture(
            file.label,
            file.title or item.title,
            file.course or self.file.title,
            file.duration_s,
            tuple(Chapter(one.title, one.points, one.figure) for one in file.chapters),
        )
        written = msgspec.to_builtins(file)
        return LectureSource(lecture, _without_lines(written))

    def _captions(self, item: ItemFile) -> tuple[Captions, ...]:
        found: list[Captions] = []
        for one in item.captions:
            self._language(one.language, one.line("language"))
            label = one.label or one.language
            if any((label, one.language) == (other.label, other.language) for other in found):
                self.wrong(one.line(), f"captions {label} are there already; give others another label")
            line = one.line("file")
            data = self._bytes(one.file, line, (".vtt", ".srt"), CAPTIONS_MAX_BYTES)
            if data is None:
                continue
            try:
                found.append(Captions(one.language, label, webvtt(data)))
            except CaptionsError as error:
                told = re.match(r"line (\d+) (.*)", str(error))
                self.wrong(int(told[1]) if told else 0, told[2] if told else str(error), one.file)
        return tuple(found)

    def _edits(self, file: EditsFile) -> Edits | None:
        cuts = self._spans(file.cuts, file.line("cuts"), "a cut is [from, to]")
        inserts = self._spans(file.inserts, file.line("inserts"), "an insert is [at, length]")
        if not is_id(file.from_version):
            self.wrong(
                file.line("from_version"), "from_version is a version as `playhead import` prints them"
            )
        if cuts is None or inserts is None:
            return None
        end_ms = 0
        for from_ms, to_ms in sorted(cuts):
            if not end_ms <= from_ms < to_ms:
                self.wrong(file.line("cuts"), "cuts must not be empty or overlap; write [from, to] in order")
                break
            end_ms = to_ms
        if any(length_ms <= 0 for _, length_ms in inserts):
            self.wrong(file.line("inserts"), "an insert is [at, length], and its length more than 0")
        return Edits(file.from_version, tuple(cuts), tuple(inserts), file.line())

    def _spans(
        self, pairs: tuple[tuple[str, ...], ...], line: int, what: str
    ) -> list[tuple[int, int]] | None:
        found = []
        for pair in pairs:
            times = [read_ms(text) for text in pair]
            if len(times) != 2 or None in times:
                self.wrong(line, f"{what}, two times as 12.5, 4:05 or 1:02:03; this is [{', '.join(pair)}]")
                return None
            found.append((times[0] or 0, times[1] or 0))
        return found

    def _poster(self) -> Path | None:
        name, line = self.file.poster, self.file.line("poster")
        path = self._path(name, line, tuple(POSTERS))
        if path is None:
            return None
        with path.open("rb") as opened:
            head = opened.read(16)
        if not head.startswith(POSTERS[path.suffix.lower()]) or path.stat().st_size > POSTER_MAX_BYTES:
            self.wrong(
                line, f"{name} is no picture of at most {POSTER_MAX_BYTES} bytes; give a JPEG, PNG or WebP"
            )
            return None
        return path

    def _title(self, title: str, line: int) -> None:
        if not title.strip() or len(title) > TITLE_MAX:
            self.wrong(line, f"a title has 1 to {TITLE_MAX} letters")

    def _language(self, language: str, line: int) -> None:
        if not _LANGUAGE.fullmatch(language):
            self.wrong(line, f"{language[:60]!r} is no language; write it as BCP 47 does: en, de, pt-BR")


def _without_lines(written: Any) -> Any:
    """A mapping of a file as it would be written: without lines, and without what is empty."""
    if isinstance(written, dict):
        kept = {key: _without_lines(value) for key, value in written.items() if key != "lines"}
        return {key: value for key, value in kept.items() if value not in ("", [], None)}
    return [_without_lines(one) for one in written] if isinstance(written, list | tuple) else written
