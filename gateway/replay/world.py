"""A trace being replayed: devices that do what the timeline says, one server, and the time of the trace."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.replay import actions as do
from gateway.replay.actions import Action, ms
from gateway.replay.device import Device
from gateway.replay.player import Player
from gateway.replay.server import Server
from gateway.replay.shuffle import Shuffle
from gateway.replay.steps import Step
from gateway.replay.trace import Trace

SECOND = 2
"""The tab that `second_tab` opens."""


@dataclass(frozen=True, slots=True)
class Handed:
    """Where a play started, and where the trace says a right server makes it start (ms)."""

    index: int
    said_ms: int
    got_ms: int


@dataclass(slots=True)
class World:
    """`before_frame(index)` is called when a play is about to show its first frame."""

    trace: Trace
    server: Server
    devices: dict[str, Device]
    shuffle: Shuffle
    before_frame: Callable[[int], None] = lambda index: None
    handed: list[Handed] = field(default_factory=list)
    _cancelled: set[int] = field(default_factory=set)
    _edited: dict[str, set[str]] = field(default_factory=dict)

    def begin(self) -> None:
        """Devices that are on line at the start connect."""
        self.server.now_ms = self.trace.timeline[0].at_ms
        for name in self.shuffle.devices(list(self.trace.devices)):
            if self.trace.devices[name].online:
                self.devices[name].connect()

    def settle(self) -> None:
        """Carry everything that waits for its devices, until nobody has anything to say."""
        while True:
            while self.server.waiting:
                conn, frame = self.server.waiting.popleft()
                for device in self.devices.values():
                    if device.conn == conn:
                        device.hear(frame)
                        break
            if not any([device.fill_gap() for device in self.devices.values()]):
                return

    def take(self, step: Step) -> None:
        """Carry out a step at its time."""
        self.server.now_ms = step.at_ms
        action = self.trace.timeline[step.index]
        if step.what == "act":
            self._act(step.index, action)
        else:
            self._by_itself(step, action)
        self.settle()

    # What players do by themselves.

    def _by_itself(self, step: Step, action: Action) -> None:
        device = self.devices[action.device]
        player = device.tabs.get(getattr(action, "tab", 1))
        if player is None or step.index in self._cancelled:
            return
        if step.what == "present":
            device.present(player)
            self._media(device, player)
        elif step.what == "stop":
            self._stop(device, player)
        elif isinstance(action, do.Play):
            self._beat(device, player, step, action)

    def _beat(self, device: Device, player: Player, step: Step, play: do.Play) -> None:
        begin, end = step.from_ms + player.shift_ms, step.to_ms + player.shift_ms
        if not play.beyond:
            length_ms = self.length_ms(player)
            begin, end = min(begin, length_ms), min(end, length_ms)
        if end > begin:
            device.record(
                "played",
                player,
                on_disk_only=step.what == "disk",
                from_ms=begin,
                to_ms=end,
                rate=float(play.rate),
            )
        self._stopped_at(device, player, end)
        self._media(device, player)

    def _stop(self, device: Device, player: Player) -> None:
        """The play is over and the user does nothing: the player stops, at its end or before."""
        kind = "ended" if player.place_ms >= self.length_ms(player) else "paused"
        device.record(kind, player, position_ms=player.place_ms)
        self._stopped_at(device, player, player.place_ms)
        player.float()

    def _stopped_at(self, device: Device, player: Player, place_ms: int) -> None:
        player.place_ms = place_ms
        device.account().places[player.item] = place_ms

    def length_ms(self, player: Player) -> int:
        """How long the version is that the player has loaded."""
        return self.trace.items[player.item].durations_ms()[player.version]

    # What users, networks and the server do.

    def _act(self, index: int, action: Action) -> None:
        if isinstance(action, do.ServerAction):
            self._serve(action)
            return
        device = self.devices[action.device]
        self._learn(device)
        if isinstance(action, do.Open | do.SecondTab):
            self._open(device, action)
        elif isinstance(action, do.SetDone | do.Reset):
            self._decree(device, action)
        elif isinstance(action, do.IN_PLAYER):
            self._play_with(index, device, action)
        elif isinstance(action, do.OF_LINK):
            self._link(device, action)
        else:
            self._live_with(device, action)

    def _serve(self, action: do.ServerAction) -> None:
        if isinstance(action, do.CheckpointNow):
            self.server.checkpoint(action.student)
        elif isinstance(action, do.CrashOwner):
            self.server.crash(action.student)
            for device in self.devices.values():
                if device.student == action.student:
                    device.dropped()
        else:
            self.server.publish(action.item, action.version)
            for name in self.devices:
                self._edited.setdefault(name, set()).add(action.item)

    def _learn(self, device: Device) -> None:
        """A device on line hears of content that was edited with the next thing it does."""
        if device.online and self._edited.get(device.name):
            device.pull(*sorted(self._edited.pop(device.name)))

    def _link(self, device: Device, action: Action) -> None:
        if isinstance(action, do.Connect):
            self._edited.pop(device.name, None)
            for player in device.tabs.values():
                player.lately = True
            device.connect()
        elif isinstance(action, do.Disconnect):
            device.hang_up()
        elif isinstance(action, do.ClockStep):
            device.step_clock(ms(action.by_s))
        elif isinstance(action, do.DeliverBy):
            device.network.change(action)
            if action.corrupt_s is not None:
                device.spoil(ms(action.corrupt_s[0]), ms(action.corrupt_s[1]))

    def _live_with(self, device: Device, action: Action) -> None:
        if isinstance(action, do.Kill):
            device.die()
        elif isinstance(action, do.Reboot):
            device.reboot()
        elif isinstance(action, do.Wipe):
            device.wipe()
        elif isinstance(action, do.SignIn):
            device.sign_in(action.student, action.token_ttl_s)
        elif isinstance(action, do.SignOut):
            device.sign_out()

    def _open(self, device: Device, action: do.Open | do.SecondTab) -> None:
        if isinstance(action, do.SecondTab):
            said = do.Open(at=action.at, device=action.device, item=action.item, tab=SECOND)
        else:
            said = action
        former = device.tabs.pop(said.tab, None)
        if former is not None:
            device.record("closed", former)
        if device.online:
            device.pull(said.item)
        player = self._new_player(device, said.item, said.intent, said.version)
        head = device.head(said.item)
        if said.intent == "bookmark" or said.beyond:
            player.stand(ms(said.at_s or 0.0))
            player.back_ms = head["position_ms"] if head else 0
        elif said.at_s is not None:
            player.place_ms = ms(said.at_s)
        device.tabs[said.tab] = player
        place: dict[str, Any] = {"position_ms": player.place_ms} if player.stands else {}
        device.record("opened", player, intent=said.intent, **place)
        self._media(device, player)

    def _new_player(self, device: Device, item: str, intent: str, version: str | None) -> Player:
        head = device.head(item)
        loaded = version or (head["version"] if head else "v1")
        player = Player(item, loaded, device.new_session(), intent)
        player.base_rev = device.account().protocol.rev(item)
        return player

    def _decree(self, device: Device, action: do.SetDone | do.Reset) -> None:
        """Done, not done, or afresh: in the player that has the item open, else in a visit of its own."""
        player = next((p for p in device.tabs.values() if p.item == action.item), None)
        own = player is None
        if player is None:
            player = self._new_player(device, action.item, "resume", None)
            device.record("opened", player, intent="resume")
        player.base_rev = device.account().protocol.rev(player.item)
        if isinstance(action, do.Reset):
            device.record("reset", player)
        else:
            device.record("marked", player, done=action.done)
        if own:
            device.record("closed", player)

    def _play_with(self, index: int, device: Device, action: Action) -> None:
        player = device.tabs.get(getattr(action, "tab", 1))
        if player is None:
            return  # signing out has closed it
        if isinstance(action, do.Play):
            self._play(index, device, player, action)
        elif isinstance(action, do.Pause):
            device.record("paused", player, position_ms=player.place_ms)
            self._stopped_at(device, player, player.place_ms)
            player.rest()
        elif isinstance(action, do.Idle | do.Stall):
            if player.playing and isinstance(action, do.Idle):
                device.record("paused", player, position_ms=player.place_ms)
            player.rest()
            player.stalled = isinstance(action, do.Stall)
            device.present(player)
        elif isinstance(action, do.Close):
            device.record("closed", player)
            device.tabs.pop(action.tab, None)
        else:
            self._user_run(device, player, action)

    def _user_run(self, device: Device, player: Player, action: Action) -> None:
        """Seek, choose, undo, answer, submit: the base is the newest revision the device has seen."""
        player.base_rev = device.account().protocol.rev(player.item)
        if isinstance(action, do.Seek):
            place_ms = ms(action.to_s)
            player.stand(place_ms if action.beyond else min(place_ms, self.length_ms(player)))
            device.record("sought", player, position_ms=player.place_ms)
        elif isinstance(action, do.Choose):
            player.stand(min(ms(action.position_s), self.length_ms(player)))
            player.intent = "resume"
            device.record("chosen", player, position_ms=player.place_ms)
        elif isinstance(action, do.Undo):
            player.float()
            device.record("undone", player)
        elif isinstance(action, do.Answer):
            device.record("answered", player, question=action.question, value=action.value)
        elif isinstance(action, do.Submit):
            device.record("submitted", player)

    def _play(self, index: int, device: Device, player: Player, play: do.Play) -> None:
        if player.ends == (play.at_ms, play.from_s) and player.by == play.by:
            self._begun(player, play, player.shift_ms)
            return
        if device.online:
            device.pull(player.item)
        player.base_rev = device.account().protocol.rev(player.item)
        self._media(device, player)
        self.before_frame(index)
        head = device.head(player.item)
        if play.by == "auto" and device.online and head is not None and head["done"]:
            self._cancelled.add(index)
            return
        start_ms = self._start_ms(device, player, play)
        said_ms = ms(play.from_s)
        self.handed.append(Handed(index, said_ms, start_ms))
        advances = player.intent == "advance" and not player.started
        by = "auto" if advances else play.by
        player.place_ms, player.started = start_ms, True
        device.record("play", player, position_ms=start_ms, rate=float(play.rate), by=by)
        self._begun(player, play, start_ms - said_ms)

    def _begun(self, player: Player, play: do.Play, shift_ms: int) -> None:
        player.shift_ms, player.by, player.playing = shift_ms, play.by, True
        player.stands = player.lately = player.stalled = False
        player.ends = (play.end_ms, play.to_s)

    def _start_ms(self, device: Device, player: Player, play: do.Play) -> int:
        """Where the player starts: it stands, or it floats and is handed its place (conformance, 5)."""
        said_ms = ms(play.from_s)
        if play.beyond:
            return said_ms
        if player.stands and (not player.lately or not device.online or player.place_ms == said_ms):
            return player.place_ms
        if device.online:
            head = device.head(player.item)
            choices = self.server.choices(device.student or "", player.item, device.id)
            if choices is None:
                choices = [int(head["position_ms"]) if head else 0]
            place_ms = min(choices, key=lambda choice: abs(choice - said_ms))
        else:
            place_ms = device.account().places.get(player.item, 0)
        return 0 if place_ms >= self.length_ms(player) else place_ms

    def _media(self, device: Device, player: Player) -> None:
        ttl_s = self.trace.items[player.item].url_ttl_s
        if ttl_s is not None and device.online and device.student is not None:
            device.media.renew(device.student, player.item, player.version, ms(ttl_s))


def make_world(trace: Trace, server: Server, seed: int | None = None) -> World:
    """The devices of a trace before a server, and nothing has happened yet."""
    shuffle = Shuffle(seed, trace.id)
    began_ms = trace.timeline[0].at_ms
    devices = {
        name: Device(name, said, server, list(trace.items), shuffle, began_ms)
        for name, said in trace.devices.items()
    }
    world = World(trace, server, devices, shuffle)
    for device in devices.values():
        device.settle = world.settle
    return world
