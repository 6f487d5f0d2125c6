"""Registers of an attempt: R2 and R3 for each question, what is handed in stays (docs/sync.md, quizzes)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.quizzes import ATTEMPT_BYTES_MAX, LOG_MAX, QUESTIONS_MAX, Action, Answer, Attempt
from actors.heads import head_of
from tests.actors.core.devices import Device, Visit, World, item

QUIZ = "quiz1"


def world() -> World:
    return World(item(QUIZ, 0))


def attempt(world: World) -> Attempt:
    quiz = world.progress(QUIZ).quiz
    assert quiz is not None
    return quiz


def begun(device: Device) -> Visit:
    return device.open(0, QUIZ)


def test_s48_two_tabs_lose_nothing_and_the_later_answer_to_a_question_stands() -> None:
    quiz = world()
    web = quiz.device("W")
    one, two = begun(web), begun(web)
    one.answer(60, "q1", "a")
    one.answer(120, "q2", "b")
    two.answer(180, "q3", "c")
    assert attempt(quiz).standing == {"q1": "a", "q2": "b", "q3": "c"}
    two.answer(240, "q1", "d")
    one.submit(300)
    late = two.answer(360, "q2", "e")
    assert attempt(quiz).standing == {"q1": "d", "q2": "b", "q3": "c"}
    assert attempt(quiz).values == {"q1": ["a", "d"], "q2": ["b"], "q3": ["c"]}
    assert attempt(quiz).submission is not None
    folded = web.deliver([late], 361)
    assert not folded.refused, "a repeat is a repeat"


def test_an_answer_after_the_submission_is_refused() -> None:
    quiz = world()
    web, phone = quiz.device("W"), quiz.device("P", online=False)
    visit = begun(web)
    visit.answer(60, "q1", "a")
    visit.submit(100)
    begun(phone).answer(110, "q1", "z")
    phone.online = True
    folded = phone.deliver(phone.journal, 200)
    assert [(seq, code) for seq, code, _ in folded.refused] == [(2, "submitted")]
    assert attempt(quiz).values == {"q1": ["a"]}


def test_r2_an_answer_that_knows_the_other_succeeds_it_whatever_the_clocks_say() -> None:
    old = Answer("old", Action("A", 1, at_ms=900, base_rev=0, rev=5, had_ms=900))
    new = Answer("new", Action("B", 1, at_ms=100, base_rev=5, rev=6, had_ms=950))
    for order in itertools.permutations([old, new]):
        both = Attempt()
        for answer in order:
            both.answer("q", answer)
        assert (both.standing, both.values) == ({"q": "new"}, {"q": ["old", "new"]})


def test_r3_of_concurrent_answers_the_later_action_stands_whenever_it_arrives() -> None:
    quiz = world()
    web, phone = quiz.device("W"), quiz.device("P", online=False)
    begun(phone).answer(50, "q1", "phone")
    begun(web).answer(100, "q1", "web")
    phone.connect(200)
    assert attempt(quiz).standing == {"q1": "web"}
    assert attempt(quiz).values == {"q1": ["phone", "web"]}


def test_an_answer_from_before_the_submission_that_is_heard_later_is_only_in_the_log() -> None:
    quiz = world()
    web, phone = quiz.device("W"), quiz.device("P", online=False)
    begun(phone).answer(90, "q1", "phone")
    visit = begun(web)
    visit.answer(60, "q1", "web")
    visit.submit(100)
    phone.connect(200)
    assert attempt(quiz).standing == {"q1": "web"}
    assert attempt(quiz).values == {"q1": ["web", "phone"]}


def test_a_submission_heard_late_hands_in_what_the_server_had_when_it_was_made() -> None:
    quiz = world()
    web, phone = quiz.device("W", online=False), quiz.device("P")
    visit = begun(web)
    visit.answer(10, "q1", "web")
    begun(phone).answer(50, "q2", "had")
    visit.submit(100)
    phone.connect(150)
    begun(phone).answer(160, "q3", "made after it")
    web.connect(200)
    assert attempt(quiz).standing == {"q1": "web", "q2": "had"}
    assert attempt(quiz).values == {"q1": ["web"], "q2": ["had"]}


def test_r2_a_submission_hands_in_what_its_device_knew_whatever_the_clocks_say() -> None:
    known = Answer("a", Action("A", 1, at_ms=900, base_rev=0, rev=5, had_ms=900))
    for order in ("submission first", "answer first"):
        handed = Attempt()
        if order == "answer first":
            handed.answer("q", known)
        handed.submit(Action("B", 1, at_ms=100, base_rev=5, rev=6, had_ms=950))
        assert handed.refusal("q", known) is None
        if order == "submission first":
            handed.answer("q", known)
        assert handed.standing == {"q": "a"}


def two_submissions(durable: bool) -> tuple[dict[str, str], str]:
    """The phone hands in off line at 30, the web at 100, and the phone is heard at 200: what stands."""
    quiz = world()
    web, phone = quiz.device("W"), quiz.device("P", online=False)
    other = begun(phone)
    other.answer(20, "q1", "phone")
    other.submit(30)
    visit = begun(web)
    visit.answer(60, "q1", "web")
    visit.submit(100)
    if durable:
        quiz.checkpoint()
    phone.connect(200)
    submission = attempt(quiz).submission
    assert submission is not None
    return attempt(quiz).standing, submission.device


def test_a_submission_that_is_durable_is_replaced_by_none() -> None:
    assert two_submissions(durable=True) == ({"q1": "web"}, "W")


def test_of_two_submissions_that_are_not_yet_durable_the_earlier_stands() -> None:
    assert two_submissions(durable=False) == ({"q1": "phone"}, "P")


def test_r2_of_two_submissions_the_one_that_the_other_knows_stands() -> None:
    known = Action("A", 1, at_ms=900, base_rev=0, rev=5, had_ms=900)
    knowing = Action("B", 1, at_ms=100, base_rev=5, rev=6, had_ms=950)
    for order in itertools.permutations([known, knowing]):
        handed = Attempt()
        for submission in order:
            handed.submit(submission)
        assert handed.submission == known


def test_r8_a_submission_after_a_crash_hands_in_what_its_device_had_seen_before_it() -> None:
    quiz = world()
    web, phone = quiz.device("W"), quiz.device("P")
    visit, other = begun(web), begun(phone)
    visit.answer(10, "q1", "first")
    quiz.checkpoint()
    visit.answer(60, "q1", "web")
    other.submit(61)
    quiz.crash()
    for device in (web, phone):
        device.connect(70, deliver=False)
        device.deliver(device.journal, 70)
    assert attempt(quiz).submission is not None
    assert attempt(quiz).standing == {"q1": "web"}


@given(
    moments=st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("pq"), st.integers(1, 50)), max_size=6),
    submit_at=st.integers(1, 50),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_changes_nothing(
    moments: list[tuple[str, str, int]], submit_at: int, order: object
) -> None:
    """Answers of two devices that know of nothing, heard off line at 100 in any order, and a submission."""
    moments = sorted(moments, key=lambda one: one[2])
    answers = [
        (question, Answer(f"v{n}", Action(device, n + 1, at_ms, 0, n + 1, 100)))
        for n, (device, question, at_ms) in enumerate(moments)
    ]
    submission = Action("C", 1, submit_at, 0, 99, 100)
    ends = []
    for turn in (answers, answers[::-1]):
        for place in range(len(turn) + 1):
            end = Attempt()
            for n in range(len(turn) + 1):
                if n == place:
                    end.submit(submission)
                if n < len(turn) and end.refusal(*turn[n]) is None:
                    end.answer(*turn[n])
            ends.append((end.standing, end.values))
    assert all(end == ends[0] for end in ends)


def test_what_is_kept_is_bounded_and_what_stands_is_never_forgotten() -> None:
    full = Attempt()
    for n in range(LOG_MAX + 5):
        full.answer("q", Answer(str(n), Action("A", n + 1, n, 0, n + 1, n)))
    assert full.values["q"] == [str(n) for n in range(5, LOG_MAX + 5)]
    full.submit(Action("A", 100, 100, 0, 100, 100))
    for n in range(LOG_MAX + 5):
        full.answer("q", Answer(f"late{n}", Action("B", n + 1, 90, 0, 200 + n, 200)))
    assert full.standing == {"q": str(LOG_MAX + 4)}
    assert len(full.values["q"]) == LOG_MAX


def test_too_many_questions_or_too_much_text_is_refused() -> None:
    full = Attempt()
    for n in range(QUESTIONS_MAX):
        full.answer(f"q{n}", Answer("a", Action("A", n + 1, n, 0, n + 1, n)))
    by = Action("A", 999, 999, 0, 999, 999)
    assert full.refusal("another", Answer("a", by)) is not None
    assert full.refusal("q0", Answer("b", by)) is None
    assert full.refusal("q0", Answer("b" * ATTEMPT_BYTES_MAX, by)) is not None


def test_long_answers_push_out_the_log_and_never_what_stands() -> None:
    full, size = Attempt(), ATTEMPT_BYTES_MAX // 8
    for n in range(12):
        full.answer(f"q{n % 3}", Answer(f"{n:0{size}}", Action("A", n + 1, n, 0, n + 1, n)))
    assert [value[-2:] for value in full.standing.values()] == ["09", "10", "11"]
    assert sum(len(values) for values in full.values.values()) == 7


def test_r8_an_attempt_survives_the_death_of_its_owner() -> None:
    quiz = world()
    visit = begun(quiz.device("W"))
    visit.answer(60, "q1", "a")
    visit.answer(70, "q1", "b")
    visit.submit(100)
    before = attempt(quiz)
    quiz.checkpoint()
    quiz.crash()
    assert attempt(quiz) == before


def test_a_head_tells_the_attempt_and_a_quiz_is_never_done_by_play() -> None:
    quiz = world()
    web = quiz.device("W")
    assert head_of(quiz.session, quiz.catalogue[QUIZ], 0).quiz is None
    visit = begun(web)
    visit.answer(60, "q1", "a")
    head = head_of(quiz.session, quiz.catalogue[QUIZ], 0)
    assert head.quiz is not None and (head.quiz.answers, head.quiz.submitted) == ({"q1": "a"}, False)
    first_rev = head.rev
    visit.submit(61)
    head = head_of(quiz.session, quiz.catalogue[QUIZ], 0)
    assert head.quiz is not None and head.quiz.submitted
    assert head.rev > first_rev and not head.done


@pytest.mark.parametrize("kind", ["answered", "submitted"])
def test_answers_are_written_soon(kind: str) -> None:
    quiz = world()
    web = quiz.device("W", online=False)
    visit = begun(web)
    if kind == "answered":
        visit.answer(60, "q1", "a")
    else:
        visit.submit(60)
    web.online = True
    assert web.deliver(web.journal, 61).urgent
