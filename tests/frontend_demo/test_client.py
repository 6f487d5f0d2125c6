"""The JavaScript of the client and the views, outside a browser: a clock that stands until told, a disk."""

import subprocess

import pytest

from tests.requirements import ROOT, node_path

PAGES = ROOT / "frontend_demo"
FILES = sorted(str(path.relative_to(PAGES)) for path in PAGES.glob("*/test/*.test.js"))


def test_every_file_is_found() -> None:
    named = {"client/test/journal.test.js", "client/test/connection.test.js", "views/test/undo.test.js"}
    assert named <= set(FILES)


@pytest.mark.requires("node", "vendored")
@pytest.mark.parametrize("file", FILES)
def test_node(file: str) -> None:
    ran = subprocess.run(
        [str(node_path()), "--test", file],
        cwd=PAGES,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert "# fail 0" in ran.stdout and "# pass 0" not in ran.stdout
