"""Named SQL: every query has a name, a purpose, a use, and is one Postgres understands."""

import importlib
import re
from pathlib import Path

import pytest

from persistence import queries
from persistence.errors import SetupError
from persistence.postgres import Postgres

NOUNS = sorted(file.stem for file in queries.FOLDER.glob("*.sql"))


@pytest.mark.parametrize("noun", NOUNS)
async def test_every_query_fits_the_schema(postgres: Postgres, noun: str) -> None:
    async with postgres.connection() as connection:
        for name, query in queries.load(noun).items():
            assert query.startswith(f"-- name: {name}\n")
            await connection.prepare(query)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_query_is_used_by_its_noun_and_every_use_exists(noun: str) -> None:
    module = importlib.import_module(f"persistence.{noun}")
    used = set(re.findall(r'SQL\["(\w+)"\]', Path(str(module.__file__)).read_text()))
    assert used == set(queries.load(noun))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "-- name: one\nSELECT 1",
        "-- name: One\n-- purpose\nSELECT 1",
        "-- name: one\n-- p\nSELECT 1;\n-- name: one\n-- p\nSELECT 2;",
        "SELECT 0;\n-- name: one\n-- p\nSELECT 1;",
        "",
    ],
)
def test_a_query_without_name_and_purpose_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "noun.sql").write_text(text)
    with pytest.raises(SetupError):
        queries.load("noun", tmp_path)


def test_queries_are_split_at_their_names(tmp_path: Path) -> None:
    (tmp_path / "noun.sql").write_text(
        "-- name: a\n-- does a\nSELECT 1;\n\n-- name: b\n-- does b\nSELECT 2;\n"
    )
    assert dict(queries.load("noun", tmp_path)) == {
        "a": "-- name: a\n-- does a\nSELECT 1",
        "b": "-- name: b\n-- does b\nSELECT 2",
    }
