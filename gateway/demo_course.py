"""The course `playhead demo` shows: the example course of the repository, and who is in it."""

from dataclasses import replace
from pathlib import Path

from actors.probe import probe
from gateway.course_files.reading import CourseFolder, CourseItem, CourseSection, VideoSource, read_course
from persistence.students import Student

COURSE = "learning-how-to-resume"
FOLDER = Path(__file__).parent.parent / "config" / "courses" / COURSE

STUDENTS = (Student("ada", "Ada"), Student("ben", "Ben"))
TEACHER = Student("mira", "Mira Solano", may_teach=True)


def course() -> CourseFolder:
    """The course as its folder has it. Raises `CourseRefused`."""
    return read_course(FOLDER)


def with_video(read: CourseFolder, video: Path) -> CourseFolder:
    """The course with somebody's own video for its first lecture. Raises `TranscodeError`."""
    probe(video)
    first, *others = read.items
    own = replace(first, title=_title(video), source=VideoSource(video), captions=())
    return _with_items(read, (own, *others))


def lectures(*ids: str) -> CourseFolder:
    """The course with these items alone."""
    read = course()
    return _with_items(read, tuple(item for item in read.items if item.id in ids))


def _with_items(read: CourseFolder, items: tuple[CourseItem, ...]) -> CourseFolder:
    """The course with these items, each in the section it was in."""
    by_id = {item.id: item for item in items}
    sections = (
        CourseSection(section.title, tuple(by_id[item.id] for item in section.items if item.id in by_id))
        for section in read.sections
    )
    return replace(read, sections=tuple(section for section in sections if section.items))


def _title(video: Path) -> str:
    """The file's name, whatever bytes it is made of."""
    return video.stem.encode("utf-8", "replace").decode()[:200]
