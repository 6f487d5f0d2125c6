"""A simulated device: what a client does by the rules of docs/conformance.md, on the product's own client.

Its journal and its protocol are `gateway.client`; its network loses, doubles and reorders; its clock is the
trace's time with the device's own error.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import msgspec

from gateway.client.clock import Stamp, instant
from gateway.client.journal import Event, Journal
from gateway.client.protocol import Message, Protocol, pack
from gateway.replay import trace as told
from gateway.replay.media import MediaDoor
from gateway.replay.network import Entry, Network
from gateway.replay.player import Player
from gateway.replay.server import Closed, Server, payload
from gateway.replay.shuffle import Shuffle
from gateway.sockets import close_codes
from gateway.sockets.wire import JSON, MSGPACK, Codec

AGE_MS = 3_600_000
"""How long before the trace begins its devices were switched on."""

SPOILED = "�"
"""What is left of a journal entry that cannot be read."""

PULL_MAX = 64


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that reached a device, and when (true time, ms)."""

    at_ms: int
    message: Message


@dataclass(slots=True)
class Account:
    """What a device has of one student: the journal with its protocol, spans by seq, last places by item."""

    protocol: Protocol
    beats: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    spoiled: set[int] = field(default_factory=set)
    places: dict[str, int] = field(default_factory=dict)


class Device:
    """One device. `up` is the link; `conn` the connection while somebody is signed in over it."""

    def __init__(
        self, name: str, said: told.Device, server: Server, items: list[str], shuffle: Shuffle, began_ms: int
    ) -> None:
        self.name = name
        self.id = name
        self.kind = said.kind
        self.student: str | None = said.student
        self.up = self.refused = False
        self.conn: int | None = None
        self.tabs: dict[int, Player] = {}
        self.heard: list[Heard] = []
        self.expired_ms: list[int] = []
        self.media = MediaDoor(server)
        self.network = Network(self._send, shuffle)
        self.settle: Callable[[], None] = lambda: None
        self._codec: Codec = JSON if said.kind == "web" else MSGPACK
        self._server = server
        self._items = items
        self._skew_ms = round(said.clock_skew_s * 1000)
        self._boot = 1
        self._booted_ms = began_ms - AGE_MS
        self._accounts: dict[str, Account] = {}
        self._token: str | None = None
        self._visits = 0
        self._lives = 1
        self._gap = False
        self._ids: list[str] = [name]

    @property
    def now_ms(self) -> int:
        """True time."""
        return self._server.now_ms

    @property
    def online(self) -> bool:
        """Whether the server hears this device now, and the device the server."""
        return self.conn is not None and not self.network.silent

    @property
    def ids(self) -> list[str]:
        """The device ids it has had: a wiped one takes a new one."""
        return self._ids

    def account(self, student: str | None = None) -> Account:
        """What it has of the student, the one signed in if none is named."""
        who = student or self.student or ""
        found = self._accounts.get(who)
        if found is None:
            journal = Journal(who, self.id)
            found = self._accounts[who] = Account(Protocol(journal, self.kind, self.name))
        return found

    def beats_of(self, student: str) -> dict[int, tuple[str, int, int]]:
        """Spans (item, from, to; ms) that it has recorded for the student, by seq."""
        return self._accounts[student].beats if student in self._accounts else {}

    def head(self, item: str, student: str | None = None) -> Message | None:
        """The newest head of the item it has been told of."""
        return self.account(student).protocol.heads.get(item)

    def stamp(self) -> Stamp:
        """Both clocks, now."""
        return Stamp(
            instant(max(self.now_ms + self._skew_ms, 0)), self.now_ms - self._booted_ms, f"boot-{self._boot}"
        )

    def new_session(self) -> str:
        """The name of the next visit."""
        self._visits += 1
        return f"{self.id}-{self._visits}"

    def step_clock(self, by_ms: int) -> None:
        """The wall clock jumps; the monotonic one does not."""
        self._skew_ms += by_ms

    # The link.

    def connect(self) -> None:
        """Link up: hello, the journal in order, then the heads. Refused without a student or a good token."""
        self.hang_up()
        self.up = self.refused = False
        if self.student is None:
            self.refused = True
            return
        account, self.up = self.account(), True
        self.network.begin()
        self.conn = self._server.open(self._codec)
        token = self._token or self._server.issuer.issue("access", self.student)
        self._send(account.protocol.hello(self.stamp(), token=token))
        if self._server.admits(self.conn):
            self.network.flush(self._on_disk(account))
        self.settle()
        if self.online:
            self.pull(*self._items)

    def hang_up(self) -> None:
        """The link is gone without a goodbye."""
        if self.conn is not None:
            self._server.hang_up(self.conn)
        self.dropped()

    def dropped(self) -> None:
        """The connection is no more, whoever ended it."""
        self.conn, self.up, self._gap = None, False, False
        self.network.end()
        if self.student is not None:
            self.account().protocol.lost()

    def sign_in(self, student: str, ttl_s: float | None) -> None:
        """The student uses the device; over a link that is up or was refused, it connects as them."""
        linked = self.up or self.refused
        if self.up:
            self.hang_up()
        self.network.lose()
        self.student = student
        lifetime_s = None if ttl_s is None else round(ttl_s)
        self._token = (
            None if ttl_s is None else self._server.issuer.issue("access", student, lifetime_s=lifetime_s)
        )
        if linked:
            self.connect()

    def sign_out(self) -> None:
        """The visit ends; the journal stays, sealed. The link itself stays up."""
        for player in list(self.tabs.values()):
            self.record("closed", player)
        self.settle()
        linked = self.up
        self.tabs.clear()
        self.hang_up()
        self.network.lose()
        self.student, self._token, self.up = None, None, linked

    def die(self) -> None:
        """The app is killed: no goodbye, all players gone; the journal is on disk."""
        self.hang_up()
        self.tabs.clear()

    def reboot(self) -> None:
        """The monotonic clock starts again."""
        self.die()
        self._boot += 1
        self._booted_ms = self.now_ms

    def wipe(self) -> None:
        """Everything on it is erased; it is another device from now on."""
        self.die()
        self.network.lose()
        self._accounts.clear()
        self.media.forget()
        self.student, self._token, self.refused = None, None, False
        self._lives += 1
        self.id = f"{self.name}~{self._lives}"
        self._ids.append(self.id)

    def spoil(self, from_ms: int, to_ms: int) -> None:
        """The journal entry of that beat is unreadable on disk."""
        for account in self._accounts.values():
            account.spoiled |= {
                seq for seq, (_, begin, end) in account.beats.items() if (begin, end) == (from_ms, to_ms)
            }

    # What goes up.

    def pull(self, *items: str) -> None:
        """Ask for heads and wait for them."""
        protocol = self.account().protocol
        for start in range(0, len(items), PULL_MAX):
            self._send(protocol.pull(*items[start : start + PULL_MAX]))
        self.settle()

    def record(self, kind: str, player: Player, *, on_disk_only: bool = False, **fields: Any) -> None:
        """Write an event to the journal, then send it if the link is up (R8)."""
        account = self.account()
        event: Event = {
            "session": player.session,
            "item": player.item,
            "version": player.version,
            "base_rev": player.base_rev,
            "kind": kind,
            **fields,
        }
        entry, _ = account.protocol.record(self.stamp(), event)
        if kind == "played":
            account.beats[entry["seq"]] = (player.item, fields["from_ms"], fields["to_ms"])
        if self.conn is not None and not on_disk_only:
            self.network.live(Entry(entry["seq"], pack(entry), kind == "played"))
            self.settle()

    def present(self, player: Player) -> None:
        """A liveness beat of a player that does not play."""
        if self.online:
            state = "stalled" if player.stalled else "paused"
            self._send(self.account().protocol.presence(player.item, state, max(player.place_ms, 0)))
            self.settle()

    def _send(self, message: bytes) -> None:
        if self.conn is not None:
            data = message if self._codec is MSGPACK else msgspec.json.encode(msgpack.unpackb(message))
            self._server.receive(self.conn, data)

    def _on_disk(self, account: Account, after_seq: int = 0) -> list[Entry]:
        """The journal as it is read from disk."""
        return [
            Entry(
                seq,
                pack({"seq": seq, "kind": SPOILED}) if seq in account.spoiled else packed,
                seq in account.beats,
            )
            for seq, packed in account.protocol.journal.after(after_seq)
        ]

    # What comes down.

    def hear(self, frame: bytes | Closed) -> None:
        """A message or the end of the present connection."""
        if isinstance(frame, Closed):
            self._closed(frame.code)
            return
        data = payload(frame)
        if self._codec is JSON:
            data = msgpack.packb(msgspec.json.decode(data))
        account = self.account()
        message: Message = msgpack.unpackb(data)
        if not self.network.hears(message, lambda seq: self._acknowledged(account, seq)):
            return
        before = account.protocol.heads.get(message["item"]) if message["type"] == "head" else None
        message, answers = account.protocol.hear(data)
        self.heard.append(Heard(self.now_ms, message))
        if message["type"] == "head":
            self._hear_head(account, message, before)
        elif message["type"] == "resync":
            self._gap = True
        elif message["type"] != "welcome":
            # After `welcome` nothing: the whole journal has gone up with `hello`.
            for answer in answers:
                self._send(answer)

    def _acknowledged(self, account: Account, seq: int) -> int:
        return sum(each <= seq and each in account.beats for each, _ in account.protocol.journal.after(0))

    def fill_gap(self) -> bool:
        """Resend from a gap that what was under way has not filled; True if something was sent."""
        gap, self._gap = self._gap, False
        if not gap or not self.online:
            return False
        account = self.account()
        entries = self._on_disk(account, account.protocol.applied_seq)
        if entries:
            self.network.resend(entries)
        return bool(entries)

    def _hear_head(self, account: Account, head: Message, before: Message | None) -> None:
        item = head["item"]
        if account.protocol.heads[item] is not head:
            return
        place = (head["rev"], head["position_ms"], head["version"])
        if before is None or place != (before["rev"], before["position_ms"], before["version"]):
            account.places[item] = head["position_ms"]
        for player in self.tabs.values():
            if player.item == item:
                player.hear(head, head["device"] == self.id)

    def _closed(self, code: int) -> None:
        self.dropped()
        if code == close_codes.AUTH.code:
            self.refused = True
            self.expired_ms.append(self.now_ms)
        elif code < close_codes.AUTH.code:
            self.connect()
