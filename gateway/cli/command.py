"""The command line: its commands, options and help, and how errors reach the person."""

import argparse
import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from gateway import ray_environment, settings
from persistence.errors import PlayheadError

MODULES = {"import": "import_course", "export": "export_course"}
"""Where a command is not the name of its module: `import` is a word of Python."""

Handler = Callable[[settings.Settings, argparse.Namespace], Coroutine[Any, Any, int]]

DESCRIPTION = """\
Playhead keeps every student at the right second on every device. In a checkout, `./run playhead COMMAND`.

  playhead demo                      everything on this machine, with a lecture to play; Ctrl-C ends it
  playhead demo --video talk.mp4     the same with your own video
  playhead status                    what the running system is doing, as a table
  playhead scale --shards 4          more or fewer shards and gateways, while students watch
  playhead token ada                 an access token for scripts and terminals
  playhead explain ada welcome       why a student's position is what it is, or was at a time
  playhead replay tests/corpus       hold this server against conformance scenarios
  playhead up --config site.toml     production: your Postgres, Redis, object store and Ray cluster
  playhead migrate --config site.toml    bring the schema of that Postgres up to date
  playhead import my-course          a folder of videos, PDFs, texts and quizzes becomes a course
  playhead export welcome --to folder    a published course as such a folder
"""
EPILOG = """\
Settings come from config/default.toml, then --config FILE, then PLAYHEAD_<SECTION>_<KEY> in the
environment (PLAYHEAD_POSTGRES_DSN, PLAYHEAD_SHARDS_COUNT, ...), then the options of the command.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit status. An error is one line that says what to do."""
    options = _parser().parse_args(arguments)
    try:
        chosen = settings.from_environment(options.config, _overrides(options))
        if options.command in ("demo", "up", "status", "scale") or getattr(options, "cluster", False):
            token_path = chosen.folder / "ray.token"
            ray_environment.prepare(token_path, loopback=not chosen.ray.address)
        return asyncio.run(_handler(options.command)(chosen, options))
    except PlayheadError as error:
        print(f"playhead: {error}", file=sys.stderr)  # noqa: T201 - this is the person's terminal
        return 1
    except KeyboardInterrupt:
        return 130


def _handler(command: str) -> Handler:
    """The function behind a command; imported only when it is run: `--help` is quick, and Ray
    reads its environment when it is imported."""
    name = MODULES.get(command, command)
    handler: Handler = getattr(importlib.import_module(f"gateway.cli.{name}"), name)
    return handler


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """Settings named on the command line, as `section.key`."""
    return {
        "data.folder": getattr(options, "data", None),
        "web.port": getattr(options, "port", None),
        "sockets.port": getattr(options, "socket_port", None),
        "ray.dashboard_port": getattr(options, "dashboard_port", None),
        "shards.count": getattr(options, "shards", None),
        "sockets.count": getattr(options, "gateways", None),
    }


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "playhead", description=DESCRIPTION, epilog=EPILOG, formatter_class=plain
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=HELP[name], formatter_class=plain)
        made.add_argument("--config", type=Path, metavar="FILE", help="settings over config/default.toml")
        made.add_argument("--data", metavar="FOLDER", help="where this machine keeps its data (.data)")
        return made

    demo = command("demo", "everything on this machine, with a lecture to play")
    demo.add_argument("--video", type=Path, metavar="FILE", help="your own lecture instead of the made one")
    up = command("up", "production, with the stores of your settings")
    for made in (demo, up):
        made.add_argument("--port", type=int, metavar="N", help="port of the pages and the API (8080)")
        made.add_argument("--socket-port", type=int, metavar="N", help="port of the sockets (8081)")
        made.add_argument("--dashboard-port", type=int, metavar="N", help="port of Ray's dashboard (8265)")
        made.add_argument("--shards", type=int, metavar="N", help="shard processes (2)")
        made.add_argument("--gateways", type=int, metavar="N", help="socket gateway processes (1)")
    command("migrate", "bring the schema of Postgres up to date")
    token = command("token", "mint an access token")
    token.add_argument("student", help="the student's id, for example ada")
    token.add_argument("--minutes", type=int, default=15, metavar="N", help="how long it is good (15)")
    explain = command("explain", "why a position is what it is: the runs, the rule, the loser")
    explain.add_argument("student", help="the student's id, for example ada")
    explain.add_argument("item", help="the item's id")
    explain.add_argument("--at", metavar="TIME", help="as it was then, such as 2026-03-02T19:00:00Z")
    explain.add_argument("--zone", metavar="NAME", help="time zone to tell times in (this machine's)")
    explain.add_argument("--all", action="store_true", help="every run, not only those that matter now")
    explain.add_argument("--json", action="store_true", help="for programs")
    replay = command("replay", "hold this server against conformance scenarios")
    replay.add_argument("files", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help="traces, or a folder")
    replay.add_argument("--shuffle-delivery", type=int, metavar="SEED", help="shuffle what may be shuffled")
    modes = ("at-once", "at-checkpoints")
    replay.add_argument("--durable", choices=modes, help="when the server is durable (both, one by one)")
    replay.add_argument("--policies", action="store_true", help="the table of simple policies beside ours")
    replay.add_argument("--verbose", action="store_true", help="print every verdict, not only misses")
    replay.add_argument("--draw", type=Path, metavar="FOLDER", help="draw each trace as an SVG there instead")
    replay.add_argument("--json", action="store_true", help="for programs")
    status = command("status", "shards, slots, sessions and durable lag as a table")
    status.add_argument("--json", action="store_true", help="for programs")
    scale = command("scale", "more or fewer shards and gateways, while students watch")
    scale.add_argument("--shards", type=int, metavar="N", help="so many shard processes from now on")
    scale.add_argument("--gateways", type=int, metavar="N", help="so many socket gateway processes")
    scale.add_argument("--drain-node", metavar="NODE", help="bring what runs on this Ray node to the others")
    scale.add_argument("--json", action="store_true", help="for programs")
    _course_commands(command)
    return parser


def _course_commands(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Those of courses as files."""
    bring = command("import", "a folder of files becomes a published course")
    bring.add_argument("course", type=Path, metavar="COURSE", help="the folder, or its course.yaml")
    bring.add_argument("--check", action="store_true", help="only say what would have to be mended")
    bring.add_argument(
        "--teacher",
        action="append",
        default=[],
        metavar="STUDENT",
        help="who may edit it from now on; repeatable",
    )
    bring.add_argument("--over-draft", action="store_true", help="overwrite edits that were not published")
    bring.add_argument(
        "--cluster", action="store_true", help="make videos as tasks of the Ray cluster (see above)"
    )
    write = command("export", "a published course as a folder of files")
    write.add_argument("course", metavar="COURSE", help="the course's id")
    write.add_argument("--to", type=Path, metavar="FOLDER", help="a new folder (the course's id)")


HELP = {
    "demo": """\
Starts Postgres, Valkey, an object store and Ray on this machine, makes a lecture video (or takes yours),
and prints sign-in links for one student, and Ray's dashboard.

The first link shows three devices side by side; the others are for two windows of your own (or two
machines' browsers by a tunnel). Play on one, watch the other, pause, go on there.
Everything lives in the data folder; a second start finds it and is faster. Ctrl-C stops everything.
""",
    "up": """\
Runs shards and gateways against the Postgres, Redis, object store and Ray cluster of your settings.
Without ray.address it starts a cluster of its own on this machine. SIGTERM drains within 30 s.
""",
    "migrate": """\
Applies the numbered SQL files that are missing, in order, under a lock: safe to run from many places at
once and again. Also makes the coming monthly partitions. The embedded server is migrated by `demo` itself.
""",
    "token": """\
Prints an access token signed with the key in the data folder (made there on first use). For example:

  curl -H "Authorization: Bearer $(./run playhead token ada)" http://127.0.0.1:8080/v1/courses
""",
    "explain": """\
Says why the position of a student in an item is what it is: the runs of play and the actions that matter
now (--all: every one that is kept), what became of each and by which rule (docs/sync.md), the place that is
offered beside it, and the latest changes. With --at: what it was then, from the journal of head changes.

It reads Postgres alone, so it works while shards or gateways are down; what is live is at most one
checkpoint (30 s) ahead of what it says. For example:

  playhead explain ada welcome --at 2026-03-02T19:00:00+01:00
""",
    "replay": """\
Replays scenarios of users and devices (docs/conformance.md) in virtual time, through this server's own
code: devices with journals, bad networks and wrong clocks; wire messages; merge rules; checkpoints and
recovery from them. Needs no running system. Prints a verdict per file and every miss.

  playhead replay tests/corpus                        all scenarios of the project, a few seconds
  playhead replay --verbose tests/corpus/s04-*.json   what one of them asks, and the server's answers
  playhead replay --shuffle-delivery 7 tests/corpus   the same with journals shuffled on their way
  playhead replay --policies tests/corpus             how many of them simpler policies would get right
  playhead replay --draw /tmp tests/corpus/s01-*.json who played what, and where the head stood, as a picture

Each file is replayed twice: with a server that is durable at once, and with one that is durable only when
the scenario says so. Exit status: 0 all met, 1 a miss, 2 a file that is not of the format.
""",
    "import": """\
Reads a folder of files (docs/courses.md) and publishes it as a course, or as the next version of one:

  playhead import my-course --check            is everything as it should be? (needs no server)
  playhead import my-course --teacher mira     publish it; mira may edit it in the browser from now on
  playhead import config/courses/learning-how-to-resume    the example course, a pattern for your own

The folder has a course.yaml with the sections and their items, and beside it videos (mp4, mov, webm, mkv),
PDFs, texts (md), quizzes (yaml) and captions (vtt, srt). Everything is checked before anything is changed,
and every problem is told with its file and line. Videos are then encoded (once: what was made is kept in the
data folder), uploaded and published. A second run finds everything and publishes nothing. A changed file
becomes a new version of its item, to which progress is carried over (`edits` tell what was cut or put in);
items that are no longer in the folder are retired, with their progress kept.

It works on the running demo of the data folder, or starts its servers for as long as it takes; with --config
on the stores of your settings. --cluster encodes on all nodes of the Ray cluster, which then have to share
the course's folder and the data folder. Exit status: 0 published, or nothing was new; 1 refused, and nothing
was published; 130 stopped.
""",
    "export": """\
Writes what is published of a course as a folder that `playhead import` reads, here or elsewhere:

  playhead export learning-how-to-resume --to copy

Videos are written in their best rendition, quizzes with their answers (so mind who reads the folder), and
lectures and handouts that were made at import as what they were made from. Importing the folder again changes
nothing.
""",
    "scale": """\
Changes how many shards and socket gateways the running system has, up or down, while students watch.

  playhead scale --shards 4                more memory and CPU for sessions
  playhead scale --shards 1 --gateways 3   both at once
  playhead scale --drain-node 3fa9         before a node (the beginning of its id) is taken away

The 256 slots of students are spread evenly with the fewest moves, idle ones first. Each slot is written,
released and taken over under a new epoch; its students wait for a moment (the pause, shown here) and notice
nothing: no socket closes, nothing is sent twice. A gateway that leaves sends its devices to the others, which
takes them a second or so. Everything new runs before anything old ends, and whatever dies on the way, the
directory goes on where it was. Until the next start; its numbers are those of the settings
(shards.count, sockets.count).
""",
    "status": """\
Asks the running system (`demo` or `up` with the same data folder) and prints a table: for each shard its
slots, sessions, updates and the durable lag (up to 26 s is normal while students play), for each gateway
its connections. One line tells what is wrong.
""",
}
