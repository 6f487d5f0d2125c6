"""One socket: from the first byte of its handshake to its close, without a task or a timer of its own."""

import asyncio
import http
import random
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Protocol, cast

import structlog
from websockets.frames import CloseCode as RfcCode
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CLOSED, CLOSING, CONNECTING, OPEN
from websockets.typing import Origin

from actors import messages
from actors.batch import Attach, Attached
from actors.lane import LaneFull
from gateway.sockets import close_codes
from gateway.sockets.auth import Admitted, Authenticator, AuthRefused, AuthUnavailable
from gateway.sockets.batching import ATTACH_AGAIN_S, Link, ShardRouter
from gateway.sockets.close_codes import CloseCode
from gateway.sockets.handshake import NO_HANDSHAKE, SUPPORTED, SocketProtocol, bare_response
from gateway.sockets.limits import SocketLimits, TokenBucket
from gateway.sockets.metrics import Metrics
from gateway.sockets.outbox import Outbox
from gateway.sockets.strict import NamesSomebody, Refusal
from gateway.sockets.wheel import Wheel
from gateway.sockets.wire import CODECS, MSGPACK, Codec

log = structlog.get_logger()


class Host(Protocol):
    """What a connection needs of the server it belongs to."""

    loop: asyncio.AbstractEventLoop
    limits: SocketLimits
    origins: tuple[Origin | None, ...]
    wheel: Wheel
    metrics: Metrics
    router: ShardRouter
    authenticator: Authenticator

    def arrived(self, connection: "Connection") -> str | None:
        """A TCP connection is there: None, or why it is turned away."""

    def admit(self, connection: "Connection", student: str, device: str) -> CloseCode | None:
        """Somebody said who they are: None, or why this connection cannot stay."""

    def left(self, connection: "Connection", student: str | None) -> None:
        """The connection is no longer this student's; with None, it is gone altogether."""

    def flush_soon(self, connection: "Connection") -> None:
        """Call `flush` once at the end of this turn of the loop."""

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run a short task, supervised."""


@dataclass(slots=True)
class Handshaking:
    """No complete HTTP request yet. Times ending in `by_s` are deadlines on the loop's clock."""

    by_s: float
    received_bytes: int = 0


@dataclass(slots=True)
class AwaitingHello:
    """Upgraded; nobody yet."""

    by_s: float


@dataclass(slots=True)
class Authenticating:
    """The hello had a ticket; what came with it in one segment waits."""

    by_s: float
    waiting: list[tuple[Opcode, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Live:
    """Somebody: attached to a shard, or about to be."""

    student: str
    link: Link
    bucket: TokenBucket
    until_s: float
    welcome_by_s: float
    pinged: int = 0
    pinged_at_s: float = 0.0


@dataclass(slots=True)
class Closing:
    """A close frame or an HTTP refusal is on its way; nothing is read any more."""

    by_s: float


@dataclass(slots=True)
class Gone:
    """The transport is closed."""


State = Handshaking | AwaitingHello | Authenticating | Live | Closing | Gone


class Connection(asyncio.Protocol):
    """One socket of a server. The shard's answers come by `attached`, `push` and `close`."""

    __slots__ = (
        "_fragments", "_heard_at_s", "_host", "_out", "_out_bytes", "_outbox", "_pings", "_strikes",
        "_stuck_since_s", "_transport", "_ws", "codec", "conn", "ip", "spoke", "state",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, host: Host, conn: int) -> None:
        self._host = host
        self.conn = conn
        self.ip = ""
        self.spoke = -1
        self.codec: Codec = MSGPACK
        self.state: State = Gone()
        self._ws = SocketProtocol(host.limits, host.origins)
        self._heard_at_s = 0.0
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._outbox: Outbox | None = None
        self._stuck_since_s: float | None = None
        self._fragments: list[Frame] | None = None
        self._pings: TokenBucket | None = None
        self._strikes = 0

    # The transport speaks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host = self._host
        self.ip = (transport.get_extra_info("peername") or ("",))[0]
        self._transport.set_write_buffer_limits(high=host.limits.write_high_bytes)
        now_s = host.loop.time()
        self.state = Handshaking(now_s + host.limits.handshake_s)
        refused = host.arrived(self)
        if refused is not None:
            self._refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, refused, retry_after_s=random.randint(1, 5))
            return
        host.wheel.hang(self, self.state.by_s)

    def data_received(self, data: bytes) -> None:
        self._host.metrics.bytes_in += len(data)
        if isinstance(self.state, Handshaking):
            if not self.state.received_bytes and not data[:1].isupper():
                # No method begins so: most likely TLS spoken to a plain port, which would wait for us.
                self._refuse(http.HTTPStatus.BAD_REQUEST, NO_HANDSHAKE)
                return
            self.state.received_bytes += len(data)
            if self.state.received_bytes > self._host.limits.header_bytes:
                self._refuse(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request is too large.")
        ws = self._ws
        if self._unread:
            return
        ws.receive_data(data)
        events = ws.events_received()
        if events:
            self._heard_at_s = self._host.loop.time()
            for event in events:
                if isinstance(event, Frame):
                    self._on_frame(event)
                elif isinstance(event, Request):
                    self._on_request(event, alone=len(events) == 1)
        self._after_reading()

    def eof_received(self) -> None:
        if not self._unread:
            self._ws.receive_eof()
            self._after_reading()

    @property
    def _unread(self) -> bool:
        """Whether the handshake was refused before it was read: what still comes is dropped."""
        return isinstance(self.state, Closing) and self._ws.state is CONNECTING

    def pause_writing(self) -> None:
        limits = self._host.limits
        self._outbox = Outbox(limits.heads_waiting_bytes, limits.items_dropped)
        self._stuck_since_s = self._host.loop.time()
        self._note_unsent()
        if not isinstance(self.state, Closing):
            self._host.wheel.hang(self, self._stuck_since_s + limits.stuck_s)

    def resume_writing(self) -> None:
        outbox, self._outbox, self._stuck_since_s = self._outbox, None, None
        if outbox is None or not isinstance(self.state, Live):
            return
        for frame in outbox.frames():
            self.push(frame)
        if outbox.dropped:
            self._host.metrics.discontinuities += 1
            self.say(messages.Discontinuity(sorted(outbox.dropped)))

    def connection_lost(self, exc: Exception | None) -> None:
        if not isinstance(self.state, (Handshaking, Closing)):
            self._host.metrics.closes[RfcCode.ABNORMAL_CLOSURE] += 1
        self._leave()
        self.state = Gone()
        self._out.clear()
        self._outbox = None
        self._host.wheel.take_off(self)
        self._host.left(self, None)

    # Requests and frames.

    def _on_request(self, request: Request, alone: bool) -> None:
        ws, state = self._ws, self.state
        if not isinstance(state, Handshaking):
            return
        if not alone or ws.writes or ws.parser_exc is not None:
            # Nobody may speak before the answer (RFC 6455, 4.1).
            self._refuse(http.HTTPStatus.BAD_REQUEST, "Frames came before the handshake was answered.")
            return
        ws.send_response(ws.answer(request))
        if ws.state is not OPEN:
            return
        now_s = self._host.loop.time()
        self.state = AwaitingHello(min(state.by_s, now_s + self._host.limits.hello_s))
        self._host.wheel.hang(self, self.state.by_s)
        codec = CODECS.get(ws.subprotocol or "")
        if codec is None:
            self.close(close_codes.VERSION, supported=SUPPORTED)
        else:
            self.codec = codec

    def _on_frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.BINARY or opcode is Opcode.TEXT:
            if frame.fin:
                self._on_message(opcode, bytes(frame.data))
            else:
                self._fragments = [frame]
        elif opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(frame)
            if frame.fin:
                fragments, self._fragments = self._fragments, None
                self._on_message(fragments[0].opcode, b"".join(bytes(part.data) for part in fragments))
            elif len(self._fragments) >= self._host.limits.fragments_per_message:
                self._fail(RfcCode.MESSAGE_TOO_BIG, "too many fragments")
        elif opcode is Opcode.PING:
            limits, now_s = self._host.limits, self._host.loop.time()
            if self._pings is None:
                self._pings = TokenBucket(limits.ping_burst, now_s)
            if not self._pings.take(now_s, limits.pings_per_s, limits.ping_burst):
                self._ws.writes.clear()  # the pongs of the flood (W12)
                self.close(close_codes.RATE, retry_after_ms=5000)

    def _on_message(self, opcode: Opcode, data: bytes) -> None:
        state = self.state
        self._host.metrics.frames_in += 1
        if isinstance(state, Live):
            limits = self._host.limits
            if not state.bucket.take(self._heard_at_s, limits.messages_per_s, limits.message_burst):
                self.close(
                    close_codes.RATE, retry_after_ms=int(1000 * limits.message_burst / limits.messages_per_s)
                )
                return
        elif isinstance(state, Authenticating):
            state.waiting.append((opcode, data))
            return
        elif not isinstance(state, AwaitingHello):
            return
        try:
            if opcode is not self.codec.opcode:
                if opcode is Opcode.TEXT:
                    data.decode()
                raise Refusal(
                    "wrong_frame", f"{self.codec.name} is written in {self.codec.opcode.name} frames"
                )
            message = self.codec.read(data)
        except UnicodeDecodeError as error:
            self._fail(RfcCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        except NamesSomebody as error:
            log.warning("names_somebody", conn=self.conn, student=self.student, said=str(error))
            self.close(close_codes.FORBIDDEN)
        except Refusal as refusal:
            self._strike(refusal)
        else:
            if isinstance(self.state, Live):
                self._on_live(self.state, message)
            else:
                self._on_first(message)

    def _strike(self, refusal: Refusal) -> None:
        self._host.metrics.strikes += 1
        self._strikes += 1
        left = self._host.limits.strikes - self._strikes
        if isinstance(self.state, AwaitingHello):
            left = 0  # nobody yet: the first frame is a hello or the last
        self.say(messages.Problem(refusal.code, str(refusal), refusal.field, max(left, 0)))
        if left <= 0:
            self.close(close_codes.BAD_MESSAGE)

    def _on_live(self, live: Live, message: object) -> None:
        router, link = self._host.router, live.link
        try:
            if isinstance(message, list):
                self._host.metrics.entries_in += len(message)
                if message:
                    router.apply(link, message)
            elif isinstance(message, messages.Ping):
                self.say(messages.Pong(message.n, _server_ms()))
            elif isinstance(message, messages.Pull):
                router.pull(link, message.items)
            elif isinstance(message, messages.Presence):
                router.present(link, message.item, message.state)
            elif isinstance(message, messages.Hello):
                self.close(close_codes.BAD_MESSAGE)
        except LaneFull:
            self.close(close_codes.OVERLOAD, retry_after_ms=_spread_ms())

    # Hello.

    def _on_first(self, message: object) -> None:
        if not isinstance(message, messages.Hello):
            self.close(close_codes.BAD_MESSAGE)
            return
        received_ms = _server_ms()
        try:
            who = self._host.authenticator.by_token(message)
        except AuthRefused as error:
            self._refuse_auth(message, error)
            return
        if who is not None:
            self._admit(who, message, received_ms)
            return
        assert isinstance(self.state, AwaitingHello)
        self.state = Authenticating(self.state.by_s)
        self._transport.pause_reading()
        self._host.spawn(self._redeem(message, received_ms))

    async def _redeem(self, hello: messages.Hello, received_ms: int) -> None:
        try:
            who = await self._host.authenticator.by_ticket(hello)
        except AuthRefused as error:
            self._refuse_auth(hello, error)
        except AuthUnavailable:
            self.close(close_codes.OVERLOAD, retry_after_ms=_spread_ms())
        else:
            state = self.state
            if isinstance(state, Authenticating):
                self._admit(who, hello, received_ms)
                for opcode, data in state.waiting:
                    self._on_message(opcode, data)
        if not isinstance(self.state, Gone):
            self._transport.resume_reading()

    def _refuse_auth(self, hello: messages.Hello, error: AuthRefused) -> None:
        log.warning("auth_refused", conn=self.conn, ip=self.ip, device=hello.device.id, why=str(error))
        self.close(close_codes.AUTH)

    def _admit(self, who: Admitted, hello: messages.Hello, received_ms: int) -> None:
        host = self._host
        refused = host.admit(self, who.student, hello.device.id)
        if refused is not None:
            self.close(refused, retry_after_ms=_spread_ms())
            return
        now_s = host.loop.time()
        attach = Attach(self.conn, who.student, hello.device, hello.clock, received_ms)
        try:
            link = host.router.open(self, attach)
        except LaneFull:
            host.left(self, who.student)
            self.close(close_codes.OVERLOAD, retry_after_ms=_spread_ms())
            return
        live = self.state = Live(
            student=who.student,
            link=link,
            bucket=TokenBucket(host.limits.message_burst, now_s),
            until_s=now_s + who.expires_at_s - received_ms / 1000,
            welcome_by_s=now_s + host.limits.welcome_s,
        )
        host.wheel.hang(self, self._next_look_s(live, now_s))

    # The router speaks.

    def attached(self, answer: Attached, first: bool, epoch_changed: bool) -> None:
        """The shard knows the connection: `welcome` once, `resync` whenever it had to be told again (P27)."""
        state = self.state
        if not isinstance(state, Live):
            return
        if not first:
            why = "epoch" if epoch_changed else "lost"
            self.say(messages.Resync(answer.applied_seq + 1, answer.epoch, why))
            return
        self._host.metrics.greeted += 1
        attach = state.link.attach
        self.say(
            messages.Welcome(
                student=attach.student,
                device=attach.device.id,
                epoch=answer.epoch,
                applied_seq=answer.applied_seq,
                durable_seq=answer.durable_seq,
                server_ms=_server_ms(),
                limits=self._host.limits.announced(),
                protocol=self.codec.name,
            )
        )

    def say(self, message: messages.ToDevice) -> None:
        """Send a message that is for this peer only."""
        self.push(self.codec.write(message))

    def push(self, frame: bytes, key: str | None = None) -> None:
        """Send a whole frame at the end of this turn of the loop, or keep it while the peer is slow."""
        if isinstance(self.state, (Closing, Gone)):
            return
        metrics = self._host.metrics
        metrics.frames_out += 1
        metrics.bytes_out += len(frame)
        if self._outbox is not None:
            kept = self._outbox.put(frame, key)
            if not kept or self._note_unsent() > self._host.limits.unsent_bytes:
                self.close(close_codes.SLOW, retry_after_ms=_spread_ms())
            return
        if not self._out:
            self._host.flush_soon(self)
        self._out.append(frame)
        self._out_bytes += len(frame)
        if self._out_bytes > self._host.limits.unsent_bytes:
            self.close(close_codes.SLOW, retry_after_ms=_spread_ms())

    def flush(self) -> None:
        """Write what this turn of the loop has collected, at once."""
        out = self._out
        if out:
            self._out, self._out_bytes = [], 0
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def close(
        self, code: CloseCode, retry_after_ms: int | None = None, supported: tuple[str, ...] = ()
    ) -> None:
        """Close with a code; the first one counts. What was said before goes out before it."""
        if isinstance(self.state, (Closing, Gone)):
            return
        if self._ws.state is not OPEN:
            if self._ws.state is CONNECTING:
                self._transport.abort()
            return  # else the peer's own close stands in what was just read
        self._host.metrics.closes[code.code] += 1
        if code is close_codes.SLOW:
            self._out.clear()
        self._ws.send_close(code.code, close_codes.reason(code, retry_after_ms, supported))
        self._begin_closing()
        self._write_protocol()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._transport.abort()

    # Deadlines.

    def on_time(self, now_s: float) -> float | None:
        """What is due; the wheel calls it (P3, P6)."""
        state = self.state
        if isinstance(state, Live):
            self._on_time_live(state, now_s)
            return self._next_look_s(state, now_s) if self.state is state else None
        if isinstance(state, Gone):
            return None
        if now_s < state.by_s:
            return state.by_s
        if isinstance(state, AwaitingHello):
            self.close(close_codes.BAD_MESSAGE)
        elif isinstance(state, Authenticating):
            self.close(close_codes.OVERLOAD, retry_after_ms=_spread_ms())
        else:
            self._transport.abort()
        return None

    def _on_time_live(self, live: Live, now_s: float) -> None:
        limits, silent_s = self._host.limits, now_s - self._heard_at_s
        heartbeat_s = limits.heartbeat_ms / 1000
        if now_s >= live.until_s:
            self.close(close_codes.TOKEN)
        elif self._stuck_since_s is not None and now_s >= self._stuck_since_s + limits.stuck_s:
            self.close(close_codes.SLOW, retry_after_ms=_spread_ms())
        elif silent_s >= 2 * heartbeat_s:
            self.close(close_codes.HEARTBEAT)
        elif not live.link.welcomed and now_s >= live.welcome_by_s:
            self.close(close_codes.OVERLOAD, retry_after_ms=_spread_ms())
        else:
            if silent_s >= heartbeat_s and live.pinged_at_s <= self._heard_at_s:
                live.pinged += 1
                live.pinged_at_s = now_s
                self.say(messages.Ping(live.pinged))
            if live.link.asked_at_s is not None:
                self._host.router.attach_again(live.link)

    def _next_look_s(self, live: Live, now_s: float) -> float:
        heartbeat_s = self._host.limits.heartbeat_ms / 1000
        silent_until_s = self._heard_at_s + heartbeat_s
        look_s = min(live.until_s, silent_until_s if silent_until_s > now_s else silent_until_s + heartbeat_s)
        if self._stuck_since_s is not None:
            look_s = min(look_s, self._stuck_since_s + self._host.limits.stuck_s)
        if live.link.asked_at_s is not None:
            look_s = min(look_s, live.link.asked_at_s + ATTACH_AGAIN_S)
        return look_s if live.link.welcomed else min(look_s, live.welcome_by_s)

    # Endings.

    def _after_reading(self) -> None:
        """Send what the protocol has to say, and see whether it ended the connection (P4)."""
        ws = self._ws
        if ws.state in (CLOSING, CLOSED) and not isinstance(self.state, (Closing, Gone)):
            failed = ws.parser_exc is not None and ws.close_sent is not None
            self._host.metrics.closes[ws.close_sent.code if failed and ws.close_sent else 1000] += 1
            self._begin_closing()
        elif ws.state is CONNECTING and ws.eof_sent and isinstance(self.state, Handshaking):
            if not ws.reader.eof and not any(ws.writes):
                # The library answers what is no HTTP with silence; a person deserves a line (W29).
                self._refuse(http.HTTPStatus.BAD_REQUEST, NO_HANDSHAKE)
                return
            self._begin_closing()
        if ws.writes:
            self._write_protocol()

    def _refuse(self, status: http.HTTPStatus, text: str, retry_after_s: int | None = None) -> None:
        """Answer a handshake that is not read any further."""
        self._ws.writes.clear()
        self._out.append(bare_response(status, text, retry_after_s))
        self._begin_closing()
        self.flush()
        self._end()

    def _fail(self, code: RfcCode, why: str) -> None:
        """End a connection that breaks RFC 6455 in a way the library does not see."""
        self._host.metrics.closes[code] += 1
        self._ws.fail(code, why)
        self._begin_closing()

    def _begin_closing(self) -> None:
        self._leave()
        self._outbox = None
        self._fragments = None
        by_s = self._host.loop.time() + self._host.limits.closing_s
        self.state = Closing(by_s)
        self._host.wheel.hang(self, by_s)

    def _leave(self) -> None:
        state = self.state
        if isinstance(state, Live):
            self._host.router.close(state.link)
            self._host.left(self, state.student)

    def _write_protocol(self) -> None:
        """Move what the protocol wants to say to the transport, in order with our own frames."""
        ended = False
        for data in self._ws.data_to_send():
            if not data:
                ended = True
                continue
            if not self._out:
                self._host.flush_soon(self)
            self._out.append(data)
        if isinstance(self.state, Closing):
            self.flush()
            if self._transport.get_write_buffer_size() > self._host.limits.unsent_bytes:
                self._transport.abort()
            elif ended:
                self._end()

    def _end(self) -> None:
        """Say no more. Half-closed, so that what the peer still sends does not reset the last word away."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _note_unsent(self) -> int:
        waiting = self._outbox.size_bytes if self._outbox is not None else 0
        unsent = waiting + self._transport.get_write_buffer_size()
        if unsent > self._host.metrics.write_buffer_max:
            self._host.metrics.write_buffer_max = unsent
        return unsent

    @property
    def student(self) -> str | None:
        """Whose connection it is, once that is known."""
        return self.state.student if isinstance(self.state, Live) else None

    @property
    def device(self) -> str | None:
        """The device, once the student is known."""
        return self.state.link.attach.device.id if isinstance(self.state, Live) else None


def _server_ms() -> int:
    return time.time_ns() // 1_000_000


def _spread_ms() -> int:
    """When to come back: spread, so that those who were sent away together do not return together."""
    return random.randint(1000, 5000)
