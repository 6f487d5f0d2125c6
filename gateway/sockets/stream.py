"""From bytes to messages and back: handshake, frames, pings, slow peers and closes of one socket.

`websockets`' Sans-I/O protocol decides what RFC 6455 says. Three things are done here because they are most
of what a gateway does all day: the usual handshake and a whole, unfragmented data frame are read without it,
and frames to peers are written ready-made. A connection that does nothing else never has such a protocol.
"""

import asyncio
import http
import random
from typing import Protocol, cast

from websockets.frames import CloseCode as RfcCode
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CLOSED, CLOSING, CONNECTING, OPEN
from websockets.protocol import State as ProtocolState
from websockets.typing import Origin

from gateway.sockets import close_codes
from gateway.sockets.close_codes import CloseCode
from gateway.sockets.handshake import NO_HANDSHAKE, SocketProtocol, bare_response, read_usual
from gateway.sockets.limits import SocketLimits, TokenBucket
from gateway.sockets.metrics import Metrics
from gateway.sockets.outbox import Outbox
from gateway.sockets.states import Closing, Gone, Handshaking, State
from gateway.sockets.wheel import Wheel

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

_TEXT, _BINARY = 0x80 | Opcode.TEXT, 0x80 | Opcode.BINARY


class Host(Protocol):
    """What a stream needs of the server it belongs to."""

    loop: asyncio.AbstractEventLoop
    limits: SocketLimits
    origins: tuple[Origin | None, ...]
    wheel: Wheel
    metrics: Metrics

    def arrived(self, stream: "SocketStream") -> str | None:
        """A TCP connection is there: None, or why it is turned away."""

    def gone(self, stream: "SocketStream") -> None:
        """The TCP connection is closed."""

    def flush_soon(self, stream: "SocketStream") -> None:
        """Call `flush` once at the end of this turn of the loop."""


class SocketStream(asyncio.Protocol):
    """One TCP connection as a WebSocket. What is said on it is the business of the subclass."""

    __slots__ = (
        "_fragments", "_heard_at_s", "_host", "_open", "_out", "_out_bytes", "_outbox", "_pings", "_protocol",
        "_stuck_since_s", "_transport", "_unread_bytes", "conn", "ip", "spoke", "state",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, host: Host, conn: int) -> None:
        self._host = host
        self.conn = conn
        self.ip = ""
        self.spoke = -1
        self.state: State = Gone()
        self._protocol: SocketProtocol | None = None
        # The handshake is through, and neither side has begun to close.
        self._open = False
        self._unread_bytes = 0
        self._heard_at_s = 0.0
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._outbox: Outbox | None = None
        self._stuck_since_s: float | None = None
        self._fragments: list[Frame] | None = None
        self._pings: TokenBucket | None = None

    @property
    def _ws(self) -> SocketProtocol:
        """The library's protocol of this connection, made when it is needed first."""
        if self._protocol is None:
            self._protocol = SocketProtocol(self._host.limits, self._host.origins, self._stage)
        return self._protocol

    @property
    def _stage(self) -> ProtocolState:
        """How far the WebSocket is, by RFC 6455."""
        if self._protocol is not None:
            return self._protocol.state
        return OPEN if self._open else CONNECTING

    # What the subclass does.

    def opened(self, subprotocol: str | None) -> None:
        """The handshake is through."""
        raise NotImplementedError

    def heard(self, opcode: Opcode, data: bytes) -> None:
        """A whole message, TEXT or BINARY."""
        raise NotImplementedError

    def resumed(self, dropped: set[str]) -> None:
        """A slow peer reads again; `dropped` names items whose heads it missed."""
        raise NotImplementedError

    def ending(self) -> None:
        """The conversation is over; called once, whoever ended it."""
        raise NotImplementedError

    # The transport speaks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host = self._host
        self.ip = (transport.get_extra_info("peername") or ("",))[0]
        self._transport.set_write_buffer_limits(high=host.limits.write_high_bytes)
        by_s = host.loop.time() + host.limits.handshake_s
        self.state = Handshaking(by_s)
        refused = host.arrived(self)
        if refused is not None:
            self._refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, refused, retry_after_s=random.randint(1, 5))
        else:
            host.wheel.hang(self, by_s)

    def data_received(self, data: bytes) -> None:
        self._host.metrics.bytes_in += len(data)
        if self._open and self._unread_bytes == 0 and self._fragments is None:
            rest = self._read_whole_frames(data)
            if rest == len(data):
                return
            data = data[rest:] if rest else data
        if isinstance(self.state, Handshaking):
            if not self._is_one_request(self.state, data) or self._is_usual(self.state, data):
                return
        elif self._stage is CONNECTING:
            return  # refused; what still comes is dropped
        self._read_by_protocol(data)

    def _read_whole_frames(self, data: bytes) -> int:
        """Read frames that are whole, masked, unfragmented and data; gives where something else begins."""
        size, start = len(data), 0
        frame_max = self._host.limits.frame_bytes
        now_s = self._host.loop.time()
        while size - start >= 6 and self._open:
            first, length = data[start], data[start + 1]
            if (first != _BINARY and first != _TEXT) or length < 0x80 or length == 0xFF:
                break
            mask_at = start + 2
            length &= 0x7F
            if length == 126:
                mask_at += 2
                length = data[start + 2] << 8 | data[start + 3]
            end = mask_at + 4 + length
            if end > size or length > frame_max:
                break
            start = end
            self._heard_at_s = now_s
            payload = apply_mask(data[mask_at + 4 : end], data[mask_at : mask_at + 4])
            self.heard(Opcode.BINARY if first == _BINARY else Opcode.TEXT, payload)
        return start

    def _read_by_protocol(self, data: bytes) -> None:
        ws = self._ws
        if not isinstance(self.state, Handshaking):
            self._unread_bytes += len(data)
        ws.receive_data(data)
        events = ws.events_received()
        if events:
            self._heard_at_s = self._host.loop.time()
            for event in events:
                if isinstance(event, Frame):
                    self._on_frame(event)
                elif isinstance(event, Request):
                    self._on_request(event)
        self._after_reading()

    def eof_received(self) -> None:
        if self._stage is not CONNECTING or isinstance(self.state, Handshaking):
            self._ws.receive_eof()
            self._after_reading()

    def pause_writing(self) -> None:
        limits = self._host.limits
        self._outbox = Outbox(limits.heads_waiting_bytes, limits.items_dropped)
        self._stuck_since_s = self._host.loop.time()
        self._note_unsent()
        if not isinstance(self.state, Closing):
            self._host.wheel.hang(self, self._stuck_since_s + limits.stuck_s)

    def resume_writing(self) -> None:
        outbox, self._outbox, self._stuck_since_s = self._outbox, None, None
        if outbox is not None and not isinstance(self.state, (Closing, Gone)):
            for frame in outbox.frames():
                self.push(frame)
            self.resumed(outbox.dropped)

    def connection_lost(self, exc: Exception | None) -> None:
        if not isinstance(self.state, (Handshaking, Closing)):
            self._host.metrics.closes[RfcCode.ABNORMAL_CLOSURE] += 1
        if not isinstance(self.state, Closing):
            self.ending()
        self.state = Gone()
        self._out.clear()
        self._outbox = None
        self._open = False
        if self._protocol is not None:
            self._protocol.release()
        self._host.wheel.take_off(self)
        self._host.gone(self)

    # The handshake.

    def _is_one_request(self, state: Handshaking, data: bytes) -> bool:
        """Whether what has come so far can become one request and nothing else; refuses it if not."""
        if not state.received_bytes and not data[:1].isupper():
            # No method begins so: most likely TLS spoken to a plain port, which would wait for us.
            self._refuse(http.HTTPStatus.BAD_REQUEST, NO_HANDSHAKE)
            return False
        state.received_bytes += len(data)
        if state.received_bytes > self._host.limits.header_bytes:
            self._refuse(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request is too large.")
            return False
        seen = state.tail + data
        end = seen.find(b"\r\n\r\n")
        if 0 <= end < len(seen) - 4:
            # Nobody may speak before the answer (RFC 6455, 4.1); no request of a socket has a body.
            self._refuse(http.HTTPStatus.BAD_REQUEST, "Something came before the handshake was answered.")
            return False
        state.tail = seen[-3:]
        return True

    def _is_usual(self, state: Handshaking, data: bytes) -> bool:
        """Whether that was the handshake clients really send; then it is answered."""
        usual = read_usual(data, self._host.origins) if state.received_bytes == len(data) else None
        if usual is None:
            return False
        self._heard_at_s = self._host.loop.time()
        self._open = True
        self._out.append(usual.answer)
        self.opened(usual.subprotocol)
        self.flush()
        return True

    def _on_request(self, request: Request) -> None:
        ws = self._ws
        ws.send_response(ws.answer(request))
        if ws.state is OPEN:
            self._open = True
            self.opened(ws.subprotocol)

    def _refuse(self, status: http.HTTPStatus, text: str, retry_after_s: int | None = None) -> None:
        """Answer a handshake that is not read any further."""
        if self._protocol is not None:
            self._protocol.writes.clear()
        self._out.append(bare_response(status, text, retry_after_s))
        self._begin_closing()
        self.flush()
        self._end()

    # Frames.

    def _on_frame(self, frame: Frame) -> None:
        opcode, size = frame.opcode, len(frame.data)
        # The bytes it came in, if its length was written as short as it can be; if not, some stay for ever
        # and the connection is read by the protocol from here on.
        self._unread_bytes -= size + (6 if size < 126 else 8 if size < 65536 else 14)
        if opcode is Opcode.BINARY or opcode is Opcode.TEXT:
            if frame.fin:
                self.heard(opcode, bytes(frame.data))
            else:
                self._fragments = [frame]
        elif opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(frame)
            if frame.fin:
                fragments, self._fragments = self._fragments, None
                self.heard(fragments[0].opcode, b"".join(bytes(part.data) for part in fragments))
            elif len(self._fragments) >= self._host.limits.fragments_per_message:
                self.fail(RfcCode.MESSAGE_TOO_BIG, "too many fragments")
        elif opcode is Opcode.PING:
            limits, now_s = self._host.limits, self._host.loop.time()
            if self._pings is None:
                self._pings = TokenBucket(limits.ping_burst, now_s)
            if not self._pings.take(now_s, limits.pings_per_s, limits.ping_burst):
                self._ws.writes.clear()  # the pongs of the flood (W12)
                self.close(close_codes.RATE, retry_after_ms=5000)

    def push(self, frame: bytes, key: str | None = None) -> None:
        """Send a whole frame at the end of this turn of the loop, or keep it while the peer is slow."""
        if not self._open:
            return
        if self._outbox is not None:
            kept = self._outbox.put(frame, key)
            if not kept or self._note_unsent() > self._host.limits.unsent_bytes:
                self.close(close_codes.SLOW, retry_after_ms=spread_ms())
            return
        if not self._out:
            self._host.flush_soon(self)
        self._out.append(frame)
        self._out_bytes += len(frame)
        if self._out_bytes > self._host.limits.unsent_bytes:
            self.close(close_codes.SLOW, retry_after_ms=spread_ms())

    def flush(self) -> None:
        """Write what this turn of the loop has collected, at once."""
        out = self._out
        if out:
            data = out[0] if len(out) == 1 else b"".join(out)
            metrics = self._host.metrics
            metrics.frames_out += len(out)
            metrics.bytes_out += len(data)
            out.clear()
            self._out_bytes = 0
            self._transport.write(data)

    def _note_unsent(self) -> int:
        waiting = self._outbox.size_bytes if self._outbox is not None else 0
        unsent = waiting + self._transport.get_write_buffer_size()
        if unsent > self._host.metrics.write_buffer_max:
            self._host.metrics.write_buffer_max = unsent
        return unsent

    # Endings.

    def close(
        self, code: CloseCode, retry_after_ms: int | None = None, supported: tuple[str, ...] = ()
    ) -> None:
        """Close with a code; the first one counts. What was said before goes out before it."""
        if isinstance(self.state, (Closing, Gone)):
            return
        if self._stage is not OPEN:
            if self._stage is CONNECTING:
                self._transport.abort()
            return  # else the peer's own close stands in what was just read
        self._host.metrics.closes[code.code] += 1
        if code is close_codes.SLOW:
            self._out.clear()
        self._ws.send_close(code.code, close_codes.reason(code, retry_after_ms, supported))
        self._begin_closing()
        self._write_protocol()

    def dismiss(self, code: CloseCode, retry_after_ms: int) -> None:
        """Close a connection on which nothing was said yet, as cheaply as can be: the close frame, then our
        end of the line. What the peer answers is not read.
        """
        if self._protocol is not None or not self._transport.can_write_eof():
            self.close(code, retry_after_ms)
            return
        self._host.metrics.closes[code.code] += 1
        reason = close_codes.reason(code, retry_after_ms).encode()
        self._out.append(
            bytes((0x80 | Opcode.CLOSE, 2 + len(reason))) + code.code.to_bytes(2, "big") + reason
        )
        self._begin_closing()
        self.flush()
        self._end()

    def fail(self, code: RfcCode, why: str) -> None:
        """End a connection that breaks RFC 6455 in a way the library does not see."""
        if self._stage is OPEN:
            self._host.metrics.closes[code] += 1
            self._ws.fail(code, why)
            self._begin_closing()
            self._write_protocol()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._transport.abort()

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

    def _begin_closing(self) -> None:
        self.ending()
        self._open = False
        self._outbox = None
        self._fragments = None
        by_s = self._host.loop.time() + self._host.limits.closing_s
        self.state = Closing(by_s)
        self._host.wheel.hang(self, by_s)

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

    def on_time(self, now_s: float) -> float | None:
        """See `Timed` of wheel.py."""
        raise NotImplementedError


def spread_ms() -> int:
    """When to come back: spread, so that those who were sent away together do not return together."""
    return random.randint(1000, 5000)
