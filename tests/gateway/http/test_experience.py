"""How playing goes: taken in batches from who may play, kept by month and hour, read by who teaches."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gateway.http import experience_intake
from gateway.http.cmcd import Cmcd, read
from gateway.http.experience import figures
from gateway.http.experience_intake import Intake
from gateway.http.experience_metrics import ExperienceMetrics, direction, label
from persistence import experience
from persistence.experience import Happening
from persistence.migrate import ensure_months
from tests.gateway.http.conftest import Answer, Web


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "item": "intro", "version": "v2", "play": "p1", "age_ms": 0, **more}


async def send(web: Web, *events: dict[str, Any], student: str = "mira") -> Answer:
    return await web.ask("POST", "/v1/experience", student=student, json={"events": list(events)})


async def rows(web: Web, **where: str) -> list[dict[str, Any]]:
    """What is kept, once it is written."""
    await web.deps.experience.write()
    found = await web.deps.postgres.rows("SELECT * FROM experience ORDER BY at, kind")
    return [dict(row) for row in found if all(row[name] == value for name, value in where.items())]


async def figure(web: Web, name: str, **labels: str) -> float:
    """A figure of /metrics."""
    text = (await web.ask("GET", "/metrics")).body.decode()
    wanted = name + (
        "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
    )
    line = next((line for line in text.splitlines() if line.startswith(wanted + " ")), f"{wanted} 0")
    return float(line.rpartition(" ")[2])


async def test_what_players_tell_is_kept_as_theirs_at_a_server_time(web: Web) -> None:
    before = datetime.now(UTC)
    answer = await send(
        web,
        event("start", play="kept", duration_ms=240, quality="720p", age_ms=60_000),
        event("switch", play="kept", quality="360p", **{"from": "720p"}, auto=False),
        event("error", play="kept", code="fragLoadError", status=403, fatal=True),
    )
    assert (answer.status, answer.body) == (204, b"")
    kept = await rows(web, play="kept")
    assert [row["kind"] for row in kept] == ["start", "error", "switch"]
    start = kept[0]
    assert (start["student"], start["course"], start["item"], start["version"]) == (
        "mira",
        "systems",
        "intro",
        "v2",
    )
    assert timedelta(seconds=55) < before - start["at"] < timedelta(seconds=61)
    switch = kept[2]
    assert (switch["from_quality"], switch["quality"], switch["auto"]) == ("720p", "360p", False)
    assert (kept[1]["code"], kept[1]["status"], kept[1]["fatal"]) == ("fragLoadError", 403, True)


async def test_h7_what_is_not_the_students_is_left_out_and_told_to_nobody(web: Web) -> None:
    refused = await figure(web, "playhead_experience_events_total", outcome="refused")
    answer = await send(
        web,
        event("start", play="foreign", item="theirs", version="v1"),
        event("start", play="foreign", item="nothing", version="v1"),
        event("start", play="foreign", version="no-such-version"),
        event("dance", play="foreign"),
        event("start", play="foreign", later_field=1),
    )
    assert (answer.status, answer.body) == (204, b"")
    assert len(await rows(web, play="foreign")) == 1
    assert await figure(web, "playhead_experience_events_total", outcome="refused") == refused + 4
    assert (await send(web, event("start", play="foreign"), student="zoe")).status == 204
    assert len(await rows(web, play="foreign", student="zoe")) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"item": "a b"},
        {"item": ""},
        {"version": "../x"},
        {"play": "x" * 33},
        {"play": "a b"},
        {"age_ms": -1},
        {"age_ms": 8 * 24 * 3600 * 1000},
        {"age_ms": 1.5},
        {"duration_ms": -1},
        {"duration_ms": 2**40},
        {"duration_ms": "9"},
        {"quality": "720p;"},
        {"quality": "x" * 17},
        {"code": "a\nb"},
        {"code": "x" * 65},
        {"status": 600},
        {"count": -1},
        {"fatal": "yes"},
        {"kind": "x" * 17},
        {"kind": None},
    ],
)
async def test_rule_29_a_value_that_cannot_be_spoils_its_batch(web: Web, wrong: dict[str, Any]) -> None:
    answer = await send(
        web, event("start", play="spoilt"), {**event("stall", play="spoilt"), **wrong}, student="ben"
    )
    assert (answer.status, answer.json["code"]) == (422, "invalid")
    assert await rows(web, play="spoilt") == []


async def test_a_batch_has_at_most_100_events(web: Web) -> None:
    assert (await send(web, *[event("stall", play="many")] * 101)).status == 422
    assert (await send(web, *[event("stall", play="many")] * 100)).status == 204
    assert len(await rows(web, play="many")) == 100


async def test_identity_is_the_tokens(web: Web) -> None:
    answer = await web.ask(
        "POST", "/v1/experience", student="mira", json={"events": [event("start")], "student": "ben"}
    )
    assert answer.status == 422
    answer = await send(web, event("start", play="whose", student="ben", course="other"))
    assert answer.status == 204
    assert [row["student"] for row in await rows(web, play="whose")] == ["mira"]


async def test_too_many_batches_are_told_to_wait(web: Web) -> None:
    answers = [await send(web, student="flood") for _ in range(40)]
    assert {answer.status for answer in answers} == {204, 429}
    late = answers[-1]
    assert (late.status, late.json["code"]) == (429, "too_many") and int(late.headers["Retry-After"]) > 0
    assert (await send(web, student="calm")).status == 204


async def test_sums_by_the_hour_are_those_of_the_rows(web: Web) -> None:
    await send(
        web,
        *(
            event("start", item="outro", version="v1", quality="720p", duration_ms=ms)
            for ms in (200, 900, 2500, 9000)
        ),
        *(event("watched", item="outro", version="v1", quality="720p", duration_ms=10_000) for _ in range(3)),
        event("stall", item="outro", version="v1", quality="720p", duration_ms=600),
        event("error", item="outro", version="v1", quality="720p", count=4),
        event("error", item="outro", version="v1", quality="720p", fatal=True),
        event("frames", item="outro", version="v1", quality="720p", count=3, total=900),
    )
    await web.deps.experience.write()
    await send(web, event("watched", item="outro", version="v1", quality="720p", duration_ms=5000))
    await web.deps.experience.write()
    found = await web.deps.postgres.row(
        "SELECT * FROM experience_hour WHERE item = 'outro' AND quality = '720p'"
    )
    assert found is not None
    sums = dict(found)
    assert sums.pop("hour").minute == 0
    assert sums == {
        "course": "systems", "item": "outro", "version": "v1", "quality": "720p", "starts": 4,
        "starts_300": 1, "starts_1000": 2, "starts_3000": 3, "start_ms": 12_600, "watched_ms": 35_000,
        "stalls": 1, "stall_ms": 600, "switches": 0, "errors": 5, "fatal_errors": 1, "frames_dropped": 3,
        "frames_shown": 900,
    }  # fmt: skip


async def test_two_gateways_that_write_the_same_hours_do_not_wait_for_each_other_for_ever(web: Web) -> None:
    def happening(item: str, quality: str) -> Happening:
        now = datetime.now(UTC)
        return Happening(now, "systems", item, "v1", "mira", "p", "watched", quality=quality, duration_ms=1)

    qualities = [f"{n}q" for n in range(40)]
    forth = [happening(item, quality) for item in ("paper", "extra") for quality in qualities]
    await asyncio.gather(
        *(experience.record(web.deps.postgres, rows, 10.0) for rows in [forth, forth[::-1]] * 8)
    )
    found = await web.deps.postgres.row(
        "SELECT count(*) AS n, sum(watched_ms) AS ms FROM experience_hour WHERE quality LIKE '%q'"
    )
    assert found is not None and (found["n"], found["ms"]) == (80, 80 * 16)


async def test_instructors_read_how_it_went_and_nobody_else(web: Web) -> None:
    for quality, stall_ms in (("360p", 0), ("1080p", 1000)):
        await send(
            web,
            event("start", item="secret", version="v1", quality=quality, duration_ms=250),
            event("watched", item="secret", version="v1", quality=quality, duration_ms=9000),
            event("stall", item="secret", version="v1", quality=quality, duration_ms=stall_ms),
        )
    await web.deps.experience.write()
    path = "/v1/teaching/courses/hidden/experience"
    answer = await web.ask("GET", f"{path}?days=1", student="ben")
    assert answer.status == 200
    assert (answer.json["course"], answer.json["days"]) == ("hidden", 1)
    [item] = answer.json["items"]
    assert (item["item"], item["title"]) == ("secret", "Secret")
    assert item["figures"]["starts"] == 2 and item["figures"]["start_ms"] == 250
    assert item["figures"]["stalled"] == round(1000 / 19_000, 4)
    assert {one["quality"]: one["figures"]["stalls"] for one in item["qualities"]} == {"360p": 1, "1080p": 1}
    assert answer.json["figures"]["watched_ms"] == 18_000
    for student in ("mira", "zoe"):
        assert (await web.ask("GET", path, student=student)).status == 404
    for course, status in (("systems", 403), ("nothing", 404)):
        refused = await web.ask("GET", f"/v1/teaching/courses/{course}/experience", student="ben")
        assert refused.status == status
    for days in ("0", "731", "x", ""):
        assert (await web.ask("GET", f"{path}?days={days}", student="ben")).status == 400


def test_figures_of_nothing_divide_by_nothing() -> None:
    found = figures([])
    assert (found.start_ms, found.stalled, found.failed) == (None, 0.0, 0.0)


async def test_figures_by_quality_and_never_by_video_or_student(web: Web) -> None:
    watched = await figure(web, "playhead_experience_watched_seconds_total", quality="480p")
    other = await figure(web, "playhead_experience_watched_seconds_total", quality="other")
    await send(
        web,
        event("watched", quality="480p", duration_ms=2500),
        event("watched", quality="evil9", duration_ms=1000),
        event("switch", quality="1080p", **{"from": "480p"}),
        event("start", quality="480p", duration_ms=260),
    )
    assert await figure(web, "playhead_experience_watched_seconds_total", quality="480p") == watched + 2.5
    assert await figure(web, "playhead_experience_watched_seconds_total", quality="other") == other + 1
    assert await figure(web, "playhead_experience_switches_total", direction="up") >= 1
    assert await figure(web, "playhead_experience_start_seconds_bucket", le="0.3", quality="480p") >= 1
    text = (await web.ask("GET", "/metrics")).body.decode()
    told = "\n".join(line for line in text.splitlines() if "experience" in line)
    assert "evil9" not in told and "intro" not in told and "mira" not in told


def test_labels_are_few() -> None:
    assert (label("720p"), label(""), label("9999p")) == ("720p", "other", "other")
    assert (direction("360p", "720p"), direction("720p", "360p"), direction("", "720p")) == (
        "up",
        "down",
        "other",
    )


async def test_a_full_queue_lets_go_and_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experience_intake, "WAITING_MAX", 3)
    registry = CollectorRegistry()
    intake = Intake(web.deps.postgres, registry)
    one = Happening(datetime.now(UTC), "systems", "intro", "v2", "mira", "full", "stall")
    intake.take([one] * 5)
    assert registry.get_sample_value("playhead_experience_events_total", {"outcome": "taken"}) == 3
    assert registry.get_sample_value("playhead_experience_events_total", {"outcome": "dropped"}) == 2
    assert registry.get_sample_value("playhead_experience_waiting") == 3
    assert registry.get_sample_value("playhead_experience_stalls_total", {"quality": "other"}) == 5
    await intake.write()
    assert registry.get_sample_value("playhead_experience_waiting") == 0


async def test_what_postgres_does_not_take_is_lost_once_and_counted(web: Web) -> None:
    registry = CollectorRegistry()
    intake = Intake(web.deps.postgres, registry)
    # No partition holds it: the statement fails as a whole, and neither table has it.
    old = Happening(datetime(2001, 1, 1, tzinfo=UTC), "systems", "intro", "v2", "mira", "lost", "stall")
    intake.take([old])
    await intake.write()
    assert registry.get_sample_value("playhead_experience_events_total", {"outcome": "lost"}) == 1
    assert (
        await web.deps.postgres.value("SELECT count(*) FROM experience_hour WHERE hour < '2002-01-01'") == 0
    )


async def test_what_waits_is_written_at_the_end(web: Web) -> None:
    async with Intake(web.deps.postgres, CollectorRegistry()).running() as intake:
        intake.take([Happening(datetime.now(UTC), "systems", "intro", "v2", "mira", "last", "stall")])
    assert await web.deps.postgres.value("SELECT count(*) FROM experience WHERE play = 'last'") == 1


async def test_the_months_of_a_week_ago_and_of_tomorrow_are_there(web: Web) -> None:
    await ensure_months(web.deps.postgres)
    now = datetime.now(UTC)
    for days in (-7, 0, 1):
        at = now + timedelta(days=days)
        await experience.record(
            web.deps.postgres, [Happening(at, "systems", "intro", "v2", "mira", "month", "stall")], 5.0
        )
    assert await web.deps.postgres.value("SELECT count(*) FROM experience WHERE play = 'month'") == 3


def test_cmcd_headers_are_read_together() -> None:
    said = read(
        {
            "CMCD-Request": 'bl=21300,mtp=48100,su,nor="../300kbps/track.m4v,x"',
            "CMCD-Object": "br=3200,d=4004,ot=v,tb=6000",
            "CMCD-Status": "bs,rtp=15000",
            "CMCD-Session": 'sid="6e2fb550-c457-11e9-bb97-0800200c9a66",cid="a,bs=false"',
        }
    )
    assert said == Cmcd(
        buffer_ms=21300, throughput_kbps=48100, bitrate_kbps=3200, starved=True, starting=True
    )
    assert read({"Accept": "x"}) is None


@pytest.mark.parametrize(
    "text",
    ["bl=-1", "bl=1e9", "bl=99999999999", "bl=", "bl=x", "bl", "bl=①", "BL=1", 'bl="1"', "bl=1" + " " * 2000],
)
def test_cmcd_that_cannot_be_read_says_nothing(text: str) -> None:
    said = read({"CMCD-Request": text})
    assert said is None or said.buffer_ms is None


def test_every_figure_has_a_unit_or_counts() -> None:
    registry = CollectorRegistry()
    ExperienceMetrics(registry)
    names = {metric.name for metric in registry.collect()}
    assert names and all(re.fullmatch(r"playhead_(experience|cmcd)_[a-z_]+", name) for name in names)
