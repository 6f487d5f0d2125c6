"""The table: medians over rounds, ratios of medians, and goals that are missed are called missed."""

from dataclasses import replace

from rich.console import Console

from bench.peers.compare import markdown, plain, rows, show
from bench.peers.figures import PLAYHEAD, Measured
from bench.report import Phase, Times


def measured(server: str, window_s: float, tail_s: float = 0.0) -> Measured:
    times = Times(100, 0.01, 0.02, 0.03)
    return Measured(
        server=server,
        students=1000,
        connections=1100,
        updates=20_000,
        idle=Phase(2.0, {"server": 0.2}),
        connect=Phase(1.0, {"server": 0.55}),
        window=Phase(20.0, {"server": window_s, "Postgres": 0.0}),
        tail=Phase(10.0, {"server": tail_s}),
        kib=12.0,
        kib_end=17.0,
        times=dict.fromkeys(("ack", "push", "opening", "late", "durable_playing", "durable_flushed"), times),
        load_cpu_s=1.0,
        faults=0,
        faults_kept=(),
    )


def test_work_after_the_window_counts_and_idling_after_it_does_not() -> None:
    assert round(measured("A", 1.0).cpu_us_per_update) == 50
    assert round(measured("A", 1.0, tail_s=1.0).cpu_us_per_update) == 50
    assert round(measured("A", 1.0, tail_s=3.0).cpu_us_per_update) == 150


def test_ratios_are_of_medians_and_goals_are_judged_by_them() -> None:
    runs = [measured(PLAYHEAD, s) for s in (1.0, 9.0, 1.2)] + [measured("Socket.IO", s) for s in (1.9, 2.1)]
    runs += [measured("Durable Objects", 3.0)]
    row = rows(runs)[0]
    assert {name: round(value) for name, value in row.medians.items()} == {
        PLAYHEAD: 60,
        "Socket.IO": 100,
        "Durable Objects": 150,
    }
    assert round(row.ratios["Socket.IO"], 6) == 0.6
    assert row.goals == {"Socket.IO": True, "Durable Objects": False}
    assert row.cell(PLAYHEAD) == "60 (50-450) µs"
    assert row.ratio("Socket.IO", "ok", "misses") == "0.60 × (≤ 0.6 ok)"
    assert row.ratio("Durable Objects", "ok", "misses") == "0.40 × (≤ 0.35 misses)"
    assert row.goal("ok", "misses") == ""


def test_limits_of_our_own_need_no_peer() -> None:
    by_name = {row.line.name.strip(): row for row in rows([measured(PLAYHEAD, 1.0)])}
    assert by_name["memory per student, connected"].goals == {PLAYHEAD: True}
    assert by_name["at the end of the window"].goals == {PLAYHEAD: False}
    assert by_name["server CPU per update"].goals == {}
    assert by_name["wrong or lost"].goal("ok", "misses") == "0 ok"


def test_the_table_names_every_server_and_fault() -> None:
    bad = replace(measured("Socket.IO", 2.0), faults=1, faults_kept=("push: student 7: gone",))
    runs = [measured(PLAYHEAD, 1.0), bad]
    console = Console(record=True, width=160)
    show(runs, "8 students", console)
    shown = console.export_text()
    assert "push: student 7: gone" in shown
    assert "0.50 ×" in shown
    assert "| Playhead | Socket.IO | Playhead / Socket.IO |" in markdown(runs)
    assert [run["server"] for run in plain(runs)["runs"]] == [PLAYHEAD, "Socket.IO"]


def test_a_peer_alone_has_no_ratios() -> None:
    row = rows([measured("Socket.IO", 1.0)])[0]
    assert (row.ratios, row.goals) == ({}, {})
