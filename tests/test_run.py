"""`./run`, the first thing a person meets: what it says where something of the machine is missing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.requirements import ROOT

# What any POSIX system has, and nothing of ours: no python, no uv, no npm.
SYSTEM = [
    "cat",
    "chmod",
    "cp",
    "date",
    "dirname",
    "basename",
    "id",
    "ln",
    "mkdir",
    "mktemp",
    "readlink",
    "rm",
    "sed",
    "sh",
    "tail",
    "touch",
    "uname",
]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which nothing is set up yet."""
    for name in ("run", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in SYSTEM:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def run(clone: Path, path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`./run` with only `path` to find programs in, from another folder, and no way to any registry."""
    return subprocess.run(
        [clone / "run", *arguments],
        cwd=path,
        env={
            "PATH": str(path),
            "HOME": str(path),
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_help_names_every_command(clone: Path, bare_path: Path) -> None:
    for arguments in ((), ("help",), ("--help",)):
        answer = run(clone, bare_path, *arguments)
        assert answer.returncode == 0
        for command in ("demo", "test", "check", "playhead"):
            assert f"./run {command}" in answer.stdout


def test_an_unknown_command_is_refused(clone: Path, bare_path: Path) -> None:
    answer = run(clone, bare_path, "dmeo")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == "run: there is no command 'dmeo'."


@pytest.mark.parametrize("command", ["demo", "test", "check", "playhead"])
def test_no_python_is_one_clear_line(clone: Path, bare_path: Path, command: str) -> None:
    script(bare_path / "python3", "exit 1")  # there, but of a version this project does not run on
    answer = run(clone, bare_path, command)
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "run: Python 3.11 or 3.12 is missing: install it (apt-get install python3 python3-venv), "
        "then start again."
    ]


def test_no_venv_module_is_one_clear_line(clone: Path, bare_path: Path) -> None:
    script(bare_path / "python3", 'case "$*" in *ensurepip*) exit 1 ;; esac')
    answer = run(clone, bare_path, "demo")
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "run: Python's venv module is missing: apt-get install python3-venv, then start again."
    ]


def test_no_network_is_one_clear_line_after_what_pip_said(clone: Path, bare_path: Path) -> None:
    offline = "#!/bin/sh\\necho no route to the index; exit 1\\n"
    venv = f"mkdir -p $3/bin; printf '{offline}' >$3/bin/python; chmod +x $3/bin/python"
    script(bare_path / "python3", f'case "$*" in "-m venv "*) {venv} ;; esac')
    answer = run(clone, bare_path, "demo")
    assert answer.returncode == 1
    first, said, last = answer.stderr.splitlines()
    assert first.startswith("  uv, into .uv ... failed after")
    assert said == "    no route to the index"
    assert last == (
        "run: uv could not be installed: check the way to PyPI (network, proxy, pip configuration), "
        "then start again."
    )


def test_a_set_up_folder_needs_nothing_more(clone: Path, bare_path: Path) -> None:
    """No registry is asked, nothing is printed but what the program says, arguments arrive whole."""
    (clone / ".venv" / "bin").mkdir(parents=True)
    script(
        clone / ".venv" / "bin" / "python",
        '[ "$1" = -c ] || printf "%s|" "$RAY_ENABLE_UV_RUN_RUNTIME_ENV" "$@"',
    )
    (clone / ".venv" / ".playhead-demo").write_text(f"{clone}\n")
    answer = run(clone, bare_path, "demo", "--video", "my talk.mp4")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "0|-P|-m|gateway.cli|demo|--video|my talk.mp4|"


def test_a_folder_that_was_copied_is_set_up_anew(clone: Path, bare_path: Path) -> None:
    """Its packages point to the folder it was copied from: the wrong program would run."""
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "pyvenv.cfg").write_text("version_info = 3.11.2\n")
    script(clone / ".venv" / "bin" / "python", "echo the wrong program")
    script(bare_path / "uv", 'case $1 in --version) echo "uv 0.9.0" ;; *) echo "asked: $*"; exit 1 ;; esac')
    (clone / ".venv" / ".playhead-demo").write_text("/somewhere/else\n")
    answer = run(clone, bare_path, "demo")
    assert answer.returncode == 1
    assert "the wrong program" not in answer.stdout
    assert f"asked: sync --project {clone} --frozen --python 3.11 --no-dev --inexact" in answer.stderr
