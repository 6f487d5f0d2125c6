"""From live sessions to the arguments of the one statement: each figure is of one student."""

from datetime import UTC, datetime

from actors.at_rest import device_row, progress_row
from actors.core.placement import slot_of
from bench.micro.subjects import Benchmark, Student
from persistence.checkpoints import Checkpoint, _arguments

STUDENTS = 100


def test_build_statement(benchmark: Benchmark) -> None:
    students = [Student(f"micro-{number}").begin() for number in range(STUDENTS)]
    for student in students:
        student.fold("phone", *student.beats("phone", 0, 6))
    slots = {student.session.student: slot_of(student.session.student) for student in students}
    epochs = dict.fromkeys(slots.values(), 1)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    benchmark.extra_info["operations"] = STUDENTS

    def build() -> list[object]:
        progress, devices = [], []
        for student in students:
            session = student.session
            progress += [progress_row(session.student, held, student.item) for held in session.items.values()]
            devices.append(device_row(session.student, session.devices["phone"]))
        return _arguments(Checkpoint(at, epochs, slots, progress, devices))

    benchmark(build)
