"""`python -m bench.dataset`: a platform's worth of courses and students, written through COPY.

100,000 courses with plausible words and 2,000,000 students who are in some of them,
in an embedded Postgres on
`--data` or in the one of `--dsn`. Written once; `bench.browse` measures on it.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.words import Words, Writer
from gateway.cli.steps import Steps
from persistence.embedded import postgres as embedded
from persistence.embedded.datafolder import DataFolder
from persistence.errors import PlayheadError
from persistence.migrate import migrate
from persistence.postgres import Postgres, PostgresSettings, open_postgres

CHUNK = 2000
"""Lines of one piece of a COPY."""

TIMEOUT_S = 900.0
VERSION = "v1"
ENROLLED_AT = "2026-01-01 00:00:00+00"


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything: `items` of a course on average, `enrolments` of a student at most, `progress`
    rows in all."""

    courses: int = 100_000
    students: int = 2_000_000
    items: int = 8
    enrolments: int = 3
    progress: int = 500_000
    seed: int = 1


def course_id(number: int) -> str:
    """The id of a course."""
    return f"data-{number:06d}"


def student_id(number: int) -> str:
    """The id of a student."""
    return f"data-s{number:07d}"


def items_of(size: Size, number: int) -> int:
    """How many items a course has: half to one and a half of the average."""
    return max(1, size.items // 2 + (number * 7919) % (size.items + 1))


def duration_ms(number: int, place: int) -> int:
    """The length of an item: 2 to 62 minutes."""
    return 120_000 + (number * 104_729 + place * 7_919_000) % 3_600_000


def enrolments_of(size: Size, number: int) -> list[int]:
    """The courses a student is in: some are far more popular than others."""
    chance = random.Random(size.seed * 1_000_003 + number)
    count = chance.randint(1, size.enrolments)
    return sorted({int(size.courses * chance.random() ** 2) for _ in range(count)})


async def write(postgres: Postgres, size: Size, steps: Steps) -> None:
    """Everything into an empty schema, whose migrations have run."""
    async with postgres.connection() as connection, connection.transaction():
        # Keys are right by construction: neither foreign keys nor counts are worked out row by row.
        await connection.execute(
            "SET LOCAL session_replication_role = replica; SET LOCAL statement_timeout = 0"
        )

        async def copy(table: str, columns: str, lines: Iterator[str], total: int) -> None:
            async with steps.step(f"copy {table}"):
                await connection.copy_to_table(
                    table,
                    source=_pieces(lines, lambda done: steps.advance(f"copy {table}", done / total)),
                    columns=columns.split(),
                    timeout=TIMEOUT_S,
                )

        items = sum(items_of(size, number) for number in range(size.courses))
        await copy(
            "course", "id content published number duration_ms items_total", _courses(size), size.courses
        )
        await copy("item", "id course kind place title version", _items(size), items)
        await copy("item_version", "item version duration_ms", _versions(size), items)
        await copy("student", "id profile", _students(size), size.students)
        await copy(
            "enrolment", "student course at", _enrolments(size), size.students * (size.enrolments + 1) // 2
        )
        await copy(
            "progress",
            "student item course version rev epoch pass position_ms device rule done completions coverage"
            " furthest_ms content_ms wall updated_at",
            _progress(size),
            size.progress,
        )
    await _list(postgres, size, steps)


async def _list(postgres: Postgres, size: Size, steps: Steps) -> None:
    """What the triggers would have written, and what autovacuum would do in a while."""
    name = "list the courses for search"
    async with steps.step(name):
        for begin in range(0, size.courses, CHUNK):
            ids = [course_id(number) for number in range(begin, min(begin + CHUNK, size.courses))]
            await postgres.execute("SELECT list_courses($1::text[])", ids, timeout_s=TIMEOUT_S)
            steps.advance(name, begin / size.courses)
    async with steps.step("vacuum and analyse"), postgres.connection() as connection:
        await connection.execute("SET statement_timeout = 0")
        for table in ("listing", "course", "item", "item_version", "student", "enrolment", "progress"):
            await connection.execute(f"VACUUM (ANALYZE) {table}", timeout=TIMEOUT_S)
        await connection.execute("RESET statement_timeout")


async def _pieces(lines: Iterator[str], on_progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    """Lines of COPY's text format, some thousands at a time."""
    piece: list[str] = []
    done = 0
    for line in lines:
        piece.append(line)
        if len(piece) == CHUNK:
            done += CHUNK
            on_progress(done)
            yield "".join(piece).encode()
            piece.clear()
            await asyncio.sleep(0)
    yield "".join(piece).encode()


def _row(*values: object) -> str:
    """A line of COPY's text format."""
    texts = (str(value) for value in values)
    return (
        "\t".join(text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") for text in texts)
        + "\n"
    )


def _courses(size: Size) -> Iterator[str]:
    writer = Writer(size.seed)
    for number in range(size.courses):
        words, count = writer.course(), items_of(size, number)
        total_ms = sum(duration_ms(number, place) for place in range(count))
        yield _row(course_id(number), json.dumps(_document(number, words, count)), "t", 1, total_ms, count)


def _document(number: int, words: Words, count: int) -> dict[str, object]:
    """As `CourseContent` has it: the items are shared out among the sections."""
    sections = [{"title": title, "items": [_item(number, place) for place in range(n, count,
    len(words.sections))]}
                for n, title in enumerate(words.sections)]  # fmt: skip
    return {
        "title": words.title,
        "description": words.description,
        "instructor": words.instructor,
        "category": words.category,
        "difficulty": words.difficulty,
        "language": words.language,
        "poster": "",
        "sections": sections,
    }


def _item(number: int, place: int) -> dict[str, object]:
    item = f"{course_id(number)}.{place}"
    return {"id": item, "kind": "video", "title": f"Lecture {place + 1}", "version": VERSION, "content": {}}


def _items(size: Size) -> Iterator[str]:
    for number in range(size.courses):
        for place in range(items_of(size, number)):
            yield _row(
                f"{course_id(number)}.{place}",
                course_id(number),
                "video",
                place,
                f"Lecture {place + 1}",
                VERSION,
            )


def _versions(size: Size) -> Iterator[str]:
    for number in range(size.courses):
        for place in range(items_of(size, number)):
            yield _row(f"{course_id(number)}.{place}", VERSION, duration_ms(number, place))


def _students(size: Size) -> Iterator[str]:
    for number in range(size.students):
        yield _row(student_id(number), f'{{"name": "Student {number}"}}')


def _enrolments(size: Size) -> Iterator[str]:
    for number in range(size.students):
        for course in enrolments_of(size, number):
            yield _row(student_id(number), course_id(course), ENROLLED_AT)


def _progress(size: Size) -> Iterator[str]:
    """One row for each of the first students, in the first lecture of a course they are in."""
    for number in range(min(size.progress, size.students)):
        course = enrolments_of(size, number)[0]
        place_ms = 1000 + number % 60_000
        yield _row(
            student_id(number), f"{course_id(course)}.0", course_id(course), VERSION, 1, 1, 1, place_ms,
            "web", "R2",
            "f", "{}", f"{{[0,{place_ms})}}", place_ms, place_ms, "{}", ENROLLED_AT,
        )  # fmt: skip


@contextlib.asynccontextmanager
async def _opened(options: argparse.Namespace, steps: Steps) -> AsyncIterator[Postgres]:
    async with contextlib.AsyncExitStack() as stack:
        dsn = options.dsn
        if not dsn:
            folder = stack.enter_context(DataFolder.open(options.data.absolute()))
            async with steps.step("start Postgres"):
                server = await stack.enter_async_context(await embedded.start(folder))
            dsn = server.dsn
        postgres = await open_postgres(PostgresSettings(dsn, "playhead dataset", 1, 2))
        stack.push_async_callback(postgres.close)
        yield postgres


async def build(options: argparse.Namespace) -> None:
    """Migrate and write."""
    size = Size(
        options.courses, options.students, options.items, options.enrolments, options.progress, options.seed
    )
    with Steps() as steps:
        async with _opened(options, steps) as postgres:
            async with steps.step("migrate"):
                await migrate(postgres)
            await write(postgres, size, steps)
            bytes_of = await postgres.value("SELECT pg_database_size(current_database())")
        print(f"{size.courses} courses, {size.students} students: {bytes_of / 2**30:.2f} GiB")


def parser() -> argparse.ArgumentParser:
    """What may be said on the command line."""
    usual = Size()
    found = argparse.ArgumentParser("python -m bench.dataset", description=__doc__)
    place = found.add_mutually_exclusive_group(required=True)
    place.add_argument("--data", type=Path, metavar="FOLDER", help="an embedded Postgres in this folder")
    place.add_argument("--dsn", default="", help="a Postgres that runs, its database empty")
    for name in ("courses", "students", "items", "enrolments", "progress", "seed"):
        value = getattr(usual, name)
        found.add_argument(f"--{name}", type=int, default=value, metavar="N", help=f"({value})")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the dataset."""
    options = parser().parse_args(arguments)
    began_s = time.monotonic()
    try:
        asyncio.run(build(options))
    except PlayheadError as error:
        print(f"dataset: {error} (after {time.monotonic() - began_s:.0f} s)", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
