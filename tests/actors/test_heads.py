"""What a head tells besides the place: the item to go on with."""

import pytest

from actors.heads import head_of
from tests.actors.core.devices import START_MS, World, item

COURSE = ("a", "b", "c")


@pytest.mark.parametrize(
    ("done", "after", "following"),
    [
        ("", "a", "b"),
        ("b", "a", "c"),
        ("", "c", "a"),
        ("a", "c", "b"),
        ("bc", "a", None),
        ("abc", "b", None),
        ("ab", "c", None),
    ],
)
def test_next_is_the_next_not_done_else_the_first(done: str, after: str, following: str | None) -> None:
    world = World(*(item(name, 600, syllabus=COURSE) for name in COURSE))
    phone = world.device("P")
    for name in COURSE:
        phone.watch(0, 0, 60, name)
    for name in done:
        phone.open(0, name).mark(0, done=True)
    assert head_of(world.session, world.catalogue[after], START_MS).next_item == following


def test_an_item_without_a_syllabus_has_no_next() -> None:
    world = World(item("a", 600))
    assert head_of(world.session, world.catalogue["a"], START_MS).next_item is None
