"""The server of a replay: connections in front, an owner per student behind, all at the trace's own time."""

import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from actors import messages
from actors.batch import (
    AllApplied,
    AllDurable,
    Attach,
    Attached,
    Close,
    Deliver,
    Detach,
    Forward,
    Outcome,
    Outgoing,
    Present,
    PullHeads,
)
from actors.core.events import Entry, Event
from gateway.keys import Keys, open_keys
from gateway.replay.belief import Belief, belief_of
from gateway.replay.catalogue import Catalogue
from gateway.replay.instant import InstantLoop
from gateway.replay.owner import Owner
from gateway.replay.store import Store
from gateway.sockets import close_codes
from gateway.sockets.limits import SocketLimits
from gateway.sockets.strict import Refusal
from gateway.sockets.wire import Chunk, Codec, Message
from gateway.tokens import TokenIssuer, TokenRefused, TokenVerifier

LIMITS = SocketLimits()


def made_keys() -> Keys:
    """Signing keys for one replay, made by the product and nowhere kept."""
    with tempfile.TemporaryDirectory() as folder:
        return open_keys(Path(folder))


@dataclass(frozen=True, slots=True)
class Closed:
    """The server ended a connection with this code of gateway/sockets/close_codes.py."""

    code: int


@dataclass(slots=True)
class Connection:
    """One device's connection: how it writes, and whose it is once `hello` has been accepted."""

    codec: Codec
    student: str = ""
    device: str = ""
    attach: Attach | None = None
    welcomed: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What the server answered to one journal entry: `applied`, `duplicate`, `quarantined`, `malformed`."""

    student: str
    device: str
    seq: int
    answer: str


class Server:
    """`now_ms` is the trace's time, set by the runner. What goes down waits in `waiting` to be carried.

    `defects` are answers that no scenario can want: an entry that broke the server, a frame it cannot read.
    """

    def __init__(self, catalogue: Catalogue, keys: Keys, loop: InstantLoop, durable_at_once: bool) -> None:
        self.catalogue = catalogue
        self.now_ms = 0
        self.durable_at_once = durable_at_once
        self.waiting: deque[tuple[int, bytes | Closed]] = deque()
        self.answers: list[Answered] = []
        self.defects: list[str] = []
        self.issuer = TokenIssuer(keys.signing, self._now_s)
        self.verifier = TokenVerifier(keys.jwks, self._now_s)
        self._loop = loop
        self._stores: dict[str, Store] = {}
        self._owners: dict[str, Owner] = {}
        self._connections: dict[int, Connection] = {}
        self._conns = 0

    def _now_s(self) -> float:
        return self.now_ms / 1000

    def believed(self, student: str, item: str) -> Belief:
        """What the server believes of a student and item as of now."""
        return belief_of(self.owner(student).session, self.catalogue[item], self.now_ms)

    def owner(self, student: str) -> Owner:
        """Who has the student's state in memory; activated from what is at rest if nobody has."""
        found = self._owners.get(student)
        if found is None:
            store = self._stores.setdefault(student, Store(self.catalogue.courses))
            found = Owner(student, store, self.catalogue, self._loop, self._perform, self.now_ms)
            self._owners[student] = found
        return found

    def choices(self, student: str, item: str, device: str | None) -> list[int] | None:
        """Places a user is asked to choose from before playing; None: nobody is asked, the head says it."""
        return None

    def student_of(self, conn: int) -> str:
        """Whose connection it is, "" if nobody's."""
        return self._connections[conn].student if conn in self._connections else ""

    def connected(self, student: str) -> list[tuple[int, Connection]]:
        """The student's connections that have been let in."""
        return [(n, c) for n, c in self._connections.items() if c.attach and c.student == student]

    def push_head(self, conn: int, connection: Connection, item: str) -> None:
        """Tell a connection of an item as if it had asked."""
        self._run(connection.student, PullHeads(conn, connection.student, [item]))

    # What happens to the server.

    def checkpoint(self, student: str) -> None:
        """Everything received from the student is durable when this returns."""
        self.owner(student).checkpoint()

    def publish(self, item: str, version: str) -> None:
        """That version is the current one from now on; whoever is connected hears of it (P14)."""
        self.catalogue.publish(item, version)
        for owner in self._owners.values():
            owner.edited(item, self.now_ms)

    def crash(self, student: str) -> None:
        """The student's owner dies: what is only in memory is gone, and so are the connections."""
        self._owners.pop(student, None)
        for conn in [conn for conn, one in self._connections.items() if one.student == student]:
            del self._connections[conn]

    # What devices do.

    def open(self, codec: Codec) -> int:
        """A new connection; gives its number."""
        self._conns += 1
        self._connections[self._conns] = Connection(codec)
        return self._conns

    def receive(self, conn: int, data: bytes) -> None:
        """One message from a device, as bytes of its subprotocol."""
        connection = self._connections.get(conn)
        if connection is None:
            return
        try:
            message = connection.codec.read(data)
        except Refusal as refusal:
            self.defects.append(f"a frame of {connection.device} was refused: {refusal}")
            problem = messages.Problem(refusal.code, str(refusal), refusal.field, 2)
            self._say(conn, problem)
            return
        if isinstance(message, messages.Hello):
            self._hello(conn, connection, message)
        elif connection.attach is not None:
            self._live(conn, connection, message)

    def admits(self, conn: int) -> bool:
        """Whether the connection has said who it is and was let in."""
        connection = self._connections.get(conn)
        return connection is not None and connection.attach is not None

    def hang_up(self, conn: int) -> None:
        """The connection is gone without a word."""
        connection = self._connections.pop(conn, None)
        if connection is not None and connection.attach is not None:
            self._run(connection.student, Detach(conn, connection.student))

    def _hello(self, conn: int, connection: Connection, hello: messages.Hello) -> None:
        try:
            who = self.verifier.verify(hello.token or "")
        except TokenRefused:
            del self._connections[conn]
            self.waiting.append((conn, Closed(close_codes.AUTH.code)))
            return
        connection.student, connection.device = who.student, hello.device.id
        attach = Attach(conn, who.student, hello.device, hello.clock, self.now_ms)
        connection.attach = attach
        self._run(who.student, attach)

    def _live(
        self,
        conn: int,
        connection: Connection,
        message: Message,
    ) -> None:
        student = connection.student
        if isinstance(message, Chunk):
            if len(message):
                self._apply(conn, connection, message)
        elif isinstance(message, messages.Pull):
            self._run(student, PullHeads(conn, student, message.items))
        elif isinstance(message, messages.Presence):
            self._run(student, Present(conn, student, message.item, message.state))
        elif isinstance(message, messages.Ping):
            self._say(conn, messages.Pong(message.n, self.now_ms))

    def _apply(self, conn: int, connection: Connection, chunk: Chunk) -> None:
        student, device_id = connection.student, connection.device
        device = self.owner(student).session.device(device_id)
        before, held = device.applied_seq, set(device.held)
        waiting = len(self.waiting)
        self._run(student, Forward(conn, student, chunk.events, chunk.refused))
        refused = self._refused_since(conn, connection, waiting)
        seen: set[int] = set()
        for entry in entries_of(chunk):
            seq = entry.seq
            repeated = seq <= before or seq in held or seq in seen
            seen.add(seq)
            if repeated:
                self.answers.append(Answered(student, device_id, seq, "duplicate"))
        for seq in range(before + 1, device.applied_seq + 1):
            self.answers.append(Answered(student, device_id, seq, refused.get(seq, "applied")))

    def _refused_since(self, conn: int, connection: Connection, index: int) -> dict[int, str]:
        """What has just been said about refused entries, read from what goes down."""
        found: dict[int, str] = {}
        for number in range(index, len(self.waiting)):
            to, frame = self.waiting[number]
            if to == conn and isinstance(frame, bytes) and b"rejected" in frame:
                said = read(connection.codec, frame)
                if said["type"] == "rejected":
                    if said["code"] == "internal":
                        self.defects.append(f"entry {said['seq']} of {connection.device}: {said['message']}")
                    malformed = said["code"] == "malformed"
                    found[said["seq"]] = "malformed" if malformed else "quarantined"
        return found

    def _run(self, student: str, operation: Outgoing) -> None:
        owner = self.owner(student)
        owner.run([operation], self.now_ms)
        if self.durable_at_once:
            owner.checkpoint()

    # What goes down.

    def _perform(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Deliver):
                for conn in outcome.conns:
                    if conn in self._connections:
                        frame = self._connections[conn].codec.frame_of(outcome.frame)
                        self.waiting.append((conn, frame))
            elif isinstance(outcome, AllApplied):
                self._acknowledge(outcome.seqs, Codec.applied)
            elif isinstance(outcome, AllDurable):
                self._acknowledge(outcome.seqs, Codec.durable)
            elif isinstance(outcome, Attached):
                self._attached(outcome)
            elif isinstance(outcome, Close):
                for conn in outcome.conns:
                    if self._connections.pop(conn, None) is not None:
                        self.waiting.append((conn, Closed(outcome.code)))

    def _acknowledge(self, seqs: dict[int, int], write: Callable[[Codec, int], bytes]) -> None:
        for conn, seq in seqs.items():
            if conn in self._connections:
                self.waiting.append((conn, write(self._connections[conn].codec, seq)))

    def _attached(self, answer: Attached) -> None:
        connection = self._connections.get(answer.conn)
        if connection is None or connection.welcomed:
            return
        connection.welcomed = True
        self._say(
            answer.conn,
            messages.Welcome(
                student=connection.student,
                device=connection.device,
                epoch=answer.epoch,
                applied_seq=answer.applied_seq,
                durable_seq=answer.durable_seq,
                server_ms=self.now_ms,
                limits=LIMITS.announced(),
                clock_wrong=answer.clock_wrong,
                clock_offset_ms=answer.clock_offset_ms,
                protocol=connection.codec.name,
            ),
        )

    def _say(self, conn: int, message: messages.ToDevice) -> None:
        connection = self._connections.get(conn)
        if connection is not None:
            self.waiting.append((conn, connection.codec.write(message)))


def entries_of(chunk: Chunk) -> list[Entry]:
    """The entries of a chunk as a shard will read them."""
    events = (msgspec.msgpack.decode(raw, type=Event) for raw in chunk.events)
    return [*events, *chunk.refused]


def payload(frame: bytes) -> bytes:
    """What a whole unmasked WebSocket frame carries (RFC 6455, 5.2)."""
    length = frame[1]
    return frame[{126: 4, 127: 10}.get(length, 2) :]


def read(codec: Codec, frame: bytes) -> dict[str, Any]:
    """A message to a device, read without the server's types."""
    decode = msgspec.json.decode if codec.name.endswith("+json") else msgspec.msgpack.decode
    message: dict[str, Any] = decode(payload(frame))
    return message
