"""What an item holds: valid by its kind, unknown kinds as they are, and what students see of it."""

from typing import Any

import pytest

from persistence import contents
from persistence.contents import BadContent

QUIZ: dict[str, Any] = {
    "questions": [
        {
            "id": "q1",
            "text": "Who has the playhead?",
            "kind": "one",
            "choices": [
                {"id": "a", "text": "The latest action", "right": True},
                {"id": "b", "text": "The phone"},
            ],
            "answers": ["a"],
            "why": "Rule R2.",
        },
        {"id": "q2", "text": "What is lost?", "kind": "text", "answers": ["nothing"]},
    ],
    "grading": {"q1": 2},
    "time_limit_s": 600,
}


def test_nothing_of_a_quiz_but_its_questions_is_seen() -> None:
    seen = contents.public("quiz", QUIZ)
    assert seen == {
        "questions": [
            {
                "id": "q1",
                "text": "Who has the playhead?",
                "kind": "one",
                "choices": [{"id": "a", "text": "The latest action"}, {"id": "b", "text": "The phone"}],
            },
            {"id": "q2", "text": "What is lost?", "kind": "text"},
        ],
        "time_limit_s": 600,
    }
    assert contents.secret("quiz", QUIZ) == QUIZ
    assert contents.secret("quiz", seen) == {}


@pytest.mark.parametrize("kind", ["video", "pdf", "text", "assignment"])
def test_a_field_nobody_said_may_be_seen_is_not(kind: str) -> None:
    content = {"markdown": "# Read", "rubric": "secret", "source": {"file": "/home/mira/a.mp4"}}
    assert contents.public(kind, content).keys() <= {"markdown"}
    assert contents.secret(kind, content) == content


def test_unknown_kinds_are_kept_and_seen_as_they_are() -> None:
    content = {"deep": [{"answers": 1}]}
    contents.check("lab-1", "lab", content)
    assert contents.public("lab", content) == content
    assert contents.document("lab", content) == {"kind": "lab", "deep": [{"answers": 1}]}


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("text", {}, "markdown"),
        ("text", {"markdown": 5}, "markdown"),
        ("text", {"markdown": ""}, "markdown"),
        ("assignment", {"markdown": None}, "markdown"),
        ("quiz", {"questions": []}, "questions"),
        ("quiz", {"questions": [{"id": "q", "text": "?"}] * 201}, "questions"),
        ("quiz", {"questions": [{"id": "q", "text": "?"}] * 2}, "stands twice"),
        (
            "quiz",
            {"questions": [{"id": "q", "text": "?", "choices": [{"id": "a", "text": "A"}] * 2}]},
            "twice",
        ),
        (
            "quiz",
            {
                "questions": [
                    {"id": "q", "text": "?", "choices": [{"id": "a", "text": "A"}], "answers": ["b"]}
                ]
            },
            "none of its choices",
        ),
        ("quiz", {"questions": "all"}, "questions"),
    ],
)
def test_what_a_kind_does_not_have_is_refused_by_name(kind: str, content: Any, said: str) -> None:
    with pytest.raises(BadContent, match=rf"the-item: .*{said}"):
        contents.check("the-item", kind, content)


def test_the_name_of_a_version_is_its_content_and_tells_nothing() -> None:
    one = contents.version_name(b"salt", "quiz", QUIZ)
    assert one == contents.version_name(b"salt", "quiz", dict(reversed(QUIZ.items())))
    assert len(one) == 25
    assert one[0] == "t"
    other = QUIZ | {"questions": [QUIZ["questions"][0] | {"answers": ["b"]}, QUIZ["questions"][1]]}
    assert contents.version_name(b"salt", "quiz", other) != one
    assert contents.version_name(b"another", "quiz", QUIZ) != one, "else answers can be guessed from it"


@pytest.mark.parametrize(("chars", "duration_ms"), [(1, 1000), (1500, 1000), (1501, 2000), (15_000, 10_000)])
def test_a_text_is_as_long_as_its_screens(chars: int, duration_ms: int) -> None:
    assert contents.duration_ms("text", {"markdown": "x" * chars}) == duration_ms
    assert contents.duration_ms("quiz", QUIZ) == 0
