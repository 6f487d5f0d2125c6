"""A course of the demo's name whose lectures are a few seconds long."""

from pathlib import Path

from actors.lecture import Chapter, Lecture
from gateway.course_files.reading import CourseFolder, CourseItem, CourseSection, LectureSource
from gateway.demo_course import COURSE


def lecture(number: int, duration_s: int = 6) -> CourseItem:
    """A lecture to draw."""
    chapters = (Chapter("One", ("A point",), "screens"),)
    drawn = Lecture(f"Lecture {number}", f"Short {number}", "Tests", duration_s, chapters)
    return CourseItem(f"lecture-{number}", "video", f"Short {number}", LectureSource(drawn, {}))


def course_of(*items: CourseItem) -> CourseFolder:
    """The course with these lectures."""
    sections = (CourseSection("Lectures", items),)
    return CourseFolder(folder=Path(), id=COURSE, title="Learning How to Resume", sections=sections)


LECTURES = course_of(lecture(1), lecture(2))
