"""Tests that are left out are counted with their reason, and fail where all are required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements import ROOT

SAMPLE = """
import pytest

@pytest.mark.requires("bwrap")
def test_needs_bwrap(): pass

@pytest.mark.requires("chromium", "bwrap")
async def test_needs_both(): pass

@pytest.mark.skip(reason="no reason at all")
def test_skipped(): pass

@pytest.mark.xfail
def test_known_to_fail(): assert False

def test_plain(): pass
"""


def run_sample(folder: Path, text: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    (folder / "test_sample.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.left_out", "-c", os.devnull, "test_sample.py"],
        cwd=folder,
        env={"PATH": str(folder), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_they_are_counted_with_what_to_do(tmp_path: Path) -> None:
    answer = run_sample(tmp_path, SAMPLE)
    assert answer.returncode == 0
    assert "3 tests left out" in answer.stdout
    assert "   1 bwrap (apt-get install bubblewrap)\n" in answer.stdout
    assert "chromium (apt-get install chromium), bwrap (apt-get install bubblewrap)" in answer.stdout
    assert "1 passed, 3 skipped, 1 xfailed" in answer.stdout


def test_they_fail_where_all_are_required(tmp_path: Path) -> None:
    answer = run_sample(tmp_path, SAMPLE, PLAYHEAD_REQUIRE_ALL="1")
    assert answer.returncode == 1
    assert answer.stdout.count("PLAYHEAD_REQUIRE_ALL=1, but left out: ") >= 2
    assert "PLAYHEAD_REQUIRE_ALL=1, but no reason at all" in answer.stdout
    assert "1 passed, 1 xfailed, 3 errors" in answer.stdout


@pytest.mark.parametrize(("required", "code"), [("0", 5), ("1", 2)])
def test_a_module_that_leaves_itself_out_counts_too(tmp_path: Path, required: str, code: int) -> None:
    text = "import pytest\npytest.importorskip('no_such_module')\ndef test_one(): pass\n"
    answer = run_sample(tmp_path, text, PLAYHEAD_REQUIRE_ALL=required)
    assert answer.returncode == code
    assert ("PLAYHEAD_REQUIRE_ALL=1, but could not import" in answer.stdout) == (required == "1")


def test_an_unknown_tool_is_an_error(tmp_path: Path) -> None:
    answer = run_sample(tmp_path, "import pytest\n@pytest.mark.requires('chromum')\ndef test_one(): pass\n")
    assert answer.returncode == 1
    assert "KeyError: 'chromum'" in answer.stdout
