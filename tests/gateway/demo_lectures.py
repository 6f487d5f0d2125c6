"""A course of the demo's shape whose lectures are a few seconds long."""

from actors.lecture import Chapter, Lecture
from gateway.demo_course import DemoItem

LECTURES = tuple(
    DemoItem(
        f"lecture-{number}",
        number,
        Lecture(
            f"Lecture {number}", f"Short {number}", "Tests", 6, (Chapter("One", ("A point",), "screens"),)
        ),
    )
    for number in (1, 2)
)
