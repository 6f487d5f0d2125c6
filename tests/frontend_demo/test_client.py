"""The JavaScript client's own tests, outside a browser: a clock that stands until told, an IndexedDB."""

import subprocess

import pytest

from tests.requirements import ROOT, node_path

CLIENT = ROOT / "frontend_demo" / "client"
FILES = sorted(path.name for path in (CLIENT / "test").glob("*.test.js"))


def test_every_file_is_found() -> None:
    assert {"journal.test.js", "connection.test.js", "player.test.js"} <= set(FILES)


@pytest.mark.requires("node", "vendored")
@pytest.mark.parametrize("file", FILES)
def test_node(file: str) -> None:
    ran = subprocess.run(
        [str(node_path()), "--test", f"client/test/{file}"],
        cwd=CLIENT.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "# fail 0" in ran.stdout and "# pass 0" not in ran.stdout
