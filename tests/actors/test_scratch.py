"""Folders to work in: each its worker's alone, and gone with it."""

import fcntl
from pathlib import Path

import pytest

from actors import scratch


def test_a_folder_goes_with_the_work_and_with_a_worker_that_was_killed(tmp_path: Path) -> None:
    with scratch.folder(tmp_path) as mine:
        left = tmp_path / "upload-left"
        left.mkdir()
        (left / "lock").touch()
        with scratch.folder(tmp_path) as other:
            assert sorted(tmp_path.iterdir()) == sorted((mine, other))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_another_cleared_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, cleared = fcntl.flock, list[Path]()

    def late(lock: int, operation: int) -> None:
        """Another worker clears up between making the folder and locking it."""
        if operation == fcntl.LOCK_EX and not cleared:
            cleared.extend(tmp_path.iterdir())
            scratch._clear(tmp_path)
        flock(lock, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with scratch.folder(tmp_path) as mine:
        assert len(cleared) == 1 and mine != cleared[0]
        (mine / "file").touch()
        scratch._clear(tmp_path)
        assert (mine / "file").exists()
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
