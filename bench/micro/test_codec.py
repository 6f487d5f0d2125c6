"""Reading what a device says, writing what it hears."""

from actors.heads import encode, head_of
from actors.messages import Applied
from bench.micro.subjects import NOW_MS, Benchmark, Student, wire_frame
from gateway.sockets.wire import MSGPACK


def test_read_events(benchmark: Benchmark) -> None:
    benchmark(MSGPACK.read, wire_frame())


def test_write_applied(benchmark: Benchmark) -> None:
    message = Applied(123_456)
    benchmark(lambda: MSGPACK.write(message))


def test_make_and_encode_head(benchmark: Benchmark) -> None:
    student = Student().begin()
    student.fold("phone", *student.beats("phone", 0, 20))
    benchmark(lambda: encode(head_of(student.session, student.item, NOW_MS + student.now_ms)))
