"""The questions of a quiz: checked, as the document of a draft (with answers), and back into YAML."""

from collections.abc import Iterable, Iterator
from typing import Any

from actors.core.quizzes import QUESTIONS_MAX
from gateway.course_files.format import QuestionFile
from persistence.ids import is_id

CHOICES_MAX = 26


def check_quiz(questions: tuple[QuestionFile, ...]) -> Iterator[tuple[int, str]]:
    """What is wrong with the questions, as line and message."""
    if not questions:
        yield 0, "has no questions; give at least one"
    if len(questions) > QUESTIONS_MAX:
        yield questions[-1].line(), f"has more than {QUESTIONS_MAX} questions; make two quizzes of it"
    seen: dict[str, int] = {}
    for question in questions:
        if not is_id(question.id):
            yield question.line("id"), f"{question.id[:60]!r} is no id; letters and digits, as `q1`"
        elif question.id in seen:
            yield (
                question.line("id"),
                f"question {question.id} is on line {seen[question.id]} already; ids are single",
            )
        seen.setdefault(question.id, question.line("id"))
        if not question.text.strip():
            yield question.line("text"), f"question {question.id} asks nothing; write its text"
        yield from _check_answers(question)


def _check_answers(question: QuestionFile) -> Iterator[tuple[int, str]]:
    name, line = f"question {question.id}", question.line("answers")
    if not question.answers:
        yield line, f"{name} has no answers; say which are right"
    if question.kind == "text":
        if question.choices:
            yield question.line("choices"), f"{name} is answered by a text; leave its choices out"
        return
    if not 2 <= len(question.choices) <= CHOICES_MAX:
        yield question.line("choices"), f"{name} has {len(question.choices)} choices; give 2 to {CHOICES_MAX}"
    for choice in question.choices:
        if not is_id(choice):
            yield question.line("choices"), f"{name}: {choice[:60]!r} is no id of a choice; take a, b, c"
    for answer in question.answers:
        if answer not in question.choices:
            yield line, f"{name}: {answer[:60]!r} is none of its choices ({', '.join(question.choices)})"
    if question.kind == "one" and len(question.answers) > 1:
        yield line, f"{name} has several right answers; make it `kind: many`, or keep one"


def content_of(questions: Iterable[QuestionFile]) -> dict[str, Any]:
    """The content of a draft's quiz. Publishing takes `answers` and `why` out and keeps them apart."""
    return {"questions": [_document(question) for question in questions]}


def _document(question: QuestionFile) -> dict[str, Any]:
    choices = [{"id": choice, "text": text} for choice, text in question.choices.items()]
    document = {"id": question.id, "text": question.text, "kind": question.kind, "choices": choices}
    document["answers"] = list(question.answers)
    return document | ({"why": question.why} if question.why else {})


def file_of(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a draft's quiz as the mapping of a quiz file."""
    return {"questions": [_question_file(question) for question in content.get("questions", [])]}


def _question_file(question: dict[str, Any]) -> dict[str, Any]:
    written = {"id": question["id"], "text": question["text"], "kind": question.get("kind", "one")}
    if choices := question.get("choices"):
        written["choices"] = {choice["id"]: choice["text"] for choice in choices}
    written["answers"] = question.get("answers", [])
    return written | ({"why": question["why"]} if question.get("why") else {})
