"""The picture of a run: a PNG is made, also of a run with gaps or without anything."""

from pathlib import Path
from typing import Any

import pytest

from bench.plot import draw, main

PNG = b"\x89PNG\r\n\x1a\n"


def over_time() -> dict[str, Any]:
    seconds = [
        {"s": n + 0.5, "updates": 100, "ack_p50_ms": 20 + n, "ack_p99_ms": 90, "push_p50_ms": None}
        for n in range(20)
    ]
    cores = [{"s": n, "shards": 0.5, "the load": 0.2, "guards": 0.01} for n in range(-5, 25)]
    memory = [{"s": n, "shards": 200.0, "Postgres": 80.0} for n in range(-5, 25, 5)]
    events = [{"s": 10.0, "what": "storm: cut"}]
    return {"seconds": seconds, "cores": cores, "memory_mib": memory, "events": events}


NOTHING = dict.fromkeys(("seconds", "cores", "memory_mib", "events"), ())


@pytest.mark.parametrize("rows", [over_time(), NOTHING], ids=["run", "none"])
def test_a_picture_is_drawn(tmp_path: Path, rows: dict[str, Any]) -> None:
    draw(tmp_path / "run.png", rows, "a run")
    assert (tmp_path / "run.png").read_bytes().startswith(PNG)


def test_a_run_is_drawn_again_from_its_json(tmp_path: Path) -> None:
    import json

    (tmp_path / "run.json").write_text(json.dumps({"title": "a run", "over_time": over_time()}))
    assert main([str(tmp_path / "run.json"), str(tmp_path / "run.png")]) == 0
    assert (tmp_path / "run.png").stat().st_size > 10_000
