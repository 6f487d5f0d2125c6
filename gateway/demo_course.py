"""The course `playhead demo` shows: who teaches what to whom, and the lectures' slides."""

from dataclasses import dataclass

from actors.lecture import Chapter, Lecture
from persistence.courses import CourseContent, SectionContent
from persistence.students import Student

COURSE = "learning-how-to-resume"
TITLE = "Learning How to Resume"

STUDENTS = (Student("ada", "Ada"), Student("ben", "Ben"))


@dataclass(frozen=True, slots=True)
class DemoItem:
    """A video of the course, by its id and its place, and the lecture that is drawn for it."""

    id: str
    place: int
    lecture: Lecture

    @property
    def title(self) -> str:
        """As a list shows it."""
        return self.lecture.title.replace("\n", " ")


def _lecture(number: int, title: str, duration_s: int, *chapters: Chapter) -> Lecture:
    return Lecture(f"Lecture {number}", title, TITLE, duration_s, chapters)


ITEMS = (
    DemoItem(
        "lecture-1",
        1,
        _lecture(
            1,
            "How playback\nis resumed",
            120,
            Chapter(
                "One lecture,\nmany screens",
                ("Start on the phone", "Go on in the browser", "Finish on the television"),
                "screens",
            ),
            Chapter(
                "A device says\nwhat happened",
                ("Played, paused, sought", "Written before it is sent", "In order, however late"),
                "journal",
            ),
            Chapter(
                "Who has\nthe playhead?",
                ("Your latest real action", "Idle screens move nothing", "One baton, passed on"),
                "baton",
            ),
            Chapter(
                "Nothing watched\nis lost",
                ("Every second counts once", "Offline time comes home", "Nobody competes for time"),
                "union",
            ),
            Chapter(
                "Saved means\nsaved",
                ("Applied: in memory", "Durable: on disk", "Only then is it forgotten"),
                "saved",
            ),
        ),
    ),
    DemoItem(
        "lecture-2",
        2,
        _lecture(
            2,
            "What a device\nremembers",
            40,
            Chapter(
                "Without\na network",
                ("The journal grows", "The picture plays on", "Nothing waits for a server"),
                "journal",
            ),
            Chapter(
                "Back on\nthe network",
                ("The journal goes up", "Spans become one union", "Late is not lost"),
                "union",
            ),
        ),
    ),
    DemoItem(
        "lecture-3",
        3,
        _lecture(
            3,
            "When is it\nreally saved?",
            30,
            Chapter(
                "Two words,\nnever one",
                ("Written on the device", "Applied on the server", "Durable on the disk"),
                "saved",
            ),
        ),
    ),
)

CONTENT = CourseContent(
    title=TITLE,
    description=(
        "Why a lecture that began on a phone goes on at the right second in a browser and ends on a "
        "television: what devices tell, who decides, and what is never lost on the way."
    ),
    instructor="Mira Solano",
    sections=[
        SectionContent("One lecture, many screens", ["lecture-1"]),
        SectionContent("Offline and back", ["lecture-2", "lecture-3"]),
    ],
)
