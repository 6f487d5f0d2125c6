"""`playhead scale`: which node a person means."""

import pytest

from gateway.cli.scale import the_node
from persistence.errors import SetupError

NODES = ["3fa9c0", "3fb111", "77aa00"]


def test_the_beginning_of_an_id_is_enough() -> None:
    assert the_node("3fa", NODES) == "3fa9c0"


@pytest.mark.parametrize(("said", "count"), [("3f", 2), ("99", 0), ("", 0)])
def test_what_could_be_several_or_none_is_refused(said: str, count: int) -> None:
    with pytest.raises(SetupError, match=rf"{count} of the nodes .* 3fa9c0, 3fb111, 77aa00"):
        the_node(said, NODES)


def test_the_only_node_is_not_drained() -> None:
    with pytest.raises(SetupError, match="start another one first"):
        the_node("3f", ["3fa9c0"])
