"""A replay sees what no expectation names: a server that breaks, and one that forgets."""

from pathlib import Path

import pytest

from actors.core.progress import Progress
from actors.core.session import Session
from gateway.cli.command import main
from gateway.replay.reading import read
from gateway.replay.runner import Replay
from gateway.replay.store import Store
from persistence.checkpoints import Written


def _file(corpus: Path, name: str) -> Path:
    return next(corpus.glob(f"{name}-*.json"))


def test_entry_that_breaks_the_server_is_a_miss(
    corpus: Path, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(*_: object) -> None:
        raise RuntimeError("no such thing as a pause")

    monkeypatch.setattr(Progress, "_stop", fall)
    outcome = replay.run(read(_file(corpus, "s09")), "at once")
    assert {verdict.key for verdict in outcome.missed} >= {"defect"}


def test_file_that_breaks_the_replay_hides_no_other(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fall(*_: object) -> None:
        raise RuntimeError("nobody leaves")

    monkeypatch.setattr(Session, "leave", fall)
    monkeypatch.setattr(Store, "load", fall)
    assert main(["replay", str(_file(corpus, "s09")), str(_file(corpus, "s29"))]) == 1
    out = capsys.readouterr().out
    assert out.count("broke the replay: RuntimeError: nobody leaves") == 2


def test_what_is_not_durable_dies_with_its_owner(
    corpus: Path, replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S31 with a store that loses every row: what devices were told is durable is gone for good."""

    async def forget(self: Store, checkpoint: object) -> Written:
        return Written(0)

    trace = read(_file(corpus, "s31"))
    assert not replay.run(trace, "at checkpoints").missed
    monkeypatch.setattr(Store, "write", forget)
    missed = {verdict.key: verdict.got for verdict in replay.run(trace, "at checkpoints").missed}
    assert missed["content_s"] == 0


def test_replays_are_the_same_again(corpus: Path) -> None:
    trace = read(_file(corpus, "n60"))
    outcomes = []
    for seed in (None, None, 9, 9):
        running = Replay(seed)
        outcomes.append(running.run(trace, "at checkpoints").verdicts)
        running.close()
    assert outcomes[0] == outcomes[1]
    assert outcomes[2] == outcomes[3]
