"""Makes the scenes of pictures: a trace is replayed, and after every step the server is asked where it is."""

from gateway.replay import actions as do
from gateway.replay.actions import Action, ms
from gateway.replay.catalogue import Catalogue
from gateway.replay.instant import InstantLoop
from gateway.replay.picture import Lane, Play, Scene
from gateway.replay.server import Server, made_keys
from gateway.replay.steps import steps_of
from gateway.replay.trace import Trace
from gateway.replay.world import World, make_world

DEEDS: dict[type[Action], str] = {
    do.Connect: "link",
    do.Seek: "seek",
    do.Choose: "choose",
    do.Undo: "undo",
    do.Reset: "reset",
    do.SetDone: "done",
    do.Kill: "killed",
    do.Reboot: "reboot",
    do.SignIn: "sign in",
}
"""What a lane shows beside plays."""


def scenes_of(trace: Trace) -> dict[tuple[str, str], Scene]:
    """The scene of each student and item that somebody played."""
    loop = InstantLoop()
    try:
        server = Server(Catalogue(trace), made_keys(), loop, durable_at_once=True)
        world = make_world(trace, server)
        scenes = {
            (student, item): Scene(trace.title, max(said.durations_ms().values()))
            for student in trace.people
            for item, said in trace.items.items()
            if said.kind != "quiz"
        }
        world.begin()
        for step in steps_of(trace):
            world.take(step)
            for (student, item), scene in scenes.items():
                _look(world, student, item, scene)
    finally:
        loop.close()
    for name in trace.devices:
        _add_lanes(trace, name, {handed.index: handed.got_ms for handed in world.handed}, scenes)
    return {key: scene for key, scene in scenes.items() if any(lane.plays for lane in scene.lanes)}


def _look(world: World, student: str, item: str, scene: Scene) -> None:
    """Note where the head stands now, and what is offered."""
    now_ms, head = world.server.now_ms, world.server.believed(student, item).head
    if not scene.heads or scene.heads[-1][1] != head["position_ms"]:
        scene.heads.append((now_ms, head["position_ms"]))
    if head["candidate"] is None:
        scene.offered = None
        return
    place_ms = head["candidate"]["position_ms"]
    if scene.offered == place_ms:
        start_ms, _, _ = scene.offers.pop()
        scene.offers.append((start_ms, now_ms, place_ms))
    else:
        scene.offers.append((now_ms, now_ms, place_ms))
    scene.offered = place_ms


def _add_lanes(trace: Trace, name: str, handed: dict[int, int], scenes: dict[tuple[str, str], Scene]) -> None:
    """The lanes of one device, one in each scene of an item it has opened, with its link and its deeds."""
    said = trace.devices[name]
    student: str | None = said.student
    tabs: dict[int, str] = {}
    lanes = {key: Lane(said.kind) for key in scenes}
    links: list[tuple[int, bool]] = [(trace.timeline[0].at_ms, said.online)]
    opened: list[tuple[str, str]] = []
    for index, action in enumerate(trace.timeline):
        if isinstance(action, do.CrashOwner) and action.student == student:
            links.append((action.at_ms, False))
        if action.device != name:
            continue
        if isinstance(action, do.Connect | do.Disconnect | do.Kill | do.Reboot | do.Wipe):
            links.append((action.at_ms, isinstance(action, do.Connect)))
        if isinstance(action, do.SignIn | do.SignOut):
            student = action.student if isinstance(action, do.SignIn) else None
        if isinstance(action, do.Open | do.SecondTab):
            tabs[getattr(action, "tab", 2)] = action.item
            opened.append((student or "", action.item))
        item = getattr(action, "item", None) or tabs.get(getattr(action, "tab", 1))
        for (whose, which), lane in lanes.items():
            mine = whose == student and which == item
            if mine and isinstance(action, do.Play):
                lane.plays += _plays(action, handed.get(index, ms(action.from_s)))
            elif type(action) in DEEDS and (mine or item is None):
                lane.deeds.append((action.at_ms, DEEDS[type(action)]))
    away = _away(links, max(action.end_ms for action in trace.timeline))
    for key, lane in lanes.items():
        if key in opened:
            last_ms = max((moment for moment, _ in scenes[key].heads), default=0)
            last_ms = max([last_ms, *(play.end_ms for play in lane.plays)])
            lane.away = [span for span in away if span[0] <= last_ms]
            scenes[key].lanes.append(lane)


def _plays(play: do.Play, from_ms: int) -> list[Play]:
    """The stretches of a play that began at this place, one for each of its pieces."""
    length_ms = ms(play.to_s - play.from_s) // play.pieces
    lasts_ms = round(length_ms / play.rate)
    starts = [play.at_ms + piece * (lasts_ms + ms(play.gap_s)) for piece in range(play.pieces)]
    return [
        Play(start, start + lasts_ms, from_ms + piece * length_ms, from_ms + (piece + 1) * length_ms)
        for piece, start in enumerate(starts)
    ]


def _away(links: list[tuple[int, bool]], end_ms: int) -> list[tuple[int, int]]:
    """When the device had no link."""
    away: list[tuple[int, int]] = []
    since: int | None = None
    for moment, linked in links:
        if not linked and since is None:
            since = moment
        elif linked and since is not None:
            away.append((since, moment))
            since = None
    return away if since is None else [*away, (since, end_ms)]
