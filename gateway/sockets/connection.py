"""What is said on one socket: hello, then messages to its shard and back, until a deadline or a close."""

import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Protocol

import structlog
from websockets.frames import CloseCode as RfcCode
from websockets.frames import Opcode

from actors import messages
from actors.batch import Attach, Attached
from actors.lane import LaneFull
from gateway.sockets import close_codes, stream
from gateway.sockets.admission import Admission
from gateway.sockets.auth import Admitted, Authenticator, AuthRefused, AuthUnavailable
from gateway.sockets.batching import ATTACH_AGAIN_S, ShardRouter
from gateway.sockets.close_codes import CloseCode
from gateway.sockets.handshake import SUPPORTED
from gateway.sockets.limits import TokenBucket
from gateway.sockets.media import MediaDesk
from gateway.sockets.states import Authenticating, AwaitingHello, Gone, Handshaking, Live
from gateway.sockets.stream import SocketStream, spread_ms
from gateway.sockets.strict import NamesSomebody, Refusal
from gateway.sockets.wire import CODECS, MSGPACK, Chunk, Codec, Message

log = structlog.get_logger()


class Host(stream.Host, Protocol):
    """What a conversation needs of the server beside that."""

    router: ShardRouter
    authenticator: Authenticator
    admission: Admission
    media: MediaDesk

    @property
    def gathers(self) -> bool:
        """Whether many come now, so that those let in attach together."""

    def enter(self, connection: "Connection") -> int | None:
        """A handshake is through: None, or in how many ms to come back."""

    def gather(self, come_in: Callable[[], None]) -> None:
        """Call it soon, with the others of this moment."""

    def admit(self, connection: "Connection", student: str, device: str) -> CloseCode | None:
        """Somebody said who they are: None, or why this connection cannot stay."""

    def left(self, connection: "Connection", student: str) -> None:
        """The connection is no longer this student's."""

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run a short task, supervised."""


class Connection(SocketStream):
    """One device's end of the conversation. The shard's answers come by `attached`, `push` and `close`."""

    __slots__ = ("_strikes", "codec")

    _host: Host

    def __init__(self, host: Host, conn: int) -> None:
        super().__init__(host, conn)
        self.codec: Codec = MSGPACK
        self._strikes = 0

    @property
    def student(self) -> str | None:
        """Whose connection it is, once that is known."""
        return self.state.student if isinstance(self.state, Live) else None

    @property
    def device(self) -> str | None:
        """The device, once the student is known."""
        return self.state.link.attach.device.id if isinstance(self.state, Live) else None

    # The stream speaks.

    def opened(self, subprotocol: str | None) -> None:
        host, state = self._host, self.state
        assert isinstance(state, Handshaking)
        codec = CODECS.get(subprotocol or "")
        if codec is None:
            self.close(close_codes.VERSION, supported=SUPPORTED)
            return
        # Before a hello is read or a signature verified: one too many costs a handshake and no more (F22).
        retry_after_ms = host.enter(self)
        if retry_after_ms is not None:
            self.dismiss(close_codes.OVERLOAD, retry_after_ms)
            return
        self.codec = codec
        by_s = min(state.by_s, host.loop.time() + host.limits.hello_s)
        self.state = AwaitingHello(by_s)
        host.wheel.hang(self, by_s)

    def heard(self, opcode: Opcode, data: bytes) -> None:
        state = self.state
        self._host.metrics.frames_in += 1
        if isinstance(state, Live):
            limits = self._host.limits
            if not state.bucket.take(self._heard_at_s, limits.messages_per_s, limits.message_burst):
                empty_ms = 1000 * limits.message_burst / limits.messages_per_s
                self.close(close_codes.RATE, retry_after_ms=round(empty_ms))
                return
        elif isinstance(state, Authenticating):
            state.waiting.append((opcode, data))
            return
        elif not isinstance(state, AwaitingHello):
            return
        message = self._read(opcode, data)
        if message is None:
            return
        if isinstance(state, Live):
            self._on_live(state, message)
        else:
            self._on_first(message)

    def resumed(self, dropped: set[str]) -> None:
        if dropped:
            self._host.metrics.discontinuities += 1
            self.say(messages.Discontinuity(sorted(dropped)))

    def ending(self) -> None:
        state = self.state
        if isinstance(state, Live):
            if not state.link.welcomed:
                self._host.admission.attaching -= 1
            self._host.router.close(state.link)
            self._host.left(self, state.student)
        elif isinstance(state, AwaitingHello):
            self._host.admission.left_unsaid()

    def close(
        self, code: CloseCode, retry_after_ms: int | None = None, supported: tuple[str, ...] = ()
    ) -> None:
        """See `SocketStream`. Who is too much is given a time of their own to come back, if none is said."""
        if code is close_codes.OVERLOAD and retry_after_ms is None:
            host = self._host
            retry_after_ms = host.admission.postpone(host.loop.time())
        super().close(code, retry_after_ms, supported)

    # Messages.

    def say(self, message: messages.ToDevice) -> None:
        """Send a message that is for this peer only."""
        self.push(self.codec.write(message))

    def _read(self, opcode: Opcode, data: bytes) -> Message | None:
        """The message, or None if it was answered by a strike or a close."""
        codec = self.codec
        try:
            if opcode is codec.opcode:
                return codec.read(data)
            if opcode is Opcode.TEXT:
                data.decode()
            self._strike(Refusal("wrong_frame", f"{codec.name} is written in {codec.opcode.name} frames"))
        except UnicodeDecodeError as error:
            self.fail(RfcCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        except NamesSomebody as error:
            log.warning("names_somebody", conn=self.conn, student=self.student, said=str(error))
            self.close(close_codes.FORBIDDEN)
        except Refusal as refusal:
            self._strike(refusal)
        return None

    def _strike(self, refusal: Refusal) -> None:
        self._host.metrics.strikes += 1
        self._strikes += 1
        left = self._host.limits.strikes - self._strikes
        if isinstance(self.state, AwaitingHello):
            left = 0  # nobody yet: the first frame is a hello or the last
        self.say(messages.Problem(refusal.code, str(refusal), refusal.field, max(left, 0)))
        if left <= 0:
            self.close(close_codes.BAD_MESSAGE)

    def _on_live(self, live: Live, message: Message) -> None:
        router, link = self._host.router, live.link
        try:
            if isinstance(message, Chunk):
                entries = len(message)
                self._host.metrics.entries_in += entries
                if entries:
                    router.apply(link, message.events, message.refused)
            elif isinstance(message, messages.Ping):
                self.say(messages.Pong(message.n, server_ms()))
            elif isinstance(message, messages.Pull):
                router.pull(link, message.items)
            elif isinstance(message, messages.Presence):
                router.present(link, message.item, message.state)
            elif isinstance(message, messages.MediaWish):
                self._host.media.want(self, live.student, message.item)
            elif isinstance(message, messages.Hello):
                self.close(close_codes.BAD_MESSAGE)
        except LaneFull:
            self.close(close_codes.OVERLOAD)

    # Hello.

    def _on_first(self, message: Message) -> None:
        if not isinstance(message, messages.Hello):
            self.close(close_codes.BAD_MESSAGE)
            return
        received_ms = server_ms()
        try:
            who = self._host.authenticator.by_token(message)
        except AuthRefused as error:
            self._refuse_auth(message, error)
            return
        host = self._host
        if who is not None and not host.gathers:
            self._admit(who, message, received_ms)
            return
        assert isinstance(self.state, AwaitingHello)
        self.state = Authenticating(self.state.by_s)
        self._transport.pause_reading()
        if who is None:
            host.spawn(self._redeem(message, received_ms))
        else:
            host.gather(partial(self._come_in, who, message, received_ms))

    async def _redeem(self, hello: messages.Hello, received_ms: int) -> None:
        try:
            who = await self._host.authenticator.by_ticket(hello)
        except AuthRefused as error:
            self._refuse_auth(hello, error)
        except AuthUnavailable:
            self.close(close_codes.OVERLOAD)
        else:
            come_in = partial(self._come_in, who, hello, received_ms)
            if self._host.gathers:
                self._host.gather(come_in)
            else:
                come_in()
            return
        if not isinstance(self.state, Gone):
            self._transport.resume_reading()

    def _come_in(self, who: Admitted, hello: messages.Hello, received_ms: int) -> None:
        """Whoever waited for a ticket or for the others is let in, unless they have gone meanwhile."""
        state = self.state
        if isinstance(state, Authenticating):
            self._admit(who, hello, received_ms)
            for opcode, data in state.waiting:
                self.heard(opcode, data)
        if not isinstance(self.state, Gone):
            self._transport.resume_reading()

    def _refuse_auth(self, hello: messages.Hello, error: AuthRefused) -> None:
        log.warning("auth_refused", conn=self.conn, ip=self.ip, device=hello.device.id, why=str(error))
        self.close(close_codes.AUTH)

    def _admit(self, who: Admitted, hello: messages.Hello, received_ms: int) -> None:
        host = self._host
        refused = host.admit(self, who.student, hello.device.id)
        if refused is not None:
            self.close(refused, retry_after_ms=spread_ms())
            return
        now_s = host.loop.time()
        attach = Attach(self.conn, who.student, hello.device, hello.clock, received_ms)
        try:
            link = host.router.open(self, attach)
        except LaneFull:
            host.left(self, who.student)
            self.close(close_codes.OVERLOAD)
            return
        host.admission.attaching += 1
        live = self.state = Live(
            student=who.student,
            link=link,
            bucket=TokenBucket(host.limits.message_burst, now_s),
            until_s=now_s + who.expires_at_s - received_ms / 1000,
            welcome_by_s=now_s + host.limits.welcome_s,
        )
        host.wheel.hang(self, self._next_look_s(live, now_s))

    def attached(self, answer: Attached, first: bool, epoch_changed: bool, quiet: bool) -> None:
        """The shard knows the connection: `welcome` once, `resync` whenever it had to be told again (P27),
        unless nothing was lost: then only what the former shard may have said too late (P29)."""
        state = self.state
        if not isinstance(state, Live):
            return
        if quiet:
            self.say(messages.Applied(answer.applied_seq))
            self.say(messages.Durable(answer.durable_seq))
            return
        if not first:
            why = "epoch" if epoch_changed else "lost"
            self.say(messages.Resync(answer.applied_seq + 1, answer.epoch, why))
            # The push that said so may have died with the shard, and an idle device has nothing to send.
            self.say(messages.Durable(answer.durable_seq))
            return
        self._host.metrics.greeted += 1
        self._host.admission.attaching -= 1
        attach = state.link.attach
        self.say(
            messages.Welcome(
                student=attach.student,
                device=attach.device.id,
                epoch=answer.epoch,
                applied_seq=answer.applied_seq,
                durable_seq=answer.durable_seq,
                server_ms=server_ms(),
                limits=self._host.limits.announced(),
                clock_wrong=answer.clock_wrong,
                clock_offset_ms=answer.clock_offset_ms,
                protocol=self.codec.name,
            )
        )

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
            self.close(close_codes.OVERLOAD)
        else:
            self.abort()
        return None

    def _on_time_live(self, live: Live, now_s: float) -> None:
        limits, silent_s = self._host.limits, now_s - self._heard_at_s
        heartbeat_s = limits.heartbeat_ms / 1000
        if now_s >= live.until_s:
            self.close(close_codes.TOKEN)
        elif self._stuck_since_s is not None and now_s >= self._stuck_since_s + limits.stuck_s:
            self.close(close_codes.SLOW, retry_after_ms=spread_ms())
        elif silent_s >= 2 * heartbeat_s:
            self.close(close_codes.HEARTBEAT)
        elif not live.link.welcomed and now_s >= live.welcome_by_s:
            self.close(close_codes.OVERLOAD)
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


def server_ms() -> int:
    """Server time, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000
