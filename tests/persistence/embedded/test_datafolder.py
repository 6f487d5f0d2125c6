"""The data folder: one holder at a time, secrets kept and private, errors that say what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from persistence.embedded import DataFolder
from persistence.embedded.datafolder import LOG_KEPT_BYTES
from persistence.errors import SetupError

HOLD = "import sys; from pathlib import Path; from persistence.embedded import DataFolder; " \
    "DataFolder.open(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"  # fmt: skip


def test_a_second_start_names_the_process_that_holds_the_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SetupError) as caught:
            DataFolder.open(tmp_path)
        message = str(caught.value)
        assert f"in use by process {holder.pid}" in message
        assert f"kill {holder.pid}" in message
        assert "\n" not in message
        holder.kill()
    DataFolder.open(tmp_path).close()  # SIGKILL leaves no lock behind


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path / "data") as folder:
        first = folder.secret("one")
        key = folder.secret("key", lambda: "made\nby the caller")
        assert len(first) >= 32
    with DataFolder.open(tmp_path / "data") as folder:
        assert folder.secret("one") == first
        assert folder.secret("key", lambda: "other") == key
        assert folder.secret("two") != first
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_damaged_secrets_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"one": "x')
    with (
        DataFolder.open(tmp_path) as folder,
        pytest.raises(SetupError, match=r"secrets\.json cannot be read"),
    ):
        folder.secret("one")
    assert (tmp_path / "secrets.json").read_text() == '{"one": "x'


def test_a_folder_that_cannot_be_one_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"cannot be used .*: give another one"):
        DataFolder.open(tmp_path / "file")


def test_a_long_log_is_put_aside_once(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path) as folder:
        path = folder.log_path("server")
        path.touch()
        os.truncate(path, LOG_KEPT_BYTES + 1)
        assert folder.log_path("server") == path
        assert not path.exists()
        assert path.with_suffix(".log.1").stat().st_size == LOG_KEPT_BYTES + 1
