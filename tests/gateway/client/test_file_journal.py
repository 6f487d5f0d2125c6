"""R8, R9: a journal in a file outlives its process, whatever the process was doing, and stays sealed."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.client import FileJournal, JournalBroken
from gateway.client import file_journal as module

DIE_WRITING = """
import os, sys
from pathlib import Path
from gateway.client import FileJournal
journal = FileJournal(Path(sys.argv[1]), "ada", "kiosk")
for n in range(5):
    journal.append({"kind": "played", "to_ms": n})
journal.forget(2)
os.kill(os.getpid(), 9)
"""


def opened(path: Path, student: str = "ada", device: str = "kiosk") -> FileJournal:
    return FileJournal(path, student, device, sync=False)


def seqs_of(journal: FileJournal) -> list[int]:
    return [event["seq"] for event in journal]


def test_r8_what_a_killed_process_wrote_is_there(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    died = subprocess.run([sys.executable, "-c", DIE_WRITING, str(path)], timeout=60)
    assert died.returncode == -9
    with opened(path) as journal:
        assert (seqs_of(journal), journal.durable_seq, journal.last_seq) == ([3, 4, 5], 2, 5)
        assert [event["to_ms"] for event in journal] == [2, 3, 4]
        assert journal.append({})["seq"] == 6


def test_a_record_cut_short_is_let_go_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with opened(path) as journal:
        journal.append({"kind": "opened"})
        journal.append({"kind": "closed"})
    path.write_bytes(path.read_bytes()[:-3])
    with opened(path) as journal:
        assert seqs_of(journal) == [1]
        assert journal.append({})["seq"] == 2
    with opened(path) as journal:
        assert seqs_of(journal) == [1, 2], "what is written after a torn record can be read again"


def test_the_number_goes_on_when_everything_is_durable(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with opened(path) as journal:
        journal.append({})
        journal.forget(1)
    with opened(path) as journal:
        assert journal.append({})["seq"] == 2


@pytest.mark.parametrize(("student", "device"), [("bob", "kiosk"), ("ada", "phone")])
def test_r9_it_is_sealed_to_its_student_and_device(tmp_path: Path, student: str, device: str) -> None:
    path = tmp_path / "journal"
    opened(path).close()
    with pytest.raises(JournalBroken, match="does not belong"):
        opened(path, student, device)


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"")
    with pytest.raises(JournalBroken, match="no journal"):
        opened(path)
    assert path.read_bytes() == b""


def test_a_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REWRITE_BYTES", 4_000)
    path = tmp_path / "journal"
    with opened(path) as journal:
        for seq in range(1, 2_001):
            journal.append({"kind": "played"})
            journal.forget(seq - 3)
        assert path.stat().st_size < 8_000
    with opened(path) as journal:
        assert seqs_of(journal) == [1998, 1999, 2000]
