"""Which port a server gets: the fixed one or none, else last time's, else a free one."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from persistence.embedded import DataFolder, ports
from persistence.errors import SetupError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data") as opened:
        yield opened


def taken(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def test_a_fixed_port_that_is_taken_is_one_clear_line(folder: DataFolder) -> None:
    with taken() as other:
        port = other.getsockname()[1]
        with pytest.raises(SetupError) as caught:
            ports.choose(folder, "postgres", port)
    assert str(caught.value).startswith(f"Port {port} for postgres is taken: end what listens there")
    assert "\n" not in str(caught.value)
    assert ports.choose(folder, "postgres", port) == port


def test_a_port_is_kept_for_the_next_start(folder: DataFolder) -> None:
    first = ports.choose(folder, "valkey")
    assert ports.FIRST_PORT <= first <= ports.LAST_PORT
    assert ports.choose(folder, "valkey") == first


def test_a_kept_port_that_is_taken_now_is_replaced(folder: DataFolder) -> None:
    first = ports.choose(folder, "valkey")
    with taken(first):
        second = ports.choose(folder, "valkey")
    assert second != first
    assert ports.choose(folder, "valkey") == second


def test_a_fixed_port_does_not_replace_the_kept_one(folder: DataFolder) -> None:
    first = ports.choose(folder, "valkey")
    with taken() as other:
        fixed = other.getsockname()[1]
    assert ports.choose(folder, "valkey", fixed) == fixed
    assert ports.choose(folder, "valkey") == first
