"""RFC 6455 on the load's side: whole frames out of any cut of the bytes, none a server may not send."""

import pytest
from websockets.frames import Frame, Opcode

from bench import frames
from bench.frames import BadPeer, Incoming, Refused, accepted, masked, request


def server_frame(payload: bytes, opcode: Opcode = Opcode.BINARY) -> bytes:
    return Frame(opcode, payload).serialize(mask=False)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 200, 100_000])
def test_frames_come_whole_however_they_are_cut(cut: int) -> None:
    payloads = [b"", b"x" * 125, b"y" * 126, b"z" * 70_000, b"end"]
    sent = b"".join(server_frame(payload) for payload in payloads)
    incoming = Incoming()
    got: list[bytes] = []
    for start in range(0, len(sent), cut):
        got += [payload for _, payload in incoming.frames(sent[start : start + cut])]
    assert got == payloads


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_what_is_sent_is_a_masked_frame(size: int) -> None:
    payload, key = bytes(range(256)) * 257, b"\x01\x02\x03\x04"
    sent = masked(frames.BINARY, payload[:size], key)
    header = len(sent) - size
    theirs = Frame(Opcode.BINARY, payload[:size]).serialize(mask=True)
    assert sent[: header - 4] == theirs[: len(theirs) - size - 4]
    assert sent[0] == 0x82 and sent[1] & 0x80 and sent[header - 4 : header] == key
    assert bytes(byte ^ key[n % 4] for n, byte in enumerate(sent[header:])) == payload[:size]


@pytest.mark.parametrize("wrong", [b"\x02\x01x", b"\x82\x81\x00\x00\x00\x00x", b"\x82\x7f" + b"\xff" * 8])
def test_a_fragment_a_masked_frame_and_one_without_end_are_refused(wrong: bytes) -> None:
    with pytest.raises(BadPeer):
        list(Incoming().frames(wrong))


def answer(accept: bytes, more: str = "", status: str = "101 Switching Protocols") -> bytes:
    lines = (
        f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept.decode()}\r\n{more}\r\n"
    )
    return lines.encode()


def test_a_handshake_is_accepted_only_with_our_key_and_subprotocol() -> None:
    said, accept = request("127.0.0.1", 8081, "/v1/socket")
    assert said.startswith(b"GET /v1/socket HTTP/1.1\r\n")
    whole = answer(accept, "sec-websocket-protocol: playhead.v1\r\n")
    assert accepted(whole[:-3], accept) is None
    assert accepted(whole + b"rest", accept) == b"rest"
    with pytest.raises(BadPeer, match="key"):
        accepted(whole, b"another")
    with pytest.raises(BadPeer, match="subprotocol"):
        accepted(answer(accept), accept)
    with pytest.raises(BadPeer):
        accepted(b"x" * 10_000, accept)


def test_a_refusal_says_when_to_come_back() -> None:
    with pytest.raises(Refused) as refused:
        accepted(answer(b"", "Retry-After: 7\r\n", "503 Service Unavailable"), b"")
    assert (refused.value.status, refused.value.retry_after_s) == (503, 7.0)
