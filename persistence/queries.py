"""The named SQL of the nouns: `sql/<noun>.sql`, each query with a name and a purpose of one line above it."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from persistence.errors import SetupError

FOLDER = Path(__file__).parent / "sql"
_HEAD = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)\n-- (?P<purpose>\S.*)\n", re.MULTILINE)


def load(noun: str, folder: Path = FOLDER) -> Mapping[str, str]:
    """The queries of one noun by name. Each keeps its head, so that pg_stat_activity shows which one runs.

    A file is a row of `-- name: <name>`, `-- <purpose>`, statement. Raises `SetupError` for anything else.
    """
    path = folder / f"{noun}.sql"
    try:
        text = path.read_text()
    except OSError as error:
        raise SetupError(f"{path.name} cannot be read: the installation is not whole") from error
    heads = list(_HEAD.finditer(text))
    if len(heads) != text.count("-- name:") or not heads or text[: heads[0].start()].strip():
        raise SetupError(f"{path.name} has a query without `-- name: <name>` and a purpose on the next line")
    queries: dict[str, str] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        if head["name"] in queries:
            raise SetupError(f"{path.name} has two queries named {head['name']}; rename one")
        end = following.start() if following else len(text)
        queries[head["name"]] = text[head.start() : end].strip().rstrip(";")
    return MappingProxyType(queries)
