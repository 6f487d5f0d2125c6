"""`playhead import` and `playhead export`: from a folder to a published course and back."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.cli.running import FILE, Running
from persistence import drafts, students
from persistence.embedded import Embedded
from persistence.migrate import migrate
from persistence.objects import ObjectStore
from persistence.postgres import Postgres, PostgresSettings, open_postgres
from tests.gateway.cli.test_command import playhead
from tests.gateway.course_files.folders import HEAD, QUIZ, draw_video, item, write


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postgres(postgres_dsn: str) -> AsyncIterator[Postgres]:
    opened = await open_postgres(PostgresSettings(postgres_dsn, "tests", 1, 1))
    await migrate(opened)
    await students.put(opened, [students.Student("mira", "Mira", may_teach=True)])
    yield opened
    await opened.close()


@pytest.fixture
def site(embedded: Embedded, postgres: Postgres, postgres_dsn: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a system whose stores are named."""
    s3 = asdict(ObjectStore(**{**asdict(embedded.s3), "bucket": "commands"}))
    names = ("endpoint_url", "public_url", "region", "access_key", "secret_key", "bucket")
    return {
        "PLAYHEAD_POSTGRES_DSN": postgres_dsn,
        "PLAYHEAD_REDIS_URL": embedded.redis_url,
        "PLAYHEAD_DATA_FOLDER": str(tmp_path / "data"),
        "COLUMNS": "160",
        **{f"PLAYHEAD_OBJECTS_{name.upper()}": s3[name] for name in names},
    }


def course(folder: Path, id: str = "c1") -> Path:
    draw_video(folder / "talk.mp4", 2.0)
    text = HEAD.replace("id: c1", f"id: {id}")
    text += item(f"{id}-v", "video", "file: talk.mp4") + item(f"{id}-q", "quiz", "file: quiz.yaml")
    return write(folder, {"course.yaml": text, "quiz.yaml": QUIZ})


async def test_a_folder_is_published_once_and_comes_back(
    site: dict[str, str], postgres: Postgres, tmp_path: Path
) -> None:
    folder = course(tmp_path / "course")
    code, out, err = await playhead("import", str(folder), "--teacher", "mira", **site)
    assert (code, out) == (0, ""), err
    assert "2 items in 1 section, nothing to mend" in err
    assert "make c1-v" in err and "upload c1-v" in err and "0:02" in err
    assert "c1: version 1 is published" in err
    [taught] = await drafts.taught(postgres, "mira", "", 10)
    assert (taught.id, taught.role, taught.number) == ("c1", "instructor", 1)
    code, _, err = await playhead("import", str(folder / "course.yaml"), **site)
    assert code == 0 and "nothing is new: version 1 stays as it is" in err and "make" not in err
    code, _, err = await playhead("export", "c1", "--to", str(tmp_path / "out"), **site)
    assert code == 0 and "version 1, 2 items" in err and "answers of quizzes are in it" in err
    code, _, err = await playhead("import", str(tmp_path / "out"), **site)
    assert code == 0 and "nothing is new: version 1 stays as it is" in err


async def test_check_needs_no_server_and_tells_every_problem(tmp_path: Path) -> None:
    folder, data = course(tmp_path / "course"), str(tmp_path / "data")
    code, _, err = await playhead("import", str(folder), "--check", "--data", data, COLUMNS="160")
    assert code == 0 and "nothing to mend" in err and not (tmp_path / "data").exists()
    (folder / "quiz.yaml").write_text(QUIZ.replace("answers: b", "answers: z"))
    (folder / "talk.mp4").write_text("no video")
    code, _, err = await playhead("import", str(folder), "--check", "--data", data, COLUMNS="160")
    assert code == 1 and "playhead: 2 problems have to be mended" in err
    assert "course.yaml:9: talk.mp4 cannot be read as a video" in err
    assert "quiz.yaml:5: question q1: 'z' is none of its choices (a, b)" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("import", "nowhere"), "course.yaml: cannot be read"),
        (("import", "{folder}", "--teacher", "nobody"), "there is no student nobody"),
        (("import", "{folder}", "--cluster"), "start it, name another --data, or leave out --cluster"),
        (("export", "no-course", "--to", "{folder}/out"), "nothing was published of a course no-course"),
        (("export", "c1", "--to", "{folder}"), "not empty; name a folder that is new"),
    ],
)
async def test_what_is_wrong_is_said_and_ends_with_1(
    site: dict[str, str], tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    folder = course(tmp_path / "course", "wrong")
    code, out, err = await playhead(*(word.format(folder=folder) for word in arguments), **site)
    assert (code, out) == (1, "") and says in err


async def test_a_schema_of_before_is_one_line(
    embedded: Embedded, site: dict[str, str], tmp_path: Path
) -> None:
    older = {**site, "PLAYHEAD_POSTGRES_DSN": embedded.postgres.dsn_of("template1")}
    code, _, err = await playhead("import", str(course(tmp_path / "course")), **older)
    assert code == 1 and "run `playhead migrate`" in err


async def test_it_works_on_the_servers_of_a_running_demo(
    embedded: Embedded, postgres: Postgres, tmp_path: Path
) -> None:
    """What a demo leaves word of in its data folder is enough."""
    data = embedded.folder.path
    await migrate_main(embedded)
    Running.here("127.0.0.1:1", "http://127.0.0.1:1").write(data)
    try:
        folder = course(tmp_path / "course", "beside")
        code, _, err = await playhead("import", str(folder), "--data", str(data))
        assert code == 0 and "version 1 is published" in err
    finally:
        (data / FILE).unlink()


async def migrate_main(embedded: Embedded) -> None:
    """The embedded server's own database, which `playhead demo` would have migrated."""
    opened = await open_postgres(PostgresSettings(embedded.postgres_dsn, "tests", 1, 1))
    await migrate(opened)
    await opened.close()


async def test_without_any_server_it_starts_and_ends_its_own(tmp_path: Path) -> None:
    folder = course(tmp_path / "course")
    for says in ("version 1 is published", "nothing is new"):
        code, _, err = await playhead("import", str(folder), "--data", str(tmp_path / "data"))
        assert code == 0 and says in err, err
    assert not list((tmp_path / "data" / "run").glob("*.json"))


async def test_ctrl_c_ends_it_and_publishes_nothing(
    site: dict[str, str], postgres: Postgres, tmp_path: Path
) -> None:
    folder = course(tmp_path / "course", "stopped")
    draw_video(folder / "talk.mp4", 240.0, "1280x720")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", "import", str(folder)),
        env={"PATH": "/usr/bin:/bin", **site},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while not list((tmp_path / "data" / "media").glob(".*/*.mp4")):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = (await process.stderr.read()).decode()
    assert await process.wait() == 130 and "nothing was published" in said
    assert await drafts.read(postgres, "stopped") is None
    assert list((tmp_path / "data" / "media").iterdir()) == []
